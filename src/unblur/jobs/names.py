"""When two names mean one file, on this file system or another."""

import os
import unicodedata
from collections.abc import Iterable

from unblur.errors import ParameterError
from unblur.jobs.job import STREAM

__all__ = ["folded", "keep_apart", "key"]


def folded(name: str) -> str:
    """Drop what some file system does not tell apart: case, and the form of accents.

    Example:
        >>> folded("CAFE\N{COMBINING ACUTE ACCENT}") == folded("café")
        True
    """
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def key(name: str) -> str:
    """Fold what some file system takes for the same name.

    Example:
        >>> key("a/../Photo.JPG") == key("photo.jpg")
        True
    """
    folder, base = os.path.split(os.path.abspath(name))
    return folded(os.path.join(os.path.realpath(folder), base))


def keep_apart(inputs: Iterable[str | None], outputs: Iterable[str | None]) -> None:
    """Refuse outputs that would replace an input or each other; `None` and `STREAM` do not count.

    Raises:
        ParameterError: Two names mean one file, be it through a link.

    Example:
        >>> keep_apart(["a.png"], ["b.png", "A.png"])
        Traceback (most recent call last):
        unblur.errors.ParameterError: A.png would replace the input a.png: choose another name
    """
    taken = {mark: f"the input {name}" for name in inputs for mark in _marks(name)}
    for name in outputs:
        for mark in _marks(name):
            if mark in taken:
                raise ParameterError(f"{name} would replace {taken[mark]}: choose another name")
        taken |= dict.fromkeys(_marks(name), f"the output {name}")


def _marks(name: str | None) -> tuple[object, ...]:
    """Give what a file is known by: its name, and its place on the disk if it exists."""
    if name is None or name == STREAM:
        return ()
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return (key(name),)
    return key(name), (found.st_dev, found.st_ino)
