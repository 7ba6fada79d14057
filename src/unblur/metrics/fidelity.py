"""Metrics of pictures that lie pixel on pixel."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.metrics.checks import check_least_side, check_pair, positive

__all__ = ["psnr", "ssim", "ssim_matlab3d"]

_WINDOW = 11
_SIGMA = 1.5


def psnr(image: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(data_range^2 / mean squared error), in dB.

    The mean is over channels and pixels. Equal pictures give infinity. Nothing is clipped or
    rounded.

    Args:
        image: (B, C, H, W).
        target: the truth, of the same shape.
        data_range: the span of possible values: 1 for [0, 1], 255 for 8-bit values.

    Raises:
        InputError: the shapes differ, or an argument is not (B, C, H, W) of floating-point values.
        ParameterError: `data_range` is not positive.

    Example:
        >>> psnr(torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.6))
        tensor([20.0000])
    """
    check_pair(image, target)
    span = positive("data_range", data_range)
    error = (image.double() - target.double()).square().mean((1, 2, 3))
    return (10 * torch.log10(span**2 / error)).to(image.dtype)


def ssim(image: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """Structural similarity, per channel, mean over channels and pixels.

    Gaussian window of 11 x 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, population statistics; the
    mean leaves out the five pixels at each border, whose windows would reach outside.

    Args:
        image: (B, C, H, W), at least 11 pixels a side.
        target: the truth, of the same shape.
        data_range: the span of possible values.

    Raises:
        InputError: the shapes differ or a side is under 11 pixels.
        ParameterError: `data_range` is not positive.

    Source:
        Wang, Bovik, Sheikh & Simoncelli 2004.

    Example:
        >>> ramp = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
        >>> ssim(ramp, ramp)
        tensor([1.])
    """
    check_pair(image, target)
    check_least_side(image, _WINDOW)
    span = positive("data_range", data_range)
    return _similarity(image.double(), target.double(), span, _plane_mean).to(image.dtype)


def ssim_matlab3d(image: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """The similarity that deblurring papers print: one window over rows, columns and channels.

    A colour picture is taken as a volume, as MATLAB's `ssim` does, with a Gaussian window of 11 x
    11 x 11, sigma 1.5; values at the border are repeated outwards on all three axes, and the mean
    is over the whole volume. On colour pictures it is about 0.03 higher than `ssim`, so the two
    must not be compared.

    Args:
        image: (B, C, H, W).
        target: the truth, of the same shape.
        data_range: the span of possible values.

    Raises:
        InputError: the shapes differ.
        ParameterError: `data_range` is not positive.

    Example:
        >>> ramp = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
        >>> ssim_matlab3d(ramp, ramp)
        tensor([1.])
    """
    check_pair(image, target)
    span = positive("data_range", data_range)
    return _similarity(image.double(), target.double(), span, _volume_mean).to(image.dtype)


def _similarity(
    first: Tensor, second: Tensor, span: float, mean: Callable[[Tensor], Tensor]
) -> Tensor:
    """The similarity of windows, whose means `mean` takes, and its mean over each picture, (B,)."""
    mean_1, mean_2 = mean(first), mean(second)
    variance_1 = mean(first * first) - mean_1 * mean_1
    variance_2 = mean(second * second) - mean_2 * mean_2
    covariance = mean(first * second) - mean_1 * mean_2
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    similarity = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    similarity /= (mean_1 * mean_1 + mean_2 * mean_2 + c1) * (variance_1 + variance_2 + c2)
    return similarity.mean((1, 2, 3))


def _window(like: Tensor) -> Tensor:
    offsets = torch.arange(_WINDOW, dtype=like.dtype, device=like.device) - _WINDOW // 2
    window = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    return window / window.sum()


def _plane_mean(planes: Tensor) -> Tensor:
    """The Gaussian mean over (H, W) where the window lies inside."""
    for axis in (-2, -1):
        side = planes.shape[axis] - _WINDOW + 1
        total = torch.zeros_like(planes.narrow(axis, 0, side))
        # Eleven sums of slices: a convolution in double precision is many times slower.
        for place, weight in enumerate(_window(planes).tolist()):
            total.add_(planes.narrow(axis, place, side), alpha=weight)
        planes = total
    return planes


def _volume_mean(volume: Tensor) -> Tensor:
    """The Gaussian mean over (C, H, W) with border values repeated outwards."""
    reach, channels = _WINDOW // 2, volume.shape[1]
    window = _window(volume)
    # Few channels: their window is a small matrix, with the outer taps folded onto the ends.
    places = torch.arange(channels, device=volume.device)[:, None]
    places = (places + torch.arange(-reach, reach + 1, device=volume.device)).clamp(0, channels - 1)
    mixing = volume.new_zeros(channels, channels)
    mixing.scatter_add_(1, places, window.expand(channels, -1))
    planes = _plane_mean(pad(volume, (reach,) * 4, mode="replicate"))
    return torch.einsum("dc,bchw->bdhw", mixing, planes)
