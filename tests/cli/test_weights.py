"""`unblur weights`: list, add, path, remove, and what each says when it cannot."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unblur.nets import store
from unblur.nets.autoencoder import Autoencoder

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home" / "weights"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.pth"
    torch.save({"state_dict": Autoencoder(width=1, latent=2).state_dict()}, path)
    return path


def test_from_nothing_to_a_list(command: Command, published: Path, home: Path) -> None:
    assert command("weights", "list").out.startswith("no weights yet: `unblur weights add")
    assert json.loads(command("weights", "list", "--json").out) == []
    answer = command("weights", "add", "autoencoder-x", published, "--licence", "CC0")
    target = home / "autoencoder-x.safetensors"
    assert answer == (0, f"{published} -> {target} (licence: CC0)\n", "")
    assert command("weights", "path", "autoencoder-x") == (0, f"{target}\n", "")
    assert command("weights", "path") == (0, f"{home}\n", "")
    table = command("weights", "list").out
    assert "autoencoder-x" in table
    assert "CC0" in table
    (entry,) = json.loads(command("weights", "list", "--json").out)
    assert entry["name"] == "autoencoder-x"
    assert entry["path"] == str(target)
    assert entry["size"] == target.stat().st_size
    assert entry["damage"] is None
    assert entry["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert entry["source_sha256"] == hashlib.sha256(published.read_bytes()).hexdigest()
    assert entry["architecture"] == "autoencoder"
    assert command("weights", "remove", "autoencoder-x") == (0, "removed autoencoder-x\n", "")
    assert list(home.iterdir()) == []


def test_adding_as_data(command: Command, published: Path) -> None:
    words = ("weights", "add", "autoencoder-x", published, "--source", "a friend", "--json")
    entry = json.loads(command(*words).out)
    assert entry["source"] == "a friend"
    assert entry["licence"] == "not stated"
    refused = command(*words)
    assert refused.code == 1
    assert json.loads(refused.out)["error"]["type"] == "WeightsError"
    assert command(*words, "--overwrite").code == 0


def test_damaged_weights_are_listed(command: Command, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "mprnet-cut.safetensors").write_bytes(b"cut")
    answer = command("weights", "list")
    assert answer.code == 0
    assert "damaged or cut off" in " ".join(answer.out.split())
    assert json.loads(command("weights", "list", "--json").out)[0]["damage"] == "damaged or cut off"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "autoencoder-x", "absent.pth"), 1, "absent.pth cannot be opened: No such file"),
        (("add", "mprnet-x", "{published}"), 1, "holds weights of autoencoder, not of MPRNet"),
        (("add", "unet-x", "{published}"), 2, "must begin with mprnet, nafnet"),
        (("add", "../x", "{published}"), 2, "must be 1 to 64 lower-case letters"),
        (("path", "mprnet-gopro"), 1, "`unblur weights add mprnet-gopro FILE`"),
        (("path", "unet-x"), 1, "`unblur weights list` names those there are, and all begin with"),
        (("path", "../x"), 2, "must be 1 to 64 lower-case letters"),
        (("remove", "../x"), 2, "must be 1 to 64 lower-case letters"),
        (("remove", "unet-x"), 1, "`unblur weights list` names those there are"),
        (("remove", "mprnet-gopro"), 1, "there are no weights named mprnet-gopro"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    command: Command, published: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    answer = command("weights", *(word.format(published=published) for word in words))
    assert answer.code == code
    assert answer.out == ""
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["list", "add", "path", "remove"])
def test_help(command: Command, name: str) -> None:
    answer = command("weights", name, "--help")
    assert answer.code == 0
    assert f"Usage: unblur weights {name}" in answer.out
