"""Proximal maps against brute force; the loop; the observation."""

import numpy as np
import pytest
import torch

from unblur.blur import Field, kernels
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.observation import observe
from unblur.deconvolve.proximal import shrink, shrink_power, shrink_vector
from unblur.deconvolve.system import FieldSystem, UniformSystem
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


@pytest.mark.parametrize("value", [-3.0, -0.2, 0.0, 0.9])
def test_the_absolute_value_is_shrunk_to_the_minimum(value):
    found = float(shrink(torch.tensor(value, dtype=torch.float64), 0.4))
    assert abs(found - brute(value, lambda w: 0.4 * w.abs())) < 1e-4


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
    found = system.solve(observed, penalty, prior, torch.zeros_like(observed))
    penalised = torch.fft.irfft2(torch.fft.rfft2(found) * penalty, s=size)
    left = system.adjoint(system.forward(found)) + penalised
    right = system.adjoint(observed) + prior
    assert float((left - right).abs().max()) < 1e-6
    ahead, back = system.forward(observed), system.adjoint(prior)
    assert abs(float((ahead * prior).sum() - (observed * back).sum())) < 1e-9
