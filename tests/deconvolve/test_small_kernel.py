"""Sums over small kernels against the same likelihood by transforms."""

import pytest
import torch

from unblur.blur import kernels
from unblur.deconvolve import richardson_lucy
from unblur.deconvolve.likelihood import Framed
from unblur.deconvolve.observation import observe
from unblur.deconvolve.small_kernel import SmallKernel, is_small
from unblur.deconvolve.uniform_system import UniformSystem


def lopsided(height, width):
    """A kernel without any symmetry, of sum one."""
    kernel = torch.rand(height, width, generator=torch.Generator().manual_seed(height)) ** 3
    return kernel / kernel.sum()


def bare(sides, rows, columns):
    """A kernel without any symmetry that is zero outside of these rows and columns."""
    kernel = torch.zeros(sides)
    kernel[rows, columns] = lopsided(*kernel[rows, columns].shape)
    return kernel


KERNELS = [
    lopsided(1, 3),
    lopsided(5, 5),
    lopsided(9, 17),
    lopsided(3, 31),
    bare((9, 9), slice(1, 6), slice(3, 9)),
    bare((11, 11), slice(7, 10), slice(0, 2)),  # all of it off the middle
    bare((31, 31), slice(10, 24), slice(12, 19)),
]


def picture(*shape):
    return 0.2 + 0.6 * torch.rand(*shape, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("size", [(40, 56), (41, 54), (43, 61), (5, 7)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_step_is_that_of_transforms(size, kernel):
    image = picture(2, 3, *size)
    seen = observe(image, (kernel.shape[0] // 2, kernel.shape[1] // 2))
    small = SmallKernel.of(seen, kernel)
    framed = Framed.of(seen, lambda frame: UniformSystem.of(kernel, frame))
    pictures, errors = [], []
    for likelihood in (small, framed):
        estimate = likelihood.first(None)
        for _ in range(3):
            predicted = likelihood.predict(estimate)
            ratio = likelihood.ratio(predicted)
            errors.append(likelihood.error(predicted, ratio))
            estimate = likelihood.adjoint(ratio) * estimate
        pictures.append(likelihood.picture(estimate))
    assert pictures[0].shape == image.shape
    assert (pictures[0] - pictures[1]).abs().max() < 2e-5
    assert errors[:3] == pytest.approx(errors[3:], rel=1e-4)


@pytest.mark.parametrize("options", [{}, {"acceleration": True}, {"noise_std": 0.02}])
def test_the_solver_gives_what_it_gives_in_double_precision(options):
    kernel = kernels.shake(size=9, seed=2).pixels
    image = picture(1, 2, 45, 50)
    assert is_small(image, kernel)
    assert not is_small(image.double(), kernel.double())
    given = {"iterations": 12} | options
    found = richardson_lucy(image, kernel, **given)
    wanted = richardson_lucy(image.double(), kernel.double(), **given)
    assert (found - wanted).abs().max() < 1e-4


def test_planes_do_not_see_each_other():
    kernel, image = lopsided(7, 7), picture(2, 2, 33, 40)
    together = richardson_lucy(image, kernel, iterations=5, acceleration=True)
    alone = richardson_lucy(image[1:, :1], kernel, iterations=5, acceleration=True)
    assert (together[1:, :1] - alone).abs().max() < 1e-6


def test_large_and_negative_kernels_and_colours_apart_are_not_small():
    image = picture(1, 1, 40, 40)
    assert is_small(image, lopsided(17, 17))
    assert not is_small(image, lopsided(19, 19))
    assert is_small(image, bare((41, 41), slice(14, 30), slice(20, 37)))
    assert not is_small(image, torch.zeros(5, 5))
    assert not is_small(image, lopsided(5, 5)[None])
    assert not is_small(image, lopsided(5, 5) - 0.01)
