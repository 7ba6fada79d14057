"""Deconvolution by Wiener filters in small blocks: a regularised inverse, then local shrinkage."""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from unblur.blur import Field
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.setup import LEAST_NOISE, channel_of, check, kernel_channels
from unblur.deconvolve.splitting import Problem, pose_pilot
from unblur.deconvolve.system import System
from unblur.errors import ParameterError
from unblur.fourier import inverse
from unblur.progress import Progress, part, report

__all__ = ["block_variance", "local_wiener", "wiener_in_blocks"]

# The noise of the regularised inverse is taken for this much smaller than it is: the pilot's
# coefficients are the smaller for having been smoothed.
_NOISE_SHARE = 0.75
# |K|^2 is trusted before the pilot down to this. With exact kernels 1 / 256 is up to 0.2 dB
# better, with estimated ones as much worse.
_TRUST = 1 / 128
_PASSES = 2
_SIDE, _HALF = 8, 4
# Columns of a product: two blocks in one are twice as fast as one.
_PAIR = 2 * _SIDE
# Rows of a strip: its blocks stay in the cache, and memory stays small.
_ROWS = 16 * _SIDE
_TINY = 1e-20


def local_wiener(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float = 0.01,
    passes: int = _PASSES,
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve by a Wiener filter of its own for every block of 8 x 8 pixels.

    A few steps of total variation give a pilot z. Each pass inverts the blur with as much of the
    pilot as the kernel's spectrum needs, u = argmin |k * u - v|^2 + t |u - z|^2, whose noise has
    the known spectrum s^2 / (|K|^2 + t), and then weights each coefficient c of the cosine
    transform of each block by z_c^2 / (z_c^2 + s_c^2): what the pilot shows is kept, and what only
    the noise can have made goes. The mean over four tilings is the next pilot. Pictures of three
    channels are restored in luminance and two colour differences, which share little, so that edges
    have no fringes.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified.
        kernel: (h, w), odd sides, (C, h, w) with one kernel a channel, or a field.
        noise_std: s, standard deviation of the noise, in the units of the image, at least 0.
        passes: at least 0; 0 is the pilot, 2 nearly the best.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as
            one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look;
            specks of less than 3 x 3 are taken as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each iteration and each pass.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        R. Neelamani, H. Choi, R. Baraniuk, ForWaRD: Fourier-Wavelet Regularized Deconvolution for
        Ill-Conditioned Systems, 2004; K. Dabov et al., Image Restoration by Sparse 3D
        Transform-Domain Collaborative Filtering, 2008, section 4, for the pilot.

    Example:
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 3, 20, 30), 0.5)
        >>> restored = local_wiener(flat, kernels.disk(radius=3).pixels)
        >>> bool((restored - flat).abs().max() < 1e-4)
        True
    """
    check(image, kernel, noise_std=noise_std)
    if passes < 0:
        raise ParameterError(f"passes must be at least 0, got {passes}")
    count = image.shape[1]
    if count > 1 and kernel_channels(kernel) > 1:
        planes = [
            local_wiener(
                image[:, [index]],
                channel_of(kernel, index),
                noise_std=noise_std,
                passes=passes,
                boundary=boundary,
                clipped=_plane(clipped, index),
                ignored=ignored,
                progress=part(progress, index / count, (index + 1) / count),
            )
            for index in range(count)
        ]
        return torch.cat(planes, dim=1)
    if not _solid(clipped):
        clipped = None
    # A bound on a colour bounds no mixture of colours.
    mixed = count == 3 and clipped is None and (ignored is None or ignored.shape[1] == 1)
    turn = _opponent(image) if count == 3 else torch.eye(count).to(image)
    problem = pose_pilot(
        _mix(image, turn) if mixed else image,
        kernel,
        noise_std=noise_std,
        boundary=boundary,
        clipped=clipped,
        ignored=ignored,
    )
    projected, pilot = _pilot(problem, mixed, part(progress, 0, 0.5))
    if not mixed:
        projected, pilot = _mix(projected, turn), _mix(pilot, turn)
    spectrum = _noise_spectrum(problem.system, noise_std)
    variance = block_variance(spectrum, problem.system.size)
    for index in range(count):
        report(progress, "deconvolve", (1 + index / count) / 2)
        own = slice(index, index + 1)
        pilot[:, own] = _filter(
            problem.system,
            projected[:, own],
            pilot[:, own],
            variance,
            passes=passes,
            corner=problem.seen.margin,
        )
    report(progress, "deconvolve", 1.0)
    return _mix(problem.seen.crop(pilot), turn.T).contiguous()


def _solid(mask: Tensor | None) -> bool:
    """Whether the mask holds 3 x 3 pixels anywhere: a light; specks are no brighter than white."""
    if mask is None:
        return False
    columns = mask[..., 2:] & mask[..., 1:-1] & mask[..., :-2]
    return bool((columns[..., 2:, :] & columns[..., 1:-1, :] & columns[..., :-2, :]).any())


def _pilot(problem: Problem, mixed: bool, progress: Progress | None) -> tuple[Tensor, Tensor]:
    """What the data say, projected, and total variation's answer, channel by channel."""
    count = problem.seen.image.shape[1]
    states = []
    for index in range(count):
        plane = problem.channel(index)
        if mixed and index > 0:
            plane = plane.brief()
        share = part(progress, index / count, (index + 1) / count)
        state = iterate(plane.start(), plane.step, iterations=plane.iterations, progress=share)
        states.append(state)
    projected = torch.cat([state.projected for state in states], dim=1)
    return projected, torch.cat([state.image for state in states], dim=1)


def _plane(mask: Tensor | None, index: int) -> Tensor | None:
    return mask if mask is None or mask.shape[1] == 1 else mask[:, [index]]


def _mix(image: Tensor, matrix: Tensor) -> Tensor:
    """The matrix, applied to the channels."""
    # Sums, as a product with a matrix this narrow takes five times as long.
    mixed = torch.zeros_like(image)
    for row, weights in enumerate(matrix.tolist()):
        for column, weight in enumerate(weights):
            mixed[:, row].add_(image[:, column], alpha=weight)
    return mixed


def _opponent(like: Tensor) -> Tensor:
    """Luminance and two colour differences, orthonormal: white noise stays what it is."""
    rows: Tensor = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]).to(like)
    lengths: Tensor = rows.norm(dim=1, keepdim=True)
    return rows / lengths


def _noise_spectrum(system: System, noise_std: float) -> Tensor:
    """Of the regularised inverse."""
    return (_NOISE_SHARE * max(noise_std, LEAST_NOISE)) ** 2 / (system.power + _TRUST)


def _filter(
    system: System,
    projected: Tensor,
    pilot: Tensor,
    variance: Tensor,
    *,
    passes: int,
    corner: tuple[int, int],
) -> Tensor:
    """Invert the blur towards the pilot, keep what the pilot shows, and again."""
    even = torch.ones_like(system.power)
    for _ in range(passes):
        rough = system.solve(projected, even, _TRUST, pilot, pilot)
        pilot = wiener_in_blocks(rough, pilot, variance, corner)
    return pilot


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
