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


def test_saturation_is_spread_and_then_clipped() -> None:
    """White is 8 times white: a ninth of it is 8/9, and the light of two points is cut at 1."""
    image = np.zeros((21, 31))
    image[10, 8] = image[10, 20] = image[10, 21] = 1.0
    found = unblur.blur(image, np.ones((3, 3)), saturation=8)
    assert found[9, 7] == pytest.approx(8 / 9, abs=1e-5)
    assert found[10, 20] == 1.0
    assert found[5, 5] == pytest.approx(0, abs=1e-6)


def test_photons_give_shot_noise() -> None:
    image = np.full((300, 300), 0.25)
    found = unblur.blur(image, [[1.0]], photons=400, seed=3)
    # Of 100 photons, 10: a standard deviation of a tenth of the light.
    assert (found - image).std() == pytest.approx(0.025, rel=0.02)
    assert found.mean() == pytest.approx(0.25, abs=3e-4)
    np.testing.assert_array_equal(found, unblur.blur(image, [[1.0]], photons=400, seed=3))
    assert np.abs(found * 400 - np.round(found * 400)).max() < 1e-3


def test_a_tone_curve_is_undone_and_redone(photograph: np.ndarray) -> None:
    for image in (photograph, Image.fromarray(photograph)):
        found = unblur.blur(image, [[1.0]], contrast=1.8)
        assert np.abs(np.asarray(found).astype(int) - photograph).max() <= 1


def test_a_steep_tone_curve_changes_what_the_blur_makes_of_an_edge() -> None:
    """The light of half black and half white is 1/2; slope 2 there, but the curve keeps 1/2."""
    image = np.zeros((20, 40))
    image[:, 10:20] = 0.25
    found = unblur.blur(image, np.ones((1, 3)), contrast=2)
    # 0.25 is the value of light y with y / (2 - 2 y) = 0.25: 1/3. A third of it, 1/9, has the value
    # (1/9) / (2 - 2/9) = 1/16, and two thirds, 2/9, (2/9) / (2 - 4/9) = 1/7.
    assert found[10, 9] == pytest.approx(1 / 16, abs=1e-5)
    assert found[10, 10] == pytest.approx(1 / 7, abs=1e-5)


def test_compression_is_that_of_the_library(photograph: np.ndarray) -> None:
    from unblur.blur import jpeg

    tensor = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None]
    found = unblur.blur(tensor, [[1.0]], compression=40)
    assert torch.equal(found, (jpeg(tensor / 255, 40) * 255).round().byte())


def test_defocus_by_depth_is_taken(photograph: np.ndarray) -> None:
    from unblur.blur import Defocus

    image = (photograph / 255).astype(np.float32)
    flat = unblur.blur(image, Defocus.of(torch.ones(2, 2), 3.0, focus=0.0))
    np.testing.assert_allclose(flat, unblur.blur(image, kernels.disk(3.0)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("saturation", 0.5),
        ("saturation", "much"),
        ("photons", 0),
        ("photons", float("nan")),
        ("contrast", 0),
        ("contrast", 11),
        ("compression", 0),
        ("compression", 101),
        ("compression", 50.5),
    ],
)
def test_what_the_camera_cannot_do_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=name):
        unblur.blur(np.zeros((4, 4)), [[1.0]], **{name: value})
