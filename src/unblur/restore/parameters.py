"""The parameters of a method: one frozen dataclass, checked in one place.

A method declares its parameters as fields with a default, annotated with what they mean and how far
they reach. The command line, the library, the service and the help text all read this declaration.
"""

import dataclasses
import difflib
import math
import os
import types
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from unblur.errors import ParameterError

__all__ = ["Parameter", "normalise", "parse", "schema"]

T = TypeVar("T")

_WORDS = {"true": True, "yes": True, "on": True, "1": True}
_WORDS |= {"false": False, "no": False, "off": False, "0": False}
_NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_JSON = {int: "integer", float: "number", bool: "boolean", str: "string"}


@dataclass(frozen=True)
class Parameter:
    """What a field of a method's parameters means, and its range (both ends belong to it).

    Other names under which users know it go to `aliases`.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    aliases: tuple[str, ...] = ()


class _Field(NamedTuple):
    name: str
    kind: type
    choices: tuple[str, ...]
    optional: bool
    parameter: Parameter
    default: object

    @property
    def wanted(self) -> str:
        """Describe the values that the field takes, in words."""
        words = f"one of {', '.join(self.choices)}" if self.choices else _NOUNS[self.kind]
        low, high = self.parameter.minimum, self.parameter.maximum
        if low is not None and high is not None:
            words += f" from {low:g} to {high:g}"
        elif low is not None:
            words += f" of at least {low:g}"
        elif high is not None:
            words += f" of at most {high:g}"
        return words + (", or none" if self.optional else "")


def normalise(name: str) -> str:
    """Give a parameter's name as Python spells it: `-` and `_` are equal.

    Example:
        >>> normalise("lambda-min")
        'lambda_min'
    """
    return name.replace("-", "_")


def parse(cls: type[T], values: Mapping[str, object]) -> T:
    """Build the parameters `cls` from values by name, checking each of them.

    Args:
        cls: A dataclass whose fields are `Annotated[type, Parameter(...)]` with a default. The type
            is int, float, bool, str (which takes paths too), a `Literal` of texts, or one of these
            `| None`.
        values: Values by field name or alias, `-` equal to `_`. Texts are converted.

    Returns:
        An instance of `cls`; what `values` does not name keeps its default.

    Raises:
        ParameterError: A name is unknown (the message has the nearest ones) or given twice; a value
            is of the wrong type, not finite, or outside its range.

    Example:
        >>> @dataclass(frozen=True)
        ... class Parameters:
        ...     iterations: Annotated[int, Parameter("how many rounds", 1, 1000)] = 30
        >>> parse(Parameters, {"iterations": "50"})
        Parameters(iterations=50)
        >>> parse(Parameters, {"iteration": 50})
        Traceback (most recent call last):
        unblur.errors.ParameterError: unknown parameter 'iteration': did you mean 'iterations'?
    """
    fields = _fields(cls)
    by_name = {alias: field for field in fields for alias in field.parameter.aliases}
    by_name |= {field.name: field for field in fields}
    taken: dict[str, object] = {}
    for name, value in values.items():
        field = by_name.get(normalise(name))
        if field is None:
            raise ParameterError(_unknown(name, tuple(by_name)))
        if field.name in taken:
            raise ParameterError(f"parameter '{field.name}' is given twice")
        taken[field.name] = _convert(field, value)
    return cls(**taken)


def schema(cls: type) -> dict[str, Any]:
    """Describe the parameters `cls` as a JSON schema (draft 2020-12); `aliases` is our own keyword.

    Example:
        >>> @dataclass(frozen=True)
        ... class Parameters:
        ...     iterations: Annotated[int, Parameter("how many rounds", 1, 1000)] = 30
        >>> schema(Parameters)["properties"]["iterations"]["maximum"]
        1000
    """
    properties: dict[str, Any] = {}
    for field in _fields(cls):
        kind = _JSON[field.kind]
        entry: dict[str, Any] = {"type": [kind, "null"] if field.optional else kind}
        entry |= {"description": field.parameter.help, "default": field.default}
        if field.parameter.minimum is not None:
            entry["minimum"] = field.parameter.minimum
        if field.parameter.maximum is not None:
            entry["maximum"] = field.parameter.maximum
        if field.choices:
            entry["enum"] = [*field.choices, *([None] if field.optional else [])]
        if field.parameter.aliases:
            entry["aliases"] = list(field.parameter.aliases)
        properties[field.name] = entry
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _fields(cls: type) -> tuple[_Field, ...]:
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass")
    hints = type_hints(cls, include_extras=True)
    return tuple(
        _field(item.name, hints[item.name], item.default) for item in dataclasses.fields(cls)
    )


def _field(name: str, hint: object, default: object) -> _Field:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"field {name!r} has no Parameter")
    inner, *notes = get_args(hint)
    parameter = next((note for note in notes if isinstance(note, Parameter)), None)
    if parameter is None or default is dataclasses.MISSING:
        raise TypeError(f"field {name!r} has no Parameter or no default")
    optional = False
    if get_origin(inner) in (types.UnionType, Union):
        inner, optional = next(part for part in get_args(inner) if part is not type(None)), True
    choices = get_args(inner) if get_origin(inner) is Literal else ()
    kind = str if choices else inner
    if kind not in _NOUNS:
        raise TypeError(f"field {name!r} is of a type that cannot be parsed: {hint!r}")
    return _Field(name, kind, choices, optional, parameter, default)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(normalise(name), known, n=3)
    if near:
        hint = f"did you mean {' or '.join(repr(match) for match in near)}?"
    elif known:
        hint = f"there are {', '.join(known)}"
    else:
        hint = "the method has none"
    return f"unknown parameter {name!r}: {hint}"


def _convert(field: _Field, value: object) -> object:
    """Give `value` as the field's type, or refuse it."""
    if field.optional and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    converted = _CONVERTERS[field.kind](value)
    low, high = field.parameter.minimum, field.parameter.maximum
    if (
        converted is None
        or (field.choices and converted not in field.choices)
        or (low is not None and converted < low)
        or (high is not None and converted > high)
    ):
        raise ParameterError(f"parameter '{field.name}' must be {field.wanted}, not {value!r}")
    return converted


def _float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass  # "1e3" and "30.0" are whole numbers too
    number = _float(value)
    return int(number) if number is not None and number.is_integer() else None


def _bool(value: object) -> bool | None:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _str(value: object) -> str | None:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    return path if isinstance(path, str) else None


_CONVERTERS: Mapping[type, Any] = {int: _int, float: _float, bool: _bool, str: _str}
