"""Tiles that fit the memory, and tiles that turn out not to."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from unblur.errors import Cancelled, OutOfMemory
from unblur.photo import Photo
from unblur.progress import Progress
from unblur.restore.memory import budget
from unblur.restore.method import Restorer, Tile
from unblur.restore.page import Page
from unblur.restore.room import choose_tile, least_tile
from unblur.restore.run import Tiled, restore_page
from unblur.restore.tiling import Box, plan_tiles

CPU = torch.device("cpu")


def network(**options: Any) -> Restorer:
    """Like MPRNet's: a wide halo, and much memory."""
    taken: dict[str, Any] = {
        "halo": 224,
        "exact_tiling": True,
        "bytes_per_pixel": 6784,
        "multiple_of": 8,
        "ramp": 8,
        "least_halo": 32,
    }
    return Restorer(lambda tile, _: tile.image, **{**taken, **options})


def largest(size: tuple[int, int], tile: tuple[int, int], halo: int, restorer: Restorer) -> int:
    """Pixels of the largest tile that a plan has."""
    plan = plan_tiles(size, tile, halo, multiple_of=restorer.multiple_of, ramp=restorer.ramp)
    return max(math.prod(plan.seen(core).size) for band in plan.bands() for core in band)


@given(
    st.tuples(st.integers(1, 6000), st.integers(1, 6000)),
    st.sampled_from([1, 3]),
    st.integers(10**9, 10**10),
    st.sampled_from([1, 4]),
)
def test_tiles_fit_the_memory(
    size: tuple[int, int], channels: int, limit: int, together: int
) -> None:
    restorer = network(together=together, bytes_fixed=10**7)
    tile, halo = choose_tile(size, channels, restorer, limit)
    pixels = largest(size, tile, halo, restorer)
    count = 1 if tile == (0, 0) else together
    assert pixels * count * restorer.bytes_per_pixel + 10**7 <= limit
    assert restorer.least_halo is not None
    assert restorer.least_halo <= halo <= restorer.halo


def test_the_halo_is_whole_where_the_memory_allows() -> None:
    assert choose_tile((3000, 4000), 3, network(), 3_500_000_000)[1] == 224
    assert choose_tile((3000, 4000), 3, network(), 900_000_000)[1] < 224


def test_a_narrow_picture_is_cut_one_way_only() -> None:
    tile, halo = choose_tile((300, 20_000), 3, network(), 3_500_000_000)
    assert tile[0] == 300
    assert halo == 224


def test_the_tiles_are_those_of_the_least_work() -> None:
    """Strips as wide as the picture need no halo at their sides."""
    restorer = network(bytes_per_pixel=1000)
    (height, width), halo = choose_tile((4000, 1400), 3, restorer, 1_500_000_000)
    assert width == 1400
    square = int((1_500_000_000 / 1.1 / 1060) ** 0.5)
    plans = [
        plan_tiles((4000, 1400), tile, halo, multiple_of=8, ramp=8)
        for tile in ((height, width), square)
    ]
    work = [
        sum(math.prod(plan.seen(core).size) for band in plan.bands() for core in band)
        for plan in plans
    ]
    assert work[0] < work[1]


@pytest.mark.parametrize("restorer", [network(), network(ramp=None, least_halo=None, halo=17)])
def test_what_is_too_little_says_what_would_do(restorer: Restorer) -> None:
    held = 200_000_000
    with pytest.raises(OutOfMemory, match="max_memory allows 210 MB") as caught:
        choose_tile((3000, 4000), 3, restorer, 10_000_000, held=held)
    least = int(re.findall(r"--max-memory (\d+)MB", str(caught.value))[0])
    tile, halo = choose_tile((3000, 4000), 3, restorer, least * 10**6 - held)
    assert halo == (restorer.least_halo or restorer.halo)
    assert max(tile) <= 2 * least_tile(restorer, halo)


def test_on_a_gpu_its_own_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7 * 10**9, 8 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * 10**9)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 10**9)
    assert budget(None, gpu) == pytest.approx(0.9 * 9e9)
    assert budget("2GB", gpu) == 2 * 10**9
    assert budget("20GB", gpu) == pytest.approx(0.9 * 9e9)


PICTURE = np.random.default_rng(0).random((150, 190, 3), dtype=np.float32)


def full() -> list[Exception]:
    return [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 40000000000 bytes. Error code 12 (Cannot allocate "
            "memory)"
        ),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ]


