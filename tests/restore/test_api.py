"""deblur, load and estimate_kernel: what does not depend on the method."""

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import unblur
from unblur.blur import Field, Kernel, estimate_noise, kernels
from unblur.errors import (
    Cancelled,
    CorruptImage,
    InputError,
    KernelError,
    NonFiniteInput,
    ParameterError,
)
from unblur.metrics import kernel_similarity


@pytest.fixture(scope="module")
def sharp() -> np.ndarray:
    return data.camera()[100:356, 100:356]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return kernels.shake(size=11, seed=0)


@pytest.fixture(scope="module")
def blurred(sharp: np.ndarray, kernel: Kernel) -> np.ndarray:
    return unblur.blur(sharp, kernel, noise=0.003)


def error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(((image.astype(float) - truth) ** 2).mean())


def test_a_kernel_may_come_as_itself_an_array_a_list_or_a_field(
    blurred: np.ndarray, kernel: Kernel
) -> None:
    pixels = kernel.pixels
    forms = [kernel, pixels, pixels.numpy(), 7 * pixels.numpy(), pixels.tolist()]
    found = [unblur.deblur(blurred[:64, :64], "wiener", kernel=form) for form in forms]
    for each in found:
        np.testing.assert_allclose(each.image.astype(int), found[0].image.astype(int), atol=1)
        assert each.kernel is not None
        assert each.field is None
    varying = unblur.deblur(blurred[:64, :64], "wiener", kernel=Field.uniform(kernel))
    assert varying.kernel is None
    assert varying.field is not None
    assert varying.report.kernel == {"size": [11, 11], "grid": [1, 1]}
    assert np.abs(varying.image.astype(int) - found[0].image).mean() < 1


def test_a_kernel_that_was_estimated_restores_like_the_whole(blurred: np.ndarray) -> None:
    whole = unblur.deblur(blurred, kernel_size=11)
    assert whole.kernel is not None
    estimated = unblur.estimate_kernel(blurred, 11)
    assert torch.equal(whole.kernel.pixels, estimated.pixels)
    again = unblur.deblur(blurred, kernel=estimated)
    np.testing.assert_array_equal(again.image, whole.image)


def test_a_kernel_can_be_given_to_the_blind_method(
    sharp: np.ndarray, blurred: np.ndarray, kernel: Kernel
) -> None:
    found = unblur.deblur(blurred, kernel=kernel)
    assert found.kernel is not None
    assert torch.equal(found.kernel.pixels, kernel.pixels)
    assert error(found.image, sharp) < 0.5 * error(blurred, sharp)


@pytest.mark.parametrize("method", ["wiener", "tv", "hyper-laplacian", "richardson-lucy"])
def test_the_true_kernel_restores(
    sharp: np.ndarray, blurred: np.ndarray, kernel: Kernel, method: str
) -> None:
    found = unblur.deblur(blurred, method, kernel=kernel)
    assert error(found.image, sharp) < 0.4 * error(blurred, sharp)


def test_the_region_is_where_the_blur_is_looked_for(blurred: np.ndarray, kernel: Kernel) -> None:
    box = (90, 20, 150, 180)
    found = unblur.estimate_kernel(blurred, 11, roi=box)
    assert found.record.region == box
    assert kernel_similarity(found, kernel) > 0.8
    cut = unblur.estimate_kernel(blurred[20:200, 90:240], 11)
    assert kernel_similarity(found, cut) > 0.99


def test_a_large_picture_is_looked_at_where_its_edges_are(
    sharp: np.ndarray, kernel: Kernel
) -> None:
    scene = np.full((900, 1000), 90, np.uint8)
    scene[600:856, 40:296] = sharp
    blurred = unblur.blur(scene, kernel, noise=0.003)
    found = unblur.estimate_kernel(blurred, 11)
    assert found.record.region is not None
    x, y, width, height = found.record.region
    assert x <= 40
    assert y <= 600
    assert x + width >= 296
    assert y + height >= 856
    assert width < 1000
    assert kernel_similarity(found, kernel) > 0.8


