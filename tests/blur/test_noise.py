import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unblur.blur import (
    Convolution,
    add_noise,
    add_poisson_gaussian,
    estimate_noise,
    jpeg,
    kernels,
)
from unblur.blur.noise_level import estimate_coarse_noise, noise_where_removed
from unblur.errors import InputError, NonFiniteInput, ParameterError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def scene(size=160, channels=3, seed=0):
    """Smooth shapes with sharp edges and a textured corner, in [0.1, 0.9]."""
    rng = np.random.default_rng(seed)
    smooth = scipy.ndimage.gaussian_filter(rng.standard_normal((channels, size, size)), (0, 12, 12))
    steps = scipy.ndimage.gaussian_filter(rng.standard_normal((size, size)), 9) > 0
    values = smooth / np.abs(smooth).max() * 0.25 + 0.3 * steps + 0.35
    values[:, : size // 3, : size // 3] += 0.1 * rng.uniform(-1, 1, (size // 3, size // 3))
    return torch.from_numpy(values.clip(0.1, 0.9)).float()[None]


@given(st.floats(0.002, 0.06), st.integers(0, 20))
@settings(max_examples=12)
def test_the_estimate_recovers_white_noise(std, seed):
    noisy = add_noise(scene(seed=seed), std, seeded(seed))
    assert float(estimate_noise(noisy)) == pytest.approx(std, rel=0.12)


@pytest.mark.parametrize("std", [0.002, 0.01, 0.05])
@pytest.mark.parametrize("kernel", [kernels.gaussian(2), kernels.motion(15, 30), kernels.disk(4)])
def test_blur_does_not_mislead_the_estimate(std, kernel):
    blurred = Convolution.of(kernel.pixels, (160, 160), "reflect").forward(scene())
    noisy = add_noise(blurred, std, seeded())
    assert float(estimate_noise(noisy)) == pytest.approx(std, rel=0.1)


def test_a_smooth_picture_without_noise_has_next_to_none():
    blurred = Convolution.of(kernels.gaussian(3).pixels, (160, 160), "reflect").forward(scene())
    assert 0 <= float(estimate_noise(blurred)) < 1e-4
    eight_bit = (blurred * 255).round() / 255
    assert float(estimate_noise(eight_bit)) < 1.5 / 255


def test_eight_bits_hide_no_more_than_their_own_rounding():
    noisy = add_noise(scene(), 0.01, seeded())
    eight_bit = (noisy * 255).round() / 255
    assert float(estimate_noise(eight_bit)) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_picture_has_no_noise(level):
    assert float(estimate_noise(torch.full((1, 3, 64, 64), level))) < 1e-6


def test_flat_and_clipped_regions_are_left_out():
    noisy = add_noise(scene(256), 0.03, seeded())
    flat = noisy.clone()
    flat[..., :160, :] = 0.4
    assert float(estimate_noise(flat)) == pytest.approx(0.03, rel=0.12)
    clipped = noisy.clone()
    clipped[..., :160, :] = add_noise(torch.full((1, 3, 160, 256), 1.0), 0.03, seeded(1))
    clipped = clipped.clamp(0, 1)
    assert float(estimate_noise(clipped)) == pytest.approx(0.03, rel=0.12)
    all_clipped = add_noise(torch.ones(1, 1, 64, 64), 0.03, seeded()).clamp(0, 1)
    assert 0 < float(estimate_noise(all_clipped)) < 0.04


def test_every_picture_of_a_batch_has_its_own_estimate():
    batch = torch.cat([add_noise(scene(), std, seeded()) for std in (0.01, 0.04)])
    before = batch.clone()
    found = estimate_noise(batch)
    assert found.shape == (2,)
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([0.01, 0.04], rel=0.12)
    assert torch.equal(found[1:], estimate_noise(batch[1:]))
    assert torch.equal(batch, before)


def test_channels_are_joined_by_their_variance():
    grey = torch.full((1, 3, 200, 200), 0.5)
    grey[:, 0] = add_noise(grey[:, :1], 0.03, seeded())[:, 0]
    assert float(estimate_noise(grey)) == pytest.approx(0.03 / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (4, 4), (5, 40), (8, 8), (9, 13)])
def test_small_pictures_give_a_number(size):
    noisy = add_noise(torch.full((1, 1, *size), 0.5), 0.02, seeded())
    found = float(estimate_noise(noisy))
    assert 0 <= found < 0.06
    assert found > 0 or min(size) < 4


def test_large_pictures_are_sampled():
    noisy = add_noise(torch.full((1, 1, 1500, 1800), 0.5), 0.02, seeded())
    assert float(estimate_noise(noisy)) == pytest.approx(0.02, rel=0.05)


def test_noise_is_what_was_asked_for_and_follows_its_seed():
    image = scene()
    before = image.clone()
    noisy = add_noise(image, 0.05, seeded(4))
    difference = noisy - image
    assert float(difference.std()) == pytest.approx(0.05, rel=0.02)
    assert abs(float(difference.mean())) < 1e-3
    assert torch.equal(noisy, add_noise(image, 0.05, seeded(4)))
    assert not torch.equal(noisy, add_noise(image, 0.05, seeded(5)))
    assert torch.equal(add_noise(image, 0.0), image)
    assert torch.equal(image, before)
    assert add_noise(image.double(), 0.1).dtype == torch.float64


