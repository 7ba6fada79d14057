"""Blurring pictures on purpose."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import convolve

import unblur
from unblur.blur import Field, Kernel, kernels
from unblur.errors import KernelError, ParameterError


def test_a_blur_is_a_convolution_of_the_mirrored_picture(photograph: np.ndarray) -> None:
    image = (photograph[..., 0] / 255).astype(np.float64)
    kernel = kernels.shake(size=9, seed=2)
    wanted = convolve(image, kernel.pixels.double().numpy(), mode="mirror")
    reflected = convolve(image, kernel.pixels.double().numpy(), mode="reflect")
    found = unblur.blur(image, kernel)
    np.testing.assert_allclose(found[5:-5, 5:-5], wanted[5:-5, 5:-5], atol=1e-5)
    nearest = min(np.abs(found - wanted).max(), np.abs(found - reflected).max())
    assert nearest < 1e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_the_type_is_kept(photograph: np.ndarray, dtype: type, channels: int) -> None:
    colour = np.dstack([photograph, np.full(photograph.shape[:2], 77, np.uint8)])
    image = colour[..., 0] if channels == 0 else colour[..., :channels]
    image = (
        (image / 255).astype(dtype) if dtype in (np.float32, np.float64) else image.astype(dtype)
    )
    before = image.copy()
    found = unblur.blur(image, kernels.gaussian(sigma=1.0), noise=0.01)
    assert (found.shape, found.dtype) == (image.shape, image.dtype)
    np.testing.assert_array_equal(image, before)
    if channels == 4:
        np.testing.assert_allclose(found[..., 3], image[..., 3], rtol=1e-7)


def test_pil_paths_and_tensors_are_taken_too(photograph: np.ndarray, png: Any) -> None:
    kernel = kernels.gaussian(sigma=1.0)
    from_pil = unblur.blur(Image.fromarray(photograph), kernel)
    assert isinstance(from_pil, Image.Image)
    from_path = unblur.blur(png, kernel)
    assert isinstance(from_path, unblur.Photo)
    np.testing.assert_array_equal(from_path.samples[0].permute(1, 2, 0), np.asarray(from_pil))
    tensor = torch.from_numpy(photograph.copy()).permute(2, 0, 1)
    assert unblur.blur(tensor, kernel).shape == tensor.shape


def test_the_kernel_of_one_point_changes_nothing(photograph: np.ndarray) -> None:
    for image in (photograph, photograph[..., 0], Image.fromarray(photograph)):
        found = unblur.blur(image, Kernel.identity())
        np.testing.assert_array_equal(np.asarray(found), np.asarray(image))


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_flat_picture_stays_flat(level: int) -> None:
    image = np.full((20, 30, 3), level, np.uint8)
    np.testing.assert_array_equal(unblur.blur(image, kernels.disk(radius=3)), image)


def test_light_is_blurred_not_its_encoding() -> None:
    """Half black, half white: in the middle stands half the light, which sRGB writes as 188."""
    image = np.zeros((20, 40), np.uint8)
    image[:, 20:] = 255
    kernel = np.ones((1, 21))
    assert abs(int(unblur.blur(image, kernel, encoding="srgb")[10, 20]) - 190) <= 4
    assert abs(int(unblur.blur(image, kernel, encoding="linear")[10, 20]) - 133) <= 4
    assert abs(int(np.asarray(unblur.blur(Image.fromarray(image), kernel))[10, 20]) - 190) <= 4


def test_noise_has_its_standard_deviation_and_follows_its_seed() -> None:
    image = np.full((128, 128), 0.5, np.float32)
    first, again, other = (unblur.blur(image, [[1.0]], noise=0.02, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99
    assert abs(first.std() - 0.02) < 0.001
    assert abs(first.mean() - 0.5) < 0.001


def test_pages_have_noise_of_their_own() -> None:
    pages = torch.full((2, 1, 32, 32), 0.5)
    found = unblur.blur(pages, [[1.0]], noise=0.02)
    assert not torch.equal(found[0], found[1])


def test_a_field_of_one_kernel_blurs_like_it(photograph: np.ndarray) -> None:
    kernel = kernels.motion(length=7, angle=20)
    image = (photograph / 255).astype(np.float32)
    one, field = unblur.blur(image, kernel), unblur.blur(image, Field.uniform(kernel))
    np.testing.assert_allclose(one, field, atol=1e-6)


@pytest.mark.parametrize("noise", [-0.1, 1.5, float("nan"), float("inf")])
def test_noise_out_of_range_is_refused(noise: float) -> None:
    with pytest.raises(ParameterError, match="noise must be a number from 0 to 1"):
        unblur.blur(np.zeros((4, 4)), [[1.0]], noise=noise)


@pytest.mark.parametrize("noise", ["much", None, [0.1]])
def test_noise_that_is_no_number_is_refused(noise: Any) -> None:
    with pytest.raises(ParameterError, match="noise must be"):
        unblur.blur(np.zeros((4, 4)), [[1.0]], noise=noise)


@pytest.mark.parametrize("seed", [-1, 1.5, "one", 2**70])
def test_a_seed_that_is_none_is_refused(seed: Any) -> None:
    with pytest.raises(ParameterError, match="seed"):
        unblur.blur(np.zeros((4, 4)), [[1.0]], noise=0.1, seed=seed)


def test_a_kernel_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(KernelError, match="larger than the picture"):
        unblur.blur(np.zeros((4, 9)), np.ones((5, 5)))
