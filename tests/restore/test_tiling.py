"""Plans that cover, ramps that sum to one, and tiles that nobody sees."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

import unblur
from unblur.blur import Field, Kernel, kernels
from unblur.restore.catalogue import METHODS, find
from unblur.restore.known import restorer_for
from unblur.restore.method import Restorer
from unblur.restore.page import Page
from unblur.restore.tiling import Box, Plan, plan_tiles, run_tiles

KNOWN = [method.name for method in METHODS if method.needs_kernel]
HALF_A_LEVEL = 0.5 / 255
# At the border of the picture itself the world beyond is guessed, and tiles guess it differently.
EDGE = 16
TILE, HALO = 48, 8
AWKWARD = [1, 2, 7, TILE - 1, TILE, TILE + 1, 2 * TILE + 1, 53, 97, 151]


def cores(plan: Plan) -> list[Box]:
    return [box for band in plan.bands() for box in band]


def run(plan: Plan, image: torch.Tensor) -> tuple[torch.Tensor, list[Box]]:
    """An identity restorer, tile by tile."""
    out, given = torch.full_like(image, torch.nan), []

    def restore(boxes: Sequence[Box], progress: object) -> list[torch.Tensor]:
        given.extend(boxes)
        return [image[:, *box.slices].clone() for box in boxes]

    def write(top: int, rows: torch.Tensor) -> None:
        assert bool(out[:, top : top + rows.shape[1]].isnan().all())
        out[:, top : top + rows.shape[1]] = rows

    run_tiles(plan, restore, write)
    return out, given


def check(plan: Plan, size: tuple[int, int]) -> None:
    integers = [*plan.rows, *plan.columns, plan.ramp, plan.halo]
    assert all(type(value) is int for value in integers)
    for cuts, length in ((plan.rows, size[0]), (plan.columns, size[1])):
        assert cuts[0] == 0
        assert cuts[-1] == length
        assert all(a < b for a, b in pairwise(cuts))
        # Where a core is narrower than both of its ramps, three tiles meet and do not sum to one.
        assert len(cuts) == 2 or min(np.diff(cuts)) >= 2 * plan.ramp


@pytest.mark.parametrize("height", AWKWARD)
@pytest.mark.parametrize("width", AWKWARD)
def test_tiles_of_any_size_put_the_picture_together(height: int, width: int) -> None:
    plan = plan_tiles((height, width), TILE, HALO)
    check(plan, (height, width))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, height, width, generator=generator, dtype=torch.float64)
    out, given = run(plan, image)
    # The ramps of all tiles sum to one exactly where the picture comes back.
    torch.testing.assert_close(out, image, rtol=0, atol=1e-12)
    assert len(given) == plan.count == len(cores(plan))
    assert all(max(plan.seen(core).size) <= TILE for core in cores(plan))


@given(
    st.tuples(st.integers(1, 260), st.integers(1, 260)),
    st.tuples(st.integers(16, 120), st.integers(16, 120)),
    st.integers(0, 40),
    st.sampled_from([1, 2, 8, 16, 96]),
    st.sampled_from([None, 1, 8]),
    st.booleans(),
)
@settings(max_examples=200)
def test_plans_cover_and_ramps_sum_to_one(
    size: tuple[int, int],
    tile: tuple[int, int],
    halo: int,
    multiple: int,
    ramp: int | None,
    alike: bool,
) -> None:
    plan = plan_tiles(size, tile, halo, multiple_of=multiple, ramp=ramp, alike=alike)
    check(plan, size)
    for core in cores(plan):
        own, seen = plan.own(core), plan.seen(core)
        # What lies between two places is the same distance from what the network counts from.
        assert core.top % multiple == core.left % multiple == 0
        assert seen.top % multiple == seen.left % multiple == 0
        assert seen.top == 0 or own.top - seen.top >= halo
        assert seen.bottom == size[0] or seen.bottom - own.bottom >= halo
        assert seen.left == 0 or own.left - seen.left >= halo
        assert seen.right == size[1] or seen.right - own.right >= halo
    out, _ = run(plan, torch.ones(1, *size, dtype=torch.float64))
    torch.testing.assert_close(out, torch.ones_like(out), rtol=0, atol=1e-12)


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.integers(0, 60),
    st.integers(0, 150),
    st.booleans(),
)
@settings(max_examples=200)
def test_no_tile_is_larger_than_it_may_be(
    size: tuple[int, int], halo: int, more: int, alike: bool
) -> None:
    """A core of two ramps, with the ramp and the halo on both sides, is four halos: the least."""
    tile = max(16, 4 * halo) + more
    plan = plan_tiles(size, tile, halo, alike=alike)
    for core in cores(plan):
        seen = plan.seen(core)
        assert max(seen.size) <= tile
        assert seen.relative_to(seen) == Box(0, 0, *seen.size)


def test_tiles_that_see_as_much_are_fewer() -> None:
    """Of 4000 pixels in tiles of 1120 with 200 around them: five, and six that share the rest."""
    options = {"multiple_of": 8, "ramp": 8}
    alike = plan_tiles((3000, 4000), 1127, 192, alike=True, **options)
    even = plan_tiles((3000, 4000), 1127, 192, **options)
    assert alike.columns == (0, 920, 1640, 2360, 3080, 4000)
    assert {alike.seen(core).size[1] for core in cores(alike)} == {1120}
    assert len(even.columns) == 7


def test_a_picture_that_fits_is_one_tile() -> None:
    for tile in (0, 100, 101):
        plan = plan_tiles((70, 100), tile, 20)
        assert plan.count == 1
        assert cores(plan) == [Box(0, 0, 70, 100)]


def test_a_tile_sees_its_halo_and_no_more() -> None:
    plan = plan_tiles((200, 200), 80, 10)
    for core in cores(plan):
        box, reach = plan.seen(core), plan.ramp + 10
        assert box.top == max(core.top - reach, 0)
        assert box.left == max(core.left - reach, 0)
        assert box.bottom == min(core.bottom + reach, 200)
        assert box.right == min(core.right + reach, 200)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_picture_has_no_seams(level: float) -> None:
    plan = plan_tiles((151, 97), TILE, HALO)
    image = torch.full((3, 151, 97), level)
    torch.testing.assert_close(run(plan, image)[0], image, rtol=0, atol=1e-6)


def test_tiles_that_differ_cross_over_without_a_step() -> None:
    """Each tile answers with a constant of its own: what is seen at a seam is a straight ramp."""
    plan = plan_tiles((40, 150), 64, 12)
    assert plan.count > 1
    out = torch.zeros(1, 40, 150)
    numbers = iter(range(plan.count))

    def restore(boxes: Sequence[Box], progress: object) -> list[torch.Tensor]:
        return [torch.full((1, *box.size), float(next(numbers))) for box in boxes]

    def write(top: int, rows: torch.Tensor) -> None:
        out[:, top : top + rows.shape[1]] = rows

    run_tiles(plan, restore, write)
    steps = out[0].diff(dim=1)
    assert float(steps.max()) <= 1 / (2 * plan.ramp) + 1e-6
    assert float(steps.min()) >= -1e-6


def test_rows_come_in_order_and_once() -> None:
    plan = plan_tiles((211, 53), 50, 6)
    tops = [0]

    def write(top: int, rows: torch.Tensor) -> None:
        assert top == tops[-1]
        assert rows.shape[1] > 0
        tops.append(top + rows.shape[1])

    run_tiles(plan, lambda boxes, progress: [torch.zeros(1, *box.size) for box in boxes], write)
    assert tops[-1] == 211


def test_progress_is_spread_over_the_tiles() -> None:
    plan = plan_tiles((120, 120), 60, 5)
    seen: list[float] = []

    def restore(boxes: Sequence[Box], progress: object) -> list[torch.Tensor]:
        assert callable(progress)
        progress("deconvolve", 0.0)
        progress("deconvolve", 1.0)
        return [torch.zeros(1, *box.size) for box in boxes]

    run_tiles(plan, restore, lambda top, rows: None, lambda stage, done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert len(set(seen)) == plan.count + 1


def test_an_axis_that_fits_is_not_cut() -> None:
    plan = plan_tiles((400, 90), (120, 90), 20)
    assert plan.columns == (0, 90)
    assert len(plan.rows) > 2
    plan = plan_tiles((400, 90), (0, 60), 5)
    assert plan.rows == (0, 400)
    assert len(plan.columns) > 2


@pytest.mark.parametrize("together", [2, 3, 50])
def test_only_tiles_of_one_size_go_together(together: int) -> None:
    plan = plan_tiles((211, 333), 60, 6)
    image = torch.rand(3, 211, 333, generator=torch.Generator().manual_seed(0))
    out, sizes = torch.zeros_like(image), []

    def restore(boxes: Sequence[Box], progress: object) -> list[torch.Tensor]:
        sizes.append(len(boxes))
        assert len({box.grow(plan.halo, plan.size).size for box in boxes}) == 1
        return [image[:, *box.slices] for box in boxes]

    def write(top: int, rows: torch.Tensor) -> None:
        out[:, top : top + rows.shape[1]] = rows

    seen: list[float] = []
    run_tiles(plan, restore, write, lambda stage, done: seen.append(done), together=together)
    torch.testing.assert_close(out, image, rtol=0, atol=1e-6)
    assert sum(sizes) == plan.count
    assert 1 < max(sizes) <= together


def test_groups_go_on_from_band_to_band() -> None:
    plan = Plan((60, 90), (0, 20, 40, 60), (0, 30, 60, 90), ramp=4, halo=6)
    image = torch.rand(3, 60, 90, generator=torch.Generator().manual_seed(0))
    sizes: list[int] = []
    bands: list[torch.Tensor] = []

    def restore(boxes: Sequence[Box], progress: object) -> list[torch.Tensor]:
        sizes.append(len(boxes))
        return [image[:, *box.slices] for box in boxes]

    run_tiles(plan, restore, lambda top, rows: bands.append(rows), together=2, alike=False)
    assert sizes == [2, 2, 2, 2, 1]
    torch.testing.assert_close(torch.cat(bands, 1), image, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A photograph, float32 (300, 330), blurred by a Gaussian of 1.2 pixels, with 1 % noise."""
    sharp = (data.camera()[60:360, 80:410] / 255).astype(np.float32)
    return unblur.blur(sharp, kernels.gaussian(sigma=1.2), noise=0.01)


