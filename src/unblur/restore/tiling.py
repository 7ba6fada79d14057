"""Pictures that are too large for memory, piece by piece and without seams.

A tile has a core, which it answers for, and a halo around it, which it needs to see. Neighbouring
cores overlap by a ramp in which their weights cross over; the weights of all tiles sum to one
everywhere. The plan is made of integers only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from unblur.progress import Progress, part

__all__ = ["Box", "Plan", "plan_tiles", "run_tiles"]

Size = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """Rows top <= y < bottom and columns left <= x < right."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """For the two last axes of a tensor."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def relative_to(self, other: "Box") -> "Box":
        """The same box in the coordinates of `other`."""
        return Box(
            self.top - other.top,
            self.left - other.left,
            self.bottom - other.top,
            self.right - other.left,
        )


@dataclass(frozen=True)
class Plan:
    """How a picture is cut.

    Attributes:
        size: of the picture.
        rows: where cores begin and end vertically, from 0 to the height.
        columns: likewise, to the width.
        ramp: half of the width in which neighbours cross over.
        halo: what a tile sees beyond that.
    """

    size: Size
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    ramp: int
    halo: int

    @property
    def count(self) -> int:
        """Number of tiles."""
        return (len(self.rows) - 1) * (len(self.columns) - 1)

    def bands(self) -> Iterator[list[Box]]:
        """The cores, a row of tiles at a time."""
        for top, bottom in pairwise(self.rows):
            yield [Box(top, left, bottom, right) for left, right in pairwise(self.columns)]

    def grow(self, box: Box, by: int) -> Box:
        """Extend a box within the picture."""
        height, width = self.size
        return Box(
            max(box.top - by, 0),
            max(box.left - by, 0),
            min(box.bottom + by, height),
            min(box.right + by, width),
        )


def plan_tiles(size: Size, tile: int, halo: int, *, multiple_of: int = 1) -> Plan:
    """Cut a picture into tiles of at most `tile` pixels a side, halo included.

    Args:
        size: of the picture, (height, width).
        tile: side of a tile with its halo; 0 is the whole picture in one tile.
        halo: what a tile must see beyond its core.
        multiple_of: cores start at multiples of this.

    Example:
        >>> plan = plan_tiles((100, 250), tile=120, halo=10)
        >>> plan.rows, plan.columns, plan.ramp
        ((0, 100), (0, 83, 166, 250), 5)
    """
    if tile <= 0 or max(size) <= tile:
        return Plan(size, (0, size[0]), (0, size[1]), 0, 0)
    # Cores share the picture evenly, so none is under half of the largest; one that is crossed by a
    # ramp at both ends must hold both.
    ramp = max(min(halo // 2, (tile - 2 * halo) // 6), 1)
    core = max(tile - 2 * (halo + ramp) - (multiple_of - 1), 4 * ramp, multiple_of)
    return Plan(
        size,
        _cuts(size[0], core, tile, multiple_of),
        _cuts(size[1], core, tile, multiple_of),
        ramp,
        halo,
    )


def _cuts(length: int, core: int, tile: int, multiple_of: int) -> tuple[int, ...]:
    if length <= tile:
        return (0, length)
    count = -(-length // core)
    inner = (index * length // count // multiple_of * multiple_of for index in range(count))
    return (*dict.fromkeys(inner), length)


def run_tiles(
    plan: Plan,
    restore: Callable[[Box, Progress | None], Tensor],
    write: Callable[[int, Tensor], None],
    progress: Progress | None = None,
) -> None:
    """Restore every tile and write the picture in bands of whole rows.

    Args:
        plan: how to cut.
        restore: gives the restored pixels (C, h, w) of a box that it is handed with its halo.
        write: takes the first row's number and finished rows (C, h, W), top to bottom.
        progress: mapped over all tiles.
    """
    done, carry = 0, None
    for band in plan.bands():
        reach = plan.grow(Box(band[0].top, 0, band[0].bottom, plan.size[1]), plan.ramp)
        total: Tensor | None = None
        for core in band:
            seen = plan.grow(core, plan.ramp + plan.halo)
            start, done = done / plan.count, done + 1
            pixels = restore(seen, part(progress, start, done / plan.count))
            if plan.count == 1:
                write(0, pixels)
                return
            own = plan.grow(core, plan.ramp)
            own = Box(reach.top, own.left, reach.bottom, own.right)
            rows, columns = own.relative_to(seen).slices
            if total is None:
                total = pixels.new_zeros(pixels.shape[0], *reach.size)
            weights = _weights(plan, core, own).to(pixels)
            total[:, :, own.left : own.right] += pixels[:, rows, columns] * weights
        if total is None:
            continue
        if carry is not None:
            total[:, : carry.shape[1]] += carry
        last = band[0].bottom == plan.size[0]
        finished = total.shape[1] if last else band[0].bottom - plan.ramp - reach.top
        carry = total[:, finished:].clone()
        write(reach.top, total[:, :finished])


def _weights(plan: Plan, core: Box, own: Box) -> Tensor:
    height, width = plan.size
    vertical = _ramp((core.top, core.bottom), (own.top, own.bottom), height, plan.ramp)
    horizontal = _ramp((core.left, core.right), (own.left, own.right), width, plan.ramp)
    return vertical[:, None] * horizontal[None, :]


def _ramp(core: Size, own: Size, length: int, ramp: int) -> Tensor:
    """1 in the core, falling linearly to 0 across its inner ends; neighbours' ramps sum to one."""
    start, stop = core
    position = torch.arange(*own, dtype=torch.float64) + 0.5
    weight = torch.ones_like(position)
    if start > 0:
        weight = weight * ((position - start) / (2 * ramp) + 0.5).clamp(0, 1)
    if stop < length:
        weight = weight * ((stop - position) / (2 * ramp) + 0.5).clamp(0, 1)
    return weight
