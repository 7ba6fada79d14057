"""What a file carries besides its pixels."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Carried", "Encoding"]

Encoding = Literal["auto", "srgb", "linear"]


@dataclass(frozen=True)
class Carried:
    """Everything of a file that is not pixels and that a written file gets back.

    Attributes:
        format: What was read: "jpeg", "png", "tiff", "webp", "avif", "heif", "gif", "raw", or
            "none" for a picture that never was a file.
        bits: Bits per sample in the file; 10 or 12 for some AVIF and HEIC, whose samples are
            scaled up to 16 bits here.
        lossless: Whether the file stored its samples without loss.
        coarse_colour: Whether the file stored the two colour differences once for each square of
            2 x 2 pixels, as most JPEG files do (4:2:0).
        step: The mean step, in levels of 8 bits, to which JPEG rounded what it stored of the
            light; 0 for other formats.
        icc: The colour profile, one that fits the channels.
        exif: The EXIF block with orientation 1 and without a thumbnail.
        xmp: The XMP packet.
        iptc: The IPTC block.
        xres: Horizontal resolution in pixels per mm; 1.0 where the file says nothing.
        yres: Vertical resolution in pixels per mm; 1.0 where the file says nothing.
        delays: Milliseconds per frame of an animation.
        loop: How often an animation plays; 0 is for ever.
        comments: Text chunks of a PNG: (keyword, text).
        encoding: What the values mean where no profile says so; see `unblur.read`.
        orientation: The EXIF orientation that was applied to make the samples upright.
    """

    format: str = "none"
    bits: int = 8
    lossless: bool = True
    coarse_colour: bool = False
    step: float = 0.0
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    xres: float = 1.0
    yres: float = 1.0
    delays: tuple[int, ...] | None = None
    loop: int | None = None
    comments: tuple[tuple[str, str], ...] = ()
    encoding: Encoding = "auto"
    orientation: int = 1
