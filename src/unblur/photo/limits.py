"""How much a caller allows, and how the decoders' complaints become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from unblur.errors import CorruptImage, ImageTooLarge, InputError, UnsupportedFormat
from unblur.photo import vips

__all__ = ["Limits", "translated"]

_UNSUPPORTED = ("nsupported", "not supported", "samples out of range", "labq", "compression type")
_TOO_LARGE = ("ecurity limit", "too large", "exceeds")


@dataclass(frozen=True)
class Limits:
    """What is checked from headers, before memory for pixels is taken."""

    pixels: int
    pages: int

    def check(self, label: str, width: int, height: int, pages: int) -> None:
        """Raise ImageTooLarge where a picture has more pages, or pixels in all, than allowed."""
        if pages > self.pages:
            raise ImageTooLarge(
                f"{label} has more pages or frames than max_pages={self.pages}; "
                "raise max_pages or split the file"
            )
        if width * height * pages > self.pixels:
            size = f"{width} x {height}" + (f" x {pages} pages" if pages > 1 else "")
            raise ImageTooLarge(
                f"{label} has {size} = {width * height * pages} pixels, "
                f"more than max_pixels={self.pixels}; raise max_pixels or crop the picture"
            )


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Turn what libvips raises into an error of ours that names the picture."""
    vips.forget_errors()
    try:
        yield
    except vips.FAILURES as error:
        raise _ours(label, vips.explain(error)) from error


def _ours(label: str, reason: str) -> InputError:
    if "differs from page" in reason:
        return UnsupportedFormat(
            f"{label} has pages of different sizes or kinds; split it into one file per page"
        )
    if any(word in reason for word in _UNSUPPORTED):
        return UnsupportedFormat(f"{label} has a layout that is not read: {reason}")
    if any(word in reason for word in _TOO_LARGE):
        return ImageTooLarge(f"{label} is beyond the limits of its decoder: {reason}")
    return CorruptImage(f"{label} is damaged or truncated: {reason}")