def seams(shape: tuple[int, int], plan: Plan) -> np.ndarray:
    """True on the pixels where tiles cross over."""
    mask = np.zeros(shape, bool)
    for cut in plan.rows[1:-1]:
        mask[cut - plan.ramp : cut + plan.ramp] = True
    for cut in plan.columns[1:-1]:
        mask[:, cut - plan.ramp : cut + plan.ramp] = True
    return mask


def made_for(picture: np.ndarray, method: str, kernel: Kernel) -> Restorer:
    photo = unblur.Photo.from_tensor(torch.from_numpy(picture)[None], depth=32)
    page = Page(photo, 0, "linear", torch.device("cpu"))
    return restorer_for(find(method).parameters(), kernel, 0.01, page)


@pytest.mark.parametrize("method", ["wiener", "tv"])
def test_convex_methods_promise_exact_tiles(scene: np.ndarray, method: str) -> None:
    assert made_for(scene, method, kernels.gaussian(sigma=1.2)).exact_tiling


@pytest.mark.parametrize("method", KNOWN)
@pytest.mark.parametrize("tile", [150, 200])
def test_tiles_agree_with_the_whole(scene: np.ndarray, method: str, tile: int) -> None:
    kernel = kernels.gaussian(sigma=1.2)
    restorer = made_for(scene, method, kernel)
    if not restorer.exact_tiling:
        pytest.skip(f"{method} does not promise it")
    options = {"kernel": kernel, "noise_std": 0.01}
    whole = unblur.deblur(scene, method, **options)
    tiled = unblur.deblur(scene, method, tile=tile, **options)
    plan = plan_tiles((300, 330), tile, restorer.halo)
    assert whole.report.measured["tiles"] == 1
    assert tiled.report.measured["tiles"] == plan.count > 1
    error = np.abs(tiled.image - whole.image)
    inner = error[EDGE:-EDGE, EDGE:-EDGE]
    at_seams = inner[seams((300, 330), plan)[EDGE:-EDGE, EDGE:-EDGE]]
    assert inner.max() < HALF_A_LEVEL
    assert at_seams.max() < HALF_A_LEVEL
    assert at_seams.mean() < HALF_A_LEVEL / 20
    assert error.max() < 9 / 255
    assert error.mean() < HALF_A_LEVEL / 4


