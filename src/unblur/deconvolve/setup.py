"""What every solver checks and needs of its arguments."""

import math

from torch import Tensor

from unblur.blur import Field
from unblur.errors import KernelError, ParameterError

__all__ = ["check", "kernel_radius"]


def check(image: Tensor, kernel: Tensor | Field, **numbers: float | None) -> None:
    """Refuse shapes that do not go together and numbers that are negative or not finite.

    Raises:
        ParameterError: The image is not (B, C, H, W), or a number is out of range; the name is in
            the text.
        KernelError: The kernel's shape does not fit.
    """
    if image.ndim != 4 or not image.is_floating_point():
        raise ParameterError(
            "image must be a floating point tensor (B, C, H, W), got "
            f"{tuple(image.shape)} {image.dtype}"
        )
    for name, value in numbers.items():
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ParameterError(f"{name} must be a finite number >= 0, got {value}")
    if isinstance(kernel, Field):
        channels = kernel.kernels.shape[2]
    else:
        if kernel.ndim not in (2, 3) or any(side % 2 == 0 for side in kernel.shape[-2:]):
            raise KernelError(
                f"kernel must be (h, w) or (C, h, w) with odd sides, got {tuple(kernel.shape)}: "
                "Kernel.from_array pads even sides"
            )
        channels = kernel.shape[0] if kernel.ndim == 3 else 1
    if channels not in (1, image.shape[1]):
        raise KernelError(
            f"kernel has {channels} channels and the image {image.shape[1]}: give one "
            "kernel, or one a channel"
        )


def kernel_radius(kernel: Tensor | Field) -> tuple[int, int]:
    """(r_y, r_x): how far a pixel's light goes."""
    pixels = kernel.kernels if isinstance(kernel, Field) else kernel
    return pixels.shape[-2] // 2, pixels.shape[-1] // 2
