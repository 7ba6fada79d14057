"""Kernels that are nearly right, and where their answers lie."""

import numpy as np
import pytest
import torch

from unblur.blur import kernels
from unblur.blur.synthesis.lots import Lots
from unblur.metrics import kernel_similarity
from unblur.train.kernels import displaced, displacement, near_miss


@pytest.mark.parametrize("seed", range(12))
def test_a_near_miss_is_a_kernel_and_near(seed):
    true = kernels.shake(size=21, seed=seed).pixels
    wrong = near_miss(true, Lots(torch.Generator().manual_seed(seed)))
    assert all(side % 2 for side in wrong.shape)
    assert float(wrong.sum()) == pytest.approx(1)
    assert bool((wrong >= 0).all())
    assert 0.6 < kernel_similarity(true, wrong) < 0.9999


def test_the_same_lots_give_the_same_kernel():
    true = kernels.motion(9, 30).pixels
    first, second = (near_miss(true, Lots(torch.Generator().manual_seed(3))) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.5, -0.25), (-3.0, 2.125)])
def test_a_displacement_is_found_to_an_eighth(by):
    """Means of Gaussians, written out: the displaced one is drawn where it should be."""
    y, x = np.mgrid[-12:13, -12:13]

    def drawn(shift):
        values = np.exp(-((y - shift[0]) ** 2 + (x - shift[1]) ** 2) / 6.0)
        return torch.from_numpy(values / values.sum()).float()

    assert displacement(drawn(by), drawn((0, 0))) == pytest.approx(by, abs=1 / 16)


def test_a_wave_is_displaced_as_its_formula_says():
    y, x = np.mgrid[0:64, 0:64]

    def wave(dy, dx):
        return torch.from_numpy(np.sin(0.4 * (y - dy)) * np.cos(0.3 * (x - dx)))[None]

    found = displaced(wave(0, 0), (1.25, -0.5))
    np.testing.assert_allclose(
        found[0, 20:-20, 20:-20], wave(1.25, -0.5)[0, 20:-20, 20:-20], atol=0.02
    )
