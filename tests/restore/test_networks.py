"""Networks as methods: weights, what a network is shown, and that it is loaded once."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

import unblur
from unblur.errors import ParameterError, WeightsError
from unblur.nets import runtime, weights
from unblur.nets.dpanet import DPANet
from unblur.nets.nafnet import NAFNet
from unblur.photo import Photo
from unblur.photo.transfer import SRGB
from unblur.restore.catalogue import METHODS, find
from unblur.restore.networks import build_network

NETWORKS = [method.name for method in METHODS if method.needs_weights]
FIXED = {"backend": "torch", "precision": "float32"}

pytestmark = pytest.mark.usefixtures("tiny_weights")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.random((21, 34, 3), dtype=np.float32)


class Recorder:
    """A runner that changes nothing, or does what it is told, and keeps what it saw."""

    name, precision, bytes_per_pixel = "recorder", "float32", 100

    def __init__(self, work: Callable[[Tensor], Tensor] = torch.clone) -> None:
        self.work = work
        self.seen: list[Tensor] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.seen.append(image.clone())
        return self.work(image)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(runtime, "start", lambda network, **options: recorder)
    return recorder


def test_the_network_is_what_the_picture_goes_through(image: np.ndarray) -> None:
    network = weights.load_network("nafnet-gopro-32")
    assert isinstance(network, NAFNet)
    with torch.inference_mode():
        truth = network.local()(torch.from_numpy(image).permute(2, 0, 1)[None]).clamp(0, 1)[0]
    found = unblur.deblur(image, "nafnet", **FIXED).image
    np.testing.assert_allclose(found, truth.permute(1, 2, 0), atol=1e-6)


@pytest.mark.parametrize("name", ["mprnet", "nafnet", "dpanet"])
@pytest.mark.parametrize("local", [True, False])
def test_local_statistics_are_a_parameter(
    name: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    real = runtime.start

    def start(network: Any, **options: Any) -> runtime.Runner:
        started.append(network)
        return real(network, **options)

    monkeypatch.setattr(runtime, "start", start)
    unblur.load(name, local_statistics=local)
    assert (started[0].window is not None) is local
    assert started[0].spec.global_statistics is not local


def test_they_are_on_unless_told_otherwise() -> None:
    for name in ("mprnet", "nafnet", "dpanet"):
        assert find(name).parameters().local_statistics


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_loaded_once_and_used_by_all(
    name: str, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"load": 0, "start": 0}
    load, start = weights.load_network, runtime.start

    def counted_load(source: Any) -> Any:
        calls["load"] += 1
        return load(source)

    def counted_start(network: Any, **options: Any) -> runtime.Runner:
        calls["start"] += 1
        return start(network, **options)

    monkeypatch.setattr(weights, "load_network", counted_load)
    monkeypatch.setattr(runtime, "start", counted_start)
    restorer = unblur.load(name, **FIXED)
    assert calls == {"load": 1, "start": 1}
    pictures = [image * share for share in (1.0, 0.8, 0.6, 0.4)]
    serial = [restorer(each).image for each in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: restorer(each).image, pictures * 3))
    for found, truth in zip(together, serial * 3, strict=True):
        np.testing.assert_array_equal(found, truth)
    assert calls == {"load": 1, "start": 1}


def test_options_reach_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(runtime, "start", lambda network, **options: given.update(options))
    parameters = find("nafnet").parameters(backend="onnx", precision="bfloat16")
    with pytest.raises(AttributeError):  # what `start` gave here is no runner
        build_network(parameters, torch.device("cpu"))
    assert given == {"device": torch.device("cpu"), "backend": "onnx", "precision": "bfloat16"}


def test_the_report_says_what_ran(image: np.ndarray, tiny_weights: Path) -> None:
    record = unblur.deblur(image, "mprnet", **FIXED).report
    content = (tiny_weights / "weights" / "mprnet-gopro.safetensors").read_bytes()
    assert record.measured == {
        "backend": "torch",
        "precision": "float32",
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "tiles": 1,
    }
    assert record.parameters["weights"] == "mprnet-gopro"
    assert record.kernel is None


@pytest.mark.parametrize("form", ["path", "text", "folder"])
def test_weights_may_be_a_file_or_a_folder(
    form: str, image: np.ndarray, tiny_weights: Path, tmp_path: Path
) -> None:
    source: Any = tiny_weights / "nafnet-gopro-32.pth"
    if form == "folder":
        weights.load_network("nafnet-gopro-32").save_pretrained(tmp_path)
        source = tmp_path
    found = unblur.deblur(image, "nafnet", weights=str(source) if form == "text" else source)
    np.testing.assert_array_equal(found.image, unblur.deblur(image, "nafnet").image)
    assert found.report.parameters["weights"] == str(source)


def test_weights_of_another_network_are_refused(image: np.ndarray) -> None:
    with pytest.raises(WeightsError, match=r"of NAFNet.*method 'mprnet' takes those of MPRNet"):
        unblur.deblur(image, "mprnet", weights="nafnet-gopro-32")


def test_weights_for_calibrated_lenses_are_refused(image: np.ndarray, tmp_path: Path) -> None:
    state = DPANet(width=2, blocks=1, prior_blocks=1, blind=False).state_dict()
    torch.save(state, tmp_path / "calibrated.pth")
    with pytest.raises(WeightsError, match="prior of a calibrated lens"):
        unblur.deblur(image, "dpanet", weights=tmp_path / "calibrated.pth")


@pytest.mark.parametrize("value", [7, None, ["a"], b"mprnet-gopro"])
def test_weights_are_named_by_texts(value: Any) -> None:
    with pytest.raises(ParameterError, match="'weights'"):
        unblur.load("mprnet", weights=value)


def test_grey_is_shown_as_three_equal_channels(runner: Recorder) -> None:
    grey = np.linspace(0, 1, 12 * 9, dtype=np.float32).reshape(12, 9)
    runner.work = lambda shown: shown * torch.tensor([0.0, 0.5, 1.0])[:, None, None]
    found = unblur.deblur(grey, "nafnet").image
    assert runner.seen[0].shape == (1, 3, 12, 9)
    for channel in runner.seen[0][0]:
        np.testing.assert_array_equal(channel, grey)
    np.testing.assert_allclose(found, grey / 2, atol=1e-7)


def test_linear_light_is_shown_as_it_is_displayed(runner: Recorder, image: np.ndarray) -> None:
    """A float file is linear light; a network has learned from what screens show."""
    samples = torch.from_numpy(image).permute(2, 0, 1)[None]
    photo = Photo(samples, None)
    runner.work = lambda shown: shown * 0.5
    found = unblur.deblur(photo, "nafnet").image
    shown = SRGB.to_encoded(samples)
    torch.testing.assert_close(runner.seen[0], shown)
    torch.testing.assert_close(found.samples, SRGB.to_linear(shown * 0.5))
    half = unblur.deblur(photo, "nafnet", strength=0.5).image
    torch.testing.assert_close(half.samples, SRGB.to_linear(shown * 0.75))


def test_what_is_encoded_is_shown_as_it_is(runner: Recorder, image: np.ndarray) -> None:
    integers = (image * 255).astype(np.uint8)
    unblur.deblur(integers, "nafnet")
    unblur.deblur(image, "nafnet")
    unblur.deblur(image, "nafnet", encoding="srgb")
    unblur.deblur(image, "nafnet", encoding="linear")
    as_bytes, plain, encoded, linear = (seen[0].permute(1, 2, 0).numpy() for seen in runner.seen)
    np.testing.assert_allclose(as_bytes, integers / 255, atol=1e-6)
    np.testing.assert_array_equal(plain, image)
    np.testing.assert_array_equal(encoded, image)
    np.testing.assert_allclose(linear, SRGB.to_encoded(torch.from_numpy(image)), atol=1e-6)


def test_what_no_screen_shows_comes_back(runner: Recorder) -> None:
    image = np.full((8, 8, 3), 0.5, np.float32)
    image[2, 3], image[5, 5] = 1.75, -0.25
    runner.work = lambda shown: shown - 0.125
    found = unblur.deblur(image, "nafnet").image
    assert 0 <= float(runner.seen[0].min()) <= float(runner.seen[0].max()) <= 1
    assert found[0, 0, 0] == 0.375
    assert found[2, 3, 0] == 1.625
    assert found[5, 5, 0] == -0.25  # black less an eighth is black


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_never_gets_out(
    runner: Recorder, image: np.ndarray, value: float
) -> None:
    runner.work = lambda shown: torch.full_like(shown, value)
    if value == float("inf"):  # white, and as bright as it goes
        assert unblur.deblur(image, "nafnet").image.max() == 1
        return
    with pytest.raises(WeightsError, match="not finite"):
        unblur.deblur(image, "nafnet")


def test_pages_go_through_one_by_one(runner: Recorder, image: np.ndarray) -> None:
    pages = torch.from_numpy(np.stack([image, image * 0.5])).permute(0, 3, 1, 2)
    found = unblur.deblur(pages, "nafnet")
    torch.testing.assert_close(found.image, pages)
    assert [len(seen) for seen in runner.seen] == [1, 1]


@pytest.fixture(scope="module")
def steps() -> np.ndarray:
    """Squares of many greys."""
    small = np.random.default_rng(0).random((12, 12, 3), dtype=np.float32)
    return small.repeat(32, 0).repeat(32, 1)


def soft(picture: np.ndarray) -> np.ndarray:
    return np.asarray(gaussian_filter(picture, (2, 2, 0)))


def sharpened(image: Tensor) -> Tensor:
    """Far from right, and sharper."""
    planes = gaussian_filter(image.numpy(), (0, 0, 2, 2))
    return image + 1.5 * (image - torch.from_numpy(planes))


def test_a_sharp_picture_stays_to_the_bit(steps: np.ndarray, runner: Recorder) -> None:
    runner.work = torch.zeros_like
    found = unblur.deblur(steps, "dpanet")
    np.testing.assert_array_equal(found.image, steps)
    assert "sharp: edges leave the network nothing to do" in (found.report.unchanged or "")
    assert runner.seen == []
    noise = np.random.default_rng(0).normal(0.5, 0.04, (40, 50)).astype(np.float32)
    assert "texture that looks so" in (unblur.deblur(noise, "dpanet").report.unchanged or "")


def test_a_picture_that_gets_no_sharper_stays(steps: np.ndarray, runner: Recorder) -> None:
    runner.work = lambda image: image * 0.9
    found = unblur.deblur(soft(steps), "dpanet")
    np.testing.assert_array_equal(found.image, soft(steps))
    assert "not sharper: edges stay 2.0 pixels wide" in (found.report.unchanged or "")


def test_what_gets_sharper_is_taken(steps: np.ndarray, runner: Recorder) -> None:
    runner.work = sharpened
    found = unblur.deblur(soft(steps), "dpanet")
    assert found.report.unchanged is None
    assert not np.array_equal(found.image, soft(steps))


def test_without_noise_half_of_a_change_counts(steps: np.ndarray, runner: Recorder) -> None:
    runner.work = sharpened
    blurred = soft(steps)
    half, whole = (unblur.deblur(blurred, "dpanet", guard=guard) for guard in (True, False))
    np.testing.assert_allclose(half.image, (blurred + whole.image) / 2, atol=1e-5)
    assert half.report.measured["share"] == pytest.approx(0.5, abs=0.05)
    noise = np.random.default_rng(1).normal(0, 0.01, blurred.shape).astype(np.float32)
    noisy = (blurred + noise).clip(0, 1)
    clean = torch.from_numpy(blurred.astype(np.float32)).permute(2, 0, 1)[None]
    runner.work = lambda _image: sharpened(clean)
    assert unblur.deblur(noisy, "dpanet").report.measured["share"] == 1


def test_the_guard_can_be_sent_away(steps: np.ndarray, runner: Recorder) -> None:
    runner.work = lambda image: image * 0.9
    found = unblur.deblur(steps, "dpanet", guard=False)
    np.testing.assert_allclose(found.image, steps * 0.9, atol=1e-6)
