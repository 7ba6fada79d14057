"""What every solver checks and needs of its arguments."""

import math
from dataclasses import replace

from torch import Tensor

from unblur.blur import Field
from unblur.errors import KernelError, ParameterError

__all__ = [
    "HYPER_RATE",
    "LEAST_NOISE",
    "TV_RATE",
    "channel_of",
    "check",
    "default_regularization",
    "kernel_channels",
    "kernel_radius",
]


# r / noise_std that restores best, over 16 training photographs, kernels of 9 to 35 pixels and
# noise of 0.003 to 0.025. Bayes would have r grow with the square; the model's own error, which
# does not fall with the noise, makes it linear.
HYPER_RATE, TV_RATE = 0.05, 0.1
LEAST_NOISE = 1e-3


def default_regularization(noise_std: float, rate: float = HYPER_RATE) -> float:
    """Give r = rate x noise_std, the weight of the prior under noise of that standard deviation.

    Example:
        >>> default_regularization(0.01)
        0.0005
    """
    return rate * max(noise_std, LEAST_NOISE)


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
    if isinstance(kernel, Tensor) and (
        kernel.ndim not in (2, 3) or any(side % 2 == 0 for side in kernel.shape[-2:])
    ):
        raise KernelError(
            f"kernel must be (h, w) or (C, h, w) with odd sides, got {tuple(kernel.shape)}: "
            "Kernel.from_array pads even sides"
        )
    channels = kernel_channels(kernel)
    if channels not in (1, image.shape[1]):
        raise KernelError(
            f"kernel has {channels} channels and the image {image.shape[1]}: give one "
            "kernel, or one a channel"
        )


def kernel_radius(kernel: Tensor | Field) -> tuple[int, int]:
    """(r_y, r_x): how far a pixel's light goes."""
    pixels = kernel.kernels if isinstance(kernel, Field) else kernel
    return pixels.shape[-2] // 2, pixels.shape[-1] // 2


def kernel_channels(kernel: Tensor | Field) -> int:
    """1 where all channels are blurred alike."""
    if isinstance(kernel, Field):
        return kernel.kernels.shape[2]
    return kernel.shape[0] if kernel.ndim == 3 else 1


def channel_of(kernel: Tensor | Field, index: int) -> Tensor | Field:
    """The kernel, or the field, of one channel."""
    if kernel_channels(kernel) == 1:
        return kernel
    if isinstance(kernel, Field):
        return replace(kernel, kernels=kernel.kernels[:, :, index : index + 1])
    return kernel[index]
