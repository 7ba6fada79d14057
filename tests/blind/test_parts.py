"""The region, the kernel step and the prediction, against truths and trivial cases."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from unblur.blind.kernel_step import Gradients, fit_kernel, support_radius
from unblur.blind.prediction import predict
from unblur.blind.region import choose_region
from unblur.blur import Kernel, kernels
from unblur.fourier import gradient, transfer_function
from unblur.metrics import kernel_similarity

BLURS = {
    "shake": lambda: kernels.shake(size=11, seed=0),
    "motion": lambda: kernels.motion(length=9, angle=30),
    "gaussian": lambda: kernels.gaussian(sigma=1.5),
    "disk": lambda: kernels.disk(radius=3),
}
OPTIONS = {"gamma": 2.0, "threshold": 0.05, "isolated": 0.1}


@pytest.fixture(scope="module")
def sharp() -> torch.Tensor:
    return torch.from_numpy(data.camera()[100:228, 100:228] / 255).float()


def blurred(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """The circular convolution."""
    size = (image.shape[-2], image.shape[-1])
    return torch.fft.irfft2(torch.fft.rfft2(image) * transfer_function(kernel, size), s=size)


def noise_like(image: torch.Tensor, std: float, seed: int = 0) -> torch.Tensor:
    return std * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))


def textured(size: tuple[int, int], top: int, left: int, side: int) -> torch.Tensor:
    """A flat scene with a textured square in it, (1, 1, H, W)."""
    scene = torch.full((1, 1, *size), 0.4)
    patch = torch.rand(side, side, generator=torch.Generator().manual_seed(0))
    scene[..., top : top + side, left : left + side] = patch
    return scene


def inside(box: tuple[int, int, int, int], top: int, left: int, side: int) -> bool:
    x, y, width, height = box
    return x <= left and y <= top and x + width >= left + side and y + height >= top + side


@pytest.mark.parametrize(("top", "left"), [(0, 0), (10, 90), (60, 4), (70, 100)])
def test_the_region_holds_what_there_is_to_see(top: int, left: int) -> None:
    box = choose_region(textured((100, 130), top, left, 24), 40)
    assert box[2:] == (40, 40)
    assert inside(box, top, left, 24)


def test_the_region_of_a_large_picture_is_found_on_a_coarse_grid() -> None:
    assert inside(choose_region(textured((700, 900), 500, 610, 96), 160), 500, 610, 96)


def test_the_region_needs_edges_of_more_than_one_direction() -> None:
    scene = torch.zeros(1, 1, 96, 160)
    scene[..., :, 8:40:4] = 1.0
    scene[..., 40:56:4, 120:136] = 0.2
    scene[..., 56:64, 120:136:4] = 0.2
    x, _, width, _ = choose_region(scene, 40)
    assert x + width >= 125


def test_the_region_avoids_clipped_pixels() -> None:
    scene = textured((96, 200), 30, 20, 30) + textured((96, 200), 30, 140, 30) - 0.4
    assert inside(choose_region(scene, 60), 30, 20, 30) or inside(
        choose_region(scene, 60), 30, 140, 30
    )
    for left, other in ((20, 140), (140, 20)):
        clipped = torch.zeros(1, 1, 96, 200, dtype=torch.bool)
        clipped[..., 30:60, left : left + 30 : 2] = True
        assert inside(choose_region(scene, 60, clipped), 30, other, 30)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 90), st.integers(1, 3))
def test_the_region_lies_within_the_picture(
    height: int, width: int, side: int, channels: int
) -> None:
    generator = torch.Generator().manual_seed(height * width)
    image = torch.rand(1, channels, height, width, generator=generator)
    x, y, w, h = choose_region(image, side)
    assert (w, h) == (min(side, width), min(side, height))
    assert 0 <= x <= width - w
    assert 0 <= y <= height - h


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_the_region_of_a_flat_picture_is_some_region(level: float) -> None:
    x, y, width, height = choose_region(torch.full((1, 3, 50, 60), level), 20)
    assert (width, height) == (20, 20)
    assert 0 <= x <= 40
    assert 0 <= y <= 30


@pytest.mark.parametrize("kind", BLURS)
def test_the_true_gradients_give_the_true_kernel(sharp: torch.Tensor, kind: str) -> None:
    kernel = BLURS[kind]().centre().pixels
    found = fit_kernel(torch.fft.rfft2(sharp), Gradients.of(blurred(sharp, kernel)), 15, **OPTIONS)
    assert kernel_similarity(found, kernel) > 0.998


@pytest.mark.parametrize("kind", BLURS)
def test_a_noisy_picture_still_gives_the_kernel(sharp: torch.Tensor, kind: str) -> None:
    kernel = BLURS[kind]().centre().pixels
    seen = blurred(sharp, kernel) + noise_like(sharp, 0.01)
    assert (
        kernel_similarity(
            fit_kernel(torch.fft.rfft2(sharp), Gradients.of(seen), 15, **OPTIONS), kernel
        )
        > 0.98
    )


@pytest.mark.parametrize("kind", BLURS)
def test_a_noisy_prediction_still_gives_the_kernel(sharp: torch.Tensor, kind: str) -> None:
    kernel = BLURS[kind]().centre().pixels
    prediction = sharp + noise_like(sharp, 0.03)
    found = fit_kernel(
        torch.fft.rfft2(prediction), Gradients.of(blurred(sharp, kernel)), 15, **OPTIONS
    )
    assert kernel_similarity(found, kernel) > 0.9


def test_a_sharp_picture_has_the_kernel_of_one_pixel(sharp: torch.Tensor) -> None:
    found = fit_kernel(torch.fft.rfft2(sharp), Gradients.of(sharp), 7, **OPTIONS)
    assert float(found[3, 3]) > 0.99


@pytest.mark.parametrize("side", [3, 7, 15, 31])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_what_is_fitted_is_always_a_kernel(side: int, level: float) -> None:
    """Noise that explains nothing, a flat picture: odd sides, no negative value, mass 1."""
    flat = torch.full((48, 50), level)
    rough = flat + noise_like(flat, 0.2, seed=side)
    for prediction, seen in ((rough, flat), (flat, rough), (flat, flat), (rough, rough.flip(0))):
        found = fit_kernel(torch.fft.rfft2(prediction), Gradients.of(seen), side, **OPTIONS)
        assert found.shape == (side, side)
        assert bool((found >= 0).all())
        assert abs(float(found.sum()) - 1) < 1e-5


def test_a_fitted_kernel_is_centred(sharp: torch.Tensor) -> None:
    kernel = kernels.motion(length=7, angle=0).pixels
    shifted = blurred(sharp, kernel).roll((1, 2), (0, 1))
    found = fit_kernel(torch.fft.rfft2(sharp), Gradients.of(shifted), 15, **OPTIONS)
    places = torch.arange(15.0) - 7
    assert abs(float((found.sum(0) * places).sum())) <= 0.6
    assert abs(float((found.sum(1) * places).sum())) <= 0.6
    assert kernel_similarity(found, kernel) > 0.99


def test_small_kernels_are_fitted_as_large_ones_are(
    sharp: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product with the matrix of shifts is what the transforms give; a batch is its parts."""
    seen = Gradients.of(blurred(sharp, BLURS["shake"]().pixels) + noise_like(sharp, 0.01))
    spectra = torch.fft.rfft2(torch.stack([sharp, sharp + noise_like(sharp, 0.03)]))
    small = fit_kernel(spectra, seen, [13, 9], **OPTIONS)
    assert torch.allclose(small[0], fit_kernel(spectra[0], seen, 13, **OPTIONS), atol=1e-5)
    monkeypatch.setattr("unblur.blind.kernel_step._SMALL", 0)
    assert torch.allclose(small, fit_kernel(spectra, seen, [13, 9], **OPTIONS), atol=1e-5)


