"""One page through a restorer, whole where it fits the memory, in tiles where it does not."""

import math

from torch import Tensor

from unblur.errors import OutOfMemory
from unblur.progress import Progress
from unblur.restore.method import Restorer, Tile
from unblur.restore.page import Page
from unblur.restore.tiling import Box, plan_tiles, run_tiles

__all__ = ["restore_page"]

# Floats of the picture that live beside the solver's: what is read, what is restored, and what is
# encoded.
_COPIES = 5
_LEAST_TILE = 64
# What the frame of a solver is larger than its tile, about: two radii and on to a fast size.
_MARGIN = 64


def restore_page(
    page: Page,
    restorer: Restorer | None,
    samples: Tensor,
    *,
    limit: int,
    tile: int,
    strength: float,
    progress: Progress | None,
) -> int:
    """Fill `samples` (C, H, W) with the restored page and give the number of tiles.

    Args:
        page: what is restored.
        restorer: None copies the page as it is.
        samples: of the photo's own type; written.
        limit: bytes that the work may take.
        tile: side of a tile with its halo, whatever `limit` says; raised to four halos; 0 derives
            it from `limit`.
        strength: from 0 (as it was) to 1 (restored).
        progress: over all tiles.

    Raises:
        OutOfMemory: A tile large enough to hold the halo does not fit `limit`.
    """
    if restorer is None or strength == 0:
        samples.copy_(page.photo.samples[page.index])
        return 0
    # A tile must show more than its halo, or the work never ends.
    side = max(tile, 4 * restorer.halo) if tile else _side(page, restorer, limit)
    plan = plan_tiles(page.size, side, restorer.halo, multiple_of=restorer.multiple_of)

    def restore(box: Box, inner: Progress | None) -> Tensor:
        piece = Tile(page.read(box), page.clipped(box), page.ignored(box), box, page.size)
        return restorer.apply(piece, inner)[0]

    def write(top: int, pixels: Tensor) -> None:
        samples[:, top : top + pixels.shape[1]] = page.encode(top, pixels, strength)

    run_tiles(plan, restore, write, progress)
    return plan.count


def _side(page: Page, restorer: Restorer, limit: int) -> int:
    """The largest tile that `limit` allows; 0 for the whole page."""
    channels = page.channels
    per_pixel = restorer.bytes_per_pixel + 4 * _COPIES * channels
    height, width = page.size
    # The frame that a solver extends a tile to is a little larger than the tile.
    whole = 1.1 * per_pixel * (height + _MARGIN) * (width + _MARGIN)
    if whole <= limit:
        return 0
    bands = 8 * channels * width  # finished rows wait for the row of tiles below them
    least = max(_LEAST_TILE, 4 * restorer.halo)
    side = _solve(1.1 * per_pixel, bands, max(limit, 0))
    if side < least:
        needed = min(1.1 * per_pixel * least**2 + bands * least, whole)
        raise OutOfMemory(
            f"max_memory leaves {max(limit, 0) / 1e6:.0f} MB for the work, and the least that this "
            f"picture and blur need is {math.ceil(needed / 1e6)} MB: raise max_memory by "
            f"{math.ceil((needed - limit) / 1e6)} MB"
        )
    return side


def _solve(square: float, linear: float, limit: float) -> int:
    """The largest s with square s^2 + linear s <= limit."""
    return int((math.sqrt(linear**2 + 4 * square * limit) - linear) / (2 * square))
