"""Pictures that are too large for memory, piece by piece and without seams.

A tile has a core, which it answers for, and a halo around it, which it needs to see. Neighbouring
cores overlap by a ramp in which their weights cross over; the weights of all tiles sum to one
everywhere. The plan is made of integers only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import torch
from torch import Tensor

from unblur.progress import Progress, part

__all__ = ["Box", "Plan", "plan_tiles", "reach_of", "run_tiles"]

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

    def grow(self, by: int, size: Size, *, multiple_of: int = 1) -> "Box":
        """Extend by at least so much within a picture of `size`; begin at multiples."""
        height, width = size
        return Box(
            max(self.top - by, 0) // multiple_of * multiple_of,
            max(self.left - by, 0) // multiple_of * multiple_of,
            min(self.bottom + by, height),
            min(self.right + by, width),
        )

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

    def own(self, core: Box) -> Box:
        """What a tile gives: its core, and the ramps around."""
        return core.grow(self.ramp, self.size)

    def seen(self, core: Box) -> Box:
        """What a tile must be shown: what it gives, and the halo around."""
        return core.grow(self.ramp + self.halo, self.size)


def reach_of(halo: int, ramp: int, multiple_of: int) -> int:
    """Give how far a tile sees beyond its core: ramp and halo, in whole multiples."""
    return -(-(halo + ramp) // multiple_of) * multiple_of


def plan_tiles(
    size: Size,
    tile: int | Size,
    halo: int,
    *,
    multiple_of: int = 1,
    ramp: int | None = None,
    alike: bool = False,
) -> Plan:
    """Cut a picture into tiles of at most `tile` pixels, halo included.

    Args:
        size: of the picture, (height, width).
        tile: (height, width) of a tile with its halo, or its side; 0 does not cut.
        halo: what a tile must see beyond its core and ramp.
        multiple_of: what a tile sees, and its core, begin at multiples of this.
        ramp: the widest half of what neighbours share; None goes up to half of the halo.
        alike: whether tiles share what they see evenly, which takes fewer of them, or their cores,
            which then are no larger at the border than elsewhere.

    Example:
        >>> plan = plan_tiles((100, 250), tile=120, halo=10)
        >>> plan.rows, plan.columns, plan.ramp
        ((0, 100), (0, 83, 166, 250), 5)
    """
    sides = (tile, tile) if isinstance(tile, int) else tile
    cut = [side for side, length in zip(sides, size, strict=True) if 0 < side < length]
    if not cut:
        return Plan(size, (0, size[0]), (0, size[1]), 0, 0)
    # No core is under half of what a tile has room for; one that is crossed by a ramp at both ends
    # must hold both.
    widest = max(min(halo // 2, (min(cut) - 2 * halo) // 6), 1)
    ramp = widest if ramp is None else min(ramp, widest)
    reach = reach_of(halo, ramp, multiple_of)
    least = max(4 * ramp, multiple_of)
    rows, columns = (
        (0, length)
        if not 0 < side < length
        else _cuts(
            length,
            max(side - 2 * reach - (multiple_of - 1), least),
            reach if alike else 0,
            multiple_of,
        )
        for side, length in zip(sides, size, strict=True)
    )
    return Plan(size, rows, columns, ramp, reach - ramp)


def _cuts(length: int, core: int, reach: int, multiple_of: int) -> tuple[int, ...]:
    """Where cores begin and end: the first and the last are larger by `reach`.

    They see nothing beyond the picture, so that all tiles see as much.
    """
    shared = length - 2 * reach
    count = max(-(-shared // core), 2 if reach else 1)
    inner = (
        (reach + index * shared // count) // multiple_of * multiple_of for index in range(1, count)
    )
    return (*dict.fromkeys((0, *inner)), length)


def run_tiles(
    plan: Plan,
    restore: Callable[[Sequence[Box], Progress | None], Sequence[Tensor]],
    write: Callable[[int, Tensor], None],
    progress: Progress | None = None,
    *,
    together: int = 1,
    alike: bool = True,
) -> None:
    """Restore every tile and write the picture in bands of whole rows.

    Args:
        plan: how to cut.
        restore: gives the restored pixels (C, h, w) of boxes, each what one tile gives.
        write: takes the first row's number and finished rows (C, h, W), top to bottom.
        progress: mapped over all tiles.
        together: how many tiles are handed over at once.
        alike: whether these must see boxes of one size.
    """
    tiles = _restored(plan, restore, progress, together=together, alike=alike)
    carry = None
    for band in plan.bands():
        reach = plan.own(Box(band[0].top, 0, band[0].bottom, plan.size[1]))
        total: Tensor | None = None
        for core, (box, pixels) in zip(band, tiles, strict=False):  # the rest is the next band's
            if plan.count == 1:
                write(0, pixels)
                return
            if total is None:
                total = pixels.new_zeros(pixels.shape[0], *reach.size)
            total[:, :, box.left : box.right] += pixels * _weights(plan, core, box).to(pixels)
        if total is None:
            continue
        if carry is not None:
            total[:, : carry.shape[1]] += carry
        last = band[0].bottom == plan.size[0]
        finished = total.shape[1] if last else band[0].bottom - plan.ramp - reach.top
        carry = total[:, finished:].clone()
        write(reach.top, total[:, :finished])


def _restored(
    plan: Plan,
    restore: Callable[[Sequence[Box], Progress | None], Sequence[Tensor]],
    progress: Progress | None,
    *,
    together: int,
    alike: bool,
) -> Iterator[tuple[Box, Tensor]]:
    """What each tile gives, one after the other, whole groups at a time."""
    done = 0
    for cores in _groups(plan, together, alike):
        start, done = done, done + len(cores)
        own = [plan.own(core) for core in cores]
        found = restore(own, part(progress, start / plan.count, done / plan.count))
        yield from zip(own, found, strict=True)


def _groups(plan: Plan, most: int, alike: bool) -> Iterator[list[Box]]:
    """Cores in order, at most so many at once, that see boxes of one size where that is asked."""
    group: list[Box] = []
    for core in chain.from_iterable(plan.bands()):
        differs = alike and group and plan.seen(core).size != plan.seen(group[0]).size
        if differs or len(group) == most:
            yield group
            group = []
        group.append(core)
    yield group


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
