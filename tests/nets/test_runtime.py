"""Runners of every backend against the network itself."""

import importlib
import threading

import pytest
import torch

from unblur.errors import MissingDependency, ParameterError
from unblur.nets import runtime
from unblur.nets.runtime import eager, extras, sized
from unblur.nets.runtime import precision as precisions

CPU = torch.device("cpu")
NAMES = ["mprnet", "nafnet", "dpanet", "dpanet-squares", "autoencoder"]


def picture(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def itself(network, image):
    with torch.no_grad():
        return network(image)


def psnr(found, wanted):
    return float(-10 * (found - wanted).square().mean().log10())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (37, 46)])
def test_pytorch_in_float32_is_the_network(built, name, size):
    network, image = built(name), picture(2, 3, *size)
    runner = runtime.start(network, device=CPU, backend="torch", precision="float32")
    found = runner(image)
    assert (found - itself(network, image)).abs().max() < 1e-5
    assert (found.dtype, found.device, found.is_contiguous()) == (torch.float32, CPU, True)
    assert (runner.name, runner.precision) == ("torch", "float32")


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("name", ["nafnet", "autoencoder"])
def test_other_backends_in_float32_are_the_network(built, backend, name):
    network = built(name)
    runner = runtime.start(network, device=CPU, backend=backend, precision="float32")
    image = picture(2, 3, 30, 150)
    wanted = itself(network, image)
    assert (runner(image) - wanted).abs().max() < 1e-4 * wanted.abs().max()
    assert (runner.name, runner.precision) == (backend, "float32")


def test_local_statistics_go_through_a_graph(built):
    network = built("nafnet").local(16)
    image = picture(1, 3, 40, 36)
    runner = runtime.start(network, device=CPU, backend="openvino", precision="float32")
    wanted = itself(network, image)
    assert (runner(image) - wanted).abs().max() < 1e-5
    assert (wanted - itself(built("nafnet"), image)).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_close(built, name):
    network, image = built(name), picture(1, 3, 45, 64)
    runner = runtime.start(network, device=CPU, precision="bfloat16")
    assert runner.precision == "bfloat16"
    wanted = itself(network, image)
    assert 45 < psnr(runner(image), wanted) < 120


def test_pictures_of_a_batch_do_not_meet(built):
    runner = runtime.start(built("mprnet"), device=CPU)
    images = picture(3, 3, 24, 40)
    together = runner(images)
    for image, restored in zip(images, together, strict=True):
        assert (runner(image[None])[0] - restored).abs().max() < 1e-2


def test_auto_follows_the_processor_and_what_comes_out(built, monkeypatch):
    network = built("autoencoder")
    monkeypatch.setattr(precisions, "has_bfloat16", lambda device: True)
    assert runtime.start(network, device=CPU).precision == "bfloat16"
    monkeypatch.setattr(precisions, "LEAST_PSNR", 190.0)
    assert runtime.start(network, device=CPU).precision == "float32"
    monkeypatch.setattr(precisions, "LEAST_PSNR", 0.0)
    monkeypatch.setattr(precisions, "has_bfloat16", lambda device: False)
    assert runtime.start(network, device=CPU).precision == "float32"


def test_auto_is_pytorch(built):
    assert runtime.start(built("autoencoder"), device=CPU).name == "torch"


def test_what_is_given_stays_as_it_is(built):
    network, image = built("mprnet"), picture(1, 3, 16, 16)
    state = {name: entry.clone() for name, entry in network.state_dict().items()}
    kept = image.clone()
    restored = runtime.start(network, device=CPU, precision="bfloat16")(image)
    assert torch.equal(image, kept)
    assert all(torch.equal(entry, state[name]) for name, entry in network.state_dict().items())
    assert all(entry.requires_grad for entry in network.parameters())
    restored.add_(1.0)  # nothing holds the caller back from going on
    assert torch.equal(image, kept)


def test_time_and_memory_are_told(built):
    network = built("nafnet")
    runner = runtime.start(network, device=CPU, precision="float32")
    assert runner.seconds_per_megapixel is None
    runner(picture(1, 3, 20, 20))
    assert runner.seconds_per_megapixel > 0
    low = runtime.start(network, device=CPU, precision="bfloat16")
    assert low.bytes_per_pixel < runner.bytes_per_pixel
    assert runner.bytes_per_pixel >= network.spec.bytes_per_pixel


def test_graphs_of_the_last_sizes_are_kept(built, monkeypatch):
    made = []

    class Counting(sized.SizedRunner):
        name, precision, bytes_per_pixel = "counting", "float32", 1

        def _compile(self, example):
            made.append(tuple(example.shape))
            return lambda image: image

    monkeypatch.setattr(sized, "_KEPT", 2)
    runner = Counting(built("nafnet"))
    for width in (5, 6, 5, 7, 5, 6):
        runner(picture(1, 3, 4, width))
    assert [shape[-1] for shape in made] == [5, 6, 7, 6]