def test_inputs_of_the_fit_are_not_touched(sharp: torch.Tensor) -> None:
    prediction, gradients = torch.fft.rfft2(sharp), Gradients.of(sharp)
    before = prediction.clone(), gradients.weighted.clone(), gradients.power.clone()
    fit_kernel(prediction, gradients, 9, **OPTIONS)
    for now, then in zip((prediction, gradients.weighted, gradients.power), before, strict=True):
        assert torch.equal(now, then)


def test_without_blur_a_strong_step_stays_and_weak_ones_go() -> None:
    """Steps of height h stay where h^2 >= weight / beta at the first beta: h >= 1 / 4."""
    step = torch.full((32, 64), 0.1)
    step[:, 16:48] = 0.9
    rough = step + noise_like(step, 0.01)
    found = predict(rough, torch.ones(1, 1), 0.02, last=1e5)
    assert float((found - step).abs().max()) < 0.02
    assert float((found[:, 20:44] - found[:, 20:44].mean()).abs().max()) < 0.003
    assert float((found[:, 16] - found[:, 15]).min()) > 0.75


def test_without_a_prior_the_picture_stays(sharp: torch.Tensor) -> None:
    found = predict(sharp, torch.ones(1, 1), 1e-9)
    np.testing.assert_allclose(found, sharp, atol=2e-3)


def test_a_prior_that_forbids_all_edges_leaves_the_mean(sharp: torch.Tensor) -> None:
    """With no gradient kept, the last step alone is u = v / (1 + beta |F D|^2): nearly flat."""
    low = 0.05 * sharp
    found = predict(low, torch.ones(1, 1), 1e3, last=1e5)
    assert float((found - low.mean()).abs().max()) < 1e-2 * float(low.std())


