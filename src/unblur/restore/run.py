"""One page through a restorer, whole where it fits the memory, in tiles where it does not."""

from typing import NamedTuple

from torch import Tensor

from unblur.progress import Progress
from unblur.restore.method import Restorer
from unblur.restore.page import Page
from unblur.restore.patience import Patient
from unblur.restore.room import choose_tile, least_tile, tiles_at_once
from unblur.restore.tiling import plan_tiles, run_tiles

__all__ = ["Tiled", "restore_page"]


class Tiled(NamedTuple):
    """How a page went through: the number of tiles, and what the report should say about them."""

    tiles: int
    warnings: tuple[str, ...] = ()


def restore_page(
    page: Page,
    restorer: Restorer | None,
    samples: Tensor,
    *,
    limit: int,
    held: int = 0,
    tile: int,
    strength: float,
    progress: Progress | None,
) -> Tiled:
    """Fill `samples` (C, H, W) with the restored page.

    Args:
        page: what is restored.
        restorer: None copies the page as it is.
        samples: of the photo's own type; written.
        limit: bytes that the work may take.
        held: bytes that the process holds beside these.
        tile: side of a tile with its halo, whatever `limit` says; raised to what the halo asks for;
            0 derives it from `limit`.
        strength: from 0 (as it was) to 1 (restored).
        progress: over all tiles.

    Raises:
        OutOfMemory: A tile large enough to hold the halo does not fit `limit`, or there is less
            memory than that.
    """
    if restorer is None or strength == 0:
        samples.copy_(page.photo.samples[page.index])
        return Tiled(0)
    if tile:
        halo = restorer.halo
        side = max(tile, least_tile(restorer, halo))
        size = (side, side)
    else:
        size, halo = choose_tile(page.size, page.channels, restorer, limit, held=held)
    plan = plan_tiles(
        page.size,
        size,
        halo,
        multiple_of=restorer.multiple_of,
        ramp=restorer.ramp,
        alike=restorer.alike,
    )
    patient = Patient(page, restorer, max(plan.halo, halo))

    def write(top: int, pixels: Tensor) -> None:
        samples[:, top : top + pixels.shape[1]] = page.encode(top, pixels, strength)

    together = tiles_at_once(size, page.size, page.channels, restorer, limit)
    run_tiles(plan, patient, write, progress, together=together, alike=not restorer.apart)
    return Tiled(patient.count, _warnings(restorer, patient))


def _warnings(restorer: Restorer, patient: Patient) -> tuple[str, ...]:
    if patient.count <= 1:
        return ()
    found = [restorer.remark] if restorer.remark is not None else []
    if patient.halo < restorer.halo:
        found.append(
            f"the memory was enough for tiles that see {patient.halo} pixels around them, and this "
            f"method looks {restorer.halo} far: they may differ a little from the whole picture; "
            "a higher max_memory helps"
        )
    return tuple(found)
