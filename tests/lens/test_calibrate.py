"""A lens measured, against the lens that was used; and pairs that cannot work."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from unblur.blur import Field, kernels
from unblur.errors import InputError, ParameterError
from unblur.lens import LensProfile, calibrate
from unblur.metrics import kernel_similarity
from unblur.photo import Photo

Make = Callable[[np.ndarray], Photo]


def similarity(found: Field, true: Field) -> float:
    cells = zip(found.kernels.flatten(0, 2), true.kernels.flatten(0, 2), strict=True)
    return float(np.mean([kernel_similarity(a, b) for a, b in cells]))


def test_the_kernels_are_those_of_the_lens(profile: LensProfile, pair: Any) -> None:
    assert profile.field.grid == (2, 3)
    assert profile.field.kernel_size == (13, 13)
    assert similarity(profile.field, pair.field) > 0.9
    sums = profile.field.kernels.sum((-2, -1))
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert float(profile.field.kernels.min()) >= 0
    assert profile.frame == (240, 360)


def test_movement_and_exposure_are_found(profile: LensProfile) -> None:
    found = profile.measured["pairs"][0]
    # The scene was shifted down by 1.5, to the left by 2.5: it is looked up there.
    assert found["shift"] == pytest.approx([1.5, -2.5], abs=0.1)
    assert found["degrees"] == pytest.approx(0, abs=0.05)
    assert profile.measured["gain"] == pytest.approx([1.1] * 3, rel=0.05)


def test_lateral_colour_is_in_the_kernels(profile: LensProfile) -> None:
    steps = torch.arange(13.0) - 6
    across = profile.field.kernels.sum(-2) @ steps
    lateral = (across[..., 0] - across[..., 2]).mean(0)
    # Red was moved by -1, 0, 1 and blue by 1, 0, -1.
    np.testing.assert_allclose(lateral, [-2, 0, 2], atol=0.5)


def test_cells_without_texture_borrow_and_say_so(
    pair: Any, scene: np.ndarray, photo_of: Make
) -> None:
    flat = scene.copy()
    flat[:, :200] = 0.5
    image = torch.from_numpy(flat.astype(np.float32)).permute(2, 0, 1)[None]
    uniform = Field.uniform(kernels.gaussian(1.2))
    blurred = uniform.operator((240, 360), "reflect").forward(image)[0].permute(1, 2, 0).numpy()
    rng = np.random.default_rng(3)
    photos = [photo_of(each + 0.005 * rng.normal(size=each.shape)) for each in (flat, blurred)]
    found = calibrate([(photos[0], photos[1])], grid=(2, 3), kernel_size=13)
    assert float(found.confidence[:, 0].max()) < 0.5
    assert float(found.confidence[:, 2].min()) > 0.8
    empty, seen = found.field.kernels[0, 0, 1], found.field.kernels[0, 1, 1]
    assert kernel_similarity(empty, seen) > 0.8


def test_edges_of_one_direction_are_not_trusted(scene: np.ndarray, photo_of: Make) -> None:
    half = scene.copy()
    rng = np.random.default_rng(5)
    half[:, :180] = gaussian_filter(rng.uniform(0.1, 0.8, 180), 0.7)[:, None]
    blurred = gaussian_filter(half, (1.5, 1.5, 0))
    photos = [photo_of(each + 0.005 * rng.normal(size=each.shape)) for each in (half, blurred)]
    found = calibrate([(photos[0], photos[1])], grid=(1, 3), kernel_size=13)
    assert float(found.confidence[0, 0]) < 0.4
    assert float(found.confidence[0, 2]) > 0.8


def test_several_pairs_are_better_than_one(
    profile: LensProfile, pair: Any, scene: np.ndarray, lens_field: Field, take: Callable[..., Any]
) -> None:
    other = take(np.ascontiguousarray(scene[::-1, ::-1]), lens_field, seed=7)
    pairs = [(each.sharp, each.blurred) for each in (pair, other)]
    both = calibrate(pairs, grid=(2, 3), kernel_size=13)
    assert len(both.measured["pairs"]) == 2
    assert similarity(both.field, lens_field) > similarity(profile.field, lens_field)


def test_the_kernel_size_is_found(pair: Any) -> None:
    found = calibrate([(pair.sharp, pair.blurred)], grid=(1, 1))
    assert found.field.kernel_size == (25, 25)


def test_another_scene_gets_a_verdict(pair: Any, photo_of: Make) -> None:
    other = data.coffee()[100:340, 100:460] / 255
    with pytest.raises(InputError, match="same scene"):
        calibrate([(photo_of(other), pair.blurred)], grid=(1, 1), kernel_size=13)


def test_no_texture_gets_a_verdict(photo_of: Make) -> None:
    y, x = np.mgrid[:240, :360] / 360
    smooth = (0.3 + 0.3 * np.sin(4 * x) * np.cos(3 * y))[..., None].repeat(3, -1)
    rng = np.random.default_rng(0)
    photos = [photo_of(smooth + 0.01 * rng.normal(size=smooth.shape)) for _ in range(2)]
    with pytest.raises(InputError, match=r"same scene|too little texture"):
        calibrate([(photos[0], photos[1])], grid=(1, 1), kernel_size=13)


def test_a_smooth_scene_gets_a_verdict(photo_of: Make) -> None:
    y, x = np.mgrid[:240, :360] / 360
    smooth = (0.3 + 0.3 * np.sin(4 * x) * np.cos(3 * y))[..., None].repeat(3, -1)
    rng = np.random.default_rng(0)
    for base in (smooth, np.full_like(smooth, 0.5)):
        for noise in (0.0, 0.01):
            photos = [photo_of(base + noise * rng.normal(size=base.shape)) for _ in range(2)]
            with pytest.raises(InputError, match="too little texture: only 0 %"):
                calibrate([(photos[0], photos[1])])


def test_a_pair_without_blur_gets_a_verdict(pair: Any, scene: np.ndarray, photo_of: Make) -> None:
    rng = np.random.default_rng(1)
    again = photo_of(scene + 0.005 * rng.normal(size=scene.shape))
    for photos in ((pair.blurred, pair.sharp), (pair.sharp, pair.sharp), (pair.sharp, again)):
        with pytest.raises(InputError, match=r"shows no blur.*are the files swapped"):
            calibrate([photos], grid=(1, 1), kernel_size=13)
    # A little is enough.
    soft = photo_of(gaussian_filter(scene, (0.5, 0.5, 0)))
    assert calibrate([(photo_of(scene), soft)], grid=(1, 1), kernel_size=13).field.grid == (1, 1)


def test_a_saturated_pair_gets_a_verdict(pair: Any) -> None:
    samples = (pair.blurred.samples.int() * 4).clamp(max=65535).to(torch.uint16)
    bright = replace(pair.blurred, samples=samples)
    with pytest.raises(InputError, match="saturated"):
        calibrate([(pair.sharp, bright)], grid=(1, 1), kernel_size=13)


def test_parallax_gets_a_verdict(scene: np.ndarray, photo_of: Make) -> None:
    moved = scene.copy()
    for top in range(0, 240, 80):
        for left in range(0, 360, 90):
            step = 6 if (top // 80 + left // 90) % 2 else -6
            block = np.roll(scene, step, 1)[top : top + 80, left : left + 90]
            moved[top : top + 80, left : left + 90] = block
    blurred = gaussian_filter(scene, (1.0, 1.0, 0))
    with pytest.raises(InputError, match=r"parallax|same scene"):
        calibrate([(photo_of(moved), photo_of(blurred))], grid=(1, 1), kernel_size=13)


def test_a_blur_beyond_the_kernel_gets_a_verdict(scene: np.ndarray, photo_of: Make) -> None:
    blurred = gaussian_filter(scene, (5.0, 5.0, 0))
    with pytest.raises(InputError, match="larger than kernels of 9"):
        calibrate([(photo_of(scene), photo_of(blurred))], grid=(1, 1), kernel_size=9)


def test_arguments_are_checked(pair: Any) -> None:
    pairs = [(pair.sharp, pair.blurred)]
    with pytest.raises(ParameterError, match="at least one"):
        calibrate([])
    with pytest.raises(ParameterError, match="grid must be"):
        calibrate(pairs, grid=(0, 3))
    with pytest.raises(ParameterError, match="too small for kernels"):
        calibrate(pairs, grid=(9, 12), kernel_size=25)
    with pytest.raises(ParameterError, match="kernel_size"):
        calibrate(pairs, kernel_size=12)
    small = replace(pair.sharp, samples=pair.sharp.samples[..., :200])
    with pytest.raises(InputError, match="one size"):
        calibrate([(small, pair.blurred)])


def test_what_the_kernels_cannot_explain_is_told_apart_from_noise(
    profile: LensProfile, pair: Any, scene: np.ndarray, photo_of: Make
) -> None:
    # 0.5 % of noise, and nothing else, lies between the pair.
    assert profile.unexplained < 0.004
    # The middle third is closer, and out of focus in another way: no kernel of one cell fits both.
    blurred = gaussian_filter(scene, (1.0, 1.0, 0))
    blurred[80:160] = gaussian_filter(scene, (2.0, 2.0, 0))[80:160]
    rng = np.random.default_rng(2)
    photos = [photo_of(each + 0.005 * rng.normal(size=each.shape)) for each in (scene, blurred)]
    mixed = calibrate([(photos[0], photos[1])], grid=(1, 1), kernel_size=25)
    assert mixed.unexplained > 2 * profile.unexplained
    for found in ("much", [None, "0.1"], {}, 3):
        assert replace(profile, measured={"unexplained": found}).unexplained == 0
    assert replace(profile, measured={"unexplained": [9.0]}).unexplained == 0.05


@pytest.mark.parametrize("power", [0.45, 0.7, 1.4, 2.2])
def test_a_tone_curve_between_the_two_gets_a_verdict(
    scene: np.ndarray, photo_of: Make, power: float
) -> None:
    blurred = gaussian_filter(scene, (1.2, 1.2, 0)) ** power
    with pytest.raises(InputError, match="tone curves of sharp and blurred differ"):
        calibrate([(photo_of(scene), photo_of(blurred))], grid=(1, 1), kernel_size=13)


@pytest.mark.parametrize("exposure", [0.5, 1.3])
def test_exposure_and_vignetting_are_no_tone_curve(
    scene: np.ndarray, photo_of: Make, exposure: float
) -> None:
    y, x = np.mgrid[-1:1:240j, -1:1:360j]
    shaded = (
        gaussian_filter(scene, (1.2, 1.2, 0)) * exposure * (1 - 0.15 * (x**2 + y**2))[..., None]
    )
    found = calibrate(
        [(photo_of(scene * 0.7), photo_of(shaded * 0.7))], grid=(1, 1), kernel_size=13
    )
    # Between a seventh less in the middle of the sides and a third in the corners.
    assert found.measured["gain"][1] == pytest.approx(exposure * 0.9, rel=0.07)


def test_few_cells_are_said_where_they_were_not_asked_for(pair: Any, profile: LensProfile) -> None:
    found = calibrate([(pair.sharp, pair.blurred)], kernel_size=25)
    assert found.field.grid == (1, 1)
    (warning,) = found.measured["warnings"]
    assert "360 x 240 pixels give only one cell" in warning
    assert "larger pictures give more, one for each 333 pixels" in warning
    assert profile.measured["warnings"] == []  # 2 x 3, as was asked for