def test_a_tiny_prediction_is_the_best_of_all_pictures() -> None:
    """Brute force over two-level rows: the objective is no larger than at any of them."""
    kernel = torch.tensor([[0.2, 0.6, 0.2]])
    truth = torch.zeros(1, 12)
    truth[:, 3:8] = 1.0
    seen = blurred(truth, kernel)

    def objective(image: torch.Tensor) -> float:
        along_y, along_x = gradient(image)
        edges = (along_y.square() + along_x.square()) > 1e-4
        return float((blurred(image, kernel) - seen).square().sum() + 0.001 * edges.sum())

    found = predict(seen, kernel, 0.001, last=1e5)
    rivals = []
    for bits in range(2**12):
        row = torch.tensor([[float(bits >> place & 1) for place in range(12)]])
        rivals.append(objective(row))
    assert objective(found.round(decimals=2)) <= min(rivals) + 1e-4
    np.testing.assert_allclose(found, truth, atol=0.02)


@pytest.mark.parametrize("kind", BLURS)
def test_a_prediction_is_sharper_than_what_it_was_made_of(sharp: torch.Tensor, kind: str) -> None:
    kernel = BLURS[kind]().pixels
    seen = blurred(sharp, kernel)
    found = predict(seen, kernel, 2e-3)
    assert float((found - sharp).square().mean()) < 0.7 * float((seen - sharp).square().mean())
    # Most gradients are gone: that is what the prior asks for.
    for image, share in ((seen, 0.2), (found, 0.5)):
        assert float((torch.hypot(*gradient(image)) < 3e-3).float().mean()) > share


def test_a_larger_weight_keeps_fewer_edges(sharp: torch.Tensor) -> None:
    kernel = kernels.gaussian(sigma=1.0).pixels
    seen = blurred(sharp, kernel)
    kept = [
        float((torch.hypot(*gradient(predict(seen, kernel, weight))) > 0.02).float().mean())
        for weight in (1e-4, 2e-3, 2e-2)
    ]
    assert kept[0] > kept[1] > kept[2]


def test_a_prediction_that_begins_with_the_truth_keeps_its_edges(sharp: torch.Tensor) -> None:
    """From nothing half of the weak edges are lost; from a picture that has them they stay."""
    kernel = kernels.motion(length=9, angle=30).pixels
    picture = predict(sharp, torch.ones(1, 1), 1e-3)
    seen = blurred(picture, kernel)
    errors = [
        float((predict(seen, kernel, 1e-3, start=start) - picture).square().mean())
        for start in (None, picture)
    ]
    assert errors[1] < 0.3 * errors[0]
    before = picture.clone()
    predict(seen, kernel, 1e-3, start=picture)
    assert torch.equal(picture, before)


def test_the_picture_that_is_predicted_from_is_not_touched(sharp: torch.Tensor) -> None:
    image, kernel = sharp.clone(), kernels.gaussian(sigma=1.0).pixels
    before = kernel.clone()
    predict(image, kernel, 2e-3)
    assert torch.equal(image, sharp)
    assert torch.equal(kernel, before)


@pytest.mark.parametrize(
    ("array", "radius"),
    [
        ([[1.0]], 0),
        (np.pad([[1.0]], 4), 0),
        (np.pad(np.ones((3, 3)) / 9, 3), 1),
        (np.eye(5) / 5, 2),
        (np.ones((1, 7)) / 7, 3),
        (np.ones((9, 1)) / 9, 4),
    ],
    ids=["point", "padded point", "box", "diagonal", "row", "column"],
)
def test_the_support_is_a_box(array: np.ndarray, radius: int) -> None:
    assert support_radius(torch.tensor(np.array(array), dtype=torch.float32)) == radius


def test_a_trace_of_mass_does_not_widen_the_support() -> None:
    pixels = torch.zeros(11, 11)
    pixels[5, 4:7] = 0.33
    pixels[0, 0] = 0.01
    assert support_radius(pixels) == 1
    assert support_radius(pixels, share=0.001) == 5


@given(st.integers(0, 30), st.integers(3, 25))
def test_a_kernel_cropped_to_its_support_keeps_its_mass(seed: int, size: int) -> None:
    kernel = kernels.shake(size=size + 1 - size % 2, seed=seed)
    radius = support_radius(kernel.pixels)
    side = 2 * radius + 1
    y, x = (length // 2 for length in kernel.size)
    box = kernel.pixels[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
    assert float(box.sum()) >= 0.98 - 1e-6
    assert Kernel(kernel.pixels).crop(side).size == (side, side)