@pytest.mark.parametrize("method", ["wiener", "tv"])
def test_tile_sizes_agree_with_each_other(scene: np.ndarray, method: str) -> None:
    options = {"kernel": kernels.gaussian(sigma=1.2), "noise_std": 0.01}
    first, *others = (
        unblur.deblur(scene, method, tile=tile, **options).image for tile in (140, 170, 256)
    )
    for other in others:
        error = np.abs(first - other)
        assert error[EDGE:-EDGE, EDGE:-EDGE].max() < HALF_A_LEVEL


@pytest.mark.parametrize("method", KNOWN)
def test_tiles_never_differ_visibly(scene: np.ndarray, method: str) -> None:
    options = {"kernel": kernels.gaussian(sigma=1.2), "noise_std": 0.01}
    if method == "richardson-lucy":
        options["stop_at_noise"] = False  # where it stops is for each tile to decide
    whole, tiled = (unblur.deblur(scene, method, tile=tile, **options).image for tile in (0, 150))
    assert np.abs(whole - tiled).mean() < HALF_A_LEVEL


@pytest.mark.parametrize("method", KNOWN)
def test_a_ramp_has_no_steps_at_the_seams(method: str) -> None:
    ramp = np.linspace(0.1, 0.9, 600, dtype=np.float32)
    for image in (np.tile(ramp, (80, 1)), np.tile(ramp[:, None], (1, 80))):
        found = unblur.deblur(
            image, method, kernel=kernels.gaussian(sigma=1.2), noise_std=0.005, tile=128
        )
        assert found.report.measured["tiles"] > 1
        inside = found.image[12:-12, 12:-12]
        assert np.abs(inside - image[12:-12, 12:-12]).max() < 2 * HALF_A_LEVEL
        axis = int(image.shape[1] == 600)
        assert np.abs(np.diff(inside, n=2, axis=axis)).max() < HALF_A_LEVEL / 4


