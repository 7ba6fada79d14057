"""What candidates are looked at through, and what they are chosen by."""

import numpy as np
import pytest
import torch
from skimage import data

from unblur.blind.descent import Pace, refine
from unblur.blind.projection import project
from unblur.blind.settings import Settings
from unblur.blind.spectrum import spectral_agreement
from unblur.blur import Convolution, Kernel, kernels
from unblur.metrics import kernel_similarity


@pytest.fixture(scope="module")
def sharp() -> torch.Tensor:
    return torch.from_numpy(data.camera()[80:400, 80:400] / 255).float()


def shaken(sharp: torch.Tensor, kernel: Kernel, noise: float) -> torch.Tensor:
    size = (sharp.shape[0], sharp.shape[1])
    blurred = Convolution.of(kernel.pixels, size, "reflect").forward(sharp[None, None])[0, 0]
    generator = torch.Generator().manual_seed(3)
    return blurred + noise * torch.randn(sharp.shape, generator=generator)


def test_edges_between_colours_of_one_lightness_are_seen() -> None:
    picture = torch.zeros(1, 3, 16, 20)
    picture[:, 0, :, :10], picture[:, 2, :, 10:] = 0.6, 0.6
    plane, factor = project(picture)
    assert float(picture.mean(1).std()) < 1e-6
    step = float((plane[:, 10] - plane[:, 9]).abs().min())
    # The gradient (-0.6, 0, 0.6) has length 0.6 sqrt(2), and the plane is scaled by 1 / sqrt(3).
    assert step == pytest.approx(0.6 * 2**0.5 / 3**0.5, abs=1e-5)
    assert factor == pytest.approx(3**-0.5)


def test_noise_keeps_the_strength_that_the_factor_says() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(1, 3, 200, 200, generator=generator)
    slope = (
        torch.linspace(0, 40, 200).expand(1, 3, 200, 200)
        * torch.tensor([1, 0.2, -0.7])[None, :, None, None]
    )
    plane, factor = project(slope + noise)
    rest = plane - project(slope)[0]
    assert float(rest.std()) == pytest.approx(0.1 * factor, rel=0.05)


def test_a_grey_picture_is_its_own_projection() -> None:
    picture = torch.rand(1, 1, 9, 7)
    plane, factor = project(picture)
    assert torch.equal(plane, picture[0, 0])
    assert factor == 1


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_the_spectrum_knows_the_kernel(sharp: torch.Tensor, seed: int) -> None:
    true, other = (kernels.shake(size=21, seed=number) for number in (seed, seed + 10))
    seen = shaken(sharp, true, 0.005)
    agreements = [spectral_agreement(seen, one.pixels) for one in (true, other)]
    assert agreements[0] > 0.5
    assert agreements[0] > agreements[1] + 0.15


def test_the_spectrum_of_too_small_a_picture_says_nothing(sharp: torch.Tensor) -> None:
    assert spectral_agreement(sharp[:60, :200], kernels.disk(radius=3).pixels) == 0
    assert spectral_agreement(sharp, torch.ones(151, 151) / 151**2) == 0


@pytest.mark.parametrize("fresh", [1, 4])
def test_refinement_improves_a_kernel_of_half_the_size(sharp: torch.Tensor, fresh: int) -> None:
    true = kernels.shake(size=19, seed=4)
    seen = shaken(sharp, true, 0.003)
    rough = true.resize(0.5)
    before = kernel_similarity(rough.resize(2.0), true)
    found = refine(seen, rough.pixels, 2.0, Settings(), Pace(10.0, 1.0, 1.0, 8, fresh))
    assert kernel_similarity(found, true) > before + 0.02
    np.testing.assert_allclose(float(found.sum()), 1, atol=1e-5)
    assert found.shape[0] == found.shape[1] <= 65
