"""Checks of arguments that the modules of this package share."""

import math

import numpy as np
import torch

from unblur.errors import InputError, NonFiniteInput, ParameterError

__all__ = ["MAX_SIDE", "image_batch", "integer", "odd_side", "real", "size_pair"]

# A kernel wider than this is a mistake (a picture given as kernel, a length in the wrong unit), and
# the memory that it asks for would hide the mistake.
MAX_SIDE = 2047


def real(name: str, value: object, minimum: float, maximum: float, unit: str = "") -> float:
    """The number `value` if it lies in [`minimum`, `maximum`].

    Raises:
        ParameterError: not a number, not finite, or out of the range.
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and minimum <= number <= maximum:
            return number
    span = f"{minimum:g} to {maximum:g}" + (f" {unit}" if unit else "")
    raise ParameterError(f"{name} must be a number from {span}; got {value!r}")


def integer(name: str, value: object, minimum: int, maximum: int) -> int:
    """The whole number `value` if it lies in [`minimum`, `maximum`].

    Raises:
        ParameterError: not a whole number, or out of the range.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
        if minimum <= number <= maximum:
            return number
    raise ParameterError(
        f"{name} must be a whole number from {minimum} to {maximum}; got {value!r}"
    )


def odd_side(name: str, value: object) -> int:
    """The side of a kernel: an odd number of pixels up to `MAX_SIDE`.

    Raises:
        ParameterError: not a whole number, even, or out of the range.
    """
    number = integer(name, value, 1, MAX_SIDE)
    if number % 2 == 0:
        raise ParameterError(
            f"{name} must be odd, so that a kernel has a centre pixel; got {number}: "
            f"use {number - 1} or {number + 1}"
        )
    return number


def size_pair(name: str, value: object) -> tuple[int, int]:
    """A frame's (height, width), both at least 1.

    Raises:
        ParameterError: not a pair of whole numbers of at least 1.
    """
    if isinstance(value, tuple | list | torch.Size) and len(value) == 2:
        return (
            integer(f"{name} (height)", value[0], 1, 2**31),
            integer(f"{name} (width)", value[1], 1, 2**31),
        )
    raise ParameterError(f"{name} must be a pair (height, width); got {value!r}")


def image_batch(name: str, image: object) -> torch.Tensor:
    """`image`, if it is a floating-point tensor (B, C, H, W) of finite values.

    Raises:
        InputError: not such a tensor, or without pixels.
        NonFiniteInput: holds NaN or infinity.
    """
    if not isinstance(image, torch.Tensor) or image.ndim != 4 or not image.is_floating_point():
        found = (
            f"{image.dtype} of shape {tuple(image.shape)}"
            if isinstance(image, torch.Tensor)
            else type(image).__name__
        )
        raise InputError(
            f"{name} must be a floating-point tensor (batch, channels, height, width); got {found}"
        )
    if image.numel() == 0:
        raise InputError(f"{name} holds no pixels: its shape is {tuple(image.shape)}")
    # A sum is not finite where a value is not, and takes a thirtieth of the time.
    if not bool(image.sum().isfinite()) and not bool(image.isfinite().all()):
        raise NonFiniteInput(
            f"{name} holds NaN or infinity: replace those first, as torch.nan_to_num does"
        )
    return image
