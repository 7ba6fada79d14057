"""Reading photographs: by content, within limits, and never half."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unblur.errors import CorruptImage, ParameterError
from unblur.photo import camera, vips
from unblur.photo.carried import Encoding
from unblur.photo.content import Content, Source, opened
from unblur.photo.headers import Header, inspect
from unblur.photo.limits import Limits, translated
from unblur.photo.photo import Photo
from unblur.photo.pixels import drop_opaque, fill_low_bits, finite, upright

__all__ = ["read"]


def read(
    source: Source,
    *,
    max_pixels: int = 500_000_000,
    max_pages: int = 500,
    salvage: bool = False,
    nonfinite: Literal["raise", "fill"] = "raise",
    encoding: Encoding = "auto",
) -> Photo:
    """Read a photograph with all its pages or frames.

    The content decides the format, never the name. Samples keep their depth; orientation is
    applied; CMYK, palettes and fewer than 8 bits are converted, and `Photo.warnings` says so.
    Refused, not guessed: Lab, more than four channels, APNG, image sequences, PQ and HLG, pages of
    different sizes.
    The pixels are held once, plus the compressed bytes where `source` is not a path.

    Args:
        source: A path (of any name), the bytes of a file, or a binary stream.
        max_pixels: Most pixels of all pages together; checked before pixels are decoded.
        max_pages: Most pages or frames.
        salvage: Take what can be decoded of a damaged file, with a warning.
        nonfinite: What NaN and infinity in float files lead to: an error, or the nearest finite
            value (0 where there is none) with a warning.
        encoding: "auto": the profile's curves; without a profile sRGB for integers and linear light
            for floats. "srgb" and "linear" overrule this.

    Raises:
        InputError: The source cannot be opened or is no regular file.
        UnsupportedFormat: Not a format, colour space or layout that is read.
        CorruptImage: Empty, damaged or truncated.
        ImageTooLarge: More pixels or pages than allowed.
        NonFiniteInput: NaN or infinity in a float file.
        MissingDependency: HEIC or camera raw without its extra.

    Example:
        >>> from unblur.photo import vips
        >>> data = vips.pyvips.Image.black(30, 20).pngsave_buffer()
        >>> read(data).size
        (20, 30)
    """
    if max_pixels < 1 or max_pages < 1:
        raise ParameterError(
            f"max_pixels and max_pages must be at least 1, got {max_pixels} and {max_pages}"
        )
    if nonfinite not in ("raise", "fill"):
        raise ParameterError(f"nonfinite must be 'raise' or 'fill', got {nonfinite!r}")
    if encoding not in ("auto", "srgb", "linear"):
        raise ParameterError(f"encoding must be 'auto', 'srgb' or 'linear', got {encoding!r}")
    limits = Limits(max_pixels, max_pages)
    with opened(source) as content:
        photo = _decode(content, limits, salvage=salvage)
        samples, alpha, filled = finite(photo.samples, photo.alpha, content.label, nonfinite)
    return replace(
        photo,
        samples=samples,
        alpha=alpha,
        carried=replace(photo.carried, encoding=encoding),
        warnings=photo.warnings + filled,
    )


def _decode(content: Content, limits: Limits, *, salvage: bool) -> Photo:
    try:
        return _decode_strictly(content, limits, "error")
    except CorruptImage as error:
        if not salvage:
            raise
        photo = _decode_strictly(content, limits, "none")
        note = f"the file is damaged, missing parts are blank: {error}"
        return replace(photo, warnings=(note, *photo.warnings))


def _decode_strictly(content: Content, limits: Limits, fail_on: Literal["error", "none"]) -> Photo:
    header = inspect(content, limits, strict=fail_on == "error")
    if header.kind == "heif":
        return _assemble(*camera.decode_heif(content, limits))
    if header.kind == "raw":
        return _assemble(*camera.decode_raw(content, limits))
    with translated(content.label):
        image = vips.load(header.content.source(), header.kind, pages=header.pages, fail_on=fail_on)
        image, header = _to_rgb(image, header)
        array = vips.samples(image, header.pages)
    return _assemble(array, header)


def _to_rgb(image: vips.Image, header: Header) -> tuple[vips.Image, Header]:
    """Convert CMYK to sRGB; the profile then is that of sRGB."""
    if image.interpretation != "cmyk":
        return image, header
    embedded = header.carried.icc is not None
    image = vips.to_srgb(image, 16 if image.format == "ushort" else 8, embedded=embedded)
    through = "its profile" if embedded else "a common press profile, for it has none"
    note = f"CMYK was converted to sRGB through {through}"
    carried = replace(header.carried, icc=vips.profile("srgb"))
    return image, replace(header, carried=carried, warnings=(*header.warnings, note))


def _assemble(array: npt.NDArray[Any], header: Header) -> Photo:
    """Turn decoded samples (pages, H, W, bands) into a photo, without another copy."""
    carried = replace(header.carried, orientation=header.orientation)
    if array.dtype == np.uint16 and 8 < carried.bits < 16:
        fill_low_bits(array, carried.bits)
    tensor = upright(array, header.orientation)
    if header.orientation > 4:
        carried = replace(carried, xres=carried.yres, yres=carried.xres)
    colours = 3 if tensor.shape[1] >= 3 else 1
    alpha = tensor[:, colours:] if tensor.shape[1] > colours else None
    if header.kind == "gif":
        alpha = drop_opaque(alpha)
    return Photo(tensor[:, :colours], alpha, carried, header.warnings)
