"""How alike two kernels are."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblur.errors import InputError

__all__ = ["kernel_similarity"]


def kernel_similarity(first: Any, second: Any) -> float:
    """The maximum over whole shifts of the normalised cross-correlation of two kernels, in [0, 1].

    sum(a(p) b(p + s)) / (|a| |b|); 1 means equal up to a shift and a factor. The sizes may differ.

    Args:
        first: kernel, tensor or array (h, w).
        second: likewise.

    Raises:
        InputError: an argument is not 2-D, not finite or without mass.

    Source:
        Hu & Yang 2012.

    Example:
        >>> round(kernel_similarity([[0, 1, 1]], [[1, 1], [0, 0]]), 6)
        1.0
    """
    a, b = (_kernel_pixels(name, value) for name, value in (("first", first), ("second", second)))
    size = (a.shape[0] + b.shape[0] - 1, a.shape[1] + b.shape[1] - 1)
    spectrum = torch.fft.rfft2(a, s=size).conj() * torch.fft.rfft2(b, s=size)
    best = float(torch.fft.irfft2(spectrum, s=size).max() / (a.norm() * b.norm()))
    return min(max(best, 0.0), 1.0)


def _kernel_pixels(name: str, kernel: Any) -> Tensor:
    """The (h, w) values of a kernel in double precision."""
    pixels = getattr(kernel, "pixels", kernel)
    values = (
        pixels.detach().cpu().double()
        if isinstance(pixels, Tensor)
        else torch.from_numpy(np.array(pixels, dtype=np.float64))
    )
    if values.ndim != 2 or not bool(torch.isfinite(values).all()) or not bool((values != 0).any()):
        raise InputError(
            f"{name} must be a kernel (height, width) of finite values with some mass; "
            f"got shape {tuple(values.shape)}"
        )
    return values
