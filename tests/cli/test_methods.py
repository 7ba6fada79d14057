import json
from collections.abc import Callable
from typing import Any

import pytest

import unblur


def test_the_table_has_every_method(command: Callable[..., Any]) -> None:
    answer = command("methods")
    assert answer.code == 0
    assert all(method.name in answer.out for method in unblur.METHODS)


def test_as_data(command: Callable[..., Any]) -> None:
    described = json.loads(command("methods", "--json").out)
    assert [entry["name"] for entry in described] == [method.name for method in unblur.METHODS]
    for entry, method in zip(described, unblur.METHODS, strict=True):
        assert entry["needs_kernel"] is method.needs_kernel
        assert entry["ready"] is True
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
