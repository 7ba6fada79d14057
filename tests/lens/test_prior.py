"""The distortion prior: tile by tile as if whole, kept coarse, cut for tiles."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from unblur.lens.prior import PriorEstimator, StoredPrior, estimate_prior
from unblur.nets.dpanet import DPANet


@pytest.fixture(scope="module")
def network() -> DPANet:
    torch.manual_seed(0)
    return DPANet(width=4, blocks=1, prior_blocks=1, blind=False).eval()


@pytest.fixture(scope="module")
def estimator(network: DPANet) -> PriorEstimator:
    @torch.inference_mode()
    def estimate(sharp: torch.Tensor, blurred: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return network.prior(sharp, blurred)

    return PriorEstimator(estimate, 14 + 38, "seed 0")  # type: ignore[arg-type]


def test_tiles_are_the_whole(network: DPANet, estimator: PriorEstimator) -> None:
    sharp, blurred = torch.rand(2, 1, 3, 192, 256, generator=torch.Generator().manual_seed(1))
    found = estimate_prior(sharp, blurred, estimator, cell=8, tile=64)
    with torch.inference_mode():
        whole = network.prior(sharp, blurred)
    for step, (level, wanted) in enumerate(zip(found.levels, whole, strict=True)):
        torch.testing.assert_close(level, avg_pool2d(wanted, 8 // 2**step), atol=1e-5, rtol=1e-4)
    assert [tuple(level.shape) for level in found.levels] == [
        (1, 4, 24, 32),
        (1, 8, 24, 32),
        (1, 16, 24, 32),
    ]


def test_sides_need_not_fit_the_cells(estimator: PriorEstimator) -> None:
    sharp, blurred = torch.rand(2, 1, 1, 70, 90)
    found = estimate_prior(sharp, blurred, estimator, cell=16, tile=64)
    assert found.levels[0].shape[-2:] == (5, 6)
    assert all(bool(level.isfinite().all()) for level in found.levels)


def stored() -> StoredPrior:
    generator = torch.Generator().manual_seed(2)
    fine, middle, coarse = (
        torch.rand(1, channels, 6, 9, generator=generator) for channels in (2, 4, 8)
    )
    return StoredPrior((fine, middle, coarse), "seed 2")


def test_the_part_of_a_page_is_what_the_network_would_resample() -> None:
    levels = stored().part((0, 0, 96, 144), (96, 144))
    for step, (level, kept) in enumerate(zip(levels, stored().levels, strict=True)):
        size = (96 // 2**step, 144 // 2**step)
        wanted = interpolate(kept, size, mode="bilinear", align_corners=False)
        torch.testing.assert_close(level, wanted, atol=1e-5, rtol=1e-5)


def test_the_part_of_a_tile_is_that_of_the_page() -> None:
    page = stored().part((0, 0, 96, 144), (96, 144))
    tile = stored().part((32, 48, 40, 64), (96, 144))
    for step, (whole, part) in enumerate(zip(page, tile, strict=True)):
        top, left = 32 // 2**step, 48 // 2**step
        height, width = part.shape[-2:]
        torch.testing.assert_close(part, whole[..., top : top + height, left : left + width])


def test_a_prior_turns_with_its_lens() -> None:
    prior = stored()
    there = prior.upright(6)
    assert there.levels[0].equal(prior.levels[0].rot90(3, (-2, -1)))
    assert there.to_sensor(6).levels[2].equal(prior.levels[2])