def test_a_varying_blur_is_not_called_exact_but_has_no_visible_seams(scene: np.ndarray) -> None:
    field = Field.of([[kernels.gaussian(sigma).crop(13) for sigma in (0.8, 1.2, 1.6)]])
    whole = unblur.deblur(scene, "wiener", kernel=field, noise_std=0.01)
    tiled = unblur.deblur(scene, "wiener", kernel=field, noise_std=0.01, tile=150)
    assert tiled.report.measured["tiles"] > 1
    assert np.abs(tiled.image - whole.image).mean() < HALF_A_LEVEL


def test_strength_mask_and_alpha_hold_across_tiles(scene: np.ndarray) -> None:
    alpha = np.ones_like(scene)
    alpha[100:130, 90:180] = 0
    image = np.stack([scene, scene * 0.9, scene * 0.8, alpha], -1)
    mask = np.zeros(scene.shape, bool)
    mask[140:160, 20:300] = True
    found = unblur.deblur(
        image,
        "wiener",
        kernel=kernels.gaussian(sigma=1.2),
        noise_std=0.01,
        mask=mask,
        strength=0.5,
        tile=150,
    ).image
    kept = mask | (alpha == 0)
    np.testing.assert_array_equal(found[kept], image[kept])
    np.testing.assert_array_equal(found[..., 3], alpha)
    assert (found[~kept] != image[~kept]).any()
