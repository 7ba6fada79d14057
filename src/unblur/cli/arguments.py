"""What the command line has beside plain options: regions, and the parameters of a method."""

import difflib
from collections import deque
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from unblur.errors import ParameterError

__all__ = ["MethodCommand", "check_choice", "colour", "hyphens", "region", "settings"]

T = TypeVar("T", bound=str)

# What a switch such as `--guard` takes for its value; anything else is the next picture.
_SWITCHES = ("true", "false", "yes", "no", "on", "off")


def hyphens(name: str) -> str:
    """Take `_` in the name of an option or a command for `-`."""
    return name.replace("_", "-")


def region(text: str | None) -> tuple[int, int, int, int] | None:
    """Read X,Y,W,H.

    Raises:
        ParameterError: These are not four whole numbers, or they span no pixel.

    Example:
        >>> region("10,20,300,200")
        (10, 20, 300, 200)
    """
    if text is None:
        return None
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise ParameterError(f"--roi must be X,Y,W,H in whole pixels, not {text!r}") from None
    if min(x, y) < 0 or min(width, height) < 1:
        raise ParameterError(f"--roi must start inside the picture and span pixels, not {text!r}")
    return x, y, width, height


def settings(pairs: list[str] | None, **more: str | None) -> dict[str, Any]:
    """Read NAME=VALUE pairs, and add what `more` names and gives.

    Raises:
        ParameterError: A pair has no `=`, or a name comes twice.

    Example:
        >>> settings(["lambda-min=1e-4"])
        {'lambda_min': '1e-4'}
    """
    named = [(name, value) for name, value in more.items() if value is not None]
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"--set must be NAME=VALUE, not {pair!r}")
        named.append((name.strip().replace("-", "_"), value.strip()))
    values: dict[str, Any] = {}
    for name, value in named:
        if name in values:
            raise ParameterError(f"parameter '{name}' is given twice")
        values[name] = value
    return values


def colour(text: str | None) -> tuple[float, ...] | None:
    """Read one grey value or R,G,B, each in [0, 1].

    Raises:
        ParameterError: It is neither.

    Example:
        >>> colour("1,1,0.5")
        (1.0, 1.0, 0.5)
    """
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(0.0 <= value <= 1.0 for value in values):
        raise ParameterError(f"--background must be one value or R,G,B in 0..1, not {text!r}")
    return values


def check_choice(option: str, value: str, choices: tuple[T, ...]) -> T:
    """Give `value` back if it is one of `choices`.

    Raises:
        ParameterError: It is none of them.

    Example:
        >>> check_choice("--kind", "disk", ("motion", "disk"))
        'disk'
    """
    for choice in choices:
        if value == choice:
            return choice
    raise ParameterError(f"{option} must be one of {', '.join(choices)}, not {value!r}")


class MethodCommand(TyperCommand):
    """A command that takes the parameters of its method by their own names.

    `--iterations 30` becomes `--set iterations=30` before anything else looks at the arguments,
    `--guard` `--set guard=true` and `--no-guard` `--set guard=false`.
    What is neither an option of the command nor a parameter of the method is refused here, with the
    nearest of both.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Rewrite the parameters of the method, then parse as ever."""
        return super().parse_args(ctx, self._rewritten(ctx, args))

    def _rewritten(self, ctx: typer.Context, args: list[str]) -> list[str]:
        takes_value = {
            name: not getattr(option, "is_flag", False) and not getattr(option, "count", False)
            for option in self.get_params(ctx)
            for name in (*option.opts, *option.secondary_opts)
        }
        rewritten: list[str] = []
        parameters: dict[str, str] | None = None
        words = deque(args)
        while words:
            word = words.popleft()
            if word == "--":
                rewritten += [word, *words]
                break
            name, equals, value = word.partition("=")
            name = hyphens(name) if name.startswith("--") else name
            if not name.startswith("--") or name in takes_value:
                rewritten.append(word)
                if takes_value.get(name) and not equals and words:
                    rewritten.append(words.popleft())
                continue
            if parameters is None:
                parameters = _parameters(_method(args))
            if name.startswith("--no-") and parameters.get(f"--{name[5:]}") == "boolean":
                rewritten += ["--set", f"{name[5:]}=false"]
                continue
            if name not in parameters:
                switches = [
                    f"--no-{each[2:]}" for each in parameters if parameters[each] == "boolean"
                ]
                known = [*takes_value, *parameters, *switches]
                raise _Wrong(_unknown(name, known, _method(args)), ctx)
            if not equals and parameters[name] == "boolean":
                value = words.popleft() if words and words[0] in _SWITCHES else "true"
            elif not equals:
                value = words.popleft() if words else ""
            rewritten += ["--set", f"{name[2:]}={value}"]
        return rewritten


def _method(args: list[str]) -> str:
    """Find the method that the arguments name."""
    for position, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name == "--method" and equals:
            return value
        if word in ("-m", "--method") and position + 1 < len(args):
            return args[position + 1]
        if word.startswith("-m") and len(word) > 2:
            return word[2:]
    return "l0"


def _parameters(method: str) -> dict[str, str]:
    """Give the type of each parameter of the method by its name as an option."""
    from unblur.restore import catalogue
    from unblur.restore.parameters import schema

    try:
        properties = schema(catalogue.find(method).parameters)["properties"]
    except ParameterError as error:
        raise _Wrong(str(error)) from error
    return {
        f"--{hyphens(name)}": str(entry["type"])
        for title, entry in properties.items()
        for name in (title, *entry.get("aliases", ()))
    }


class _Wrong(typer.BadParameter):
    def format_message(self) -> str:
        return self.message


def _unknown(name: str, known: list[str], method: str) -> str:
    from unblur.restore.catalogue import METHODS

    others = [each.name for each in METHODS if name in _parameters(each.name)]
    if others:
        return f"no such option: {name} with -m {method}; -m {' or '.join(others)} would take it"
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"`unblur methods {method}` lists more"
    return f"no such option: {name}; {hint}"
