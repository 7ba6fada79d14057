"""How large tiles may be: what fits the memory, and costs the least work."""

import math
from itertools import pairwise

from unblur.errors import OutOfMemory
from unblur.restore.method import Restorer
from unblur.restore.tiling import Plan, plan_tiles, reach_of

__all__ = ["choose_tile", "least_tile", "tiles_at_once"]

Size = tuple[int, int]

# Floats of the picture that live beside the restorer's: what is read, what is restored, and what is
# encoded.
_COPIES = 5
_SPARE = 1.1
_LEAST_TILE = 64
_WHOLE = 1.3
# Planes that the caches do not hold cost more: a pixel of a tile of so many counts twice. `tv` took
# 390 ns a pixel at 1 megapixel, 516 at 4.5 and 590 at 6; `local-wiener` 750 to 850 at any size.
_TWICE = 48e6


def least_tile(restorer: Restorer, halo: int) -> int:
    """Give the side of the smallest tile, halo included: one that shows more than its halo.

    Example:
        >>> from unblur.restore.method import Restorer
        >>> least_tile(Restorer(None, halo=40, exact_tiling=True, bytes_per_pixel=1), 40)
        160
    """
    if restorer.ramp is None:
        return max(_LEAST_TILE, 4 * halo)
    # With a core of three quarters of the halo, a tile is some 13 times its core: that much for
    # tiles that agree with the whole, and four times for those that do not.
    core = max(_LEAST_TILE, 3 * halo // 4 if halo == restorer.halo else 2 * halo)
    return 2 * reach_of(halo, restorer.ramp, restorer.multiple_of) + core + restorer.multiple_of - 1


def choose_tile(
    size: Size, channels: int, restorer: Restorer, limit: int, *, held: int = 0
) -> tuple[Size, int]:
    """Choose the tiles that need the least work in the memory there is.

    Args:
        size: of the page, (height, width).
        channels: of the page.
        restorer: what tiles go through.
        limit: bytes.
        held: bytes that the process holds beside these, which `max_memory` counts too.

    Returns:
        (height, width) of a tile with its halo, (0, 0) for the whole page in one; and the halo,
        which is smaller than the restorer's only where nothing else fits.

    Raises:
        OutOfMemory: Not even a small tile fits; says how much would do.
    """
    room = _Room(size, channels, restorer, limit)
    if room.needed(size, 1) <= room.limit:
        return (0, 0), restorer.halo
    halo, last = restorer.halo, restorer.halo
    if restorer.least_halo is not None:
        last = min(restorer.least_halo, halo)
    while True:
        best = room.best(halo)
        if best is not None:
            return best, halo
        if halo <= last:
            break
        halo = max(halo // 2, last)
    side = least_tile(restorer, last)
    needed = min(room.needed((side, side), room.together), room.needed(size, 1))
    enough = math.ceil((needed + held) / 1e6)
    raise OutOfMemory(
        f"max_memory allows {(limit + held) / 1e6:.0f} MB, and this picture and method need at "
        f"least {enough} MB, of which the program holds {held / 1e6:.0f} MB before it begins: "
        f"raise it (--max-memory {enough}MB)"
    )


def tiles_at_once(tile: Size, size: Size, channels: int, restorer: Restorer, limit: int) -> int:
    """Give how many tiles go through at once: of those that go apart, as many as the memory holds.

    Args:
        tile: (height, width) of a tile with its halo.
        size: of the page, (height, width).
        channels: of the page.
        restorer: what tiles go through.
        limit: bytes.
    """
    if not restorer.apart:
        return restorer.together
    room = _Room(size, channels, restorer, limit)
    counts = range(2, restorer.together + 1)
    return max((count for count in counts if room.needed(tile, count) <= limit), default=1)


class _Room:
    """What tiles of a page take of the memory, and the largest that fit."""

    def __init__(self, size: Size, channels: int, restorer: Restorer, limit: int) -> None:
        self.size = size
        self.restorer = restorer
        self.limit = float(limit)
        # Where tiles go apart, how the page is cut must not depend on how many cores there are.
        self.together = 1 if restorer.apart else restorer.together
        self.per_pixel = _SPARE * (restorer.bytes_per_pixel + 4 * _COPIES * channels)
        # Finished rows wait for the row of tiles below them.
        self.per_row = 8 * channels * size[1]
        if restorer.best_tile:
            # A page that is hardly larger is not worth the halos.
            side = max(restorer.best_tile, least_tile(restorer, restorer.halo))
            self.limit = min(self.limit, _WHOLE * self.needed((side, side), self.together))

    def needed(self, tile: Size, together: int) -> float:
        """Bytes for tiles of that size."""
        frame = self.restorer.frame
        work = self.per_pixel * together * (tile[0] + frame) * (tile[1] + frame)
        bands = 0 if tile == self.size else self.per_row * tile[0]
        return work + bands + self.restorer.bytes_fixed

    def height(self, width: int) -> int:
        """The most rows of a tile of that width."""
        frame = self.restorer.frame
        row = self.per_pixel * self.together * (width + frame)
        left = self.limit - self.restorer.bytes_fixed - row * frame
        return math.floor(max(left, 0) / (row + self.per_row))

    def best(self, halo: int) -> Size | None:
        """The tile with that halo of which the page needs the least work; None if none fits."""
        restorer, (_, columns) = self.restorer, self.size
        least = least_tile(restorer, halo)
        ramp = halo // 2 if restorer.ramp is None else restorer.ramp
        beyond = 2 * reach_of(halo, ramp, restorer.multiple_of)
        around = min(beyond + restorer.multiple_of - 1, least - 1)
        found: list[tuple[float, Size]] = []
        count, width = 1, columns
        while True:
            height = min(self.height(width), self.size[0])
            while height >= min(least, self.size[0]):
                plan = plan_tiles(
                    self.size,
                    (height, width),
                    halo,
                    multiple_of=restorer.multiple_of,
                    ramp=restorer.ramp,
                    alike=restorer.alike,
                )
                found.append((self._work(plan), (height, width)))
                if not restorer.best_tile:
                    break
                height = height * 4 // 5
            if width <= least or count >= columns:
                return min(found)[1] if found else None
            count = max(count + 1, count * 11 // 10)
            shared = columns - beyond if restorer.alike else columns
            width = min(max(-(-shared // count) + around, least), columns)

    def _work(self, plan: Plan) -> float:
        """Pixels of all frames together, those of large ones counted as more."""
        frame, area, squares = self.restorer.frame, 1, 1
        for cuts, length in zip((plan.rows, plan.columns), plan.size, strict=True):
            reach = plan.ramp + plan.halo
            sides = [
                min(stop + reach, length) - max(start - reach, 0) + frame
                for start, stop in pairwise(cuts)
            ]
            area *= sum(sides)
            squares *= sum(side**2 for side in sides)
        return area + squares / _TWICE if self.restorer.best_tile else area