class Small:
    """Adds a tenth, in tiles of at most so many pixels; a larger one raises."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most = most
        self.error = error
        self.done: list[Box] = []
        self.failed: list[int] = []

    def __call__(self, tile: Tile, progress: Progress | None) -> Tensor:
        pixels = tile.image.shape[0] * math.prod(tile.image.shape[-2:])
        if pixels > self.most:
            self.failed.append(pixels)
            raise self.error
        self.done.append(tile.box)
        return tile.image + 0.1


def run(
    apply: Callable[[Tile, Progress | None], Tensor],
    *,
    tile: int = 0,
    progress: Progress | None = None,
    limit: int = 10**10,
    **options: Any,
) -> tuple[Tensor, Tiled]:
    samples = torch.from_numpy(PICTURE).permute(2, 0, 1)
    page = Page(Photo(samples[None], None), 0, "encoded", CPU)
    restorer = Restorer(
        apply,
        **{"halo": 12, "exact_tiling": True, "bytes_per_pixel": 100, "least_halo": 4, **options},
    )
    out = torch.full_like(samples, torch.nan)
    tiled = restore_page(
        page, restorer, out, limit=limit, tile=tile, strength=1.0, progress=progress
    )
    torch.testing.assert_close(out, samples + 0.1, rtol=0, atol=1e-6)
    return out, tiled


@pytest.mark.parametrize("error", full(), ids=lambda error: type(error).__name__)
def test_what_does_not_fit_is_halved(error: Exception) -> None:
    small = Small(9000, error)
    _, tiled = run(small)
    assert tiled.tiles == len(small.done) > 3
    assert not tiled.warnings
    # Each failure is on the way down, and nothing as large is tried again.
    assert small.failed == sorted(small.failed, reverse=True)
    assert len(set(small.failed)) == len(small.failed)


def test_what_was_done_before_is_not_done_again() -> None:
    """The memory runs out half-way through a plan of tiles."""
    seen: list[Box] = []
    limit = [10**9]

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        height, width = tile.image.shape[-2:]
        if len(seen) == 4:
            limit[0] = 2500
        if height * width > limit[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(tile.box)
        return tile.image + 0.1

    _, tiled = run(apply, tile=64)
    assert tiled.tiles == len(seen) == len(set(seen))


@pytest.mark.parametrize("together", [2, 5])
def test_a_batch_that_does_not_fit_goes_one_by_one(together: int) -> None:
    small = Small(64 * 64, MemoryError())
    _, tiled = run(small, tile=64, together=together)
    assert tiled.tiles == len(small.done)
    assert len(small.failed) == 1
    assert not tiled.warnings


def test_with_very_little_tiles_see_less_and_the_report_says_so() -> None:
    """Boxes under 32 pixels are not cut; with 12 around them they are larger than 1300 pixels."""
    _, tiled = run(Small(1300, MemoryError()), multiple_of=4)
    assert any("see" in text and "max_memory" in text for text in tiled.warnings)


def test_with_nothing_at_all_it_is_an_error() -> None:
    with pytest.raises(OutOfMemory, match="not enough for a tile of"):
        run(Small(10, MemoryError()))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("shape mismatch"),
        OutOfMemory("max_memory ..."),
        Cancelled("stop"),
        KeyError("a"),
    ],
)
def test_other_errors_are_as_they_were(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        run(Small(900, error))
    assert caught.value is error


def test_progress_goes_on_rising() -> None:
    seen: list[float] = []

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        assert progress is not None
        progress("network", 0.0)
        if math.prod(tile.image.shape[-2:]) > 4000:
            raise MemoryError
        progress("network", 1.0)
        return tile.image + 0.1

    run(apply, progress=lambda stage, done: seen.append(done))
    assert seen[-1] == pytest.approx(1.0)
    assert seen == sorted(seen)


def test_a_remark_is_made_where_the_picture_is_cut() -> None:
    assert run(Small(10**9, MemoryError()), remark="differs")[1].warnings == ()
    assert run(Small(10**9, MemoryError()), tile=64, remark="differs")[1].warnings == ("differs",)
    assert run(Small(9000, MemoryError()), remark="differs")[1].warnings == ("differs",)


def test_memory_for_part_of_the_halo_is_used_and_said() -> None:
    _, tiled = run(
        Small(10**9, MemoryError()), halo=60, bytes_per_pixel=1000, limit=18_000_000, ramp=8
    )
    assert tiled.tiles > 1
    assert any("looks 60 far" in text for text in tiled.warnings)
