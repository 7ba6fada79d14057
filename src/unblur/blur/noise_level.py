"""Noise measured from one picture."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from unblur.blur.checks import image_batch
from unblur.fourier import transfer_function

__all__ = ["estimate_coarse_noise", "estimate_noise", "noise_where_removed"]

_PATCH = 8
# Texture shows in frequencies (of the 8 x 8 cosine transform, row + column) from 3 up to 8; noise
# is measured from 9 on, where pictures, and blurred ones above all, have least.
_TEXTURE_FROM = 3
_NOISE_FROM = _PATCH + 1
_SMOOTHEST_SHARE = 0.01
_LEAST_PATCHES = 64
_MOST_PATCHES = 16384
# The middle frequencies, and where one percent of the normal distribution ends.
_MIDDLE, _ONE_PERCENT = (4, 7), -2.326
# A frequency is removed where less than this of its power is left; frequencies are cycles a pixel.
_REMOVED, _LOWEST = 1e-3, 0.08
_ENOUGH, _LEAST_SIDE = 200, 128
_FREQUENCIES = (torch.fft.fftfreq, torch.fft.rfftfreq)


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
        >>> from unblur.blur import add_noise
        >>> seeded = torch.Generator().manual_seed(0)
        >>> slope = torch.linspace(0.2, 0.8, 256).expand(1, 1, 256, 256)
        >>> round(float(estimate_noise(add_noise(slope, 0.02, seeded))), 3)
        0.02
    """
    return _over_channels(_variance, image)


def estimate_coarse_noise(image: Tensor) -> Tensor:
    """The standard deviation of noise at middle frequencies, (B,), at least 0.

    White noise has as much there as anywhere. Noise that a camera has smoothed has more than
    `estimate_noise` tells, which looks at the highest frequencies. It is read off the energy of
    frequencies 4 to 6 (of the 8 x 8 cosine transform, row + column) that one percent of the patches
    have at most. Where there is texture everywhere, it counts as noise.

    Args:
        image: (B, C, H, W) in [0, 1], with or without blur.

    Raises:
        InputError: not a floating-point tensor (B, C, H, W).
        NonFiniteInput: the image holds NaN or infinity.

    Example:
        >>> from unblur.blur import add_noise
        >>> seeded = torch.Generator().manual_seed(0)
        >>> slope = torch.linspace(0.2, 0.8, 256).expand(1, 1, 256, 256)
        >>> round(float(estimate_coarse_noise(add_noise(slope, 0.02, seeded))), 3)
        0.02
    """
    return _over_channels(_coarse, image)


