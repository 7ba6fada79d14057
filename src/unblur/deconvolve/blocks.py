"""Local shrinkage: a Wiener weight for every cosine coefficient of small blocks."""

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from unblur.fourier import inverse

__all__ = ["block_variance", "wiener_in_blocks"]

_SIDE, _HALF = 8, 4
# Columns of a product: two blocks in one are twice as fast as one.
_PAIR = 2 * _SIDE
# Rows of a strip: its blocks stay in the cache, and memory stays small.
_ROWS = 16 * _SIDE
_TINY = 1e-20


def block_variance(spectrum: Tensor, size: tuple[int, int]) -> Tensor:
    """The variance of each coefficient of a block, (64,), of noise with that power spectrum."""
    lags = torch.arange(1 - _SIDE, _SIDE, device=spectrum.device)
    covariance = inverse(spectrum, size).reshape(size)
    near = covariance[(lags % size[0])[:, None], lags % size[1]]
    basis = _cosines(near)
    # Of each basis function with itself, at each lag.
    overlap = torch.stack([(basis @ _shift(int(lag), near) * basis).sum(1) for lag in lags], dim=1)
    return (overlap @ near @ overlap.T).flatten().clamp(min=0)


def _shift(lag: int, like: Tensor) -> Tensor:
    return torch.diag(like.new_ones(_SIDE - abs(lag)), lag)


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal cosine transform (type II), (8, 8), one basis function a row."""
    steps = torch.arange(_SIDE, dtype=torch.float64)
    basis = torch.cos(torch.pi / _SIDE * (steps + 0.5) * steps[:, None]) * math.sqrt(2 / _SIDE)
    basis[0] /= math.sqrt(2)
    return basis.to(like)


def wiener_in_blocks(
    image: Tensor, pilot: Tensor, variance: Tensor, corner: tuple[int, int] = (0, 0)
) -> Tensor:
    """Weight the cosine coefficients of 8 x 8 blocks by p^2 / (p^2 + variance), p the pilot's.

    What is weighted is the difference from the pilot's local mean, so that skies stay flat and
    ramps straight. Blocks overlap by half, under windows that sum to one.

    Args:
        image: (B, C, H, W), with noise of that variance.
        pilot: likewise, with hardly any.
        variance: of the noise in each coefficient, (64,).
        corner: where a block of one of the tilings of the periodic plane has a corner.
    """
    height, width = image.shape[-2:]
    # The first corner at least half a block before the plane, so that all tilings cover it.
    first = [-_HALF - (-_HALF - place) % _SIDE for place in corner]
    tiled = [
        -((start - length) // unit) * unit
        for length, start, unit in zip((height, width), first, (_SIDE, _PAIR), strict=True)
    ]
    image, pilot = (_extend(plane, first, tiled) for plane in (image, pilot))
    mean = interpolate(avg_pool2d(pilot, _SIDE), scale_factor=_SIDE, mode="bilinear")
    image, pilot = image.sub_(mean), pilot.sub_(mean)
    for top in (0, _HALF):
        for start in range(top, top + tiled[0], _ROWS):
            rows = slice(start, min(start + _ROWS, top + tiled[0]))
            image_rows, pilot_rows = image[..., rows, :], pilot[..., rows, :]
            mean[..., rows, :] += _strip(image_rows, pilot_rows, variance, tiled[1])
    return mean[..., -first[0] :, -first[1] :][..., :height, :width]


def _strip(image: Tensor, pilot: Tensor, variance: Tensor, width: int) -> Tensor:
    """Filter the blocks that begin at the first row, of both tilings along x."""
    basis = _cosines(image)
    steps = torch.arange(_SIDE).to(image) + 0.5
    window = 0.25 + 0.5 * torch.sin(steps * (torch.pi / _SIDE)).square()
    along_x, along_y = torch.block_diag(basis, basis), (basis * window).T
    back = torch.block_diag(basis * window, basis * window)
    level = variance.view(_SIDE, 1, _SIDE).expand(-1, width // _SIDE, -1).reshape(_SIDE, width)
    columns = [basis @ plane.unflatten(-2, (-1, _SIDE)) for plane in (image, pilot)]
    total = torch.zeros_like(columns[0])
    for left in (0, _HALF):
        across = slice(left, left + width)
        values, weights = (plane[..., across].reshape(-1, _PAIR) @ along_x.T for plane in columns)
        weights = weights.square_().add_(_TINY).view(-1, _SIDE, width)
        weights.div_(weights + level)
        filtered = values.mul_(weights.view_as(values)) @ back
        total[..., across] += filtered.view(total[..., across].shape)
    restored: Tensor = along_y @ total
    return restored.flatten(-3, -2)


def _extend(plane: Tensor, first: list[int], tiled: list[int]) -> Tensor:
    """Continue the periodic plane, so that it holds the tiling and the one half a block on."""
    for axis, start, length in zip((-2, -1), first, tiled, strict=True):
        period, stop = plane.shape[axis], start + length + _SIDE
        # Whole pieces: an index for every column takes ten times as long.
        cuts = [start, *range(start - start % period + period, stop, period), stop]
        pieces = [plane.narrow(axis, a % period, b - a) for a, b in pairwise(cuts)]
        plane = torch.cat(pieces, axis)
    return plane
