"""`unblur export`: from weights to a file, and what it says when it cannot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from unblur.nets import store
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.dpanet import DPANet

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home" / "weights"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "weights.pth"
    torch.save(Autoencoder(width=1, latent=2).state_dict(), path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "net.onnx"


def test_from_weights_to_a_file(command: Command, weights: Path, target: Path) -> None:
    assert command("weights", "add", "autoencoder-x", weights).code == 0
    answer = command("export", "autoencoder", "-o", target, "--weights", "autoencoder-x")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"{target}: 0.")
    assert " MB, batch x 3 x 128 x 128, off by " in answer.out
    session = onnxruntime.InferenceSession(target)
    assert session.get_modelmeta().custom_metadata_map["network"] == "autoencoder"


def test_as_data_in_half_from_a_file(command: Command, weights: Path, target: Path) -> None:
    words = ("export", "autoencoder", "-o", target, "--weights", weights, "--half", "--json")
    done = json.loads(command(*words).out)
    assert done["path"] == str(target)
    assert done["size"] == target.stat().st_size
    assert done["shape"] == ["batch", 3, 128, 128]
    assert 0 < done["difference"] < 1e-2
    refused = command(*words)
    assert refused.code == 1
    assert json.loads(refused.out)["error"]["type"] == "OutputError"
    assert command(*words, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mprnet",), 1, "there are no weights named mprnet-gopro: download"),
        (("l0",), 2, "METHOD must be one of nafnet, mprnet, dpanet, autoencoder, not 'l0'"),
        (("mprnet", "--weights", "{weights}"), 1, "are of autoencoder, not of mprnet"),
        (("autoencoder", "--weights", "{weights}", "--height", "64"), 2, "go together"),
        (
            ("autoencoder", "--weights", "{weights}", "--height", "64", "--width", "64"),
            2,
            "must be that of its tiles",
        ),
        (("dpanet", "--weights", "{calibrated}"), 2, "prior of a calibrated lens"),
        (("autoencoder", "--weights", "absent.pth"), 1, "there is no file or folder 'absent.pth'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    command: Command,
    tmp_path: Path,
    weights: Path,
    target: Path,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    calibrated = tmp_path / "calibrated.pth"
    torch.save(DPANet(width=4, blocks=1, blind=False).state_dict(), calibrated)
    words = tuple(word.format(weights=weights, calibrated=calibrated) for word in words)
    answer = command("export", *words, "-o", target)
    assert answer.code == code
    assert answer.out == ""
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1
    assert list(target.parent.iterdir()) == []


def test_the_output_is_asked_for(command: Command) -> None:
    answer = command("export", "mprnet")
    assert answer.code == 2
    assert "--output" in answer.err


def test_help(command: Command) -> None:
    answer = command("export", "--help")
    assert answer.code == 0
    assert "Usage: unblur export" in answer.out
