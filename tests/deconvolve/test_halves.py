"""Colour at half the resolution."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d

from unblur.blur import Field, kernels
from unblur.deconvolve import local_wiener
from unblur.deconvolve.halves import double, halve, halve_kernel


def psnr(image: Tensor, truth: Tensor) -> float:
    return float(-10 * torch.log10((image - truth)[..., 8:-8, 8:-8].square().mean()))


def blurred(image: Tensor, kernel: Tensor) -> Tensor:
    planes = conv2d(image.transpose(0, 1), kernel.flip(-2, -1)[None, None], padding="same")
    return planes.transpose(0, 1)


def test_a_halved_kernel_blurs_what_is_halved() -> None:
    """Of a picture without detail finer than four pixels, both ways lead to the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 40, 48, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic")
    kernel = kernels.shake(size=21, seed=3).pixels
    whole = halve(blurred(smooth, kernel))
    half_kernel = halve_kernel(kernel)
    assert isinstance(half_kernel, Tensor)
    half = blurred(halve(smooth), half_kernel)
    inside = (..., slice(12, -12), slice(12, -12))
    error = (half - whole)[inside].square().mean().sqrt()
    assert float(error) < 0.02 * float(whole[inside].std())
    assert float(half_kernel.sum()) == pytest.approx(1, abs=1e-6)


def test_each_kernel_of_a_field_is_halved() -> None:
    one, other = (kernels.shake(size=9, seed=seed).pixels for seed in (1, 2))
    field = Field(torch.stack([one, other])[None, :, None])
    halved = halve_kernel(field)
    assert isinstance(halved, Field)
    torch.testing.assert_close(halved.kernels[0, 1, 0], halve_kernel(other))


@pytest.mark.parametrize("size", [(7, 10), (8, 9), (1, 1)])
def test_any_size(size: tuple[int, int]) -> None:
    image = torch.full((1, 2, *size), 0.25)
    assert halve(image).shape[-2:] == (-(-size[0] // 2), -(-size[1] // 2))
    torch.testing.assert_close(double(halve(image), size), image)


def test_coarse_colour_of_a_jpeg_loses_nothing(photograph: np.ndarray) -> None:
    sharp = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None] / 255
    kernel = kernels.shake(size=9, seed=5).pixels
    noise = 0.01 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(1))
    seen = ((blurred(sharp, kernel) + noise).clamp(0, 1) * 255).round().to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(seen[0].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=95, subsampling=2)
    stored = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None] / 255
    fine, coarse = (
        local_wiener(stored, kernel, noise_std=0.0104, coarse_colour=flag) for flag in (False, True)
    )
    assert psnr(coarse, sharp) > psnr(stored, sharp) + 2
    assert psnr(coarse, sharp) > psnr(fine, sharp) - 0.1


def test_the_light_is_the_same(photograph: np.ndarray) -> None:
    """Only colour is coarse: the sum of the channels does not change."""
    image = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None, :, :61, :83] / 255
    kernel = kernels.disk(radius=2).pixels
    fine, coarse = (
        local_wiener(image, kernel, noise_std=0.01, coarse_colour=flag) for flag in (False, True)
    )
    torch.testing.assert_close(coarse.sum(1), fine.sum(1), atol=1e-5, rtol=0)
    assert float((coarse - fine).abs().max()) > 1e-3
