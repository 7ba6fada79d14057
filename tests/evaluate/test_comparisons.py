"""Each comparison, against a direct computation with scikit-image, SciPy or by hand."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.ndimage
import torch
from PIL import Image
from skimage import data, transform
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unblur import datasets
from unblur.blur import Kernel, kernels
from unblur.datasets import Pair
from unblur.errors import InputError
from unblur.evaluate.comparisons import REGISTERED, REGISTERED_FROM_SHIFT, WHOLE, Case, shifted
from unblur.evaluate.kohler import KOHLER
from unblur.evaluate.levin import LEVIN, SOLVER
from unblur.metrics import error_ratio
from unblur.photo import Photo
from unblur.restore.api import deblur

PAIR = Pair("a", Path("a.png"), Path("b.png"))


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return data.astronaut()[:200, 120:360]


def tensor(picture: np.ndarray) -> torch.Tensor:
    scaled = picture / 255 if picture.dtype == np.uint8 else picture
    return torch.from_numpy(np.ascontiguousarray(scaled)).permute(2, 0, 1)[None].float()


def case(restored: np.ndarray, truth: np.ndarray) -> Case:
    image = tensor(restored)
    return Case(PAIR, Photo.from_tensor(image.clamp(0, 1)), tensor(truth), image)


def noisy(picture: np.ndarray, std: float = 0.02) -> np.ndarray:
    values = picture / 255 if picture.dtype == np.uint8 else picture
    return values + np.random.default_rng(0).normal(0, std, picture.shape)


def test_whole_frames_agree_with_scikit_image_and_scipy(truth: np.ndarray) -> None:
    restored = np.clip(np.rint(255 * noisy(truth)), 0, 255).astype(np.uint8)
    found = WHOLE.measure(case(restored, truth))
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, restored), abs=1e-4)
    ssim = structural_similarity(
        truth, restored, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=255,
    )  # fmt: skip
    assert found["ssim"] == pytest.approx(ssim, abs=1e-4)
    a, b = truth / 255, restored / 255

    def mean(volume: np.ndarray) -> np.ndarray:
        return scipy.ndimage.gaussian_filter(volume, 1.5, mode="nearest", radius=5)

    cross = 2 * (mean(a * b) - mean(a) * mean(b)) + 0.03**2
    spread = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2 + 0.03**2
    level = (2 * mean(a) * mean(b) + 0.01**2) / (mean(a) ** 2 + mean(b) ** 2 + 0.01**2)
    assert found["ssim-matlab3d"] == pytest.approx((level * cross / spread).mean(), abs=1e-4)
    assert list(WHOLE.metrics) == list(found)


def test_pictures_smaller_than_a_window_have_no_ssim() -> None:
    small = np.zeros((8, 20, 3))
    assert set(WHOLE.measure(case(small + 0.1, small))) == {"psnr", "ssim-matlab3d"}


def test_registration_leaves_the_noise_alone(truth: np.ndarray) -> None:
    """A shift by whole pixels and a darker picture are undone; what is left is the noise."""
    noise = noisy(truth) - truth / 255
    restored = np.roll(truth / 255 + noise, (3, -2), (0, 1))
    found = REGISTERED.measure(case(0.8 * restored, truth))
    # The gain that is nearest in squares is a little under 1 / 0.8 of a noisy picture.
    gain = (restored * truth / 255).sum() / (restored * restored).sum()
    seen, target = (gain * (truth / 255 + noise))[:-3, 2:], (truth / 255)[:-3, 2:]
    wanted = -10 * np.log10(np.mean((np.clip(seen, 0, 1) - target) ** 2))
    assert found["psnr"] == pytest.approx(wanted, abs=0.15)
    assert WHOLE.measure(case(restored, truth))["psnr"] < wanted - 8
    ssim = structural_similarity(
        seen, target, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1.0,
    )  # fmt: skip
    assert found["ssim"] == pytest.approx(ssim, abs=0.01)


def test_registration_undoes_a_homography(truth: np.ndarray) -> None:
    homography = np.array([[1.003, 0.004, 2.0], [-0.003, 0.998, -1.5], [1e-5, -1e-5, 1]])
    restored = transform.warp(truth / 255, np.linalg.inv(homography), order=5, mode="reflect")
    assert REGISTERED.measure(case(restored, truth))["psnr"] > 38
    assert WHOLE.measure(case(restored, truth))["psnr"] < 25


def test_a_large_shift_needs_a_start(truth: np.ndarray) -> None:
    restored = np.roll(truth / 255, (17, -23), (0, 1))
    assert REGISTERED_FROM_SHIFT.measure(case(restored, truth))["psnr"] > 30
    assert REGISTERED.measure(case(truth, truth))["psnr"] > 80


def test_the_best_shift_is_sought(truth: np.ndarray) -> None:
    comparison = shifted(4, 20)
    assert comparison.measure(case(np.roll(truth, (4, -3), (0, 1)), truth))["psnr"] > 100
    assert comparison.measure(case(np.roll(truth, (6, 0), (0, 1)), truth))["psnr"] < 40


def kohler_case(tmp_path: Path, truth: np.ndarray, restored: np.ndarray) -> Case:
    """Three frames of the way: the truth rolled by 0, 12 and 24 pixels, upside down but for one."""
    frames = []
    for index, frame in enumerate((truth[::-1], truth, truth[:, ::-1]), 1):
        path = tmp_path / f"GroundTruth1_1_{index}.png"
        Image.fromarray(np.ascontiguousarray(frame)).save(path)
        frames.append(path)
    image = tensor(restored)
    return Case(
        Pair("Blurry1_1", tmp_path / "b.png", frames=tuple(frames)), Photo.from_tensor(image), None,
        image,
    )  # fmt: skip


def test_kohler_takes_the_nearest_frame_at_its_best_shift(
    tmp_path: Path, truth: np.ndarray
) -> None:
    noise = noisy(truth) - truth / 255
    restored = np.roll(truth / 255 + noise, (5, -4), (0, 1))
    found = KOHLER.measure(kohler_case(tmp_path, truth, 0.5 * restored))["psnr"]
    gain = (restored * truth / 255).sum() / (restored * restored).sum()
    # The gain is that of the pictures as they lie.
    wanted = -10 * np.log10(np.mean((gain * (truth / 255 + noise) - truth / 255)[:-5, 4:] ** 2))
    assert found == pytest.approx(wanted, abs=0.1)


def test_kohler_shifts_by_parts_of_a_pixel(tmp_path: Path, truth: np.ndarray) -> None:
    soft = scipy.ndimage.gaussian_filter(truth / 255, (2, 2, 0))
    # A torus, so that a shift by spectra is exact.
    spectrum = scipy.ndimage.fourier_shift(np.fft.fftn(soft, axes=(0, 1)), (2.3, -1.7, 0))
    moved = np.fft.ifftn(spectrum, axes=(0, 1)).real
    made = kohler_case(tmp_path, np.rint(255 * soft).astype(np.uint8), np.clip(moved, 0, 1))
    assert KOHLER.measure(made)["psnr"] > 40


def test_kohler_refuses_frames_of_another_size(tmp_path: Path, truth: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"GroundTruth1_1_1\.png is 240 x 200 x 3, but Blurry1_1 "):
        KOHLER.measure(kohler_case(tmp_path, truth, truth[:100] / 255))


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kernel = kernels.shake(9, seed=2)
    sharp = data.camera()[100:228, 150:278] / 255
    blurred = scipy.ndimage.convolve(sharp, kernel.pixels.numpy(), mode="reflect")
    blurred += np.random.default_rng(1).normal(0, 0.005, blurred.shape)
    folder = tmp_path_factory.mktemp("levin")
    flipped = kernel.flip().pixels.numpy()
    scipy.io.savemat(folder / "im05_flit01.mat", {"x": sharp, "y": blurred, "f": flipped})
    return next(iter(datasets.levin(folder)))


def levin_case(capture: Pair, kernel: Kernel | None, **facts: bool) -> Case:
    truth = capture.read_sharp()
    assert truth is not None
    blurred = capture.read_blurred()
    return Case(
        capture, blurred, truth.encoded(), blurred.encoded(), kernel=kernel, **facts
    )  # fmt: skip


def test_the_true_kernel_has_the_ratio_one(capture: Pair) -> None:
    found = LEVIN.measure(levin_case(capture, capture.kernel(), blind=True))
    assert found["error-ratio"] == pytest.approx(1)
    assert found["success"] == 1


def test_a_wrong_kernel_is_judged_by_the_same_solver(capture: Pair) -> None:
    wrong = kernels.disk(radius=4)
    found = LEVIN.measure(levin_case(capture, wrong, blind=True))
    blurred, truth = capture.read_blurred(), capture.read_sharp()
    assert truth is not None
    made, reference = (
        deblur(blurred, SOLVER, kernel=kernel, device="cpu").image.encoded()
        for kernel in (wrong, capture.kernel())
    )
    wanted = float(error_ratio(made, reference, truth.encoded()))
    assert wanted > 2
    assert found["error-ratio"] == pytest.approx(wanted)
    assert found["success"] == 0


def test_a_picture_left_alone_has_a_ratio_too(capture: Pair) -> None:
    found = LEVIN.measure(levin_case(capture, None, blind=True, unchanged=True))
    assert found["error-ratio"] > 2


@pytest.mark.parametrize("blind", [True, False])
def test_what_finds_no_kernel_has_no_ratio(capture: Pair, blind: bool) -> None:
    kernel = None if blind else capture.kernel()
    assert set(LEVIN.measure(levin_case(capture, kernel, blind=blind))) == {"psnr"}


def test_definitions_tell_comparisons_apart() -> None:
    comparisons = (WHOLE, REGISTERED, REGISTERED_FROM_SHIFT, LEVIN, KOHLER, shifted(20, 30))
    assert len({each.definition("psnr") for each in comparisons}) == len(comparisons)
    assert WHOLE.definition("ssim") != WHOLE.definition("ssim-matlab3d")
