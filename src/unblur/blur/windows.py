"""Windows that blend the kernels of a grid: along each axis they sum to one everywhere."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Axis", "Window", "axis_windows", "pack_axis"]

Window = Literal["hann", "linear"]


@dataclass(frozen=True, eq=False)
class Axis:
    """The windows along one axis that reach into the frame, cut to one common length.

    Attributes:
        cells: which rows (or columns) of the grid they belong to.
        starts: the pixel at which each begins.
        weights: (len(cells), length).
    """

    cells: list[int]
    starts: list[int]
    weights: Tensor

    @property
    def length(self) -> int:
        """Pixels that each window covers."""
        return self.weights.shape[1]


def axis_windows(
    count: int, side: int, span: tuple[float, float], window: Window, like: Tensor
) -> Tensor:
    """(count, side) weights of `count` cells that share `span` (begin, end) of the axis, in pixels.

    Between the centres of two neighbours, one window falls from 1 to 0 while the other rises,
    linearly or as a raised cosine; outside the first and the last centre they are constant.

    Example:
        >>> axis_windows(2, 4, (0.0, 4.0), "linear", torch.zeros(()))
        tensor([[1.0000, 0.7500, 0.2500, 0.0000],
                [0.0000, 0.2500, 0.7500, 1.0000]])
    """
    begin, end = span
    pixels = torch.arange(side, dtype=torch.float64, device=like.device) + 0.5
    # Where each pixel lies in units of the pitch: 0 at the first centre, count - 1 at the last.
    place = ((pixels - begin) / (end - begin) * count - 0.5).clamp(0, count - 1)
    left = place.floor().clamp(max=max(count - 2, 0)).long()
    share = place - left
    if window == "hann":
        share = (1 - torch.cos(math.pi * share)) / 2
    share = share.to(like)
    weights = torch.zeros(count, side, dtype=like.dtype, device=like.device)
    weights.scatter_(0, left[None], (1 - share)[None])
    if count > 1:
        weights.scatter_(0, left[None] + 1, share[None])
    return weights


def pack_axis(weights: Tensor) -> Axis:
    """Keep the windows of (count, side) that are not zero everywhere, with their support."""
    side = weights.shape[1]
    filled = weights > 0
    cells = [int(n) for n in filled.any(1).nonzero().flatten()]
    first = [int(filled[n].long().argmax()) for n in cells]
    last = [side - 1 - int(filled[n].flip(0).long().argmax()) for n in cells]
    length = max(stop - start for start, stop in zip(first, last, strict=True)) + 1
    starts = [min(start, side - length) for start in first]
    rows = [weights[n, start : start + length] for n, start in zip(cells, starts, strict=True)]
    return Axis(cells, starts, torch.stack(rows))
