"""The kernels of one channel from planes of pairs, with how far to trust each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur import Field
from unblur.lens.cells import Cells
from unblur.lens.planes import Plane
from unblur.lens.solve import solve
from unblur.progress import Progress, report

__all__ = ["Estimate", "estimate", "rim_share"]

Size = tuple[int, int]

ROUNDS = 4
# What is expected of kernels before anything is seen: the sum of squares is that of kernels spread
# over some twenty pixels until the first round tells, and neighbours differ by a part of it.
_ENERGY = 0.05
_DIFFERENCE = 0.4
_LEAST_ENERGY, _FLOOR = 0.005, 1e-3
_LEAST_NOISE = 1e-4
# The estimate of the noise may be low by this factor, in power.
_NOISE_MARGIN = 1.5
# Of the energy of gradients across and along the edges; photographs have 0.4 to 0.9.
_LEAST_RATIO = 0.3
# Up to the first confidence a cell takes its kernel from the others, from the second on it has its
# own.
_UNTRUSTED, _TRUSTED = 0.4, 0.6


@dataclass(frozen=True)
class Estimate:
    """Kernels of one channel.

    Attributes:
        kernels: (rows, columns, N, N), non-negative, their sums the gain from sharp to blurred.
        confidence: (rows, columns), in [0, 1]: the expected share of a kernel's energy that is
            right; less where all edges have one direction.
        residual: root of the mean square of what the kernels do not explain, (rows, columns).
        known: the share of each cell's pixels that could be used.
    """

    kernels: Tensor
    confidence: Tensor
    residual: Tensor
    known: Tensor


def estimate(
    planes: Sequence[Plane],
    grid: Size,
    kernel_size: int,
    noise_std: float,
    *,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> Estimate:
    """Find the kernels k_p that explain the blurred planes, v = sum_p w_p (k_p * u) + noise.

    Each round computes the exact gradient of the misfit of the whole field, and minimises a model
    of it cell by cell: the curvature of a cell is taken as that of a blur which is the same all
    over its window. By convexity, |sum_p w_p x_p|^2 <= sum_p w_p |x_p|^2 for windows that sum to
    one, so that the model lies above the misfit, and a round never makes it worse. Several pairs
    add up. Noise is that of each cell's residual after the first round, so that a cell in which
    something moved is trusted less.

    Args:
        planes: one a pair, all of one size.
        grid: (rows, columns).
        kernel_size: N, odd.
        noise_std: what the noise is taken for in the first round.
        rounds: how often.
        progress: told after each round.
    """
    radius, size = kernel_size // 2, (planes[0].sharp.shape[0], planes[0].sharp.shape[1])
    cells = Cells.of(size, grid, radius, planes[0].sharp)
    spectra = sum((cells.spectra(p.sharp, p.known) for p in planes), torch.zeros(()))
    counts = [cells.count(plane.known) for plane in planes]
    count = sum(counts, torch.zeros(())).clamp(min=1)
    kernels = torch.zeros(*grid, kernel_size, kernel_size)
    variance = torch.full(grid, max(noise_std, _LEAST_NOISE) ** 2)
    energy = _ENERGY
    for number in range(rounds):
        report(progress, "kernels", number / rounds)
        gradient, missed = _gradient(cells, planes, kernels if number else None)
        if number:
            variance = (missed / count).clamp(min=_LEAST_NOISE**2)
            energy = max(float(kernels.square().sum((-2, -1)).mean()), _LEAST_ENERGY)
        trust = 1 / variance[..., None, None]
        ridge = kernel_size**2 / energy
        coupling = ridge / _DIFFERENCE
        kernels = solve(kernels, gradient * trust, spectra * trust, ridge=ridge, coupling=coupling)
    report(progress, "kernels", 1.0)
    expected = _expected(kernels, cells.side)
    # Noise of the sharp picture looks like texture, and says nothing of the kernel.
    noise = sum((n * p.noise_std**2 for n, p in zip(counts, planes, strict=True)), torch.zeros(()))
    texture = (spectra - _NOISE_MARGIN * noise[..., None, None]).clamp(min=0)
    unsure = 1 / (texture * trust / kernel_size**2 + 1 / expected)
    confidence = 1 - unsure.mean((-2, -1)) / expected.mean()
    confidence = confidence * _all_around(cells, planes, noise_std)
    confidence = confidence.nan_to_num(0).clamp(0, 1)
    area = size[0] * size[1] * len(planes) / (grid[0] * grid[1])
    return Estimate(
        _borrowed(kernels, confidence), confidence, variance.sqrt(), (count / area).clamp(max=1)
    )


def _borrowed(kernels: Tensor, confidence: Tensor) -> Tensor:
    """Give cells that are not trusted the mean of the others, near and trusted ones above all."""
    rows, columns = confidence.shape
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(kernels)
    apart = torch.cdist(places, places).square()
    weights = confidence.flatten() ** 2 / apart.clamp(min=1) * (apart > 0)
    total = weights.sum(1)
    others = (weights @ kernels.flatten(2).flatten(0, 1)) / total.clamp(min=1e-6)[:, None]
    own = ((confidence - _UNTRUSTED) / (_TRUSTED - _UNTRUSTED)).clamp(0, 1)
    own = torch.where(total.reshape(rows, columns) > _TRUSTED**2 / 4, own, 1.0)[..., None, None]
    return own * kernels + (1 - own) * others.reshape(kernels.shape)


def _gradient(
    cells: Cells, planes: Sequence[Plane], kernels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Minus the gradient of the misfit, and its sum of squares under each window."""
    gradient, missed = torch.zeros(()), torch.zeros(())
    for plane in planes:
        residual = plane.blurred
        if kernels is not None:
            blur = Field(kernels[:, :, None]).operator(
                (residual.shape[0], residual.shape[1]), "zero"
            )
            residual = residual - blur.forward(plane.sharp[None, None])[0, 0]
        residual = residual * plane.known
        gradient = gradient + cells.correlations(pad(plane.sharp, (cells.radius,) * 4), residual)
        missed = missed + cells.energy(residual)
    return gradient, missed


