"""Tiles through a restorer; one that does not fit the memory after all is cut further."""

import re
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from unblur.errors import OutOfMemory, UnblurError
from unblur.progress import Progress, part
from unblur.restore.method import Restorer, Tile
from unblur.restore.page import Page
from unblur.restore.tiling import Box, Plan, run_tiles
from unblur.threads import side_by_side

__all__ = ["Patient"]

_SMALLEST = 16  # pixels a side, under which nothing is cut
_RAMP = 8
# What the allocators of PyTorch, of the C++ library and of the runtimes say.
_FULL = re.compile(
    r"out of memory|not enough memory|allocate (\d+ bytes|memory)|bad.alloc|alloc.failed",
    re.IGNORECASE,
)


class Patient:
    """Gives the restored pixels of boxes of a page, whatever memory there turns out to be.

    Where a tile does not fit, it is cut in two, again and again; where what tiles see around them
    is most of them, they see less. Tiles as large as one that failed are not tried again.

    Attributes:
        count: tiles restored so far.
        halo: how far they see at present.
    """

    def __init__(self, page: Page, restorer: Restorer, halo: int) -> None:
        self.page = page
        self.restorer = restorer
        self.count = 0
        self.halo = halo
        least = restorer.halo if restorer.least_halo is None else restorer.least_halo
        self._least_halo = min(least, halo)
        self._too_large: float = torch.inf

    def __call__(self, boxes: Sequence[Box], progress: Progress | None) -> list[Tensor]:
        """Restore boxes, (C, h, w) each; what they see is of one size, or they go apart."""
        if not self.restorer.apart:
            return self._together(boxes, progress)
        # One of them tells how far all are.
        told = [progress, *(None for _ in boxes[1:])]
        calls = [
            partial(self._together, [box], each) for box, each in zip(boxes, told, strict=True)
        ]
        return [pixels for [pixels] in side_by_side(calls)]

    def _together(self, boxes: Sequence[Box], progress: Progress | None) -> list[Tensor]:
        seen = [self._seen(box) for box in boxes]
        height, width = seen[0].size
        amount = len(boxes) * height * width
        if amount < self._too_large and all(box.size == seen[0].size for box in seen):
            found = self._tried(seen, progress)
            if found is not None:
                self.count += len(boxes)
                return [
                    pixels[:, *box.relative_to(around).slices]
                    for pixels, box, around in zip(found, boxes, seen, strict=True)
                ]
            self._too_large = amount
            _free(self.page.device)
        if len(boxes) == 1:
            return [self._cut(boxes[0], progress)]
        share = 1 / len(boxes)
        return [
            self._together((box,), part(progress, place * share, (place + 1) * share))[0]
            for place, box in enumerate(boxes)
        ]

    def _seen(self, box: Box) -> Box:
        return box.grow(self.halo, self.page.size, multiple_of=self.restorer.multiple_of)

    def _tried(self, seen: Sequence[Box], progress: Progress | None) -> Tensor | None:
        """Restore what fits; None where the memory is not enough."""
        page, first, alone = self.page, seen[0], len(seen) == 1
        try:
            tile = Tile(
                page.read(first) if alone else torch.cat([page.read(box) for box in seen]),
                page.clipped(first) if alone else None,
                page.ignored(first) if alone else None,
                first,
                page.size,
            )
            return self.restorer.apply(tile, progress)
        except Exception as error:
            if isinstance(error, UnblurError) or not _is_full(error):
                raise
            return None

    def _cut(self, box: Box, progress: Progress | None) -> Tensor:
        """Restore a box in two parts, or with less around it."""
        height, width = box.size
        if max(box.size) < max(self.halo, 2 * _SMALLEST):
            if self.halo > self._least_halo:
                self.halo = max(self.halo // 2, self._least_halo)
                return self._together((box,), progress)[0]
            if max(box.size) < 2 * _SMALLEST:
                raise OutOfMemory(
                    f"the memory is not enough for a tile of {_size(self._seen(box))} pixels: free "
                    "some, or use device 'cpu'"
                )
        multiple = self.restorer.multiple_of
        rows, columns = (
            (0, _middle(length, multiple), length) if longer else (0, length)
            for length, longer in ((height, height >= width), (width, width > height))
        )
        pieces: list[Tensor] = []
        run_tiles(
            Plan(box.size, rows, columns, min(_RAMP, max(box.size) // 4), 0),
            lambda parts, inner: self._together([_moved(each, box) for each in parts], inner),
            lambda _, pixels: pieces.append(pixels),
            progress,
        )
        return torch.cat(pieces, dim=1)


def _middle(length: int, multiple: int) -> int:
    middle = length // 2
    return max(middle // multiple * multiple, min(multiple, middle))


def _moved(box: Box, by: Box) -> Box:
    return Box(box.top + by.top, box.left + by.left, box.bottom + by.top, box.right + by.left)


def _size(box: Box) -> str:
    return f"{box.size[1]} x {box.size[0]}"


def _is_full(error: Exception) -> bool:
    known = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, known) or _FULL.search(str(error)) is not None


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
