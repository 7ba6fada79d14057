"""The user's folder of weights: one checked safetensors file for each name."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from unblur.errors import OutputError, ParameterError, WeightsError
from unblur.files import write_whole
from unblur.nets.checkpoint import DATA_SHA256, data_sha256

__all__ = [
    "SHIPPED",
    "Entry",
    "check_free",
    "check_name",
    "entries",
    "find",
    "folder",
    "put",
    "remove",
]

SHIPPED = Path(__file__).parent / "shipped"
_SUFFIX = ".safetensors"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class Entry:
    """Weights that are there to be loaded.

    Attributes:
        name: by which they are loaded.
        path: of the file.
        size: of the file, in bytes.
        shipped: whether they came with unblur.
        damage: what is wrong with the file, or None.
        notes: what was written down when they were added: "architecture", "licence", "source",
            "file" and its "source_sha256", "date", "unblur" (the version), "config" (JSON).
    """

    name: str
    path: Path
    size: int
    shipped: bool
    damage: str | None
    notes: Mapping[str, str]


def folder() -> Path:
    """Give the folder of weights: below $UNBLUR_HOME, or the platform's folder for caches.

    Raises:
        WeightsError: Nothing says where the user's files are.
    """
    named = os.environ.get("UNBLUR_HOME")
    try:
        return (Path(named).expanduser() if named else _cache() / "unblur") / "weights"
    except RuntimeError as error:
        raise WeightsError(
            "the user has no home folder to keep weights in: set UNBLUR_HOME to a folder"
        ) from error


def _cache() -> Path:
    variables = {"win32": "LOCALAPPDATA", "darwin": ""}
    named = os.environ.get(variables.get(sys.platform, "XDG_CACHE_HOME"), "")
    # Relative paths are to be ignored there, says the XDG base directory specification.
    if os.path.isabs(named):
        return Path(named)
    return Path.home() / {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(
        sys.platform, ".cache"
    )


def check_name(name: str) -> str:
    """Give `name` back if it can be a file's name on any platform.

    Raises:
        ParameterError: It cannot.

    Example:
        >>> check_name("../secret")
        Traceback (most recent call last):
        unblur.errors.ParameterError: the name of weights must be ..., got '../secret'
    """
    if _NAME.fullmatch(name) is None:
        raise ParameterError(
            "the name of weights must be 1 to 64 lower-case letters, digits, dots, dashes or "
            f"underscores, beginning and ending with a letter or digit, got {name!r:.80}"
        )
    return name


def find(name: str) -> Path | None:
    """Give the file of the weights `name`: the user's, or those shipped, or None.

    Raises:
        ParameterError: As `check_name`.
    """
    file = check_name(name) + _SUFFIX
    places = (place / file for place in (folder(), SHIPPED))
    return next((path for path in places if os.path.lexists(path)), None)


def entries() -> tuple[Entry, ...]:
    """List the user's weights, then those shipped, each by name; damaged files are said to be."""
    found = []
    for place in (folder(), SHIPPED):
        for path in sorted(place.glob(f"[!.]*{_SUFFIX}")):
            try:
                size = path.lstat().st_size
            except FileNotFoundError:  # removed by somebody else meanwhile
                continue
            notes, damage = _notes(path)
            name = path.name.removesuffix(_SUFFIX)
            found.append(Entry(name, path, size, place == SHIPPED, damage, notes))
    return tuple(found)


def _notes(path: Path) -> tuple[dict[str, str], str | None]:
    if not path.is_file():
        return {}, "not a regular file"
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes: dict[str, str] = file.metadata() or {}
    except (OSError, ValueError, safetensors.SafetensorError):
        return {}, "damaged or cut off"
    return notes, None if DATA_SHA256 in notes else "not written by unblur"


def put(
    name: str, state: Mapping[str, Tensor], notes: Mapping[str, str], *, overwrite: bool
) -> Entry:
    """Keep entries under a name, whole or not at all.

    Raises:
        ParameterError: As `check_name`.
        WeightsError: The name is taken and `overwrite` is not set.
        OutputError: The folder or the file cannot be written.
    """
    path = folder() / (check_name(name) + _SUFFIX)
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    digest = data_sha256(safetensors.torch.save(tensors))
    notes = {**notes, DATA_SHA256: digest}
    content = safetensors.torch.save(tensors, notes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error.strerror or error}") from error
    try:
        write_whole(path, content, overwrite=overwrite)
    except OutputError:
        if not overwrite:
            check_free(name)
        raise
    return Entry(name, path, len(content), shipped=False, damage=None, notes=notes)


def check_free(name: str) -> None:
    """Check that the user has no weights of that name.

    Raises:
        ParameterError: As `check_name`.
        WeightsError: There are some.
    """
    if os.path.lexists(folder() / (check_name(name) + _SUFFIX)):
        raise WeightsError(
            f"there are weights named {name} already: choose another name, or overwrite them "
            "(--overwrite)"
        )


def remove(name: str) -> None:
    """Delete the user's weights of that name.

    Raises:
        ParameterError: As `check_name`.
        WeightsError: There are none, they came with unblur, or the system refuses.
    """
    path = folder() / (check_name(name) + _SUFFIX)
    try:
        path.unlink()
    except FileNotFoundError as error:
        shipped = (SHIPPED / path.name).exists()
        raise WeightsError(
            f"the weights {name} came with unblur, and stay"
            if shipped
            else f"there are no weights named {name}; `unblur weights list` names those there are"
        ) from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be removed: {error.strerror or error}") from error
