"""Kernels on disk: float TIFF and `.npy` with the record inside, and any picture as input."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unblur.blur.checks import MAX_SIDE
from unblur.blur.record import Record
from unblur.errors import KernelError, OutputError
from unblur.files import why_not_opened, write_whole

__all__ = ["load_kernel", "save_kernel"]

_NPY_MAGIC = b"\x93NUMPY"
# The largest allowed kernel in double precision, and room for a header and a record.
_MAX_BYTES = MAX_SIDE * MAX_SIDE * 8 + (1 << 20)


def load_kernel(path: str | os.PathLike[str]) -> tuple[NDArray[Any], Record]:
    """The array in a file, not yet checked as a kernel, and its record (or the file's name).

    Raises:
        KernelError: the file is missing, too large or damaged, or a colour picture.
    """
    name = Path(path).name
    try:
        if Path(path).stat().st_size > _MAX_BYTES:
            raise KernelError(f"{name} is too large for a kernel: over {_MAX_BYTES >> 20} MiB")
        content = Path(path).read_bytes()
    except OSError as error:
        raise KernelError(f"cannot read the kernel {name}: {why_not_opened(error)}") from error
    if not content:
        raise KernelError(f"{name} is empty (0 bytes): copy it anew from where it came")
    array, text = (_read_npy if content.startswith(_NPY_MAGIC) else _read_picture)(content, name)
    return array, Record.from_json(text) or Record("file", {"name": name})


def save_kernel(
    pixels: torch.Tensor, record: Record, path: str | os.PathLike[str], *, overwrite: bool
) -> None:
    """Write through a temporary file in the same folder, so that `path` is never half a kernel.

    Raises:
        OutputError: unknown extension, an existing file without `overwrite`, or a failing disk.
    """
    target = Path(path)
    encoders = {".npy": _npy_bytes, ".tif": _tiff_bytes, ".tiff": _tiff_bytes, ".png": _png_bytes}
    encode = encoders.get(target.suffix.lower())
    if encode is None:
        raise OutputError(f"a kernel is saved as .tif, .tiff, .npy or .png; got {target.name!r}")
    write_whole(target, encode(pixels.detach().cpu(), record), overwrite=overwrite)


def _npy_bytes(pixels: torch.Tensor, record: Record) -> bytes:
    """Two arrays one after the other: the pixels, and the record as UTF-8 bytes."""
    buffer = BytesIO()
    np.save(buffer, pixels.numpy())
    np.save(buffer, np.frombuffer(record.to_json().encode(), np.uint8))
    return buffer.getvalue()


def _tiff_bytes(pixels: torch.Tensor, record: Record) -> bytes:
    """A float TIFF whose ImageDescription is the record."""
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels.numpy())).copy(
        interpretation="b-w"
    )
    image.set_type(pyvips.GValue.gstr_type, "image-description", record.to_json())
    return bytes(image.tiffsave_buffer(compression="deflate", predictor="none"))


def _png_bytes(pixels: torch.Tensor, _: Record) -> bytes:
    """An 8-bit grey PNG, scaled to the maximum; the record stays behind."""
    import pyvips

    grey = (pixels / pixels.max() * 255).round().to(torch.uint8).numpy()
    return bytes(pyvips.Image.new_from_array(np.ascontiguousarray(grey)).pngsave_buffer())


def _read_npy(content: bytes, name: str) -> tuple[NDArray[Any], str]:
    """The first array, and the second as text where there is one; nothing is ever unpickled."""
    buffer = BytesIO(content)
    try:
        _check_npy_length(content, name)
        array = np.lib.format.read_array(buffer, allow_pickle=False)
        rest = content[buffer.tell() :]
        text = np.lib.format.read_array(BytesIO(rest), allow_pickle=False) if rest else None
    except KernelError:
        raise
    except (ValueError, OSError, EOFError, MemoryError, OverflowError) as error:
        raise KernelError(f"{name} is not a whole NumPy array: {error}") from error
    is_text = text is not None and text.dtype == np.uint8
    return array, text.tobytes().decode("utf-8", "replace") if text is not None and is_text else ""


def _check_npy_length(content: bytes, name: str) -> None:
    """Refuse a header that promises more bytes than the file has, before anything is allocated."""
    buffer = BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(buffer)
    count = 1
    for side in shape:
        count *= int(side)
    if count * dtype.itemsize > len(content) - buffer.tell():
        raise KernelError(f"{name} is cut off: it ends before its array of shape {shape} does")


def _read_picture(content: bytes, name: str) -> tuple[NDArray[Any], str]:
    """Any picture that libvips reads, as a grey array, and its ImageDescription."""
    import pyvips

    try:
        # The access mode is left random: a kernel is small, and sequential readers fail on some
        # files.
        image = pyvips.Image.new_from_buffer(content, "")
        if max(image.width, image.height) > MAX_SIDE:
            raise KernelError(
                f"{name} is {image.width} x {image.height} pixels; a kernel's sides are at most "
                f"{MAX_SIDE}"
            )
        fields = image.get_fields()
        pages = int(image.get("n-pages")) if "n-pages" in fields else 1
        text = str(image.get("image-description")) if "image-description" in fields else ""
        if image.hasalpha():
            image = image.flatten(background=0)
        # Of one pixel libvips makes a scalar.
        array = np.asarray(image.numpy()).reshape(image.height, image.width, -1)
    except pyvips.Error as error:
        reason = str(error).strip().splitlines()
        raise KernelError(
            f"{name} is neither a picture nor a NumPy array that can be read: "
            f"{reason[-1] if reason else 'no reason given'}"
        ) from error
    if pages > 1:
        raise KernelError(
            f"{name} holds {pages} pictures; a kernel is one: save the one that is meant"
        )
    return _grey(array, name), text


def _grey(array: NDArray[Any], name: str) -> NDArray[Any]:
    """(h, w) of a picture whose channels agree; a colour picture is refused."""
    if array.ndim == 2:
        return array
    wide = array.astype(np.float64)
    if float(np.ptp(wide, axis=2).max()) > 0.02 * max(float(wide.max()), 0.0):
        raise KernelError(
            f"{name} is a colour picture, and a kernel is grey: average its channels, or give one "
            "kernel per channel as a Field"
        )
    return np.asarray(wide.mean(axis=2))
