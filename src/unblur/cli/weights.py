"""`unblur weights`: the weights of networks, by name."""

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblur.cli import options as o
from unblur.cli.terminal import Failures, clean, say

if TYPE_CHECKING:
    from unblur.nets.store import Entry

__all__ = ["register"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as mprnet-gopro.")]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_weights)
    group.command("list")(list_)
    group.command()(add)
    group.command()(path)
    group.command()(remove)
    app.add_typer(group, name="weights")


def _weights() -> None:
    """List, add and remove the weights of networks; nothing is ever downloaded."""


def list_(as_json: AsJson = False) -> None:
    """List the weights there are, and whether their files are whole."""
    failures = Failures()
    with failures.about("weights"):
        from unblur.nets.weights import list_weights

        found = list_weights()
        if as_json:
            say(json.dumps([_described(entry) for entry in found], indent=2))
        elif found:
            _table(found)
        else:
            say("no weights yet: `unblur weights add NAME FILE` keeps a published checkpoint")
    failures.finish()


def add(
    name: Name,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A checkpoint: .pth, .pt, .bin or .safetensors.")
    ],
    licence: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Of the weights; the published ones' if not given."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where the file came from.")
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Check a checkpoint and keep it: the name begins with the architecture."""
    failures = Failures(as_json=as_json)
    with failures.about(name):
        from unblur.nets import weights

        entry = weights.add(name, file, licence=licence, source=source, overwrite=overwrite)
        if as_json:
            say(json.dumps(_described(entry)))
        else:
            licence = entry.notes["licence"]
            say(f"{clean(file)} -> {clean(entry.path)} (licence: {clean(licence)})")
    failures.finish()


def path(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The folder if none.")] = None,
) -> None:
    """Print where weights are: the file of NAME, or the folder of all."""
    failures = Failures()
    with failures.about(name or "weights"):
        from unblur.nets import store, weights

        say(str(store.folder() if name is None else weights.weights_path(name)))
    failures.finish()


def remove(name: Name) -> None:
    """Delete weights that were added."""
    failures = Failures()
    with failures.about(name):
        from unblur.nets import store

        store.remove(name)
        say(f"removed {name}")
    failures.finish()


def _described(entry: "Entry") -> dict[str, Any]:
    """What is known of weights; "sha256" is the kept file's, as in the report of a picture."""
    digest = None
    if entry.damage is None:
        with open(entry.path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": entry.name,
        "path": str(entry.path),
        "size": entry.size,
        "shipped": entry.shipped,
        "damage": entry.damage,
        **{key: text for key, text in entry.notes.items() if key != "name"},
        "sha256": digest,
    }


def _table(entries: "tuple[Entry, ...]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "size", "licence", "from", "added", "state"):
        table.add_column(title, no_wrap=title == "name")
    for entry in entries:
        table.add_row(
            clean(entry.name),
            f"{entry.size / 1e6:.1f} MB",
            clean(entry.notes.get("licence", "")),
            clean(entry.notes.get("source") or entry.notes.get("file", "")),
            clean(entry.notes.get("date", "")),
            entry.damage or ("shipped" if entry.shipped else "added"),
        )
    Console().print(table, markup=False)
