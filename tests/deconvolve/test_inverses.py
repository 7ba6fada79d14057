"""Linear inverses against the formula, in a frame that is dark at its border."""

import numpy as np
import pytest
import torch

from unblur.blur import kernels
from unblur.deconvolve.inverses import RATES, inverses
from unblur.errors import ParameterError

NOISE = 0.02


def blob(size: int = 96) -> np.ndarray:
    """Two bright squares far from a black border."""
    picture = np.zeros((size, size))
    picture[40:48, 36:60] = 0.8
    picture[52:58, 44:50] = 0.5
    return picture


def spectrum(kernel: np.ndarray, size: int) -> np.ndarray:
    placed = np.zeros((size, size))
    rows, columns = kernel.shape
    placed[:rows, :columns] = kernel
    return np.fft.fft2(np.roll(placed, (-(rows // 2), -(columns // 2)), (0, 1)))


def formula(picture: np.ndarray, kernel: np.ndarray, rate: float) -> np.ndarray:
    size = len(picture)
    k = spectrum(kernel, size)
    laplacian = spectrum(np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]), size)
    filtered = np.conj(k) / (np.abs(k) ** 2 + rate * NOISE * np.abs(laplacian) ** 2)
    return np.real(np.fft.ifft2(filtered * np.fft.fft2(picture)))


def test_each_is_the_wiener_filter_of_its_rate():
    kernel = kernels.motion(7, 30).pixels
    sharp = blob()
    blurred = np.real(np.fft.ifft2(spectrum(kernel.numpy(), 96) * np.fft.fft2(sharp)))
    seen = torch.from_numpy(blurred).float()[None, None]
    found = inverses(seen, kernel, seen, noise_std=NOISE)[0]
    for plane, rate in zip(found[:-1], RATES, strict=True):
        wanted = formula(blurred, kernel.numpy(), rate)
        np.testing.assert_allclose(plane[20:-20, 20:-20], wanted[20:-20, 20:-20], atol=2e-3)


def test_the_bolder_one_lets_more_noise_through():
    noise = 0.5 + NOISE * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = inverses(noise, kernels.disk(3).pixels, noise, noise_std=NOISE, rates=(0.3, 6.0, 60.0))
    assert found.shape == (1, 12, 64, 64)
    spreads = [float(each.std()) for each in found[:, :9].split(3, dim=1)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 2 * spreads[-1]


def test_the_misfit_is_what_the_estimate_does_not_explain():
    kernel = kernels.motion(7, 30).pixels
    sharp = blob()
    spectra = spectrum(kernel.numpy(), 96)
    blurred = np.real(np.fft.ifft2(spectra * np.fft.fft2(sharp)))
    noise = NOISE * np.random.default_rng(0).standard_normal(blurred.shape)
    seen, estimate = (
        torch.from_numpy(each).float()[None, None] for each in (blurred + noise, 0.9 * sharp)
    )
    misfit = inverses(seen, kernel, estimate, noise_std=NOISE)[0, -1]
    wanted = noise + 0.1 * blurred
    np.testing.assert_allclose(misfit[10:-10, 10:-10], wanted[10:-10, 10:-10], atol=1e-5)


def test_at_clipped_pixels_only_light_that_lacks_counts():
    kernel = torch.ones(1, 1)
    seen = torch.full((1, 1, 16, 16), 1.0)
    estimate = torch.full_like(seen, 1.3)
    estimate[..., :8] = 0.8
    misfit = inverses(seen, kernel, estimate, noise_std=NOISE, clipped=seen >= 1)[:, 1:][:, -1]
    torch.testing.assert_close(misfit[..., :8], torch.full((1, 16, 8), 0.2))
    assert bool((misfit[..., 8:] == 0).all())


def test_a_bad_noise_is_named():
    with pytest.raises(ParameterError, match="noise_std"):
        inverses(torch.zeros(1, 1, 8, 8), torch.ones(1, 1), torch.zeros(1, 1, 8, 8), noise_std=-1.0)