def _expected(kernels: Tensor, side: int) -> Tensor:
    """The mean of |K|^2 over the cells, not under a thousandth of its own mean."""
    power: Tensor = torch.fft.rfft2(kernels, s=(side, side)).abs().square().mean((0, 1))
    return power.clamp(min=max(_FLOOR * float(power.mean()), 1e-12))


def _all_around(cells: Cells, planes: Sequence[Plane], noise_std: float) -> Tensor:
    """From 0 to 1: whether a cell has edges in all directions, (rows, columns).

    Edges of one direction say nothing of how a kernel spreads along them: of the sums of gx gx,
    gx gy and gy gy under a window, without what noise adds to them, the smaller eigenvalue must be
    at least a part of the larger one.
    """
    xx, xy, yy = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for plane in planes:
        down, across = torch.gradient(plane.sharp)
        # A central difference halves the power of noise. The finest texture of the sharp picture
        # looks like noise, and is none where the blurred one has less.
        noise = _NOISE_MARGIN * min(plane.noise_std, noise_std) ** 2 / 2
        xx = xx + cells.count(plane.known * (across.square() - noise))
        yy = yy + cells.count(plane.known * (down.square() - noise))
        xy = xy + cells.count(plane.known * across * down)
    apart = torch.hypot(xx - yy, 2 * xy)
    ratio = (xx + yy - apart) / (xx + yy + apart).clamp(min=1e-12)
    return (ratio / _LEAST_RATIO).clamp(0, 1)


def rim_share(kernels: Tensor) -> Tensor:
    """The share of each kernel's mass in the outermost tenth of its radius, at least one pixel."""
    side = kernels.shape[-1]
    rim = max(side // 20, 1)
    inner = kernels[..., rim : side - rim, rim : side - rim].sum((-2, -1))
    return 1 - inner / kernels.sum((-2, -1)).clamp(min=1e-12)
