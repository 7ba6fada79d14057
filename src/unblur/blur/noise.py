"""Noise put into pictures."""

import torch
from torch import Tensor

from unblur.blur.checks import image_batch, integer, real

__all__ = ["add_noise", "add_poisson_gaussian", "jpeg"]


def add_noise(image: Tensor, std: float, generator: torch.Generator | None = None) -> Tensor:
    """Add white Gaussian noise of standard deviation `std`; nothing is clipped.

    Args:
        image: (B, C, H, W).
        std: in the units of the image, 0 or more.
        generator: source of randomness, on the image's device; None for the global one.

    Raises:
        InputError: not a floating-point tensor (B, C, H, W).
        NonFiniteInput: the image holds NaN or infinity.
        ParameterError: `std` is negative or not finite.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> noisy = add_noise(torch.full((1, 1, 100, 100), 0.5), 0.1, seeded)
        >>> round(float(noisy.std()), 2)
        0.1
    """
    image_batch("image", image)
    std = real("std", std, 0, 1e6)
    return image + std * _normal(image, generator)


def add_poisson_gaussian(
    image: Tensor, gain: float, read_std: float, generator: torch.Generator | None = None
) -> Tensor:
    """Add shot and read noise: gain Poisson(image / gain) + N(0, read_std^2), in linear light.

    The variance is gain * image + read_std^2. Values under 0 count as 0 light; nothing is clipped
    above.

    Args:
        image: (B, C, H, W) in linear light.
        gain: signal per photon, 0 (no shot noise) or more; 1 / gain photons make white.
        read_std: standard deviation of the read noise, 0 or more.
        generator: source of randomness, on the image's device; None for the global one.

    Raises:
        InputError: not a floating-point tensor (B, C, H, W).
        NonFiniteInput: the image holds NaN or infinity.
        ParameterError: `gain` or `read_std` is negative or not finite.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> noisy = add_poisson_gaussian(torch.full((1, 1, 200, 200), 0.5), 0.02, 0.0, seeded)
        >>> round(float(noisy.var()), 3)
        0.01
    """
    image_batch("image", image)
    gain, read_std = real("gain", gain, 0, 1e6), real("read_std", read_std, 0, 1e6)
    light = image.clamp(min=0)
    # Under 1e-6 a photon count is beyond the precision of the floats that would hold it.
    if gain > 1e-6:
        light = torch.poisson(light / gain, generator=generator) * gain
    return light + read_std * _normal(image, generator)


def jpeg(image: Tensor, quality: int) -> Tensor:
    """What JPEG leaves of a picture: rounded to 8 bit, compressed and decompressed in memory.

    Below quality 90 colour is stored at half resolution, as cameras and libvips do.

    Args:
        image: (B, C, H, W) with C 1 or 3, display-encoded, in [0, 1] (clipped).
        quality: 1 to 100.

    Raises:
        InputError: not a floating-point tensor (B, C, H, W) with C 1 or 3.
        NonFiniteInput: the image holds NaN or infinity.
        ParameterError: `quality` is out of range.

    Example:
        >>> grey = torch.full((1, 3, 16, 16), 0.5)
        >>> bool((jpeg(grey, 90) - grey).abs().max() < 0.01)
        True
    """
    import numpy as np
    import pyvips

    from unblur.errors import InputError

    image_batch("image", image)
    quality = integer("quality", quality, 1, 100)
    if image.shape[1] not in (1, 3):
        raise InputError(f"image must have 1 or 3 channels for JPEG; got {image.shape[1]}")
    bytes_ = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
    pictures = []
    for page in bytes_.numpy():
        content = pyvips.Image.new_from_array(np.ascontiguousarray(page)).jpegsave_buffer(Q=quality)
        decoded = np.asarray(pyvips.Image.new_from_buffer(content, "").numpy())
        pictures.append(torch.from_numpy(decoded.reshape(page.shape).copy()))
    return (torch.stack(pictures).permute(0, 3, 1, 2).to(image) / 255).contiguous()


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal values of the shape, type and device of `like`."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)
