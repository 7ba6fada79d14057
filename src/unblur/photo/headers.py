"""What the header of a file says: limits, layout and metadata, before any pixel is decoded."""

import struct
from dataclasses import dataclass, field, replace
from typing import Any

from unblur.errors import CorruptImage, UnsupportedFormat
from unblur.photo import containers, exif, iptc, metadata, vips
from unblur.photo.carried import Carried
from unblur.photo.content import Content
from unblur.photo.ifd import Directory, layout_of
from unblur.photo.limits import Limits, translated
from unblur.photo.sniff import sniff
from unblur.photo.tiff import tiff_parts

__all__ = ["Header", "inspect"]

_CHANNELS = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb16": 3, "scrgb": 3, "rgb": 3, "cmyk": 4}
_BITS = {"uchar": 8, "ushort": 16, "float": 32}


@dataclass(frozen=True)
class Header:
    """What is known of a picture before its pixels.

    Attributes:
        kind: The format; see `sniff`.
        pages: How many pages will be decoded.
        orientation: 1 to 8, still to be applied.
        carried: Everything but pixels.
        warnings: What will be converted, ignored or dropped.
        content: What to decode: the file, or a copy with a tag repaired.
    """

    kind: str
    content: Content
    pages: int = 1
    orientation: int = 1
    carried: Carried = field(default_factory=Carried)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What walking the container gave: further facts, by format."""

    kind: str
    warnings: tuple[str, ...] = ()
    colours: tuple[int, int] | None = None
    orientation: int | None = None
    tags: Directory | None = None
    records: bytes | None = None
    repaired: bytes | None = None
    comments: tuple[tuple[str, str], ...] = ()
    lossless: bool = True
    extras: bool = False
    coarse_colour: bool = False
    step: float = 0.0


def inspect(content: Content, limits: Limits, *, strict: bool) -> Header:
    """Read a header and check everything that can be checked without pixels.

    Args:
        content: The open file.
        limits: What the caller allows.
        strict: Whether a missing end is an error.

    Raises:
        UnsupportedFormat: A format, colour space or layout that is not read.
        CorruptImage: The header is damaged.
        ImageTooLarge: More than `limits` allow.
    """
    found = _walk(content, limits, strict=strict)
    if found.kind in ("heif", "raw"):
        return Header(
            found.kind, content, carried=Carried(format=found.kind, lossless=found.kind == "raw")
        )
    if found.repaired is not None:
        content = Content(found.repaired, content.label)
    with translated(content.label):
        image = vips.load(content.source(), found.kind, fail_on="error" if strict else "none")
        fields = vips.fields(image)
    pages = int(fields.get("n-pages", 1))
    if found.kind == "gif":
        _check_canvas(image, content, limits, pages)
    limits.check(content.label, image.width, image.height, pages)
    channels = _channels(image, content.label)
    carried, orientation, warnings = _metadata(image, fields, found, channels)
    containers.refuse_hdr(found.colours, content.label, profiled=carried.icc is not None)
    if pages == 1:
        carried = replace(carried, delays=None, loop=None)
    return Header(found.kind, content, pages, orientation, carried, found.warnings + warnings)


def _check_canvas(image: vips.Image, content: Content, limits: Limits, pages: int) -> None:
    """Compare with the canvas that a GIF declares: the decoder shrinks large empty ones."""
    width, height = struct.unpack_from("<HH", content.head.ljust(10, b"\0"), 6)
    limits.check(content.label, width, height, pages)
    if image.width < width or image.height < height:
        raise UnsupportedFormat(
            f"{content.label} declares a canvas of {width} x {height} that its frames do not fill; "
            "save it anew with full frames"
        )


def _walk(content: Content, limits: Limits, *, strict: bool) -> _Found:
    kind, data = sniff(content.head, content.label), content.data
    if kind == "png":
        return _walk_png(content, strict=strict)
    if kind == "tiff":
        return _walk_tiff(content, limits, strict=strict)
    if kind == "jpeg":
        parts = containers.jpeg_parts(data)
        return _Found(
            kind,
            (parts.extras,) if parts.extras else (),
            lossless=False,
            extras=bool(parts.extras),
            coarse_colour=parts.coarse_colour,
            step=parts.step,
        )
    if kind == "webp":
        return _Found(kind, lossless=containers.webp_is_lossless(data))
    if kind == "gif":
        return _Found(kind, ("a palette was converted to RGB",))
    # The decoder of AVIF has already turned the picture, whatever EXIF says.
    return _Found(kind, colours=containers.nclx_of(data), orientation=1, lossless=False)


def _walk_tiff(content: Content, limits: Limits, *, strict: bool) -> _Found:
    data = content.data
    parts = tiff_parts(data, content.label, limits.pages, strict=strict)
    if parts.raw:
        return _Found("raw")
    limits.check(content.label, 0, 0, parts.pages)
    tags, records, warnings = None, None, parts.warnings
    try:
        tags, records = exif.from_tiff(data, layout_of(data))
    except CorruptImage:
        warnings += ("EXIF was dropped: it is damaged",)
    return _Found(
        "tiff",
        warnings,
        orientation=parts.orientation,
        tags=tags,
        records=records,
        repaired=_repaired(data, parts.repairs),
    )


def _repaired(data: Any, repairs: tuple[tuple[int, bytes], ...]) -> bytes | None:
    if not repairs:
        return None
    copy = bytearray(data)
    for place, value in repairs:
        copy[place : place + len(value)] = value
    return bytes(copy)


def _walk_png(content: Content, *, strict: bool) -> _Found:
    parts = containers.png_parts(content.data)
    if parts.frames > 1:
        raise UnsupportedFormat(
            f"{content.label} is an animated PNG (APNG), of which only the first frame would be "
            "read; convert it to GIF or animated WebP"
        )
    if strict and not parts.complete:
        raise CorruptImage(f"{content.label} is truncated: the end of the PNG is missing")
    warnings = []
    if parts.palette:
        warnings.append("a palette was converted to RGB")
    if parts.bits < 8:
        warnings.append(f"{parts.bits}-bit samples were converted to 8 bits")
    if parts.trailing:
        warnings.append(f"{parts.trailing} bytes behind the end of the picture were ignored")
    if parts.dropped:
        warnings.append(f"{parts.dropped} text chunks were dropped: they are long or not ASCII")
    if parts.gamma is not None:
        warnings.append(f"the gamma of the file ({parts.gamma:g}) was ignored")
    return _Found("png", tuple(warnings), colours=parts.cicp, comments=parts.comments)


def _channels(image: vips.Image, label: str) -> int:
    """Return 1 (grey), 3 (RGB) or 4 (CMYK); the bands tell of alpha."""
    channels = _CHANNELS.get(image.interpretation, 0)
    if channels == 0 or not channels <= image.bands <= (4 if channels > 1 else 2):
        raise UnsupportedFormat(
            f"{label} has {image.bands} channels as {image.interpretation}; "
            "grey, RGB (each with or without alpha) and CMYK are read"
        )
    if image.format not in _BITS:
        raise UnsupportedFormat(
            f"{label} has samples of the type {image.format}; "
            "convert it to 8 or 16-bit unsigned integers or 32-bit floats"
        )
    return channels


def _metadata(
    image: vips.Image, fields: dict[str, Any], found: _Found, channels: int
) -> tuple[Carried, int, tuple[str, ...]]:
    """Collect what the picture carries, its orientation, and what to warn of."""
    block, stored, dropped = metadata.kept_exif(fields.get("exif-data"), found.tags)
    if found.orientation is not None:
        stored = found.orientation
    orientation, ignored = metadata.valid_orientation(stored)
    xmp, unlinked = metadata.kept_xmp(fields.get("xmp-data"), appended=found.extras)
    profile, refused = metadata.kept_profile(
        fields.get("icc-profile-data"), channels, found.colours
    )
    bits = _BITS[image.format]
    delays = fields.get("delay")
    carried = Carried(
        format=found.kind,
        bits=int(fields.get("bits-per-sample", bits)) if found.kind == "avif" else bits,
        lossless=found.lossless,
        coarse_colour=found.coarse_colour,
        step=found.step,
        icc=profile,
        exif=block,
        xmp=xmp,
        iptc=iptc.unwrap(found.records or fields.get("iptc-data", b"")),
        xres=float(image.xres),
        yres=float(image.yres),
        delays=tuple(delays) if delays else None,
        loop=fields.get("loop"),
        comments=found.comments,
    )
    return carried, orientation, dropped + ignored + unlinked + refused
