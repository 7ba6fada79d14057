"""Proximal maps of penalties on gradients: prox_{t f}(v) = argmin_w |w - v|^2 / 2 + t f(w)."""

import torch
from torch import Tensor

__all__ = ["shrink", "shrink_power", "shrink_vector"]

# Newton's method started at |v| needs no more to reach float32 for exponents from 1/2 on.
_NEWTON_STEPS = 5


def shrink(values: Tensor, threshold: float) -> Tensor:
    """f(w) = |w|: soft thresholding, sign(v) max(|v| - t, 0).

    Example:
        >>> shrink(torch.tensor([-3.0, 0.5]), 1.0)
        tensor([-2., 0.])
    """
    return torch.nn.functional.softshrink(values, threshold)


def shrink_vector(along_y: Tensor, along_x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """f(w) = sqrt(w_y^2 + w_x^2): the vector keeps its direction and loses t of its length."""
    length = torch.hypot(along_y, along_x)
    factor = (1 - threshold / length.clamp(min=1e-12)).clamp(min=0)
    return along_y * factor, along_x * factor


def shrink_power(values: Tensor, threshold: float, exponent: float) -> Tensor:
    """f(w) = |w|^p with 0 < p < 1 (Krishnan & Fergus 2009, equation 5).

    With m = (2 t (1 - p))^(1 / (2 - p)) the least nonzero minimiser and tau = m + t p m^(p - 1),
    the minimum is at zero for |v| <= tau; above, it is the larger root of w - |v| + t p w^(p - 1) =
    0, found by Newton's method from |v|, on the convex side of the root.

    Args:
        values: v, any shape.
        threshold: t > 0.
        exponent: p in (0, 1).
    """
    size = values.abs()
    least = (2 * threshold * (1 - exponent)) ** (1 / (2 - exponent))
    tau = least + threshold * exponent * least ** (exponent - 1)
    root = size.clamp(min=tau)
    start = root
    for _ in range(_NEWTON_STEPS):
        slope = threshold * exponent * root.pow(exponent - 1)
        curvature = 1 + (exponent - 1) * slope / root
        root = root - (root - start + slope) / curvature
    return torch.where(size > tau, torch.copysign(root, values), torch.zeros_like(values))
