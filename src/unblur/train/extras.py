"""The packages of the extra "train", asked for before anything here needs them."""

from importlib import import_module

from unblur.errors import MissingDependency

__all__ = ["require"]


def require(what: str) -> None:
    """Check that the packages of the extra "train" are there.

    Args:
        what: needs them, in words.

    Raises:
        MissingDependency: One is not installed.

    Example:
        >>> require("unblur train")
    """
    for name in ("lightning", "jsonargparse", "matplotlib"):
        try:
            import_module(name)
        except ImportError as error:
            raise MissingDependency(f"{what} needs {name}; pip install 'unblur[train]'") from error
