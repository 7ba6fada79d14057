"""Second differences: a prior on how slopes bend keeps them from turning into steps."""

import math

from torch import Tensor

from unblur.fourier import adjoint_difference, difference

__all__ = ["flattened"]

_MIXED = math.sqrt(2)


def flattened(along_y: Tensor, along_x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Shrink the second differences of a picture; what they say, as a gradient.

    With H u = (D_y^T D_y u, D_x^T D_x u, sqrt(2) D_x D_y u), whose spectrum is |F H|^2 = |F D|^4,
    and w the vector H u shortened by the threshold, that is the pair (g_y, g_x) for which
    D^T g = H^T w: both terms of a prior then go back in one step.

    Args:
        along_y: D_y u, (..., H, W), circular; not modified.
        along_x: D_x u, likewise.
        threshold: by which the length of H u is cut at every pixel, at least 0.

    Source:
        M. Lysaker, X.-C. Tai, Iterative Image Restoration Combining Total Variation Minimization
        and a Second-Order Functional, 2006.

    Example:
        >>> import torch
        >>> from unblur.fourier import adjoint_gradient, gradient
        >>> step = torch.zeros(1, 6, 6)
        >>> step[..., 3:] = 1.0
        >>> bends = adjoint_gradient(*flattened(*gradient(step), 0.0))
        >>> bends[0, 0].tolist()
        [-3.0, 2.0, -3.0, 3.0, -2.0, 3.0]
    """
    bend_y, bend_x = adjoint_difference(along_y, -2), adjoint_difference(along_x, -1)
    mixed = difference(along_y, -1).mul_(_MIXED)
    length = bend_y.square().addcmul_(bend_x, bend_x).addcmul_(mixed, mixed)
    factor = length.clamp_(min=1e-24).rsqrt_().mul_(-threshold).add_(1).clamp_(min=0)
    bent_y = difference(bend_y.mul_(factor), -2)
    bent_y.add_(adjoint_difference(mixed.mul_(factor), -1), alpha=_MIXED)
    return bent_y, difference(bend_x.mul_(factor), -1)
