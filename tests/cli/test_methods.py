import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unblur

pytestmark = pytest.mark.usefixtures("tiny_weights")


def test_the_table_has_every_method(command: Callable[..., Any]) -> None:
    answer = command("methods")
    assert answer.code == 0
    assert all(method.name in answer.out for method in unblur.METHODS)
    assert "not ready" not in answer.out


def test_as_data(command: Callable[..., Any]) -> None:
    described = json.loads(command("methods", "--json").out)
    assert [entry["name"] for entry in described] == [method.name for method in unblur.METHODS]
    for entry, method in zip(described, unblur.METHODS, strict=True):
        assert entry["needs_kernel"] is method.needs_kernel
        assert entry["needs_weights"] is method.needs_weights
        assert entry["ready"] is True
        assert entry["why_not"] is None
        assert set(entry["parameters"]["properties"]) == set(vars(method.parameters()))


@pytest.mark.parametrize("method", unblur.METHODS, ids=lambda method: method.name)
def test_the_parameters_of_one(command: Callable[..., Any], method: Any) -> None:
    answer = command("methods", method.name)
    assert answer.code == 0
    for name in vars(method.parameters()):
        assert f"--{name.replace('_', '-')}" in answer.out


def test_an_unknown_method_is_refused(command: Callable[..., Any]) -> None:
    answer = command("methods", "winer")
    assert answer.code == 2
    assert "did you mean wiener" in answer.err


def test_what_is_not_ready_says_why(command: Callable[..., Any], no_weights: Path) -> None:
    answer = command("methods")
    assert answer.code == 0
    assert answer.out.count(" is not ready: there are no weights named ") == 5
    assert "`unblur weights add nafnet-gopro-32 FILE`" in answer.out
    entries = {entry["name"]: entry for entry in json.loads(command("methods", "--json").out)}
    assert entries["l0"]["ready"] is True
    assert entries["mprnet"]["ready"] is False
    assert "`unblur weights add mprnet-gopro FILE`" in entries["mprnet"]["why_not"]
    assert "not ready: there are no weights" in command("methods", "dpanet").out
