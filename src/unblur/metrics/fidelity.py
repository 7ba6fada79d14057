"""Metrics of pictures that lie pixel on pixel."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

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
    # Loaded on use: it takes seconds.
    from torchmetrics.functional.image import structural_similarity_index_measure

    check_pair(image, target)
    check_least_side(image, _WINDOW)
    _, everywhere = structural_similarity_index_measure(
        image.double(),
        target.double(),
        sigma=_SIGMA,
        data_range=positive("data_range", data_range),
        reduction="none",
        return_full_image=True,
    )
    inside = slice(_WINDOW // 2, -(_WINDOW // 2))
    return everywhere[..., inside, inside].mean((1, 2, 3)).to(image.dtype)


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
    first, second = image.double(), target.double()
    mean_1, mean_2 = _volume_mean(first), _volume_mean(second)
    variance_1 = _volume_mean(first * first) - mean_1 * mean_1
    variance_2 = _volume_mean(second * second) - mean_2 * mean_2
    covariance = _volume_mean(first * second) - mean_1 * mean_2
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    similarity = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    similarity /= (mean_1 * mean_1 + mean_2 * mean_2 + c1) * (variance_1 + variance_2 + c2)
    return similarity.mean((1, 2, 3)).to(image.dtype)


def _volume_mean(volume: Tensor) -> Tensor:
    """The Gaussian mean over (C, H, W) with border values repeated outwards."""
    reach = _WINDOW // 2
    offsets = torch.arange(-reach, reach + 1, dtype=volume.dtype, device=volume.device)
    window = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    window = window / window.sum()
    batch, channels, height, width = volume.shape
    # Few channels: their window is a small matrix, with the outer taps folded onto the ends.
    places = torch.arange(channels, device=volume.device)[:, None] + offsets.long()[None, :]
    mixing = volume.new_zeros(channels, channels)
    mixing.scatter_add_(1, places.clamp(0, channels - 1), window.expand(channels, -1))
    flat = volume.reshape(batch * channels, 1, height, width)
    flat = conv2d(pad(flat, (0, 0, reach, reach), mode="replicate"), window.reshape(1, 1, -1, 1))
    flat = conv2d(pad(flat, (reach, reach, 0, 0), mode="replicate"), window.reshape(1, 1, 1, -1))
    return torch.einsum("dc,bchw->bdhw", mixing, flat.reshape(volume.shape))
