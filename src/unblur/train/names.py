"""The configurations that come with unblur."""

from pathlib import Path

from unblur.errors import InputError
from unblur.files import shown

__all__ = ["CONFIGS", "config_file"]

CONFIGS = Path(__file__).parent / "configs"


def config_file(name: str) -> Path:
    """The file of a configuration: one of the package by name, or one of one's own.

    Raises:
        InputError: There is neither.

    Example:
        >>> config_file("dpanet-gopro").name
        'dpanet-gopro.yaml'
    """
    shipped = CONFIGS / f"{name}.yaml"
    if "/" not in name and shipped.is_file():
        return shipped
    if not Path(name).is_file():
        known = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
        raise InputError(f"there is no file {shown(name)}, and no configuration among {known}")
    return Path(name)
