import json
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unblur.errors import ParameterError
from unblur.restore.parameters import Parameter, normalise, parse, schema


@dataclass(frozen=True)
class Example:
    iterations: Annotated[int, Parameter("how many rounds", 1, 1000)] = 30
    lambda_start: Annotated[float, Parameter("first weight", 0.0, 1.0, aliases=("lambda",))] = 4e-3
    noise_std: Annotated[float | None, Parameter("noise; none estimates it", 0.0)] = None
    linear: Annotated[bool, Parameter("work in linear light")] = True
    solver: Annotated[Literal["tv", "wiener"], Parameter("the finish")] = "tv"
    note: Annotated[str, Parameter("a word")] = ""


def test_defaults_stay() -> None:
    assert parse(Example, {}) == Example()


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"iterations": 5}, "iterations", 5),
        ({"iterations": "5"}, "iterations", 5),
        ({"iterations": "1e2"}, "iterations", 100),
        ({"iterations": 7.0}, "iterations", 7),
        ({"iterations": np.int64(7)}, "iterations", 7),
        ({"lambda-start": "1e-4"}, "lambda_start", 1e-4),
        ({"lambda_start": np.float32(0.5)}, "lambda_start", 0.5),
        ({"lambda": 1}, "lambda_start", 1.0),
        ({"noise_std": "none"}, "noise_std", None),
        ({"noise_std": None}, "noise_std", None),
        ({"noise_std": "0.02"}, "noise_std", 0.02),
        ({"linear": "no"}, "linear", False),
        ({"linear": "TRUE"}, "linear", True),
        ({"linear": False}, "linear", False),
        ({"solver": "wiener"}, "solver", "wiener"),
        ({"note": "12"}, "note", "12"),
    ],
)
def test_takes(given: dict[str, object], field: str, value: object) -> None:
    parsed = getattr(parse(Example, given), field)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    "value",
    ["abc", "", "5.5", 5.5, True, None, "nan", math.nan, math.inf, 0, -1, 10**9, [5], 1e308],
)
def test_refuses_what_is_no_number_of_iterations(value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(Example, {"iterations": value})
    assert str(caught.value) == (
        f"parameter 'iterations' must be a whole number from 1 to 1000, not {value!r}"
    )


@pytest.mark.parametrize(
    "value", ["abc", "nan", "inf", "1e999", math.nan, -0.1, 1.1, 10**400, True]
)
def test_refuses_what_is_no_number_in_range(value: object) -> None:
    with pytest.raises(
        ParameterError, match="parameter 'lambda_start' must be a number from 0 to 1"
    ):
        parse(Example, {"lambda": value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"solver": "TV"}, "parameter 'solver' must be one of tv, wiener, not 'TV'"),
        ({"linear": "maybe"}, "parameter 'linear' must be true or false, not 'maybe'"),
        ({"linear": 1}, "parameter 'linear' must be true or false, not 1"),
        ({"note": 1}, "parameter 'note' must be a text, not 1"),
        (
            {"noise_std": -1},
            "parameter 'noise_std' must be a number of at least 0, or none, not -1",
        ),
        ({"iteration": 1}, "unknown parameter 'iteration': did you mean 'iterations'?"),
        ({"lamda": 1}, "unknown parameter 'lamda': did you mean 'lambda'"),
        ({"lambda": 1, "lambda-start": 1}, "parameter 'lambda_start' is given twice"),
        ({"zzz": 1}, "unknown parameter 'zzz': there are lambda, iterations"),
    ],
)
def test_says_what_is_wrong(given: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(Example, given)
    assert str(caught.value).startswith(message)


def test_a_method_without_parameters_says_so() -> None:
    @dataclass(frozen=True)
    class Nothing:
        pass

    with pytest.raises(ParameterError, match="the method has none"):
        parse(Nothing, {"iterations": 1})


def test_a_field_without_a_declaration_is_a_fault_of_the_method() -> None:
    @dataclass(frozen=True)
    class Bare:
        iterations: int = 1

    with pytest.raises(TypeError, match="field 'iterations' has no Parameter"):
        parse(Bare, {})


def test_schema_says_all_of_it() -> None:
    described = schema(Example)
    assert json.loads(json.dumps(described)) == described
    assert described["additionalProperties"] is False
    assert list(described["properties"]) == [
        "iterations", "lambda_start", "noise_std", "linear", "solver", "note",
    ]  # fmt: skip
    assert described["properties"]["iterations"] == {
        "type": "integer",
        "description": "how many rounds",
        "default": 30,
        "minimum": 1,
        "maximum": 1000,
    }
    assert described["properties"]["noise_std"]["type"] == ["number", "null"]
    assert described["properties"]["solver"]["enum"] == ["tv", "wiener"]
    assert described["properties"]["lambda_start"]["aliases"] == ["lambda"]


@given(st.integers(1, 1000), st.floats(0.0, 1.0))
def test_texts_mean_what_the_values_mean(iterations: int, weight: float) -> None:
    values = {"iterations": iterations, "lambda_start": weight}
    texts = {normalise(name).replace("_", "-"): repr(value) for name, value in values.items()}
    assert parse(Example, texts) == parse(Example, values) == Example(iterations, weight)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.lists(st.integers())))
def test_nothing_but_a_parameter_error_comes_out(value: object) -> None:
    for name in ("iterations", "lambda", "noise_std", "linear", "solver", "note"):
        with suppress(ParameterError):
            assert isinstance(parse(Example, {name: value}), Example)
