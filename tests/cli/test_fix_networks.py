"""`unblur fix` with networks: weights by name, loaded once, and what happens without them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unblur
from unblur.nets import weights

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("tiny_weights")


def test_the_bytes_are_those_of_the_library(command: Command, png: Path) -> None:
    answer = command("fix", png, "-m", "mprnet", "-o", png.with_name("cli.png"))
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{png} -> {png.with_name('cli.png')} (mprnet, ")
    result = unblur.deblur(str(png), "mprnet")
    unblur.write(png.with_name("lib.png"), result.image, note="unblur mprnet")
    assert png.with_name("cli.png").read_bytes() == png.with_name("lib.png").read_bytes()


@pytest.mark.parametrize("form", ["--weights {}", "--weights={}", "--set weights={}"])
def test_weights_are_named(command: Command, png: Path, tiny_weights: Path, form: str) -> None:
    file = tiny_weights / "nafnet-gopro-32.pth"
    answer = command("fix", png, "-m", "nafnet", *form.format(file).split(), "--json")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["parameters"]["weights"] == str(file)
    assert record["measured"]["tiles"] == 1
    assert len(record["measured"]["weights_sha256"]) == 64


def test_many_pictures_load_once(
    command: Command, png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    real = weights.load_network

    def load(source: Any) -> Any:
        loaded.append(source)
        return real(source)

    monkeypatch.setattr(weights, "load_network", load)
    copies = [png.with_name(f"{number}.png") for number in range(3)]
    for copy in copies:
        copy.write_bytes(png.read_bytes())
    answer = command("fix", *copies, "-m", "dpanet")
    assert answer.code == 0, answer.err
    assert loaded == ["dpanet-general"]
    results = [np.asarray(unblur.read(c.with_name(f"{c.stem}.unblur.png")).samples) for c in copies]
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("method", ["mprnet", "nafnet", "dpanet", "autoencoder"])
def test_without_weights_nothing_begins(
    command: Command, png: Path, method: str, no_weights: Path
) -> None:
    answer = command("fix", png, png.with_name("no such.png"), "-m", method)
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert f"there are no weights named {method}" in answer.err
    assert "`unblur weights add " in answer.err
    assert not png.with_name("photo.unblur.png").exists()


@pytest.mark.parametrize("option", ["--kernel", "--save-kernel", "--kernel-size"])
def test_a_network_has_no_kernel(command: Command, png: Path, option: str) -> None:
    answer = command("fix", png, "-m", "nafnet", option, "9" if "size" in option else "k.tif")
    assert answer.code == 2
    assert answer.err.endswith(f"a network, which sees the blur by itself: leave out {option}\n")
    assert not png.with_name("photo.unblur.png").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda home: home / "nafnet-gopro-32.pth", "use method 'nafnet' (-m nafnet)"),
        (lambda home: home / "absent.pth", "`unblur weights list` names those there are"),
        (lambda home: home, "holds no model.safetensors; save_pretrained writes it"),
    ],
)
def test_wrong_weights_are_told_once(
    command: Command, png: Path, tiny_weights: Path, make: Callable[[Path], Path], message: str
) -> None:
    other = png.with_name("other.png")
    answer = command("fix", png, other, "-m", "mprnet", "--weights", make(tiny_weights))
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert answer.err.startswith("unblur: fix: ")
    assert message in answer.err


def test_weights_that_are_not_finite_are_named(command: Command, png: Path, tmp_path: Path) -> None:
    from unblur.nets.nafnet import NAFNet

    state = NAFNet(4, [1], 1, [1]).state_dict()
    state["intro.weight"][0] = float("nan")
    torch.save(state, tmp_path / "bad.pth")
    answer = command("fix", png, "-m", "nafnet", "--weights", tmp_path / "bad.pth")
    assert answer.code == 1
    assert answer.err.startswith("unblur: fix: --weights: ")
    assert "intro.weight holds NaN or infinity; download or copy the file again" in answer.err


def test_means_over_all_of_a_large_picture_are_warned_about(
    command: Command, png: Path, tmp_path: Path, photograph: np.ndarray
) -> None:
    from PIL import Image

    Image.fromarray(np.tile(photograph, (1, 7, 1))).save(tmp_path / "wide.png")
    words = ["fix", tmp_path / "wide.png", "-m", "mprnet", "--tile", "16", "--overwrite"]
    answer = command(*words, "--local-statistics=false")
    assert answer.code == 0
    assert "warning: the picture was too large to go through whole" in answer.err
    assert "warning" not in command(*words).err
