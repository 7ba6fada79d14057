"""Writing photographs: whole or not at all, with everything they carried."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import torch

from unblur.errors import OutputError, ParameterError
from unblur.files import replacing
from unblur.photo import encoding, vips
from unblur.photo.formats import HOLDS, check_fit, format_of
from unblur.photo.photo import Photo
from unblur.photo.pixels import recode

__all__ = ["write"]

_DTYPES = {8: torch.uint8, 16: torch.uint16, 32: torch.float32}


def write(
    path: str | os.PathLike[str] | BinaryIO,
    photo: Photo,
    *,
    format: str | None = None,  # noqa: A002 - the word users know
    quality: int = 95,
    overwrite: bool = False,
    strip_metadata: bool = False,
    background: tuple[float, ...] | None = None,
    note: str | None = None,
) -> tuple[str, ...]:
    """Write a photograph.

    The depth is kept where the format holds it; floats in linear light become sRGB where it holds
    only integers. JPEG is written without subsampling of colour from quality 90 on; TIFF with
    deflate; WebP without loss when the photo came from a lossless file, because a picture that
    never lost anything should not begin to, and with `quality` otherwise. The same photo gives the
    same bytes. A file is written under a temporary name, synced, read back, and then renamed:
    nothing half-written is ever left.

    Args:
        path: Where to; the extension names the format. Or a binary stream.
        photo: What to write.
        format: The format instead of the extension: "jpeg", "png", "tiff", "webp", "avif", "gif".
        quality: 1 to 100 for JPEG, AVIF and lossy WebP.
        overwrite: Whether a file of that name may be replaced; a link is followed.
        strip_metadata: Leave out everything but the colour profile.
        background: One value, or one per channel, display-encoded in [0, 1]: where it is given,
            transparent parts are laid over it and the alpha channel is left out.
        note: What the Software tag is to say, such as "unblur l0".

    Returns:
        What could not be kept, in words.

    Raises:
        UnsupportedFormat: The extension or `format` is none that is written.
        OutputError: The file exists, cannot be written, or cannot hold the picture.
        ParameterError: `quality` or `background` is out of range.

    Example:
        >>> import io
        >>> stream = io.BytesIO()
        >>> write(stream, Photo.from_tensor(torch.zeros(3, 20, 30)), format="png")
        ()
        >>> stream.getvalue()[1:4]
        b'PNG'
    """
    kind = format_of(path, format, photo.carried)
    if not 1 <= quality <= 100:
        raise ParameterError(f"quality must be from 1 to 100, got {quality!r}")
    check_fit(kind, photo.size, photo.pages)
    fitted, warnings = _fit(photo, kind, background, strip_metadata=strip_metadata)
    encoded = encoding.prepare(
        fitted, kind, quality=quality, note=note, strip_metadata=strip_metadata
    )

    def store(descriptor: int) -> None:
        try:
            encoded.save(descriptor)
            _verify(descriptor, kind, fitted)
        except vips.FAILURES as error:
            raise OutputError(f"the picture cannot be written: {vips.explain(error)}") from error

    if isinstance(path, str | os.PathLike):
        with replacing(path, overwrite=overwrite) as descriptor:
            store(descriptor)
    else:
        _store_in_stream(path, store)
    return warnings + encoded.warnings


def _store_in_stream(stream: BinaryIO, store: Callable[[int], None]) -> None:
    """Make the file aside, because TIFF is not written from front to back, then copy it."""
    try:
        with tempfile.TemporaryFile() as aside:
            store(aside.fileno())
            aside.seek(0)
            shutil.copyfileobj(aside, stream)
    except OSError as error:
        raise OutputError(f"the stream cannot be written: {error.strerror or error}") from error


def _verify(descriptor: int, kind: str, photo: Photo) -> None:
    """Open what was written and compare its size."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    image = vips.load(vips.source_of_descriptor(descriptor), kind, pages=-1)
    height, width = photo.size
    if (image.width, image.height) != (width, height * photo.pages):
        raise OutputError(f"what was written has {image.width} x {image.height} pixels")


def _fit(
    photo: Photo, kind: str, background: tuple[float, ...] | None, *, strip_metadata: bool
) -> tuple[Photo, tuple[str, ...]]:
    """Change depth, encoding and transparency to what the format holds."""
    holds, warnings = HOLDS[kind], []
    over = None
    if photo.alpha is not None and background is not None:
        over = _background(background, int(photo.samples.shape[1]))
    elif photo.alpha is not None and not holds.alpha:
        raise OutputError(
            f"{kind.upper()} cannot hold transparency; give a background, such as "
            "background=(1.0, 1.0, 1.0), or use PNG or TIFF"
        )
    depth = photo.depth if photo.depth in holds.depths else holds.depths[-1]
    encode = photo.depth == 32 and depth < 32 and photo.transfer.name == "linear"
    if depth < photo.depth:
        what = "linear floats became sRGB, clipped to [0, 1]," if encode else "samples were rounded"
        warnings.append(f"{what} to {depth} bits, the most that {kind.upper()} holds")
    for name in ("icc", "exif", "xmp", "iptc"):
        wanted = name == "icc" or not strip_metadata
        if wanted and name not in holds.carries and getattr(photo.carried, name) is not None:
            warnings.append(f"{kind.upper()} cannot hold {name.upper()}; it was left out")
    if kind == "gif":
        warnings.append("GIF holds 256 colours a frame; the picture was dithered to them")
    if depth == photo.depth and over is None:
        return photo, tuple(warnings)
    samples, alpha = recode(photo.samples, photo.alpha, _DTYPES[depth], encode=encode, over=over)
    return replace(photo, samples=samples, alpha=alpha), tuple(warnings)


def _background(background: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(background) not in (1, channels) or not all(0.0 <= v <= 1.0 for v in background):
        raise ParameterError(
            f"background must be 1 or {channels} values in [0, 1], got {background!r}"
        )
    return tuple(background)