def test_only_the_first_page_is_looked_at(blurred: np.ndarray) -> None:
    first = torch.from_numpy(blurred[None, :96, :96].copy())
    pages = torch.stack([first, first.flip(-1)])
    one, other = unblur.estimate_kernel(pages, 9), unblur.estimate_kernel(first, 9)
    assert torch.equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    "image",
    [np.full((40, 40), 0.3), data.astronaut()[60:188, 160:288], np.zeros((3, 3), np.uint8)],
    ids=["flat", "sharp", "tiny"],
)
def test_without_blur_the_kernel_is_one_pixel(image: np.ndarray) -> None:
    found = unblur.estimate_kernel(image)
    assert found.size == (1, 1)
    assert float(found.pixels) == 1.0


def test_an_estimate_is_repeatable_reports_and_can_be_cancelled(blurred: np.ndarray) -> None:
    seen: list[float] = []
    part = blurred[:80, :80]
    first = unblur.estimate_kernel(part, 9, progress=lambda stage, done: seen.append(done))
    assert torch.equal(first.pixels, unblur.estimate_kernel(part, 9).pixels)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(stage: str, fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        unblur.estimate_kernel(part, 9, progress=stop)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"kernel_size": 8}, "kernel_size"),
        ({"kernel_size": -1}, "kernel_size"),
        ({"lambda_strat": 1}, "lambda_start"),
        ({"gamma": -1}, "gamma"),
        ({"roi": (0, 0, 1000, 10)}, "roi"),
        ({"device": "abacus"}, "device"),
        ({"encoding": "gamma"}, "encoding"),
    ],
    ids=str,
)
def test_faults_of_an_estimate_are_named(
    blurred: np.ndarray, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(ParameterError, match=name):
        unblur.estimate_kernel(blurred[:64, :64], **options)


def test_an_alias_is_as_good_as_the_name(blurred: np.ndarray) -> None:
    part = blurred[:64, :64]
    one = unblur.deblur(part, kernel_size=7, lambda_start=1e-2)
    other = unblur.deblur(part, kernel_size="7", **{"lambda": "0.01"})
    np.testing.assert_array_equal(one.image, other.image)
    assert one.report.parameters == other.report.parameters


def test_load_checks_once_and_before_the_picture(kernel: Kernel) -> None:
    with pytest.raises(ParameterError, match="'iteratoins'"):
        unblur.load("tv", kernel=kernel, iteratoins=3)
    with pytest.raises(ParameterError, match="kernel is missing"):
        unblur.load("tv")
    with pytest.raises(ParameterError, match="method 'tvv' is unknown: did you mean tv"):
        unblur.load("tvv")
    with pytest.raises(KernelError, match="mass"):
        unblur.load("tv", kernel=np.zeros((3, 3)))
    with pytest.raises(ParameterError, match="device"):
        unblur.load("tv", "abacus", kernel=kernel)


def test_a_loaded_method_takes_pictures_of_all_kinds(blurred: np.ndarray, kernel: Kernel) -> None:
    work = unblur.load("wiener", kernel=kernel, noise_std=0.01)
    for image in (blurred[:40, :50], np.zeros((20, 20)), torch.rand(3, 30, 30)):
        found = work(image)
        assert found.image.shape == image.shape
        assert found.report.parameters["noise_std"] == 0.01
    seen: list[float] = []
    work(blurred[:40, :50], strength=0.5, progress=lambda stage, done: seen.append(done))
    assert seen[-1] == 1.0


def test_results_and_reports_are_frozen(blurred: np.ndarray, kernel: Kernel) -> None:
    found = unblur.deblur(blurred[:32, :32], "wiener", kernel=kernel)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.image = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.report.method = "none"


def test_the_report_says_what_was_done(blurred: np.ndarray, kernel: Kernel) -> None:
    found = unblur.deblur(blurred[:64, :64], "richardson-lucy", kernel=kernel, iterations=7)
    record = json.loads(json.dumps(found.report.as_dict(), allow_nan=False))
    assert record["parameters"]["iterations"] == 7
    assert record["parameters"]["acceleration"] is True
    assert record["device"] == "cpu" or torch.cuda.is_available()
    assert record["kernel"]["size"] == [11, 11]
    assert 0 < record["measured"]["noise_std"] < 0.1
    assert record["measured"]["tiles"] == 1
    assert record["unchanged"] is None
    assert record["pages"] == []


@pytest.mark.parametrize("seed", range(4))
def test_doubt_becomes_a_warning(seed: int) -> None:
    """Halves are blurred in different ways: kernel and warnings agree on how far to trust."""
    left, right = (kernels.shake(size=15, seed=2 * seed + half) for half in (0, 1))
    sharp = data.camera()[100:196, 100:228]
    blurred = np.hstack([unblur.blur(sharp[:, :64], left), unblur.blur(sharp[:, 64:], right)])
    found = unblur.deblur(blurred, kernel_size=11, candidates=1)
    assert found.kernel is not None
    assert found.kernel.record.confidence is not None
    doubtful = found.kernel.record.confidence < 0.5
    assert doubtful == any("little confidence" in text for text in found.report.warnings)


def test_the_encoding_of_an_array_matters(sharp: np.ndarray) -> None:
    kernel = kernels.disk(radius=3)
    blurred = unblur.blur(sharp, kernel, encoding="srgb")
    errors = {
        encoding: error(
            unblur.deblur(blurred, "tv", kernel=kernel, encoding=encoding, light="linear").image,
            sharp,
        )
        for encoding in ("srgb", "linear")
    }
    assert errors["srgb"] < errors["linear"]


def test_files_that_cannot_be_read_say_so(tmp_path: Path, kernel: Kernel) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    for path, kind in (
        (damaged, CorruptImage),
        (empty, InputError),
        (tmp_path / "no.png", InputError),
    ):
        with pytest.raises(kind, match=r"\w"):
            unblur.deblur(path, "wiener", kernel=kernel)


def test_faults_of_the_picture_come_before_the_work(kernel: Kernel) -> None:
    def never(stage: str, fraction: float) -> None:
        raise AssertionError("work has begun")

    with pytest.raises(NonFiniteInput):
        unblur.deblur(np.full((9, 9), np.nan), "tv", kernel=kernel, progress=never)
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        unblur.deblur(np.full((9, 9), 99.0), "tv", kernel=kernel, progress=never)
    with pytest.raises(KernelError, match="larger than the picture"):
        unblur.deblur(np.eye(9), "tv", kernel=np.ones((11, 11)), progress=never)


@pytest.mark.parametrize("method", ["", "nothing", 7, None])
def test_an_unknown_method_is_refused(method: Any) -> None:
    with pytest.raises(ParameterError, match=r"method .* is unknown"):
        unblur.deblur(np.zeros((4, 4)), method)


def test_a_kernel_and_a_kernel_size_exclude_each_other() -> None:
    with pytest.raises(ParameterError, match="kernel_size and kernel exclude each other"):
        unblur.deblur(np.eye(32), kernel=unblur.kernels.disk(radius=1), kernel_size=5)


def test_the_blind_method_with_a_kernel_is_its_solver() -> None:
    picture = np.random.default_rng(0).random((40, 48))
    kernel = unblur.kernels.gaussian(sigma=1.0)
    one = unblur.deblur(picture, "l0", kernel=kernel, solver="tv").image
    np.testing.assert_array_equal(one, unblur.deblur(picture, "tv", kernel=kernel).image)


def test_a_picture_that_is_masked_all_over_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).random((40, 48))
    found = unblur.deblur(picture, mask=np.ones((40, 48), bool))
    np.testing.assert_array_equal(found.image, picture)
    assert "masked" in (found.report.unchanged or "")


