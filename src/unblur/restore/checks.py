"""The arguments that all methods share, checked once."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblur.errors import ParameterError
from unblur.restore.tiling import Box

__all__ = [
    "check_device",
    "check_mask",
    "check_roi",
    "check_seed",
    "check_settings",
    "check_share",
]

_DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: str) -> torch.device:
    """Choose the device: "auto" takes CUDA, then Apple's, then the CPU.

    Raises:
        ParameterError: The name is unknown, or the machine has no such device.
    """
    kind, _, index = str(name).partition(":")
    if kind not in _DEVICES or (":" in str(name) and not (index.isdecimal() and kind == "cuda")):
        raise ParameterError(f"device must be one of {', '.join(_DEVICES)}, got {name!r}")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if kind == "auto":
        return torch.device(next(known for known in ("cuda", "mps", "cpu") if available[known]))
    if not available[kind]:
        raise ParameterError(f"device {name!r} is not available on this machine: use device 'auto'")
    return torch.device(name)


def check_settings(*, strength: float, tile: int, seed: int) -> None:
    """Refuse numbers out of range.

    Raises:
        ParameterError: The message names the argument and its range.
    """
    check_share("strength", strength)
    if not _is_whole(tile) or not (tile == 0 or tile >= 16):
        raise ParameterError(
            f"tile must be 0 (decide by the memory) or a side of at least 16 pixels, got {tile!r}"
        )
    check_seed(seed)


def check_share(name: str, value: object) -> None:
    """Refuse what is not a number from 0 to 1.

    Raises:
        ParameterError: The message names the argument.
    """
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    number = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if not 0 <= number <= 1:
        raise ParameterError(f"{name} must be a number from 0 to 1, got {value!r}")


def check_seed(seed: int) -> None:
    """Refuse what PyTorch's generators do not take.

    Raises:
        ParameterError: It is not a whole number of 63 bits.
    """
    if not _is_whole(seed) or not 0 <= seed < 2**63:
        raise ParameterError(f"seed must be a whole number from 0 to 2^63 - 1, got {seed!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def check_roi(roi: tuple[int, int, int, int] | None, size: tuple[int, int]) -> Box | None:
    """Turn (x, y, width, height) into a box of the picture.

    Raises:
        ParameterError: It is not four whole numbers, or not inside the picture, or under 16 pixels
            a side.
    """
    if roi is None:
        return None
    values = list(roi) if isinstance(roi, Sequence | np.ndarray) else []
    if len(values) != 4 or not all(map(_is_whole, values)):
        raise ParameterError(f"roi must be four whole numbers (x, y, width, height), got {roi!r}")
    x, y, width, height = (int(value) for value in values)
    rows, columns = size
    if x < 0 or y < 0 or x + width > columns or y + height > rows or min(width, height) < 1:
        raise ParameterError(
            f"roi must lie inside the picture of {columns} x {rows} pixels, "
            f"got x, y, width, height = {roi}"
        )
    if min(width, height) < 16:
        raise ParameterError(f"roi must be at least 16 pixels a side, got {width} x {height}")
    return Box(y, x, y + height, x + width)


def check_mask(mask: Any, size: tuple[int, int]) -> Tensor | None:
    """Turn a mask into a bool tensor (H, W), True where pixels are to be left alone.

    Raises:
        ParameterError: The shape is not the picture's, or the values are neither bool nor 0 and 1.
    """
    if mask is None:
        return None
    try:
        tensor = mask if isinstance(mask, Tensor) else torch.from_numpy(np.array(mask))
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"mask must be a bool array (H, W) = {size}, like the picture; got {type(mask)}"
        ) from error
    if tuple(tensor.shape) != size:
        raise ParameterError(
            f"mask must be (H, W) = {size}, like the picture; got {tuple(tensor.shape)}"
        )
    if tensor.dtype != torch.bool:
        if not bool(((tensor == 0) | (tensor == 1)).all()):
            raise ParameterError(
                f"mask must be bool, True where the picture is to be left alone; got {tensor.dtype}"
            )
        tensor = tensor.bool()
    return tensor.cpu()
