"""HEIC and camera raw, each through the library of its extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from unblur.errors import CorruptImage, ImageTooLarge, MissingDependency, UnsupportedFormat
from unblur.photo import containers, metadata, vips
from unblur.photo.carried import Carried
from unblur.photo.content import Content
from unblur.photo.headers import Header
from unblur.photo.limits import Limits

__all__ = ["decode_heif", "decode_raw"]

Decoded = tuple[npt.NDArray[Any], Header]
_HEIF_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def _needed(module: str, extra: str, label: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{label} needs {module} to be read; pip install 'unblur[{extra}]'"
        ) from error


def decode_heif(content: Content, limits: Limits) -> Decoded:
    """Decode an HEIC file; the decoder turns it upright, so its EXIF orientation is not applied.

    Samples of 10 and 12 bits come as 16.

    Raises:
        MissingDependency: pillow-heif is not installed.
        UnsupportedFormat: HDR, premultiplied alpha, or pictures of different sizes.
        CorruptImage: It is damaged.
        ImageTooLarge: More than `limits` allow.
    """
    library = _needed("pillow_heif", "heif", content.label)
    with content.stream() as stream, _damaged(content.label):
        file = library.open_heif(stream, convert_hdr_to_8bit=False)
        pictures = list(file)
        width, height = pictures[0].size
        limits.check(content.label, width, height, len(pictures))
        if len({(picture.size, picture.mode) for picture in pictures}) > 1:
            raise UnsupportedFormat(
                f"{content.label} holds pictures of different sizes; export them one by one"
            )
        header = _heif_header(content, pictures[0])
        array = np.stack([_heif_samples(picture) for picture in pictures])
    return array, replace(header, pages=len(pictures))


def _heif_header(content: Content, picture: Any) -> Header:
    mode, info = picture.mode.split(";")[0], picture.info
    if mode not in _HEIF_MODES:
        raise UnsupportedFormat(f"{content.label} is an HEIC of the kind {picture.mode}; export it")
    colours = containers.nclx_of(content.data)
    channels = 3 if mode.startswith("RGB") else 1
    profile, refused = metadata.kept_profile(info.get("icc_profile"), channels, colours)
    containers.refuse_hdr(colours, content.label, profiled=profile is not None)
    block, _, dropped = metadata.kept_exif(info.get("exif"), None)
    xmp, _ = metadata.kept_xmp(info.get("xmp"), appended=False)
    carried = Carried(
        format="heif",
        bits=int(info.get("bit_depth", 8)),
        lossless=False,
        icc=profile,
        exif=block,
        xmp=xmp,
    )
    return Header("heif", content, carried=carried, warnings=refused + dropped)


def _heif_samples(picture: Any) -> npt.NDArray[Any]:
    array = np.array(picture)
    return array[..., None] if array.ndim == 2 else array


def decode_raw(content: Content, limits: Limits) -> Decoded:
    """Develop a camera raw file to 16-bit sRGB with the camera's white balance.

    Brightness is left as it was exposed, and the picture is turned upright.

    Raises:
        MissingDependency: rawpy is not installed.
        CorruptImage: It is damaged.
        ImageTooLarge: More than `limits` allow.
    """
    library = _needed("rawpy", "raw", content.label)
    with content.stream() as stream, _damaged(content.label), library.imread(stream) as raw:
        limits.check(content.label, raw.sizes.width, raw.sizes.height, 1)
        array = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            output_color=library.ColorSpace.sRGB,
            gamma=(2.4, 12.92),
        )
    note = "the raw file was developed to sRGB; its metadata is not carried over"
    carried = Carried(format="raw", bits=16)
    return array[None], Header("raw", content, carried=carried, warnings=(note,))


@contextmanager
def _damaged(label: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an error of ours that names the picture."""
    try:
        yield
    except (CorruptImage, ImageTooLarge, UnsupportedFormat):
        raise
    except Exception as error:
        reason = vips.explain(error)
        if "limit" in reason.lower():
            raise ImageTooLarge(f"{label} is beyond the limits of its decoder: {reason}") from error
        raise CorruptImage(f"{label} is damaged or of an unknown kind: {reason}") from error
