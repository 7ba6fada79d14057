"""Conjugate gradients for symmetric positive systems, plane by plane."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["conjugate_gradients"]

_TINY = 1e-30


def conjugate_gradients(
    normal: Callable[[Tensor], Tensor],
    condition: Callable[[Tensor], Tensor],
    inner: Callable[[Tensor, Tensor], Tensor],
    *,
    solution: Tensor,
    residual: Tensor,
    steps: int,
) -> Tensor:
    """Preconditioned conjugate gradients (Hestenes & Stiefel 1952), each plane by itself."""
    solution, direction = solution.clone(), condition(residual)
    rho = inner(residual, direction)
    for _ in range(steps):
        applied = normal(direction)
        step = rho / inner(direction, applied).clamp(min=_TINY)
        _add(solution, direction, step)
        _add(residual, applied, -step)
        conditioned = condition(residual)
        rho, previous = inner(residual, conditioned), rho
        _add(conditioned, direction, rho / previous.clamp(min=_TINY))
        direction = conditioned
    return solution


def _add(planes: Tensor, others: Tensor, factors: Tensor) -> None:
    """Add others times a factor a plane, in place."""
    if planes.is_complex():  # a broadcast of these is much slower
        planes, others = torch.view_as_real(planes), torch.view_as_real(others)
        factors = factors[..., None]
    planes.addcmul_(others, factors)
