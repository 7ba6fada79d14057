"""ONNX files: checked by running them, in sizes that the exporter did not see."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from unblur.errors import MissingDependency, OutputError, ParameterError
from unblur.nets import export as exporting
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.dpanet import DPANet
from unblur.nets.export import TOLERANCES, export
from unblur.nets.nafnet import NAFNet
from unblur.nets.runtime import extras


def restored(path, image):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def picture(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def files(built, tmp_path_factory):
    """Each network as a file, written when it is first asked for."""
    folder, written = tmp_path_factory.mktemp("onnx"), {}

    def file(name):
        if name not in written:
            written[name] = export(built(name), folder / f"{name}.onnx")
        return written[name]

    return file


@pytest.mark.parametrize("name", ["mprnet", "nafnet", "dpanet", "dpanet-squares"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 37, 46), (1, 64, 96), (3, 8, 2)])
def test_any_size_is_what_pytorch_gives(built, files, name, shape):
    batch, *size = shape
    image = picture(batch, 3, *size)
    with torch.no_grad():
        wanted = built(name)(image)
    found = restored(files(name).path, image)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()
    assert (wanted - image).abs().max() > 1e-3


def test_the_autoencoder_is_its_tile(built, files):
    done, image = files("autoencoder"), picture(3, 3, 128, 128)
    with torch.no_grad():
        wanted = built("autoencoder").forward_tile(image)
    assert done.shape == ("batch", 3, 128, 128)
    assert (restored(done.path, image) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["mprnet", "nafnet"])
def test_the_file_is_one_and_says_what_it_is(built, files, name):
    done = files(name)
    model = onnx.load(done.path, load_external_data=False)
    onnx.checker.check_model(model)
    (given,), (gives,) = model.graph.input, model.graph.output
    sides = [each.dim_param or each.dim_value for each in given.type.tensor_type.shape.dim]
    assert (given.name, gives.name) == ("image", "restored")
    assert sides == ["batch", 3, "height", "width"] == list(done.shape)
    assert {entry.data_location for entry in model.graph.initializer} == {onnx.TensorProto.DEFAULT}
    notes = {entry.key: entry.value for entry in model.metadata_props}
    network = built(name)
    assert notes == {"network": network.title, "licence": network.licence}
    assert not any(node.metadata_props for node in model.graph.node)
    assert b"/unblur/" not in model.SerializeToString()
    assert done.difference < TOLERANCES[torch.float32]


def test_half_keeps_pictures_in_float32(files, tmp_path):
    network, path = NAFNet(32, [1], 1, [1]).eval(), tmp_path / "half.onnx"
    for entry in network.parameters():
        if not entry.any():
            nn.init.normal_(entry, std=0.1, generator=torch.Generator().manual_seed(0))
    done = export(network, path, half=True)
    types = {entry.data_type for entry in onnx.load(path).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in types
    weights = sum(entry.numel() for entry in network.parameters())
    assert 2 * weights < done.size < 3 * weights
    image = picture(1, 3, 30, 20)
    with torch.no_grad():
        wanted = network(image)
    off = (restored(path, image) - wanted).abs().max() / wanted.abs().max()
    assert 1e-6 < off < TOLERANCES[torch.float16]


def test_a_fixed_size_is_the_only_one(built, tmp_path):
    network, path = built("nafnet"), tmp_path / "fixed.onnx"
    done = export(network, path, size=(20, 30))
    assert done.shape == ("batch", 3, 20, 30)
    image = picture(4, 3, 20, 30)
    with torch.no_grad():
        assert (restored(path, image) - network(image)).abs().max() < 1e-4
    with pytest.raises(Exception, match="Got invalid dimensions"):
        restored(path, picture(1, 3, 20, 31))


def test_the_network_stays_as_it_is(built, files):
    network = built("autoencoder").train()
    files("autoencoder")
    with pytest.raises(ParameterError):
        export(network, "x.onnx", size=(64, 64))
    assert network.training


class Changing(nn.Module):
    """Gives something else when it is traced."""

    def __init__(self, network, offset):
        super().__init__()
        self.network, self.offset = network, offset

    def forward(self, image):
        return self.network.forward_tile(image) + self.offset


@pytest.mark.parametrize("offset", [0.1, float("nan")])
def test_a_file_that_differs_is_not_left(built, tmp_path, monkeypatch, offset):
    path = tmp_path / "net.onnx"
    graph = exporting.onnx_graph
    wrong = Changing(built("autoencoder"), offset)
    monkeypatch.setattr(
        exporting, "onnx_graph", lambda module, *rest, **more: graph(wrong, *rest, **more)
    )
    message = r"net.onnx was not written: ONNX Runtime is off by .* 1e-04 is allowed$"
    with pytest.raises(OutputError, match=message):
        export(built("autoencoder"), path)
    with pytest.raises(OutputError, match="without --half"):
        export(built("autoencoder"), path, half=True)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"before")
    with pytest.raises(OutputError, match="off by"):
        export(built("autoencoder"), path, overwrite=True)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_exists_stays(built, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    with pytest.raises(OutputError, match="exists already"):
        export(built("autoencoder"), path)
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("network", "size", "message"),
    [
        (NAFNet(4, [1], 1, [1]), (0, 8), "size must be"),
        (Autoencoder(2, 4), (64, 128), "size of the autoencoder must be that of its tiles"),
        (DPANet(width=4, blocks=1, blind=False), None, "prior of a calibrated lens"),
    ],
)
def test_what_cannot_be_exported_is_refused_at_once(tmp_path, network, size, message):
    with pytest.raises(ParameterError, match=message):
        export(network, tmp_path / "net.onnx", size=size)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_extra_is_named(built, tmp_path, monkeypatch):
    def without(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(extras, "import_module", without)
    with pytest.raises(MissingDependency, match=r"pip install 'unblur\[onnx\]'"):
        export(built("autoencoder"), tmp_path / "net.onnx")


def test_names_are_those_of_the_documentation(files):
    session = onnxruntime.InferenceSession(files("autoencoder").path)
    (given,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type) == ("image", "tensor(float)")
    assert (gives.name, gives.type) == ("restored", "tensor(float)")
    assert np.prod(gives.shape[1:]) == 3 * 128 * 128
