"""Proximal maps against brute force; the loop; the observation."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from unblur.blur import Field, kernels
from unblur.deconvolve.blocks import block_variance, wiener_in_blocks
from unblur.deconvolve.field_system import FieldSystem
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.observation import observe
from unblur.deconvolve.proximal import shrink_power, shrink_vector
from unblur.deconvolve.uniform_system import UniformSystem
from unblur.errors import UnblurError
from unblur.fourier import gradient_power

GRID = torch.linspace(-4, 4, 160_001, dtype=torch.float64)


def brute(value, penalty):
    return float(GRID[(0.5 * (GRID - value) ** 2 + penalty(GRID)).argmin()])


@pytest.mark.parametrize("value", [-3.0, -0.7, -0.2, 0.0, 0.3, 0.9, 2.5])
@pytest.mark.parametrize("threshold", [0.05, 0.4, 1.0])
@pytest.mark.parametrize("exponent", [0.5, 2 / 3, 0.8, 0.95])
def test_the_power_is_shrunk_to_the_minimum(value, threshold, exponent):
    def objective(w):
        return 0.5 * (w - value) ** 2 + threshold * abs(w) ** exponent

    found = float(shrink_power(torch.tensor(value, dtype=torch.float64), threshold, exponent))
    best = brute(value, lambda w: threshold * w.abs() ** exponent)
    assert objective(found) <= objective(best) + 1e-6


def test_a_vector_keeps_its_direction():
    y, x = shrink_vector(torch.tensor([3.0, 0.1]), torch.tensor([4.0, 0.1]), 1.0)
    np.testing.assert_allclose(y, [2.4, 0.0], atol=1e-6)
    np.testing.assert_allclose(x, [3.2, 0.0], atol=1e-6)


class Scaled:
    def __init__(self, image):
        self.image = image


def test_the_loop_stops_when_nothing_moves():
    seen = []
    iterate(
        Scaled(torch.ones(3)),
        lambda state: Scaled(state.image * 0.5 + 0.5),
        iterations=50,
        tolerance=1e-6,
        progress=lambda stage, fraction: seen.append(fraction),
    )
    assert len(seen) == 2
    assert seen[-1] == 1.0


def test_the_loop_refuses_to_give_what_is_not_finite():
    with pytest.raises(UnblurError, match="diverged"):
        iterate(Scaled(torch.ones(3)), lambda s: Scaled(s.image / 0), iterations=2)


def test_an_observation_knows_what_it_knows():
    image = torch.rand(1, 1, 10, 12, generator=torch.Generator().manual_seed(0))
    clipped = torch.zeros(1, 1, 10, 12, dtype=torch.bool)
    clipped[..., 2, 3] = True
    ignored = torch.zeros(1, 1, 10, 12, dtype=torch.bool)
    ignored[..., 4, 5] = True
    seen = observe(image, (3, 3), clipped=clipped, ignored=ignored)
    heard = ~ignored
    assert torch.equal(seen.crop(seen.image)[heard], image[heard])
    low, high = seen.complete(torch.zeros(())), seen.complete(torch.full((), 9.0))
    assert float(seen.crop(low)[0, 0, 2, 3]) == float(image[0, 0, 2, 3])
    assert float(seen.crop(high)[0, 0, 2, 3]) == 9.0
    assert float(seen.crop(low)[0, 0, 4, 5]) == 0.0
    assert float(seen.crop(low)[0, 0, 7, 7]) == float(image[0, 0, 7, 7])
    outside = low.clone()
    seen.crop(outside).zero_()
    assert float(outside.abs().max()) == 0.0


@pytest.mark.parametrize("kind", ["uniform", "field"])
def test_a_system_solves_its_equation(kind):
    size = (30, 36)
    generator = torch.Generator().manual_seed(0)
    observed, prior = torch.rand(2, 1, 1, *size, generator=generator, dtype=torch.float64)
    kernel = kernels.gaussian(1.1).pixels.double()
    field = Field.uniform(kernel).to(torch.float64)
    system = UniformSystem.of(kernel, size)
    if kind == "field":
        system = FieldSystem.of(field, size)
    penalty = 0.05 * gradient_power(size, observed) + 0.01
    found = system.solve(system.project(observed), penalty, 2.0, prior, torch.zeros_like(observed))
    penalised = torch.fft.irfft2(torch.fft.rfft2(found) * penalty, s=size)
    left = system.adjoint(system.forward(found)) + 2 * penalised
    right = system.adjoint(observed) + 2 * prior
    assert float((left - right).abs().max()) < 1e-6
    ahead, back = system.forward(observed), system.adjoint(prior)
    assert abs(float((ahead * prior).sum() - (observed * back).sum())) < 1e-9


def test_the_variance_in_blocks_is_that_of_filtered_noise():
    """Against the cosine transform of scipy, of many blocks of coloured noise."""
    generator = torch.Generator().manual_seed(0)
    size = (256, 264)
    kernel = kernels.motion(length=5, angle=30).pixels.double()
    system = UniformSystem.of(kernel, size)
    noise = system.forward(torch.randn(4, 1, *size, generator=generator, dtype=torch.float64))
    blocks = noise.reshape(4, 32, 8, 33, 8).permute(0, 1, 3, 2, 4).reshape(-1, 8, 8)
    found = dctn(blocks.numpy(), axes=(1, 2), norm="ortho").var(axis=0)
    wanted = block_variance(system.power, size).reshape(8, 8).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0.15, atol=2e-3)


@pytest.mark.parametrize("size", [(5, 3), (24, 32), (37, 41)])
def test_wiener_in_blocks_keeps_all_without_noise_and_little_under_much(size):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, *size, generator=generator, dtype=torch.float64)
    kept = wiener_in_blocks(image, image, torch.zeros(64, dtype=torch.float64), (3, 6))
    np.testing.assert_allclose(kept, image, atol=1e-9)
    flat = torch.full_like(image, 0.5)
    much = torch.full((64,), 1e6, dtype=torch.float64)
    np.testing.assert_allclose(wiener_in_blocks(image, flat, much), flat, atol=1e-9)


def test_wiener_in_blocks_leaves_no_grid_in_a_ramp():
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, 96, dtype=torch.float64).expand(1, 1, 64, 96)
    noisy = ramp + 0.01 * torch.randn(ramp.shape, generator=generator, dtype=torch.float64)
    level = torch.full((64,), 1e-4, dtype=torch.float64)
    found = wiener_in_blocks(noisy, ramp, level)[..., 12:-12]
    np.testing.assert_allclose(found, ramp[..., 12:-12], atol=1e-4)