def test_an_estimate_may_start_from_a_kernel() -> None:
    picture = data.camera()[100:356, 100:356] / 255.0
    true = kernels.shake(size=15, seed=4)
    blurred = unblur.blur(picture, true, noise=0.003)
    settings = {"kernel_size": 15, "candidates": 1}
    cold = unblur.estimate_kernel(blurred, **settings)
    for start in (true, true.pixels.numpy()):
        warm = unblur.estimate_kernel(blurred, start=start, **settings)
        assert kernel_similarity(warm, true) > 0.8
        assert not torch.equal(warm.pixels, cold.pixels)


def test_a_result_holds_finer_colour_than_its_jpeg(photograph: np.ndarray) -> None:
    """A file with coarse colour is restored as that, and what comes back is not one."""
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=95, subsampling="4:2:0")
    photo = unblur.read(file.getvalue())
    assert photo.carried.coarse_colour
    plain = dataclasses.replace(
        photo, carried=dataclasses.replace(photo.carried, coarse_colour=False)
    )
    kernel = kernels.gaussian(sigma=1.0)
    coarse, fine = (
        unblur.deblur(one, "local-wiener", kernel=kernel).image for one in (photo, plain)
    )
    assert not coarse.carried.coarse_colour
    change = (coarse.samples.int() - fine.samples.int()).abs().float()
    assert 0 < float(change.mean()) < 2


