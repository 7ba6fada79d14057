"""Proximal maps of penalties on gradients: prox_{t f}(v) = argmin_w |w - v|^2 / 2 + t f(w)."""

from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["shrink_power", "shrink_vector"]

# Newton's method started at |v| needs no more to reach float32 for exponents from 1/2 on.
_NEWTON_STEPS = 5
# The map is read from a table, up to this many times the scale on which it acts. What is larger
# hardly shrinks: by the share of the last entry, under one percent.
_END, _ENTRIES = 128, 1 << 15


def shrink_vector(along_y: Tensor, along_x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """f(w) = sqrt(w_y^2 + w_x^2): the vector keeps its direction and loses t of its length.

    In place: the vectors given are used up.
    """
    factor = torch.addcmul(along_y.square(), along_x, along_x).clamp_(min=1e-24).rsqrt_()
    factor.mul_(-threshold).add_(1).clamp_(min=0)
    return along_y.mul_(factor), along_x.mul_(factor)


def shrink_power(values: Tensor, threshold: float, exponent: float) -> Tensor:
    """f(w) = |w|^p with 0 < p < 1 (Krishnan & Fergus 2009, section 3.1: the table).

    In units of s = t^(1 / (2 - p)) the map does not depend on t, so that one table of prox(v) / v
    serves them all.

    Args:
        values: v, any shape.
        threshold: t > 0.
        exponent: p in (0, 1).
    """
    scale = threshold ** (1 / (2 - exponent))
    table = _shares(exponent).to(values)
    place = values.abs().mul_(_ENTRIES / (_END * scale)).clamp_(max=_ENTRIES - 1).int()
    return table.index_select(0, place.flatten()).view(values.shape).mul_(values)


@lru_cache(maxsize=16)
def _shares(exponent: float) -> Tensor:
    """prox(v) / v for t = 1, at the middles of the table's cells (equation 5).

    With m = (2 (1 - p))^(1 / (2 - p)) the least nonzero minimiser and tau = m + p m^(p - 1), the
    minimum is at zero for v <= tau; above, it is the larger root of w - v + p w^(p - 1) = 0, found
    by Newton's method from v, on the convex side of the root.
    """
    size = (torch.arange(_ENTRIES, dtype=torch.float64) + 0.5) * (_END / _ENTRIES)
    least = (2 * (1 - exponent)) ** (1 / (2 - exponent))
    tau = least + exponent * least ** (exponent - 1)
    start = root = size.clamp(min=tau)
    for _ in range(_NEWTON_STEPS):
        slope = exponent * root.pow(exponent - 1)
        root = root - (root - start + slope) / (1 + (exponent - 1) * slope / root)
    return torch.where(size > tau, root / size, torch.zeros_like(size))
