import numpy as np
import pytest
import scipy.io
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unblur import metrics
from unblur.blur import kernels
from unblur.errors import InputError, ParameterError


def textured(*shape, seed=0, smooth=1.0):
    """A picture-like tensor in [0, 1]."""
    values = np.random.default_rng(seed).standard_normal(shape)
    values = scipy.ndimage.gaussian_filter(values, (0, 0, smooth, smooth))
    values = (values - values.min()) / (values.max() - values.min())
    return torch.from_numpy(values)


def pair(channels=3, size=(40, 50), seed=0):
    target = textured(2, channels, *size, seed=seed)
    return target + 0.1 * (textured(2, channels, *size, seed=seed + 1) - 0.5), target


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
def test_psnr_agrees_with_scikit_image(channels, data_range):
    image, target = (data_range * values for values in pair(channels))
    found = metrics.psnr(image, target, data_range)
    for n in range(2):
        expected = peak_signal_noise_ratio(
            target[n].numpy(), image[n].numpy(), data_range=data_range
        )
        assert float(found[n]) == pytest.approx(expected, abs=1e-9)
    assert metrics.psnr(image.float(), target.float(), data_range).dtype == torch.float32


def test_equal_pictures_have_no_noise():
    image, _ = pair()
    assert torch.isinf(metrics.psnr(image, image)).all()
    assert torch.isinf(metrics.psnr_aligned(image, image, border=5)).all()
    assert torch.allclose(metrics.ssim(image, image), torch.ones(2, dtype=torch.float64))
    assert torch.allclose(metrics.ssim_matlab3d(image, image), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("data_range", [1.0, 255.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ssim_agrees_with_scikit_image(channels, data_range, dtype):
    image, target = ((data_range * values).to(dtype) for values in pair(channels))
    found = metrics.ssim(image, target, data_range)
    for n in range(2):
        expected = structural_similarity(
            image[n].double().numpy(),
            target[n].double().numpy(),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=data_range,
        )
        assert float(found[n]) == pytest.approx(expected, abs=1e-4)
    assert found.dtype == dtype


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_ssim_matlab3d_is_one_window_over_the_volume(channels):
    image, target = pair(channels, size=(18, 23))

    def mean(volume):
        return scipy.ndimage.gaussian_filter(volume, 1.5, mode="nearest", radius=5)

    for n, found in enumerate(metrics.ssim_matlab3d(image, target)):
        a, b = (values[n].permute(1, 2, 0).numpy() for values in (image, target))
        cross = 2 * (mean(a * b) - mean(a) * mean(b)) + 0.03**2
        spread = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2 + 0.03**2
        level = (2 * mean(a) * mean(b) + 0.01**2) / (mean(a) ** 2 + mean(b) ** 2 + 0.01**2)
        assert float(found) == pytest.approx((level * cross / spread).mean(), abs=1e-12)


def aligned_by_brute_force(image, target, max_shift, border, step):
    """Try every shift with the spline of SciPy; (shift, PSNR)."""
    count = round(max_shift / step)
    coefficients = scipy.ndimage.spline_filter(image, 3, mode="mirror")
    inner = (slice(border, -border),) * 2
    best = (-np.inf, 0, 0)
    for i in range(-count, count + 1):
        for j in range(-count, count + 1):
            moved = scipy.ndimage.shift(
                coefficients, (-i * step, -j * step), order=3, mode="mirror", prefilter=False
            )
            error = np.mean((moved[inner] - target[inner]) ** 2)
            best = max(best, (-10 * np.log10(error), i * step, j * step))
    return best


@pytest.mark.parametrize(
    ("shift", "step"),
    [((0, 0), 0.25), ((1.5, -0.75), 0.25), ((-2, 2), 0.25), ((0.5, 1.5), 0.5), ((3.3, -4), 1.0)],
)
def test_the_best_shift_agrees_with_brute_force(shift, step):
    target = textured(1, 1, 64, 60, seed=3)
    moved = scipy.ndimage.shift(target[0, 0].numpy(), shift, order=3, mode="mirror")
    image = torch.from_numpy(moved)[None, None] + 0.01 * (textured(1, 1, 64, 60, seed=4) - 0.5)
    max_shift = 2
    expected = aligned_by_brute_force(
        image[0, 0].numpy(), target[0, 0].numpy(), max_shift, 14, step
    )
    found = metrics.psnr_aligned(image, target, max_shift=max_shift, border=14, step=step)
    assert float(found) == pytest.approx(expected[0], abs=2e-3)


@given(st.integers(-9, 9), st.integers(-9, 9))
@settings(max_examples=15)
def test_a_whole_shift_is_undone_exactly(down, right):
    target = textured(1, 3, 70, 64, seed=5)
    found = metrics.psnr_aligned(target.roll((down, right), (2, 3)), target)
    assert float(found) > 200


def test_shifts_beyond_the_limit_and_between_the_steps_are_not_found():
    target = textured(1, 1, 80, 80, seed=6)
    assert float(metrics.psnr_aligned(target.roll(4, 2), target, max_shift=3)) < 60
    moved = scipy.ndimage.shift(target[0, 0].numpy(), 2.5, order=3, mode="mirror")
    image = torch.from_numpy(moved)[None, None]
    found = float(metrics.psnr_aligned(image, target, max_shift=3))
    assert float(metrics.psnr_aligned(image, target, max_shift=2)) < found - 5
    assert float(metrics.psnr_aligned(image, target, max_shift=3, step=1)) < found - 5


def test_without_shift_it_is_psnr_inside_the_border():
    image, target = pair()
    inner = (..., slice(7, -7), slice(7, -7))
    found = metrics.psnr_aligned(image, target, max_shift=0, border=7)
    assert torch.allclose(found, metrics.psnr(image[inner], target[inner]))
    scaled = metrics.psnr_aligned(255 * image, 255 * target, max_shift=0, border=7, data_range=255)
    assert torch.allclose(scaled, found)
    whole = metrics.psnr_aligned(image, target, max_shift=0, border=0)
    assert torch.allclose(whole, metrics.psnr(image, target))


def test_values_are_not_clipped():
    target = torch.ones(1, 1, 50, 50)
    assert float(metrics.psnr_aligned(target + 0.1, target)) == pytest.approx(20, abs=1e-4)


def test_each_picture_of_a_batch_has_its_own_shift():
    target = textured(1, 1, 64, 64, seed=8)
    batch = torch.cat((target.roll(2, 2), target.roll(-3, 3)))
    assert float(metrics.psnr_aligned(batch, target.expand(2, -1, -1, -1)).min()) > 200


def test_error_ratio_compares_squared_errors_each_at_its_best_shift():
    target = textured(1, 1, 64, 64, seed=9)
    noise = textured(1, 1, 64, 64, seed=10, smooth=0.3) - 0.5
    restored, reference = (target + 0.02 * noise).roll(3, 2), (target + 0.01 * noise).roll(-2, 3)
    assert float(metrics.error_ratio(restored, reference, target)) == pytest.approx(4, rel=0.02)


def test_kernel_similarity_ignores_shift_and_scale_and_size():
    kernel = kernels.shake(21, seed=1)
    moved = torch.zeros(40, 31)
    moved[11:32, 3:24] = 5 * kernel.pixels
    assert metrics.kernel_similarity(kernel, kernel) == pytest.approx(1)
    assert metrics.kernel_similarity(kernel, moved) == pytest.approx(1)
    assert metrics.kernel_similarity(moved.numpy(), kernel.pixels) == pytest.approx(1)


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_kernel_similarity_is_the_largest_correlation(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random((4, 7)), rng.random((5, 3))
    expected = scipy.signal.correlate2d(a, b).max() / np.linalg.norm(a) / np.linalg.norm(b)
    assert metrics.kernel_similarity(a, b) == pytest.approx(expected)
    assert metrics.kernel_similarity(b, a) == pytest.approx(expected)


@pytest.mark.parametrize(
    "metric", [metrics.psnr, metrics.ssim, metrics.ssim_matlab3d, metrics.psnr_aligned]
)
def test_unlike_pictures_are_refused(metric):
    good = torch.ones(1, 1, 50, 50)
    for image, target, message in (
        (good, torch.ones(1, 1, 50, 49), "image and target must have one shape"),
        (good[0], good[0], r"image must be a floating-point tensor .*shape \(1, 50, 50\)"),
        (good, good.byte(), "target must be a floating-point tensor .*uint8"),
        (good, None, "target must be .*NoneType"),
        (good[:0], good[:0], "image holds no pixels"),
    ):
        with pytest.raises(InputError, match=message):
            metric(image, target)
    for data_range in (0, -1, float("nan")):
        with pytest.raises(ParameterError, match="data_range must be a positive number"):
            metric(good, good, data_range=data_range)


def test_faults_of_parameters_are_named():
    image = torch.ones(1, 1, 30, 30)
    with pytest.raises(InputError, match="nothing is left of 30 x 30 pixels inside a border of 20"):
        metrics.psnr_aligned(image, image)
    with pytest.raises(ParameterError, match="max_shift must be a whole number of at least 0"):
        metrics.psnr_aligned(image, image, max_shift=-1)
    with pytest.raises(ParameterError, match=r"border must be a whole number .*got 1.5"):
        metrics.psnr_aligned(image, image, border=1.5)
    for step in (0.3, 2, 0.001):
        with pytest.raises(ParameterError, match="step must be 1 / n of a pixel"):
            metrics.psnr_aligned(image, image, step=step)
    with pytest.raises(InputError, match="at least 11 pixels a side; got 30 x 10"):
        metrics.ssim(image[..., :10], image[..., :10])
    for kernel in (np.zeros((3, 3)), np.ones(3), [[np.nan]]):
        with pytest.raises(InputError, match="second must be a kernel"):
            metrics.kernel_similarity(np.ones((3, 3)), kernel)


def test_inputs_stay():
    image, target = pair()
    copies = image.clone(), target.clone()
    metrics.psnr(image, target)
    metrics.ssim(image, target)
    metrics.ssim_matlab3d(image, target)
    metrics.error_ratio(image, image, target, border=10)
    assert torch.equal(image, copies[0])
    assert torch.equal(target, copies[1])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("im01_ker01", 23.77),
        ("im01_ker05", 26.62),
        ("im01_ker07", 20.96),
        ("im02_ker03", 24.33),
        ("im02_ker07", 20.95),
    ],
)
def test_levin_captures_score_as_published(shared, name, expected):
    matrices = scipy.io.loadmat(shared / "data" / "dev" / "levin" / f"{name}.mat")
    sharp, blurred = (torch.from_numpy(matrices[key].astype(np.float64)) for key in "xy")
    found = metrics.psnr_aligned(blurred[None, None], sharp[None, None])
    assert float(found) == pytest.approx(expected, abs=0.006)
