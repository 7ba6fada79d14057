"""What the network is shown, and what is made of its answer."""

import pytest
import torch

from unblur.blur import Field, kernels
from unblur.deconvolve import deep_wiener, local_wiener
from unblur.deconvolve.deep_wiener import evidence
from unblur.deconvolve.inverses import inverses

NOISE = 0.01


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def test_the_evidence_is_what_its_parts_give(picture):
    kernel = kernels.motion(5, 20).pixels
    seen = evidence(picture, kernel, noise_std=NOISE)
    assert seen.shape == (1, 16, 32, 40)
    classical = local_wiener(picture, kernel, noise_std=NOISE)
    torch.testing.assert_close(seen[:, :3], classical)
    torch.testing.assert_close(seen[:, 3:6], picture)
    others = inverses(picture, kernel, classical, noise_std=NOISE)
    torch.testing.assert_close(seen[:, 6:15], others)
    assert bool((seen[:, 15] == NOISE).all())


def test_a_network_that_adds_nothing_leaves_the_classical_result(picture):
    kernel = kernels.disk(2).pixels
    found = deep_wiener(3 * picture - 1, kernel, lambda seen: seen[:, :3], noise_std=NOISE)
    torch.testing.assert_close(found, local_wiener(3 * picture - 1, kernel, noise_std=NOISE))


def test_the_network_sees_no_values_that_it_was_not_trained_on(picture):
    extremes = []

    def look(seen: torch.Tensor) -> torch.Tensor:
        extremes.extend((float(seen.min()), float(seen.max())))
        return seen[:, :3]

    deep_wiener(20 * picture - 10, kernels.disk(2).pixels, look, noise_std=NOISE)
    assert extremes == [-0.5, 1.5]


def test_grey_is_three_equal_channels_and_their_mean(picture):
    grey = picture[:, :1]
    shift = torch.tensor([0.1, 0.2, 0.6])[:, None, None]
    kernel = kernels.disk(2).pixels

    def network(seen: torch.Tensor) -> torch.Tensor:
        for start in (0, 3, 6, 9, 12):
            assert bool((seen[:, start : start + 3] == seen[:, start : start + 1]).all())
        return seen[:, :3] + shift

    found = deep_wiener(grey, kernel, network, noise_std=NOISE)
    wanted = local_wiener(grey, kernel, noise_std=NOISE) + 0.3
    torch.testing.assert_close(found, wanted)


def test_a_field_of_one_kernel_is_that_kernel(picture):
    kernel = kernels.motion(5, 60)
    field = Field.uniform(kernel)
    seen = [
        evidence(picture, blur, noise_std=NOISE)[..., 8:-8, 8:-8] for blur in (kernel.pixels, field)
    ]
    assert float((seen[0] - seen[1]).abs().mean()) < 0.02


def test_progress_rises(picture):
    seen = []
    deep_wiener(
        picture,
        kernels.disk(2).pixels,
        lambda each: each[:, :3],
        progress=lambda _, fraction: seen.append(fraction),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
