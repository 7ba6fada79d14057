"""`unblur train`: what it says, and how it ends."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unblur.train.keeping import Stopped

Command = Callable[..., Any]


def test_the_list_names_every_configuration_and_what_it_is(command: Command) -> None:
    done = command("train", "--list")
    assert done.code == 0
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert {"mprnet-paper", "nafnet-general", "autoencoder-paper"} <= lines.keys()
    assert lines["mprnet-paper"] == "MPRNet on GoPro."
    assert all(line.endswith(".") for line in lines.values())


def test_a_configuration_is_printed_with_what_was_given(command: Command) -> None:
    done = command("train", "dpanet-gopro", "--print", "--data.root", "x", "--model.lr", "0.5")
    assert done.code == 0
    assert "lr: 0.5" in done.out
    assert "variant: base" in done.out
    assert "root: x" in done.out


def test_a_configuration_without_its_pictures_can_be_printed(command: Command) -> None:
    done = command("train", "dpanet-cpu", "--print")
    assert done.code == 0
    assert "root: MISSING" in done.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "CONFIG is missing"),
        (["--model.lr", "1"], 2, "CONFIG is missing"),
        (["dpanet-gorpo"], 1, "no configuration among autoencoder-paper"),
        (["dpanet-gopro"], 2, "data.root"),
        (["dpanet-gopro", "--data.root", "x", "--model.lr", "fast"], 2, "fast"),
        (["dpanet-gopro", "--data.root", "no/such/folder"], 1, "no/such/folder"),
    ],
)
def test_mistakes_are_one_line(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("train", *words)
    assert done.code == code
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert "\\n" not in done.err
    assert done.err.count("dpanet-gopro: ") <= 1


def test_a_stop_has_the_code_of_its_signal(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Stopped(15, tmp_path / "step-000000004.ckpt")

    monkeypatch.setattr("unblur.train.run.train", stopped)
    done = command("train", "dpanet-cpu", "-o", tmp_path / "run")
    assert done.code == 143
    assert "go on with --resume" in done.err


def test_without_the_extra_it_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)
    done = command("train", "dpanet-cpu")
    assert done.code == 1
    assert "unblur train needs lightning; pip install 'unblur[train]'" in done.err
