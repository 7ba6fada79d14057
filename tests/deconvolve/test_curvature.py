"""Second differences as a prior, and borders that take many steps."""

import pytest
import torch
from skimage import data

from unblur.blur import Convolution, kernels
from unblur.deconvolve import splitting, tv
from unblur.deconvolve.curvature import flattened
from unblur.fourier import (
    adjoint_difference,
    adjoint_gradient,
    difference,
    gradient,
    gradient_power,
)
from unblur.metrics import psnr


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("axis", [-2, -1])
def test_the_adjoint_difference_is_the_adjoint(picture: torch.Tensor, axis: int) -> None:
    other = picture.flip(0, 1)
    torch.testing.assert_close(
        (difference(picture, axis) * other).sum(), (picture * adjoint_difference(other, axis)).sum()
    )


def test_without_a_threshold_it_is_the_operator_whose_spectrum_is_known(
    picture: torch.Tensor,
) -> None:
    size = (picture.shape[-2], picture.shape[-1])
    found = adjoint_gradient(*flattened(*gradient(picture), 0.0))
    spectrum = torch.fft.rfft2(picture) * gradient_power(size, picture) ** 2
    torch.testing.assert_close(found, torch.fft.irfft2(spectrum, s=size))


def test_what_bends_less_than_the_threshold_is_flat(picture: torch.Tensor) -> None:
    # The length of all second differences is at most 4 sqrt(1 + 1 + 2) for values in [0, 1].
    for part in flattened(*gradient(picture), 8.0):
        assert float(part.abs().max()) == 0


def test_gradients_are_not_touched(picture: torch.Tensor) -> None:
    slopes = gradient(picture)
    before = [each.clone() for each in slopes]
    flattened(*slopes, 0.1)
    assert all(torch.equal(now, then) for now, then in zip(slopes, before, strict=True))


def test_slopes_stay_slopes_where_total_variation_makes_steps() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 6, 96), torch.linspace(0, 6, 96), indexing="ij")
    smooth = (0.5 + 0.25 * torch.sin(y + 0.5 * x) + 0.2 * torch.cos(1.3 * x))[None, None]
    kernel = kernels.disk(radius=3).pixels
    noise = 0.02 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(0))
    blurred = Convolution.of(kernel, (96, 96), "reflect").forward(smooth) + noise
    plain, bent = (
        float(psnr(tv(blurred, kernel, regularization=0.002, curvature=c), smooth))
        for c in (0.0, 1.0)
    )
    assert bent > plain + 1


def test_a_large_kernel_in_a_small_picture_is_undone_up_to_the_border(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What conjugate gradients have not reached when they stop rings along the frame."""
    scene = torch.from_numpy(data.camera()[60:340, 120:400] / 255).float()[None, None]
    kernel = kernels.shake(size=25, seed=3).pixels
    radius = kernel.shape[-1] // 2
    blurred = torch.nn.functional.conv2d(scene, kernel.flip(-2, -1)[None, None])
    sharp = scene[..., radius:-radius, radius:-radius]

    def quality() -> float:
        return float(psnr(tv(blurred, kernel, noise_std=2e-3), sharp))

    enough = quality()
    monkeypatch.setattr(splitting, "_MOST_STEPS", 12)
    few = quality()
    assert enough > few + 0.3
