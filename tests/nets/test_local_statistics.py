"""Means over windows against means taken one by one."""

import numpy as np
import pytest
import torch

from unblur.errors import ParameterError
from unblur.nets.local_statistics import Mean, running_mean, set_window, spread


def random(*shape, dtype=torch.float32):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def brute(features, height, width):
    """For each pixel, the mean of the window around it, moved inwards at the border."""
    rows, columns = features.shape[-2:]
    height, width = min(height, rows), min(width, columns)
    means = np.empty(features.shape, np.float64)
    for row in range(rows):
        for column in range(columns):
            top = min(max(row - (height - 1) // 2, 0), rows - height)
            left = min(max(column - (width - 1) // 2, 0), columns - width)
            window = features[..., top : top + height, left : left + width]
            means[..., row, column] = window.double().mean(dim=(2, 3)).numpy()
    return means


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), (24, 5)])
@pytest.mark.parametrize("window", [1, 2, 5, 8, 16, 40])
def test_windows_are_those_around_each_pixel(size, window):
    features = random(2, 3, *size)
    mean = Mean()
    mean.window = window
    found = spread(mean(features), features).expand_as(features)
    np.testing.assert_allclose(found, brute(features, window, window), atol=1e-6)


def test_a_window_is_scaled_to_what_a_stage_sees():
    features = random(1, 2, 20, 30)
    mean = Mean(share=(0.25, 0.5))
    mean.window = 16
    np.testing.assert_allclose(spread(mean(features), features), brute(features, 4, 8), atol=1e-6)


def test_steps_are_windows_of_blocks_interpolated():
    """The value at a block's centre, half-way between pixels, is the mean of the two beside it."""
    features = random(1, 2, 24, 32)
    mean = Mean(step=2)
    mean.window = 12
    found = spread(mean(features), features, step=2)
    centres = torch.nn.functional.avg_pool2d(found, 2)
    blocks = torch.nn.functional.avg_pool2d(features, 2)
    wanted = torch.from_numpy(brute(blocks, 6, 6))
    inner = (..., slice(4, -4), slice(4, -4))
    # Interpolation and block mean together: (1, 6, 1) / 8 along each axis.
    for axis in (2, 3):
        near, far = wanted.roll(1, axis), wanted.roll(-1, axis)
        wanted = (6 * wanted + near + far) / 8
    np.testing.assert_allclose(centres[inner], wanted[inner], atol=1e-6)


def test_steps_hardly_differ_from_every_pixel(photograph):
    features = torch.from_numpy(photograph / np.float32(255)).movedim(2, 0)[None]
    every, fourth = Mean(), Mean(step=4)
    every.window = fourth.window = 64
    exact = spread(every(features), features)
    close = spread(fourth(features), features, step=4)
    assert exact.std() > 0.02
    assert float((close - exact).abs().max()) < 0.03


@pytest.mark.parametrize("step", [1, 4])
def test_a_window_as_large_as_the_picture_is_the_whole(step):
    features = random(2, 3, 16, 24)
    whole, local = Mean(step=step), Mean(step=step)
    local.window = 24
    assert torch.equal(local(features), whole(features))
    np.testing.assert_allclose(whole(features), features.double().mean((2, 3), True), rtol=1e-6)


@pytest.mark.parametrize("window", [None, 8])
def test_sixteen_bits_lose_no_more_than_their_rounding(window):
    features = (random(1, 4, 32, 40) + 1).bfloat16()
    mean = Mean()
    mean.window = window
    found = mean(features)
    assert found.dtype == torch.bfloat16
    np.testing.assert_allclose(found.float(), mean(features.double()).float(), rtol=2**-8)


def test_sums_stay_exact_along_a_long_picture():
    values = random(60_000) + 100
    found = running_mean(values, 384, axis=0)
    wanted = values.double().unfold(0, 384, 1).mean(dim=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_every_mean_of_a_network_takes_the_window():
    network = torch.nn.Sequential(Mean(), torch.nn.Sequential(torch.nn.ReLU(), Mean()))
    set_window(network, 7)
    assert [network[0].window, network[1][1].window] == [7, 7]
    set_window(network, None)
    assert [network[0].window, network[1][1].window] == [None, None]
    with pytest.raises(ParameterError, match="window must be at least 1 pixel, or None, got 0"):
        set_window(network, 0)
