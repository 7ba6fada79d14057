"""Widths of edges against the blurs that made them."""

import pytest
import torch
from scipy.ndimage import convolve

from unblur.blur import add_noise, kernels
from unblur.restore.edges import SHARP, edge_width


def blurred(image, kernel):
    taps = kernel.pixels.numpy()[None, None]
    return torch.from_numpy(convolve(image.numpy(), taps, mode="nearest"))


@pytest.fixture(scope="module")
def scene():
    """Squares of many greys: edges down and across, each between two pixels."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 12, 12, generator=generator)
    return small.repeat_interleave(32, 2).repeat_interleave(32, 3)


@pytest.mark.parametrize("deviation", [1.0, 1.5, 2.0])
def test_a_gaussian_is_as_wide_as_it_is(scene, deviation):
    found = edge_width(blurred(scene, kernels.gaussian(deviation)))
    assert found == pytest.approx(deviation, rel=0.15)


def test_steps_are_sharp(scene):
    assert edge_width(scene) < 0.6  # each is the mean of light over a pixel


def test_motion_counts_across_it(scene):
    found = edge_width(blurred(scene, kernels.motion(9, 0)))
    assert found is not None
    assert found > 2 * SHARP  # half of all edges lie along it, and are as sharp as before


def test_noise_is_no_edge():
    noise = add_noise(torch.full((1, 3, 64, 64), 0.5), 0.02, torch.Generator().manual_seed(0))
    assert edge_width(noise) is None
    assert edge_width(torch.full((1, 1, 40, 50), 0.5)) is None
    assert edge_width(torch.full((1, 3, 1, 1), 0.5)) is None


def test_noise_hardly_changes_the_width(scene):
    image = blurred(scene, kernels.gaussian(2))
    noisy = add_noise(image, 0.01, torch.Generator().manual_seed(0))
    assert edge_width(noisy) == pytest.approx(edge_width(image), rel=0.15)
