"""The kernels of all cells at once: regularised least squares under positivity."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["solve"]

_STEPS = 150


def solve(
    start: Tensor,
    gradient: Tensor,
    spectra: Tensor,
    *,
    ridge: float,
    coupling: float,
    steps: int = _STEPS,
) -> Tensor:
    """Minimise a model of the misfit about `start`, and what is expected of kernels, over k >= 0.

    Q(k) = sum_p 1/2 (k_p - k0_p)^T H_p (k_p - k0_p) - g_p^T (k_p - k0_p) + a/2 |k_p|^2
           + b/2 sum_{neighbours p, q} |k_p - k_q|^2

    By accelerated projected gradient (Beck & Teboulle 2009), all cells in one batch, restarted
    where the steps turn back (O'Donoghue & Candes 2015).

    Args:
        start: k0, (rows, columns, N, N).
        gradient: g, likewise: minus the gradient of the misfit at k0.
        spectra: of H as `Cells.spectra` gives them, (rows, columns, M, M // 2 + 1).
        ridge: a.
        coupling: b.
        steps: of the iteration.
    """
    side, length = spectra.shape[-2], start.shape[-1]
    bound = spectra.amax((-2, -1))[..., None, None] + ridge + 8 * coupling

    def product(kernels: Tensor) -> Tensor:
        spread = torch.fft.rfft2(kernels, s=(side, side)).mul_(spectra)
        result: Tensor = torch.fft.irfft2(spread, s=(side, side))
        return result[..., :length, :length]

    linear = product(start) + gradient
    found = moving = start
    momentum = 1.0
    for _ in range(steps):
        slope = product(moving) - linear + ridge * moving + coupling * _roughness(moving)
        following = (moving - slope / bound).clamp_(min=0)
        if float(((moving - following) * (following - found)).sum()) > 0:
            momentum = 1.0
        larger = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        moving = following + (momentum - 1) / larger * (following - found)
        found, momentum = following, larger
    return found


def _roughness(kernels: Tensor) -> Tensor:
    """Sum over the neighbours q of each cell p of k_p - k_q, (rows, columns, N, N)."""
    result = torch.zeros_like(kernels)
    for axis in (0, 1):
        if kernels.shape[axis] > 1:
            step = kernels.diff(dim=axis)
            edge = [0, 0] * (kernels.ndim - 1 - axis)
            result += pad(step, [*edge, 1, 0]) - pad(step, [*edge, 0, 1])
    return result
