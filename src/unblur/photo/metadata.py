"""Metadata on the way in: what is sound is kept, the rest is dropped with a word."""

import re

from unblur.errors import CorruptImage
from unblur.photo import exif, icc, vips
from unblur.photo.containers import DISPLAY_P3
from unblur.photo.ifd import Directory

__all__ = ["kept_exif", "kept_profile", "kept_xmp", "valid_orientation"]

Warnings = tuple[str, ...]

_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))\d+")
_XMP_APPENDED = re.compile(rb"hdrgm:|GContainer|Container:Directory|MotionPhoto|MicroVideo")


def kept_exif(
    block: bytes | None, tags: Directory | None
) -> tuple[bytes | None, int | None, Warnings]:
    """Check an EXIF block, or build one from the tags of a TIFF page.

    Returns:
        The block with orientation 1 and without thumbnail, the orientation that stood there, and
        what to warn of.
    """
    try:
        if tags is None and block:
            tags = exif.decode(block)
        if tags is None or not (tags.entries or tags.children):
            return None, None, ()
        return exif.encode(tags), exif.orientation_of(tags), ()
    except CorruptImage as error:
        return None, None, (f"EXIF was dropped: {error}",)


def valid_orientation(stored: int | None) -> tuple[int, Warnings]:
    """Return an orientation from 1 to 8, and a warning where another number stood there."""
    if stored is None or 1 <= stored <= 8:
        return stored or 1, ()
    return 1, (f"the orientation {stored} is none of 1 to 8 and was ignored",)


def kept_xmp(packet: bytes | None, *, appended: bool) -> tuple[bytes | None, Warnings]:
    """Reset the orientation in an XMP packet; drop one that describes parts that were left out.

    Args:
        packet: As the file has it.
        appended: Whether something behind the picture was left out.
    """
    if not packet:
        return None, ()
    if appended and _XMP_APPENDED.search(packet):
        return None, ("XMP was dropped: it describes the part that was left out",)
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet), ()


def kept_profile(
    profile: bytes | None, channels: int, colours: tuple[int, int] | None
) -> tuple[bytes | None, Warnings]:
    """Check a colour profile; give Display P3 one where only a code says so.

    Args:
        profile: As the file has it.
        channels: 1 (grey), 3 (RGB) or 4 (CMYK).
        colours: Primaries and transfer by ITU-T H.273, where the file has them.
    """
    warnings: Warnings = ()
    if profile:
        # Padding behind the declared end is tolerated here, but not by every format.
        profile = profile[: max(int.from_bytes(profile[:4], "big"), 4)]
        fault = icc.describe_fault(profile, channels)
        if fault is None:
            return profile, ()
        warnings = (f"the colour profile was dropped: {fault}",)
    if channels == 3 and colours is not None and colours[0] == DISPLAY_P3:
        return vips.profile("p3"), warnings
    return None, warnings
