"""Fields on disk: one safetensors file, with what is not a tensor in its metadata."""

import json
import os
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from unblur.blur.record import Record
from unblur.blur.windows import Window
from unblur.errors import KernelError
from unblur.files import write_whole

__all__ = ["Box", "load_field", "save_field"]

Box = tuple[float, float, float, float]


def save_field(
    kernels: Tensor,
    window: Window,
    box: Box,
    record: Record,
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
) -> None:
    """Write the parts of a field, whole or not at all.

    Raises:
        OutputError: the file exists (without `overwrite`), or the disk fails.
    """
    notes = {
        "format": "unblur-field-1",
        "window": window,
        "box": json.dumps(box),
        "record": record.to_json(),
    }
    content = safetensors.torch.save({"kernels": kernels.detach().cpu().contiguous()}, notes)
    write_whole(path, content, overwrite=overwrite)


def load_field(path: str | os.PathLike[str]) -> tuple[Tensor, Window, Box, Record]:
    """Read the parts of a field; the kernels are not yet checked.

    Raises:
        KernelError: the file is missing, damaged, or not a field.
    """
    name = Path(path).name
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            kernels: Tensor = file.get_tensor("kernels")
        top, left, bottom, right = (float(value) for value in json.loads(notes["box"]))
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise KernelError(f"{name} is not a field that can be read: {error}") from error
    if not (top < bottom and left < right):
        raise KernelError(f"{name} is not a field: its grid covers nothing")
    window: Window = "linear" if notes.get("window") == "linear" else "hann"
    record = Record.from_json(notes.get("record", "")) or Record("file", {"name": name})
    return kernels, window, (top, left, bottom, right), record
