"""`unblur methods`: the catalogue, or the parameters of one method."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblur.cli.terminal import Failures, say

if TYPE_CHECKING:
    from unblur.restore.method import Method

__all__ = ["methods", "register"]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(methods)


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="METHOD", help="Show the parameters of this one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the methods, what each needs, and whether it is ready to run here."""
    from unblur.restore import catalogue

    failures = Failures()
    with failures.about("methods"):
        chosen = catalogue.METHODS if name is None else (catalogue.find(name),)
        if as_json:
            say(json.dumps([_described(method) for method in chosen], indent=2, allow_nan=False))
        elif name is None:
            _table(chosen)
        else:
            _details(chosen[0])
    failures.finish()


def _described(method: "Method") -> dict[str, Any]:
    from unblur.restore.parameters import schema

    ready, why = method.ready(method.parameters())
    return {
        "name": method.name,
        "summary": method.summary,
        "when": method.when,
        "needs_kernel": method.needs_kernel,
        "needs_weights": method.needs_weights,
        "ready": ready,
        "why_not": None if ready else why,
        "parameters": schema(method.parameters),
    }


def _table(methods: "tuple[Method, ...]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("method", "what it is", "when to use it", "needs", "ready"):
        table.add_column(title)
    for method in methods:
        entry = _described(method)
        table.add_row(
            method.name,
            method.summary,
            method.when,
            _needs(method),
            "yes" if entry["ready"] else "not ready",
        )
    Console().print(table, markup=False)
    for method in methods:
        ready, why = method.ready(method.parameters())
        if not ready:
            say(f"{method.name} is not ready: {why}")


def _needs(method: "Method") -> str:
    if method.needs_kernel:
        return "a kernel"
    return "weights" if method.needs_weights else "nothing"


def _details(method: "Method") -> None:
    from rich.console import Console
    from rich.table import Table

    entry = _described(method)
    say(f"{method.name}: {method.summary}\n{method.when}\n")
    if not entry["ready"]:
        say(f"not ready: {entry['why_not']}\n")
    table = Table(box=None, pad_edge=False)
    for title in ("option", "default", "range", "meaning"):
        table.add_column(title, no_wrap=title == "option")
    for name, field in entry["parameters"]["properties"].items():
        names = [name, *field.get("aliases", ())]
        table.add_row(
            "\n".join(f"--{each.replace('_', '-')}" for each in names),
            _text(field["default"]),
            _range(field),
            field["description"],
        )
    Console().print(table, markup=False)


def _range(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(_text(value) for value in field["enum"])
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return ""
    return f"{'' if low is None else format(low, 'g')}..{'' if high is None else format(high, 'g')}"


def _text(value: object) -> str:
    return format(value, "g") if isinstance(value, float) else str(value).lower()