def _over_channels(variance: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The root of the mean variance of each picture's channels."""
    image_batch("image", image)
    with torch.no_grad():
        variances = [torch.stack([variance(plane) for plane in picture]) for picture in image]
        return torch.stack(variances).mean(1).sqrt().to(image.dtype)


def noise_where_removed(image: Tensor, kernels: Tensor) -> float | None:
    """The standard deviation of noise as far as it shows at frequencies that a blur removes.

    Whatever is found at a frequency f with |K(f)|^2 < 0.001 did not come through the lens. The mean
    of |F[w v]|^2 over these frequencies and the channels, over the sum of w^2, is the variance,
    with a Hann window w, so that the border does not leak. Frequencies under 0.08 a pixel are left
    out, where pictures have most.

    Args:
        image: v, (1, C, H, W) in [0, 1].
        kernels: (..., h, w), odd sides; of several the mean power counts.

    Returns:
        The standard deviation; None where the blur removes next to nothing, or the picture is under
        128 pixels high or wide.

    Example:
        >>> from unblur.blur import add_noise
        >>> seeded = torch.Generator().manual_seed(0)
        >>> noisy = add_noise(torch.full((1, 1, 128, 128), 0.5), 0.02, seeded)
        >>> round(noise_where_removed(noisy, torch.full((9, 9), 1 / 81)), 2)
        0.02
    """
    size = (image.shape[-2], image.shape[-1])
    if min(size) < _LEAST_SIDE or any(
        side > room for side, room in zip(kernels.shape[-2:], size, strict=True)
    ):
        return None
    rows, columns = (torch.hann_window(side, periodic=False).to(image) for side in size)
    window = rows[:, None] * columns
    spectrum = torch.fft.rfft2((image - image.mean((-2, -1), keepdim=True)) * window)
    found = (spectrum.real**2 + spectrum.imag**2).mean((0, 1)) / window.square().sum()
    power = torch.zeros_like(found)
    for kernel in kernels.reshape(-1, *kernels.shape[-2:]):
        transfer = transfer_function(kernel, size)
        power += transfer.real**2 + transfer.imag**2
    power /= kernels[..., 0, 0].numel()
    y, x = (step(side).to(power) for step, side in zip(_FREQUENCIES, size, strict=True))
    removed = (power < _REMOVED) & (torch.hypot(y[:, None], x[None, :]) > _LOWEST)
    return float(found[removed].mean().sqrt()) if int(removed.sum()) >= _ENOUGH else None


def _variance(plane: Tensor) -> Tensor:
    """The noise variance of one channel (H, W)."""
    side = min(_PATCH, *plane.shape)
    if side < 4:
        return plane.new_zeros((), dtype=torch.float64)
    energy, frequency = _energy(plane, side)
    noise_from = side + _NOISE_FROM - _PATCH
    texture = energy[:, (frequency >= _TEXTURE_FROM) & (frequency < noise_from)].mean(1)
    count = min(max(round(_SMOOTHEST_SHARE * len(energy)), _LEAST_PATCHES), len(energy))
    smoothest = texture.topk(count, largest=False).indices
    high = energy[smoothest][:, frequency >= noise_from].double()
    # The median of a chi-square with n degrees of freedom is about n (1 - 2 / 9n)^3; it shrugs off
    # the patches where an edge has slipped through.
    degrees = high.shape[1]
    return high.mean(1).median() / (1 - 2 / (9 * degrees)) ** 3


def _coarse(plane: Tensor) -> Tensor:
    """The noise variance at middle frequencies of one channel (H, W)."""
    if min(plane.shape) < _PATCH:
        return plane.new_zeros((), dtype=torch.float64)
    energy, frequency = _energy(plane, _PATCH)
    middle = energy[:, (frequency >= _MIDDLE[0]) & (frequency < _MIDDLE[1])].double()
    rank = max(round(_SMOOTHEST_SHARE * len(middle)), 1)
    # The quantile of a chi-square with n degrees of freedom is about n (1 - 2 / 9n + z s)^3 with
    # s^2 = 2 / 9n and z that of the normal distribution.
    share = 2 / (9 * middle.shape[1])
    low = (1 - share + _ONE_PERCENT * math.sqrt(share)) ** 3
    return middle.mean(1).kthvalue(rank).values / low


def _energy(plane: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Of each patch of one channel in the cosine transform, (N, side^2); and row + column."""
    transform = _cosine_transform(side)
    # Rows and columns in one product: thousands of small ones take ten times as long.
    both = torch.kron(transform, transform).to(plane)
    energy = (_patches(plane, side).flatten(1) @ both.T).square_()
    place = torch.arange(side, device=plane.device)
    return energy, (place[:, None] + place[None, :]).flatten()


def _patches(plane: Tensor, side: int) -> Tensor:
    """(N, side, side) patches on a grid, without clipped and constant ones if enough remain."""
    step = max(side // 2, math.ceil(math.sqrt(plane.numel() / _MOST_PATCHES)))
    patches = _cut(plane, side, step)
    varied = patches.amin((1, 2)) < patches.amax((1, 2))
    clipped = (plane <= 0) | (plane >= 1)
    if bool(clipped.any()):
        # Noise that is cut off nearby has lost some of its spread in patches that escaped by
        # chance.
        for reach in (side, 0):
            inside = patches[varied & ~_holds(clipped, side, step, reach)]
            if len(inside) >= _LEAST_PATCHES:
                return inside
    some = bool(varied.any()) and not bool(varied.all())
    return patches[varied] if some else patches


def _cut(plane: Tensor, side: int, step: int) -> Tensor:
    """All (side, side) patches of `plane`, `step` pixels apart."""
    return plane.unfold(0, side, step).unfold(1, side, step).reshape(-1, side, side)


def _holds(mask: Tensor, side: int, step: int, reach: int) -> Tensor:
    """Whether each of these patches, grown by `reach` on every side, holds a pixel of `mask`."""
    window = side + 2 * reach
    across = max_pool2d(mask.to(torch.float32)[None], (1, window), (1, step), (0, reach))
    return max_pool2d(across, (window, 1), (step, 1), (reach, 0)).flatten() > 0


def _cosine_transform(side: int) -> Tensor:
    """The orthonormal matrix of the cosine transform (type II)."""
    n = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * n[None, :] + 1) * n[:, None] / (2 * side)) * math.sqrt(
        2 / side
    )
    matrix[0] /= math.sqrt(2)
    return matrix