@pytest.mark.parametrize(
    ("gain", "read_std"), [(0.01, 0.0), (0.004, 0.03), (0.0, 0.02), (0.0, 0.0)]
)
@pytest.mark.parametrize("level", [0.1, 0.6, 2.0])
def test_shot_noise_grows_with_the_light(gain, read_std, level):
    image = torch.full((1, 1, 300, 300), level)
    noisy = add_poisson_gaussian(image, gain, read_std, seeded(2))
    assert float(noisy.mean()) == pytest.approx(level, rel=0.01)
    assert float(noisy.var()) == pytest.approx(gain * level + read_std**2, rel=0.03, abs=1e-9)
    assert torch.equal(noisy, add_poisson_gaussian(image, gain, read_std, seeded(2)))


def test_negative_light_counts_as_none():
    noisy = add_poisson_gaussian(torch.full((1, 1, 9, 9), -1.0), 0.1, 0.0, seeded())
    assert noisy.eq(0).all()


def test_jpeg_loses_more_at_lower_quality_and_keeps_shape():
    image = torch.cat((scene(), scene(seed=1)))
    before = image.clone()
    errors = [float((jpeg(image, quality) - image).square().mean()) for quality in (100, 80, 20)]
    assert errors[0] < 1e-4
    assert errors[0] < errors[1] < errors[2]
    for channels in (1, 3):
        found = jpeg(image[:, :channels], 90)
        assert found.shape == (2, channels, 160, 160)
        assert found.dtype == image.dtype
    assert torch.equal(jpeg(image, 50), jpeg(image, 50))
    assert torch.equal(jpeg(image, 50)[1:], jpeg(image[1:], 50))
    assert torch.equal(image, before)
    assert 0 <= float(jpeg(image * 3 - 1, 90).min()) <= float(jpeg(image * 3 - 1, 90).max()) <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: add_noise(image, -1), "std must be a number from 0"),
        (lambda image: add_noise(image, float("nan")), "std .*got nan"),
        (lambda image: add_poisson_gaussian(image, -1, 0), "gain must be a number"),
        (lambda image: add_poisson_gaussian(image, 1, "a"), "read_std must be a number .*'a'"),
        (lambda image: jpeg(image, 0), "quality must be a whole number from 1 to 100; got 0"),
        (lambda image: jpeg(image, 90.5), r"quality .*got 90.5"),
    ],
)
def test_a_wrong_parameter_is_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make(torch.full((1, 1, 8, 8), 0.5))


@pytest.mark.parametrize(
    "function",
    [
        estimate_noise,
        lambda image: jpeg(image, 90),
        lambda image: add_noise(image, 0.1),
        lambda image: add_poisson_gaussian(image, 0.1, 0.1),
    ],
)
def test_wrong_pictures_are_refused(function):
    with pytest.raises(InputError, match=r"got torch.float32 of shape \(3, 8, 8\)"):
        function(torch.ones(3, 8, 8))
    with pytest.raises(InputError, match=r"got torch.uint8"):
        function(torch.ones(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(InputError, match="got ndarray"):
        function(np.ones((1, 3, 8, 8)))
    with pytest.raises(InputError, match="image holds no pixels"):
        function(torch.ones(1, 3, 0, 8))
    with pytest.raises(NonFiniteInput, match="image holds NaN or infinity"):
        function(torch.full((1, 3, 8, 8), float("nan")))


def test_jpeg_needs_grey_or_colour():
    with pytest.raises(InputError, match="1 or 3 channels for JPEG; got 2"):
        jpeg(torch.ones(1, 2, 8, 8), 90)


@pytest.mark.shared
@pytest.mark.parametrize("std", [0.005, 0.02, 0.05])
def test_noise_in_photographs_is_recovered(shared, std):
    import imageio.v3 as iio

    for path in sorted((shared / "data" / "train" / "cid22").glob("*.jpg"))[::70]:
        image = torch.from_numpy(iio.imread(path)).permute(2, 0, 1)[None].float() / 255
        noisy = add_noise(image, std, seeded()).clamp(0, 1)
        assert float(estimate_noise(noisy)) == pytest.approx(std, rel=0.15), path.name


@pytest.mark.parametrize("std", [0.002, 0.01, 0.03])
def test_noise_shows_where_the_blur_removes_the_picture(std):
    kernel = kernels.disk(radius=6).pixels
    blurred = Convolution.of(kernel, (160, 160), "reflect").forward(scene())
    noisy = add_noise(blurred, std, seeded())
    assert noise_where_removed(noisy, kernel) == pytest.approx(std, rel=0.15)
    assert noise_where_removed(noisy, torch.stack([kernel, kernel])) == pytest.approx(std, rel=0.15)


def test_a_blur_that_removes_nothing_shows_no_noise():
    assert noise_where_removed(scene(), torch.ones(1, 1)) is None
    assert noise_where_removed(scene(size=127), kernels.disk(radius=6).pixels) is None
    assert noise_where_removed(scene(size=128), torch.ones(129, 129) / 129**2) is None


@pytest.mark.parametrize("std", [0.003, 0.02])
def test_white_noise_is_as_coarse_as_fine(std):
    blurred = Convolution.of(kernels.disk(4).pixels, (160, 160), "reflect").forward(scene())
    noisy = add_noise(blurred, std, seeded())
    assert float(estimate_coarse_noise(noisy)) == pytest.approx(std, rel=0.25)


def test_smoothed_noise_is_coarser_than_it_looks():
    rng = np.random.default_rng(0)
    noise = scipy.ndimage.gaussian_filter(rng.standard_normal((3, 160, 160)), (0, 1, 1)) * 0.04
    noisy = torch.from_numpy(0.5 + noise).float()[None]
    assert float(estimate_coarse_noise(noisy)) > 2 * float(estimate_noise(noisy))


def test_coarse_noise_of_small_and_flat_pictures_is_none():
    assert float(estimate_coarse_noise(torch.rand(1, 3, 7, 40))) == 0
    assert float(estimate_coarse_noise(torch.full((1, 1, 32, 32), 0.5))) < 1e-6
