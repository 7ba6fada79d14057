"""Noise put into pictures, and measured from one picture."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur.checks import image_batch, integer, real

__all__ = ["add_noise", "add_poisson_gaussian", "estimate_noise", "jpeg"]

_PATCH = 8
# Texture shows in frequencies (of the 8 x 8 cosine transform, row + column) from 3 up to 8; noise
# is measured from 9 on, where pictures, and blurred ones above all, have least.
_TEXTURE_FROM = 3
_NOISE_FROM = _PATCH + 1
_SMOOTHEST_SHARE = 0.01
_LEAST_PATCHES = 64
_MOST_PATCHES = 16384


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


def estimate_noise(image: Tensor) -> Tensor:
    """The standard deviation of white noise in each picture, (B,), at least 0.

    8 x 8 patches go through the cosine transform. The one percent with the least energy in the
    middle frequencies are taken as smooth, and the noise is the energy of their highest
    frequencies. For white noise the two bands are independent, so the choice does not bias the
    measure. Patches that hold a clipped value (0 or 1) or no variation at all are left out where
    enough others exist. Over channels it is the root of the mean variance. What JPEG has taken from
    the highest frequencies is not counted. A picture under 4 pixels a side gives 0.

    Args:
        image: (B, C, H, W) in [0, 1], with or without blur.

    Raises:
        InputError: not a floating-point tensor (B, C, H, W).
        NonFiniteInput: the image holds NaN or infinity.

    Source:
        After Ponomarenko, Lukin, Zriakhov, Kaarna & Astola 2007.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> slope = torch.linspace(0.2, 0.8, 256).expand(1, 1, 256, 256)
        >>> round(float(estimate_noise(add_noise(slope, 0.02, seeded))), 3)
        0.02
    """
    image_batch("image", image)
    with torch.no_grad():
        variances = [torch.stack([_variance(plane) for plane in picture]) for picture in image]
        return torch.stack(variances).mean(1).sqrt().to(image.dtype)


def _variance(plane: Tensor) -> Tensor:
    """The noise variance of one channel (H, W)."""
    side = min(_PATCH, *plane.shape)
    if side < 4:
        return plane.new_zeros((), dtype=torch.float64)
    patches = _patches(plane, side)
    transform = _cosine_transform(side).to(plane)
    energy = (transform @ patches @ transform.T).square()
    frequency = torch.arange(side, device=plane.device)
    frequency = frequency[:, None] + frequency[None, :]
    noise_from = side + _NOISE_FROM - _PATCH
    texture = energy[:, (frequency >= _TEXTURE_FROM) & (frequency < noise_from)].mean(1)
    count = min(max(round(_SMOOTHEST_SHARE * len(patches)), _LEAST_PATCHES), len(patches))
    smoothest = texture.topk(count, largest=False).indices
    high = energy[smoothest][:, frequency >= noise_from].double()
    # The median of a chi-square with n degrees of freedom is about n (1 - 2 / 9n)^3; it shrugs off
    # the patches where an edge has slipped through.
    degrees = high.shape[1]
    return high.mean(1).median() / (1 - 2 / (9 * degrees)) ** 3


def _patches(plane: Tensor, side: int) -> Tensor:
    """(N, side, side) patches on a grid, without clipped and constant ones if enough remain."""
    step = max(side // 2, math.ceil(math.sqrt(plane.numel() / _MOST_PATCHES)))
    patches = _cut(plane, side, step)
    varied = patches.amin((1, 2)) < patches.amax((1, 2))
    clipped = (plane <= 0) | (plane >= 1)
    # Noise that is cut off nearby has lost some of its spread in patches that escaped by chance.
    for reach in (side, 0):
        inside = patches[varied & (_count(clipped, side, step, reach) == 0)]
        if len(inside) >= _LEAST_PATCHES:
            return inside
    return patches[varied] if bool(varied.any()) else patches


def _cut(plane: Tensor, side: int, step: int) -> Tensor:
    """All (side, side) patches of `plane`, `step` pixels apart."""
    return plane.unfold(0, side, step).unfold(1, side, step).reshape(-1, side, side)


def _count(mask: Tensor, side: int, step: int, reach: int) -> Tensor:
    """How many pixels of `mask` each of these patches holds, grown by `reach` on every side."""
    total = pad(mask.cumsum(0).cumsum(1), (1, 0, 1, 0))
    edges = []
    for length in mask.shape:
        first = torch.arange(0, length - side + 1, step, device=mask.device)
        edges.append(((first - reach).clamp(min=0), (first + side + reach).clamp(max=length)))
    (top, bottom), (left, right) = edges
    rows = total[bottom] - total[top]
    return (rows[:, right] - rows[:, left]).flatten()


def _cosine_transform(side: int) -> Tensor:
    """The orthonormal matrix of the cosine transform (type II)."""
    n = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * n[None, :] + 1) * n[:, None] / (2 * side)) * math.sqrt(
        2 / side
    )
    matrix[0] /= math.sqrt(2)
    return matrix


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal values of the shape, type and device of `like`."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)