def test_threads_share_a_runner(built):
    network, image = built("autoencoder"), picture(1, 3, 128, 128)
    runner = runtime.start(network, device=CPU, backend="openvino", precision="float32")
    wanted, found = itself(network, image), []
    threads = [threading.Thread(target=lambda: found.append(runner(image))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all((each - wanted).abs().max() < 1e-4 for each in found)


@pytest.mark.parametrize(
    ("backend", "absent"),
    [("onnx", "onnxruntime"), ("onnx", "onnxscript"), ("openvino", "openvino")],
)
def test_a_missing_package_names_the_extra(built, monkeypatch, backend, absent):
    def without(name):
        if name == absent:
            raise ModuleNotFoundError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(extras, "import_module", without)
    message = rf"{backend} needs {absent}; pip install 'unblur\[{backend}\]'"
    with pytest.raises(MissingDependency, match=message):
        runtime.start(built("autoencoder"), device=CPU, backend=backend)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorrt"}, "backend must be one of auto, torch, onnx, openvino"),
        ({"precision": "int8"}, "precision must be one of auto, float32"),
        ({"backend": "onnx", "precision": "bfloat16"}, "precision of backend onnx must be float32"),
        ({"backend": "openvino", "device": torch.device("cuda")}, "computes on the CPU only"),
    ],
)
def test_what_there_is_not_is_refused(built, options, message):
    with pytest.raises(ParameterError, match=message):
        runtime.start(built("autoencoder"), **{"device": CPU, **options})


def test_what_openvino_has_not_is_refused(built, monkeypatch):
    module = importlib.import_module("unblur.nets.runtime.openvino")
    monkeypatch.setattr(module, "has_precision", lambda precision: precision == "float32")
    start = lambda precision: runtime.start(  # noqa: E731
        built("nafnet"), device=CPU, backend="openvino", precision=precision
    )
    assert start("auto").precision == "float32"
    with pytest.raises(ParameterError, match="float16 is none that OpenVINO has"):
        start("float16")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 3, 0, 8)])
def test_what_is_no_picture_is_refused(built, shape):
    runner = runtime.start(built("autoencoder"), device=CPU)
    with pytest.raises(ParameterError, match=r"image must be \(B, 3, h, w\)"):
        runner(torch.zeros(shape))


@pytest.mark.parametrize(
    ("features", "dtype", "answer"),
    [
        ({"avx2": True}, torch.float32, True),
        ({"avx512_f": True, "amx_bf16": True}, torch.float32, True),
        ({"avx512_f": True, "amx_bf16": True}, torch.bfloat16, False),
        ({"avx512_f": True, "avx512_bf16": True}, torch.bfloat16, True),
        ({"neon": True}, torch.float32, False),
    ],
)
def test_where_additions_replace_multiplications(monkeypatch, features, dtype, answer):
    monkeypatch.setattr(eager, "cpu_features", lambda: features)
    assert eager._additions_pay(dtype) is answer


class Recording:
    """Stands for a graph of a GPU, which there need not be one of."""

    made: list[torch.Size]

    def __init__(self, network, image):
        self.made.append(image.shape)
        self.network, self.given = network, image

    def __call__(self, image):
        assert image.shape == self.given.shape
        return self.network(image)


def on_a_gpu(built, monkeypatch, kind):
    """A runner that takes the CPU for a device whose work is recorded."""
    monkeypatch.setattr(eager, "_Graph", kind)
    runner = runtime.start(built("nafnet"), device=CPU, precision="float32")
    assert not runner.records
    runner.records = True
    return runner


def test_a_size_that_comes_twice_is_recorded(built, monkeypatch):
    monkeypatch.setattr(Recording, "made", [], raising=False)
    runner = on_a_gpu(built, monkeypatch, Recording)
    for width in (16, 24, 16, 16, 16, 24, 16, 24, 24, 24):
        image = picture(1, 3, 16, width)
        assert (runner(image) - itself(built("nafnet"), image)).abs().max() < 1e-5
    assert [shape[-1] for shape in Recording.made] == [16, 24]
    monkeypatch.setattr(eager, "_RECORDED", 100)
    runner(picture(1, 3, 16, 32))
    runner(picture(1, 3, 16, 32))
    assert len(Recording.made) == 2


def test_what_cannot_be_recorded_runs_all_the_same(built, monkeypatch):
    tried = []

    def refuse(network, image):
        tried.append(image.shape)
        raise RuntimeError("operation not permitted when stream is capturing")

    runner, image = on_a_gpu(built, monkeypatch, refuse), picture(1, 3, 16, 16)
    found = [runner(image) for _ in range(4)]
    assert len(tried) == 1
    assert torch.equal(found[0], found[3])
