"""Shaken paths, many and cheap: pieces of a few trajectories, turned, mirrored and scaled."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from unblur.blur.areas import direction, path_tent
from unblur.blur.kernel import Kernel
from unblur.blur.shake import trajectory
from unblur.blur.synthesis.lots import Lots

__all__ = ["bank", "path_kernel", "random_path"]

Array = NDArray[np.float64]

# The scale at which the formula for trajectories is meant, in pixels.
_LENGTH = 64.0
_STRIDE = 4
# Shorter pieces, and steadier hands, give little but straight lines, which are a kind of their own.
_SHORTEST = 0.35
_STEADIEST = 0.25


@lru_cache(maxsize=4)
def bank(count: int) -> Array:
    """(count, 501, 2) positions (y, x) of shaken cameras, from steady to nervous hands.

    They are the same in every run. One takes some milliseconds, so they are kept: what makes every
    path a new one is what `random_path` does to it.

    Example:
        >>> bank(2).shape
        (2, 501, 2)
    """
    generator = torch.Generator().manual_seed(0)
    temper = _STEADIEST + (1 - _STEADIEST) * (np.arange(count) + 0.5) / count
    paths = [trajectory(_LENGTH, anxiety, generator)[::_STRIDE] for anxiety in temper]
    stacked = np.stack(paths)
    stacked.flags.writeable = False
    return stacked


def random_path(paths: Array, lots: Lots) -> Array:
    """(N, 2) positions over equal times: a piece of one of the `paths`, turned and half mirrored.

    The piece is as long as an exposure, 0.35 to all of the trajectory. Its mean is the origin and
    the longer side of its box is 1.
    """
    path = paths[lots.below(len(paths))]
    steps = max(round(lots.even((_SHORTEST, 1.0)) * (len(path) - 1)), 1)
    start = lots.below(len(path) - steps)
    up, right = direction(360 * lots.share())
    piece = path[start : start + steps + 1] @ np.array([[right, -up], [up, right]])
    if lots.chance(0.5):
        piece = piece * [1.0, -1.0]
    piece = piece - (piece[1:] + piece[:-1]).mean(0) / 2
    return np.asarray(piece / np.ptp(piece, axis=0).max())


def path_kernel(path: Array, most: int) -> torch.Tensor:
    """The kernel (side, side) of a path (N, 2) in pixels, shrunk if it leaves `most` pixels.

    Example:
        >>> path_kernel(np.array([[0.0, -1.0], [0.0, 1.0]]), 9)
        tensor([[0.0000, 0.0000, 0.0000],
                [0.2500, 0.5000, 0.2500],
                [0.0000, 0.0000, 0.0000]])
    """
    extent = float(np.abs(path).max())
    if extent > most:
        path, extent = path * (most / extent), most
    side = 2 * int(np.ceil(extent)) + 1
    shares = np.full(len(path) - 1, 1 / (len(path) - 1))
    return Kernel.from_array(path_tent(path, shares, (side, side))).pixels
