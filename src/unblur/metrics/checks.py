"""Checks of arguments that the metrics share."""

import math

from torch import Tensor

from unblur.errors import InputError, ParameterError

__all__ = ["check_least_side", "check_pair", "positive"]


def check_pair(image: Tensor, target: Tensor) -> None:
    """Refuse what is not two floating-point tensors (B, C, H, W) of one shape with pixels."""
    pair: tuple[tuple[str, object], ...] = (("image", image), ("target", target))
    for name, value in pair:
        if not isinstance(value, Tensor) or value.ndim != 4 or not value.is_floating_point():
            what = (
                f"{value.dtype} of shape {tuple(value.shape)}"
                if isinstance(value, Tensor)
                else type(value).__name__
            )
            raise InputError(
                f"{name} must be a floating-point tensor (batch, channels, height, width); "
                f"got {what}"
            )
    if image.shape != target.shape:
        raise InputError(
            f"image and target must have one shape; got {tuple(image.shape)} and "
            f"{tuple(target.shape)}"
        )
    if image.numel() == 0:
        raise InputError(f"image holds no pixels: its shape is {tuple(image.shape)}")


def check_least_side(image: Tensor, least: int) -> None:
    """Refuse a picture with a side under `least` pixels."""
    if min(image.shape[-2:]) < least:
        raise InputError(
            f"image must be at least {least} pixels a side; "
            f"got {image.shape[-2]} x {image.shape[-1]}"
        )


def positive(name: str, value: float) -> float:
    """The number `value`, if it is finite and above 0."""
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ParameterError(f"{name} must be a positive number; got {value!r}")
    return number