@pytest.mark.parametrize("quality", [95, 80])
def test_what_jpeg_left_out_is_reckoned_with(photograph: np.ndarray, quality: int) -> None:
    """Flat blocks of a JPEG show no noise: taken by its looks, the others would be spoiled."""
    kernel = kernels.shake(size=11, seed=3)
    blurred = unblur.blur(photograph / 255, kernel, noise=0.01, seed=1)
    levels = (blurred.clip(0, 1) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality)
    photo = unblur.read(file.getvalue())

    def error(**options: Any) -> float:
        found = unblur.deblur(photo, "local-wiener", kernel=kernel, **options).image
        difference = found.samples[0].permute(1, 2, 0).numpy() - photograph.astype(float)
        return float((difference[12:-12, 12:-12] ** 2).mean())

    looks = math.hypot(float(estimate_noise(photo.encoded())), 0.003)
    assert error() < 0.8 * error(noise_std=looks)


def test_a_weight_that_the_solver_has_no_use_for_is_an_error() -> None:
    with pytest.raises(ParameterError, match="regularization has no meaning for solver 'local"):
        unblur.deblur(
            np.random.default_rng(0).random((40, 48)),
            "l0",
            kernel=unblur.kernels.gaussian(sigma=1.0),
            solver="local-wiener",
            regularization=0.1,
        )


def test_noise_is_measured_where_somebody_asks() -> None:
    picture = np.random.default_rng(0).random((40, 48))
    kernel = unblur.kernels.gaussian(sigma=1.0)
    asked, not_asked = (
        unblur.deblur(picture, "richardson-lucy", kernel=kernel, iterations=1, stop_at_noise=stop)
        for stop in (True, False)
    )
    assert asked.report.measured["noise_std"] > 0
    assert "noise_std" not in not_asked.report.measured


@pytest.mark.parametrize("method", ["richardson-lucy", "tv"])
def test_zeros_around_a_kernel_change_nothing(method: str) -> None:
    picture = np.random.default_rng(0).random((40, 9)).astype(np.float32)
    bare = np.zeros((3, 3))
    bare[-1] = 0.2, 0.5, 0.3
    plain, padded = (
        unblur.deblur(picture, method, kernel=kernel, noise_std=0.01).image
        for kernel in (bare, np.pad(bare, 4))
    )
    np.testing.assert_array_equal(plain, padded)
