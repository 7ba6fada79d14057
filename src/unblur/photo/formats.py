"""What each format that is written can hold."""

import os
from dataclasses import dataclass
from typing import Any

from unblur.errors import OutputError, UnsupportedFormat
from unblur.photo.carried import Carried

__all__ = ["EXTENSIONS", "HOLDS", "Holds", "check_fit", "format_of"]

EXTENSIONS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
    ".gif": "gif",
}


@dataclass(frozen=True)
class Holds:
    """Limits of a format.

    Attributes:
        depths: Bits per sample that a photo may have, the best last.
        largest: Most pixels along a side.
        alpha: Whether transparency fits.
        pages: Whether several pages or frames fit.
        carries: Which of "icc", "exif", "xmp" and "iptc" fit.
    """

    depths: tuple[int, ...]
    largest: int
    alpha: bool = True
    pages: bool = False
    carries: tuple[str, ...] = ("icc", "exif", "xmp")


_ALL = ("icc", "exif", "xmp", "iptc")

HOLDS = {
    "jpeg": Holds((8,), 65500, alpha=False, carries=_ALL),
    "png": Holds((8, 16), 2**31 - 1),
    "tiff": Holds((8, 16, 32), 2**31 - 1, pages=True, carries=_ALL),
    "webp": Holds((8,), 16383, pages=True),
    "avif": Holds((8, 16), 16384),
    "gif": Holds((8,), 65535, pages=True, carries=()),
}


def format_of(path: Any, given: str | None, carried: Carried) -> str:
    """Return the format to write: the given one, else the extension's, else (streams) the input's.

    Raises:
        UnsupportedFormat: It is not one that is written.
    """
    if given is not None:
        wanted = "." + given.lower().removeprefix(".")
    elif isinstance(path, str | os.PathLike):
        wanted = os.path.splitext(os.fsdecode(path))[1].lower()
    else:
        wanted = "." + carried.format
    kind = EXTENSIONS.get(wanted)
    if kind is None:
        known = ", ".join(EXTENSIONS)
        what = f"the format {given!r}" if given else f"the extension {wanted!r}"
        raise UnsupportedFormat(f"{what} cannot be written; use one of {known}")
    return kind


def check_fit(kind: str, size: tuple[int, int], pages: int) -> None:
    """Raise OutputError where a picture is too large for a format, or has too many pages."""
    holds, name = HOLDS[kind], kind.upper()
    if max(size) > holds.largest:
        raise OutputError(
            f"{size[1]} x {size[0]} is too large for {name}, which holds {holds.largest} pixels a "
            "side; use PNG or TIFF"
        )
    if pages > 1 and not holds.pages:
        raise OutputError(
            f"{name} cannot hold {pages} pages or frames; use TIFF, or WebP or GIF for animations"
        )
