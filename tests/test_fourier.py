"""Transfer functions, gradients, padding and tapers against their definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve

from unblur import fourier


@given(st.integers(1, 5000))
def test_a_fast_size_is_smooth_and_not_smaller(length):
    size = fourier.fast_size(length)
    assert size >= length
    rest = size
    for prime in (2, 3, 5, 7, 11, 13):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1
    assert size % 1024 != 0


@pytest.mark.parametrize("size", [(7, 9), (16, 12), (5, 5)])
@pytest.mark.parametrize("side", [(1, 1), (3, 5), (5, 3)])
def test_a_product_of_spectra_is_the_circular_convolution(size, side):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(*size, generator=generator, dtype=torch.float64)
    kernel = torch.rand(*side, generator=generator, dtype=torch.float64)
    spectrum = fourier.transfer_function(kernel, size)
    found = torch.fft.irfft2(torch.fft.rfft2(image) * spectrum, s=size)
    wanted = convolve(image.numpy(), kernel.numpy(), mode="wrap")
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_the_gradient_and_its_adjoint_agree():
    generator = torch.Generator().manual_seed(2)
    image, y, x = (torch.rand(2, 9, 8, generator=generator, dtype=torch.float64) for _ in range(3))
    along_y, along_x = fourier.gradient(image)
    left = (along_y * y + along_x * x).sum()
    right = (image * fourier.adjoint_gradient(y, x)).sum()
    assert float((left - right).abs()) < 1e-12 * float(left.abs() + 1)


def test_the_gradient_power_is_that_of_the_differences():
    size = (6, 9)
    point = torch.zeros(size, dtype=torch.float64)
    point[0, 0] = 1
    spectra = [torch.fft.rfft2(part).abs() ** 2 for part in fourier.gradient(point)]
    np.testing.assert_allclose(fourier.gradient_power(size, point), sum(spectra), atol=1e-12)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 30), st.integers(0, 30), st.data())
def test_padding_keeps_the_picture_and_its_range(height, width, more_y, more_x, data):
    image = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(height))
    margin = (data.draw(st.integers(0, more_y)), data.draw(st.integers(0, more_x)))
    size = (height + more_y, width + more_x)
    padded = fourier.pad_periodic(image, margin, size)
    assert padded.shape[-2:] == size
    inside = padded[..., margin[0] : margin[0] + height, margin[1] : margin[1] + width]
    assert torch.equal(inside, image)
    assert padded.min() >= image.min() - 1e-6
    assert padded.max() <= image.max() + 1e-6


def test_padding_leaves_no_step_across_the_period():
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    padded = fourier.pad_periodic(ramp, (8, 8), (96, 96))
    steps = (padded.roll(-1, -1) - padded).abs().amax()
    bare = (ramp.roll(-1, -1) - ramp).abs().amax()
    assert float(steps) < 0.1 < float(bare)


def test_a_taper_removes_the_seam_and_keeps_the_middle():
    ramp = torch.linspace(0, 1, 60).expand(60, 60).clone()
    before = ramp.clone()
    tapered = fourier.taper_edges(ramp, (5, 5))
    assert torch.equal(ramp, before)
    assert torch.equal(tapered[12:-12, 12:-12], ramp[12:-12, 12:-12])
    assert float((tapered[:, 0] - tapered[:, -1]).abs().max()) < 0.15


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 5)])
def test_a_taper_of_a_tiny_picture_stays_finite(size):
    assert bool(torch.isfinite(fourier.taper_edges(torch.ones(size), (9, 9))).all())
