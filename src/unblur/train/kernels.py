"""Kernels as deconvolution gets them: nearly right, and where their answer lies."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from unblur.blur.synthesis.lots import Lots

__all__ = ["displaced", "displacement", "near_miss"]

# What a wrong kernel is wrong by: of its size, in degrees, in pixels, of its peak.
_SCALE, _TURN, _SHIFT = (0.9, 1.1), (-4.0, 4.0), (-0.5, 0.5)
_NOISE, _THRESHOLD = (0.01, 0.08), (0.02, 0.12)
# A displacement is found to an eighth of a pixel.
_STEPS = 8


def near_miss(kernel: Tensor, lots: Lots) -> Tensor:
    """A kernel that is not quite right, as estimates are: scaled, turned, noisy, cut at the faint.

    Args:
        kernel: (h, w).
        lots: for what is wrong about it.

    Example:
        >>> lots = Lots(torch.Generator().manual_seed(0))
        >>> wrong = near_miss(torch.full((5, 5), 0.04), lots)
        >>> round(float(wrong.sum()), 4), bool((wrong >= 0).all())
        (1.0, True)
    """
    side = max(kernel.shape) // 2 * 2 + 7
    around = [(side - length) // 2 for length in kernel.shape]
    wide = pad(kernel, (around[1], around[1], around[0], around[0]))
    scale, turn = lots.even(_SCALE), math.radians(lots.even(_TURN)) * lots.chance(0.5)
    shift = [lots.even(_SHIFT) * 2 / side for _ in range(2)]
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale
    frame = torch.tensor([[[cosine, -sine, shift[0]], [sine, cosine, shift[1]]]])
    grid = affine_grid(frame, [1, 1, side, side], align_corners=False)
    wrong: Tensor = grid_sample(wide[None, None], grid, align_corners=False)[0, 0]
    peak = float(wrong.max())
    if lots.chance(0.6):
        noise = torch.randn(wrong.shape, generator=lots.generator) * (lots.even(_NOISE) * peak)
        wrong = wrong + noise * (wrong > _THRESHOLD[0] * peak * lots.chance(0.7))
    if lots.chance(0.7):
        wrong = wrong * (wrong > lots.even(_THRESHOLD) * peak)
    wrong = wrong.clamp(min=0)
    return wrong / wrong.sum()


def displacement(kernel: Tensor, other: Tensor) -> tuple[float, float]:
    """(y, x) by which `kernel` lies off `other`: where their correlation is largest.

    A picture restored with the one lies off that of the other by as much the other way.

    Example:
        >>> point = torch.zeros(7, 7)
        >>> point[2, 4] = 1
        >>> displacement(point, torch.ones(1, 1))
        (-1.0, 1.0)
    """
    side = 2 ** math.ceil(math.log2(max(*kernel.shape, *other.shape) * 2))
    first, second = (_centred(each, side) for each in (kernel, other))
    spectrum = torch.fft.fftshift(first * second.conj())
    wide = spectrum.new_zeros(side * _STEPS, side * _STEPS)
    start = (side * _STEPS - side) // 2
    wide[start : start + side, start : start + side] = spectrum
    found = int(torch.fft.ifft2(torch.fft.ifftshift(wide)).real.argmax())
    places = divmod(found, side * _STEPS)
    y, x = ((each + side * _STEPS // 2) % (side * _STEPS) - side * _STEPS // 2 for each in places)
    return y / _STEPS, x / _STEPS


def _centred(kernel: Tensor, side: int) -> Tensor:
    """The spectrum of a kernel whose middle is the origin."""
    placed = pad(kernel, (0, side - kernel.shape[1], 0, side - kernel.shape[0]))
    middle = (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2))
    spectrum: Tensor = torch.fft.fft2(placed.roll(middle, (0, 1)))
    return spectrum


def displaced(picture: Tensor, by: tuple[float, float]) -> Tensor:
    """Shift a picture (..., H, W) by (y, x) pixels, band-limited; its border is mirrored.

    Example:
        >>> picture = torch.zeros(1, 16, 16)
        >>> picture[0, 4, 5] = 1
        >>> int(displaced(picture, (2.0, -1.0)).argmax()) == 6 * 16 + 4
        True
    """
    if not any(by):
        return picture
    height, width = picture.shape[-2:]
    margin = min(16, height - 1, width - 1)
    wide = pad(picture[None], (margin,) * 4, mode="reflect")[0]
    size = (wide.shape[-2], wide.shape[-1])
    y, x = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])
    turn = torch.exp(-2j * math.pi * (y * by[0] + x * by[1]))
    moved: Tensor = torch.fft.irfft2(torch.fft.rfft2(wide) * turn, s=size)
    return moved[..., margin : margin + height, margin : margin + width]
