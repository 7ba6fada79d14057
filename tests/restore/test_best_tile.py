"""Tiles that are smaller than the memory would allow, because they are quicker."""

import math
from typing import Any

import pytest

from unblur.errors import OutOfMemory
from unblur.restore.method import Restorer
from unblur.restore.room import choose_tile, tiles_at_once

PLENTY = 10**12


def restorer(**more: Any) -> Restorer:
    return Restorer(
        lambda tile, _: tile.image, halo=50, exact_tiling=True, bytes_per_pixel=400, **more
    )


def test_a_page_that_fits_goes_through_whole() -> None:
    assert choose_tile((3000, 4000), 3, restorer(), PLENTY) == ((0, 0), 50)


def test_a_page_far_beyond_the_best_tile_is_cut_whatever_the_memory() -> None:
    tile, halo = choose_tile((3000, 4000), 3, restorer(best_tile=1000), PLENTY)
    assert halo == 50
    assert 500_000 <= math.prod(tile) <= 1_500_000


def test_a_page_hardly_larger_than_the_best_tile_is_not() -> None:
    assert choose_tile((1100, 1100), 3, restorer(best_tile=1000), PLENTY)[0] == (0, 0)
    assert choose_tile((1300, 1300), 3, restorer(best_tile=1000), PLENTY)[0] != (0, 0)


def test_little_memory_counts_more_than_the_best_tile() -> None:
    small, _ = choose_tile((3000, 4000), 3, restorer(best_tile=1000), 150_000_000)
    assert math.prod(small) < 300_000
    with pytest.raises(OutOfMemory, match="max_memory allows 1 MB"):
        choose_tile((3000, 4000), 3, restorer(best_tile=1000), 1_000_000)


@pytest.mark.parametrize("size", [(1100, 1100), (1300, 1300), (2000, 1900), (3000, 4000)])
@pytest.mark.parametrize("limit", [100_000_000, 1_000_000_000, PLENTY])
def test_cores_do_not_change_how_a_page_is_cut(size: tuple[int, int], limit: int) -> None:
    one, four = (restorer(best_tile=1000, apart=True, together=cores) for cores in (1, 4))
    assert choose_tile(size, 3, one, limit) == choose_tile(size, 3, four, limit)


def test_so_many_tiles_go_at_once_as_the_memory_holds() -> None:
    apart = restorer(best_tile=1000, apart=True, together=4)
    tile, size = (1000, 1000), (3000, 4000)
    one = 1.1 * (400 + 60) * 1000 * 1000
    bands = 8 * 3 * 4000 * 1000
    counts = [
        tiles_at_once(tile, size, 3, apart, int(limit))
        for limit in (0.9 * one, 2.1 * one + bands, 3.9 * one + bands, PLENTY)
    ]
    assert counts == [1, 2, 3, 4]
    assert tiles_at_once(tile, size, 3, restorer(together=8), 0) == 8
