"""libvips behind a small typed door; pyvips has no types of its own.

Loaders are named one by one and fed from descriptors or bytes: no file name is ever parsed, and no
loader outside the list is ever tried.
"""

import re
from importlib import import_module
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

__all__ = [
    "FAILURES",
    "FORMATS",
    "SAVERS",
    "Error",
    "Image",
    "explain",
    "fields",
    "forget_errors",
    "from_array",
    "load",
    "neutral_luminance",
    "png_takes",
    "profile",
    "samples",
    "save",
    "source_of_bytes",
    "source_of_descriptor",
    "to_srgb",
    "with_exif",
    "with_field",
]

pyvips: Any = import_module("pyvips")
Image = Any
Error: type[Exception] = pyvips.Error
FAILURES: tuple[type[Exception], ...] = (pyvips.Error, UnicodeDecodeError)
"""What calls may raise: messages that quote a damaged file need not be UTF-8."""

FORMATS = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "gif": "gifload_source",
}
_FIELDS = (
    *("n-pages", "delay", "loop", "bits-per-sample"),
    *("icc-profile-data", "exif-data", "xmp-data", "iptc-data"),
)
_PAGED = {"tiff", "webp", "avif", "gif"}
_DTYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_NAMES = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}


def load(
    source: Any, kind: str, *, pages: int = 1, fail_on: Literal["error", "none"] = "error"
) -> Image:
    """Open a picture with the loader of `kind`; pixels are decoded later, once, top to bottom."""
    options: dict[str, Any] = {"access": "sequential", "fail_on": fail_on}
    if kind in _PAGED:
        options["n"] = pages
    return getattr(pyvips.Image, FORMATS[kind])(source, **options)


def source_of_descriptor(descriptor: int) -> Any:
    """Make a source from an open file; the descriptor is duplicated, not taken."""
    return pyvips.Source.new_from_descriptor(descriptor)


def source_of_bytes(data: bytes) -> Any:
    """Make a source from bytes, which the caller keeps alive until the pixels are decoded."""
    return pyvips.Source.new_from_memory(data)


def forget_errors() -> None:
    """Clear the messages of earlier work that went well in spite of them."""
    pyvips.vips_lib.vips_error_clear()


def explain(error: Exception) -> str:
    """Return what libvips says as one short line."""
    if isinstance(error, UnicodeDecodeError):
        forget_errors()
        return "its decoder's message cannot be read either"
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("unable to")]
    telling = [line for line in lines if not line.startswith("source: bad seek")] or lines
    return re.sub(r"[^ -~]", "?", telling[0] if telling else str(error).strip())[:200]


def fields(image: Image) -> dict[str, Any]:
    """Return the metadata of a header that is of use, by the names of libvips."""
    return {name: image.get(name) for name in _FIELDS if image.get_typeof(name)}


