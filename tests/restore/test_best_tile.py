"""Tiles that are smaller than the memory would allow, because they are quicker."""

import math

import pytest

from unblur.errors import OutOfMemory
from unblur.restore.method import Restorer
from unblur.restore.room import choose_tile

PLENTY = 10**12


def restorer(**more: int) -> Restorer:
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
    with pytest.raises(OutOfMemory, match="raise max_memory by"):
        choose_tile((3000, 4000), 3, restorer(best_tile=1000), 1_000_000)
