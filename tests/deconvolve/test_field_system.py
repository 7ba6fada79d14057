"""A field that hardly varies: its exact blur against the field's own operator, and its inverse."""

import pytest
import torch

from unblur.blur import Field, kernels
from unblur.deconvolve import local_wiener
from unblur.deconvolve.field_system import FieldSystem, NearSystem, near_side
from unblur.deconvolve.system import make_system
from unblur.deconvolve.uniform_system import UniformSystem
from unblur.fourier import gradient_power
from unblur.metrics import psnr

SIZE = (40, 48)


@pytest.fixture(scope="module")
def field() -> Field:
    """2 x 3 Gaussians of 0.9 to 1.3 pixels, in double precision."""
    rows = [[kernels.gaussian(0.9 + 0.1 * (i + j)).crop(11) for j in range(3)] for i in range(2)]
    return Field.of(rows).to(torch.float64)


def images(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, 1, *SIZE, generator=generator, dtype=torch.float64)


def test_it_blurs_as_the_operator_does(field):
    near, operator = NearSystem.of(field, SIZE), field.operator(SIZE)
    one, other = images(2)
    torch.testing.assert_close(near.forward(one), operator.forward(one))
    torch.testing.assert_close(near.adjoint(one), operator.adjoint(one))
    ahead, back = near.forward(one), near.adjoint(other)
    assert abs(float((ahead * other).sum() - (one * back).sum())) < 1e-9


def test_the_mean_kernel_counts_cells_as_far_as_they_reach(field):
    near = NearSystem.of(field, SIZE)
    # Hann windows of two rows share alike; of three columns the middle one has half of the frame.
    mean = field.kernels.mean(0)[:, 0] * torch.tensor([1, 1, 1])[:, None, None] / 3
    torch.testing.assert_close(near.mean.spectrum[0], UniformSystem.of(mean.sum(0), SIZE).spectrum)
    assert 0 < near.spread < 0.1


def test_solutions_about_better_and_better_estimates_are_those_of_the_field(field):
    near = NearSystem.of(field, SIZE)
    observed, prior, estimate = images(3)
    penalty = 0.05 * gradient_power(SIZE, observed) + 0.01
    assert float(near.trust.min()) == 1
    for _ in range(60):
        projected = near.project(observed, estimate, near.forward(estimate))
        estimate = near.solve(projected, penalty, 2.0, prior, estimate)
    penalised = torch.fft.irfft2(torch.fft.rfft2(estimate) * penalty, s=SIZE)
    left = near.mean.adjoint(observed - near.forward(estimate))
    assert float((left + 2 * prior - 2 * penalised).abs().max()) < 1e-9


def test_what_the_mean_kernel_removes_is_not_blown_up():
    disks = Field.of([[kernels.disk(radius=4), kernels.disk(radius=7)]]).to(torch.float64)
    near = NearSystem.of(disks, SIZE)
    observed, estimate = images(2)
    even = torch.ones_like(near.power)
    for _ in range(40):
        projected = near.project(observed, estimate, near.forward(estimate))
        estimate = near.solve(projected, even, 1 / 128, torch.zeros_like(estimate), estimate)
    assert float(near.trust.min()) < 1
    assert float(estimate.abs().max()) < 10


def test_a_field_that_varies_much_is_solved_as_what_it_is(field):
    wide = Field.of([[kernels.gaussian(0.5), kernels.disk(radius=6)]])
    assert isinstance(make_system(wide, SIZE, (0, 0), SIZE), FieldSystem)
    assert isinstance(make_system(field, SIZE, (0, 0), SIZE), NearSystem)


def test_sides_follow_the_change_from_cell_to_cell(field):
    assert near_side(field, (400, 600)) == pytest.approx(2 * near_side(field, (200, 300)), abs=2)
    slow, fast = (Field.of([[kernels.gaussian(0.8), kernels.gaussian(s)]]) for s in (1.2, 1.8))
    assert near_side(fast, (400, 400)) < near_side(slow, (400, 400)) <= 200
    assert near_side(Field.of([[kernels.gaussian(0.5), kernels.disk(radius=6)]]), (40, 40)) is None
    # Tiles that see four times what they give are not worth while.
    side = near_side(slow, (400, 400))
    assert near_side(slow, (400, 400), halo=side // 3) == side
    assert near_side(slow, (400, 400), halo=side // 3 + 1) is None


@pytest.mark.parametrize("kind", [UniformSystem, NearSystem, FieldSystem])
def test_a_good_guess_at_the_picture_spares_steps(field, kind):
    if kind is UniformSystem:
        system = UniformSystem.of(kernels.gaussian(1.1).pixels.double(), SIZE)
    else:
        system = kind.of(field, SIZE)
    scene = images(1)[0]
    known = torch.ones(1, 1, *SIZE, dtype=torch.bool)
    known[..., :8] = False
    observed = torch.where(known, system.forward(scene), torch.zeros(()).double())
    penalty = 1e-2 * gradient_power(SIZE, scene) + 1e-4
    goal = system.fit(observed, known, penalty, 200)
    guess = goal + 0.01 * images(1)[0]
    cold, warm = (system.fit(observed, known, penalty, 3, start) for start in (None, guess))
    assert float((warm - goal).norm()) < 0.3 * float((cold - goal).norm())


def test_the_mean_kernel_in_place_of_the_field_costs_hardly_anything(field, monkeypatch):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 1, 16, 16, generator=generator)
    sharp = torch.nn.functional.interpolate(coarse, scale_factor=8, mode="nearest")
    single = field.to(torch.float32)
    seen = single.operator((128, 128), "reflect").forward(sharp)
    seen = seen + 0.01 * torch.randn(seen.shape, generator=generator)
    quick = psnr(local_wiener(seen, single), sharp)
    monkeypatch.setattr("unblur.deconvolve.field_system._HARDLY_FAR", 0.0)
    slow = psnr(local_wiener(seen, single), sharp)
    assert quick > slow - 0.2
    assert quick > psnr(seen, sharp) + 3