def samples(image: Image, pages: int) -> npt.NDArray[Any]:
    """Decode into one new array (pages, H, W, bands), the only copy of the pixels that is made."""
    dtype = np.dtype(_DTYPES[image.format])
    flat = np.frombuffer(image.write_to_memory(), dtype)
    return flat.reshape(pages, image.height // pages, image.width, image.bands)


def from_array(array: npt.NDArray[Any]) -> Image:
    """Wrap a contiguous (pages * H, W, bands) array without copying it."""
    height, width, bands = array.shape
    image = pyvips.Image.new_from_memory(
        memoryview(cast(Any, array)).cast("B"), width, height, bands, _NAMES[array.dtype.name]
    )
    colour = {"uint8": "srgb", "uint16": "rgb16", "float32": "scrgb"}
    grey = {"uint8": "b-w", "uint16": "grey16", "float32": "b-w"}
    return image.copy(interpretation=(colour if bands >= 3 else grey)[array.dtype.name])


def with_field(image: Image, name: str, value: Any) -> None:
    """Set a metadata field of an image that belongs to us, with the type libvips expects."""
    if isinstance(value, bytes):
        kind = pyvips.GValue.blob_type
    elif isinstance(value, str):
        kind = pyvips.GValue.gstr_type
    elif isinstance(value, float):
        kind = pyvips.GValue.gdouble_type
    elif isinstance(value, list):
        kind = pyvips.GValue.array_int_type
    else:
        kind = pyvips.GValue.gint_type
    image.set_type(kind, name, value)


def png_takes(icc: bytes, bands: int) -> bool:
    """Tell by a trial whether PNG accepts a profile; its rules are stricter than others'."""
    pixel = pyvips.Image.black(1, 1, bands=bands)
    pixel = pixel.copy(interpretation="srgb" if bands == 3 else "b-w")
    with_field(pixel, "icc-profile-data", icc)
    try:
        again = pyvips.Image.pngload_buffer(pixel.pngsave_buffer())
        return bool(again.get_typeof("icc-profile-data") and again.get("icc-profile-data") == icc)
    except FAILURES:
        forget_errors()
        return False


def profile(name: Literal["srgb", "p3", "cmyk"]) -> bytes:
    """Return one of the colour profiles that libvips brings along."""
    return bytes(pyvips.Operation.call("profile_load", name))


def to_srgb(image: Image, depth: Literal[8, 16], *, embedded: bool) -> Image:
    """Convert CMYK to sRGB through the embedded profile, or else a common press profile."""
    if not embedded and image.get_typeof("icc-profile-data"):
        image = image.copy()
        image.remove("icc-profile-data")
    return image.icc_transform(
        "srgb",
        embedded=embedded,
        input_profile="cmyk",
        intent="relative",
        black_point_compensation=True,
        depth=depth,
    )


def neutral_luminance(
    icc: bytes, levels: npt.NDArray[np.uint16], channels: int
) -> npt.NDArray[np.float64]:
    """Return the luminance, 1 at the end, of neutral 16-bit levels under a profile."""
    ramp = np.repeat(levels[None, :, None], channels, axis=2)
    image = from_array(np.ascontiguousarray(ramp)).copy()
    with_field(image, "icc-profile-data", icc)
    luminance = image.icc_import(embedded=True, pcs="xyz", intent="relative").numpy()[0, :, 1]
    return np.asarray(luminance / luminance[-1], dtype=np.float64)


SAVERS = {
    "jpeg": "jpegsave_target",
    "png": "pngsave_target",
    "tiff": "tiffsave_target",
    "webp": "webpsave_target",
    "avif": "heifsave_target",
    "gif": "gifsave_target",
}
_KEEP_PROFILE, _KEEP_ALL = 8, 31


def save(
    image: Image, descriptor: int, kind: str, options: dict[str, Any], *, everything: bool
) -> None:
    """Encode a picture into an open file, with all its metadata or with the profile only."""
    keep = _KEEP_ALL if everything else _KEEP_PROFILE
    target = pyvips.Target.new_to_descriptor(descriptor)
    getattr(image, SAVERS[kind])(target, keep=keep, **options)


def with_exif(image: Image, block: bytes) -> None:
    """Give an image that belongs to us an EXIF block.

    libvips writes only those tags of a block that it finds as fields too, and it makes fields only
    when it reads a picture. So the block goes into a picture of one pixel, and the fields are
    copied from there, untouched, since their text need not be UTF-8.
    """
    pixel = pyvips.Image.black(1, 1).jpegsave_buffer(keep=0)
    size = (len(block) + 2).to_bytes(2, "big")
    carrier = pyvips.Image.jpegload_buffer(pixel[:2] + b"\xff\xe1" + size + block + pixel[2:])
    for name in carrier.get_fields():
        if name == "exif-data" or name.startswith("exif-ifd"):
            value = pyvips.GValue()
            pyvips.vips_lib.vips_image_get(carrier.pointer, name.encode(), value.pointer)
            pyvips.vips_lib.vips_image_set(image.pointer, name.encode(), value.pointer)
