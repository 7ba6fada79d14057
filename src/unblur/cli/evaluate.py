"""`unblur evaluate`: scores of methods under a named protocol."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblur.cli import options as o
from unblur.cli.arguments import settings
from unblur.cli.terminal import Bar, Failures, clean, say, tell
from unblur.errors import ParameterError

if TYPE_CHECKING:
    from unblur.evaluate import Run, Score, Store, Timing

__all__ = ["evaluate", "register"]

_SCORING = "Scoring"

ProtocolName = Annotated[
    str | None, typer.Argument(metavar="PROTOCOL", help="Without one, all are listed.")
]
Data = Annotated[
    str | None, typer.Option(metavar="DIR", help="The folder of the unpacked archive.")
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-m",
        metavar="METHOD",
        help="One or several; METHOD:NAME=VALUE,... sets parameters of this one alone. The input "
        "itself is always the first.",
    ),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter, for every method that has it."),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTDIR",
        help="Keep records, tables and a page here; without it, the table is only printed.",
    ),
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="The first N pictures only.")]
Resume = Annotated[
    bool, typer.Option("--resume", metavar="", help="Keep the records of OUTDIR, and go on.")
]
Variant = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which input of the set, such as blur_gamma.",
        rich_help_panel=_SCORING,
    ),
]
Align = Annotated[
    bool,
    typer.Option(
        "--align",
        metavar="",
        help="Align each result with its truth first.",
        rich_help_panel=_SCORING,
    ),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published",
        metavar="",
        help="Score pairs that are not aligned as they lie.",
        rich_help_panel=_SCORING,
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="A further metric, of pyiqa, such as lpips or niqe.",
        rich_help_panel=_SCORING,
    ),
]
Table = Annotated[
    bool,
    typer.Option(
        "--table",
        metavar="",
        help="gopro: PSNR and time beside table 1 of the DPA-Net paper.",
        rich_help_panel=_SCORING,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(evaluate)


def evaluate(
    protocol: ProtocolName = None,
    data: Data = None,
    methods: Methods = None,
    settings_: Setting = None,
    output: Folder = None,
    limit: Limit = None,
    resume: Resume = False,
    overwrite: o.Overwrite = False,
    variant: Variant = None,
    align: Align = False,
    as_published: AsPublished = False,
    metrics: Metrics = None,
    table: Table = False,
    device: o.Device = "auto",
    quiet: o.Quiet = False,
    as_json: o.AsJson = False,
) -> None:
    """Score methods on a data set, by the rules under which others published.

    It may be stopped at any time: with --resume, what OUTDIR holds is not computed again.
    """
    failures = Failures(as_json=as_json)
    if protocol is None:
        with failures.about("evaluate"):
            _list()
        failures.finish()
        return
    with failures.about(protocol):
        from unblur import evaluate as rooms

        values = settings(settings_)
        if table and protocol != "gopro":
            raise ParameterError("--table is of protocol gopro")
        if resume and output is None:
            raise ParameterError("--resume goes on in a folder: name it with --output")
        chosen, named = rooms.settle(
            rooms.find(protocol), variant, align=align, as_published=as_published
        )
        if data is None:
            raise ParameterError("--data DIR is missing: the folder of the unpacked archive")
        entrants = rooms.contenders(methods or [], values, device=device)
        judges = rooms.judges(metrics or [])
        dataset = chosen.reader(Path(data), named)
        store = None
        if output is not None:
            store = rooms.Store(Path(output), resume=resume, overwrite=overwrite)

        def failed(name: str, error: Exception) -> None:
            with failures.about(f"{protocol}: {name}"):
                raise error

        timings: list[Timing] = []
        with Bar(protocol, quiet=quiet) as bar:
            done = rooms.run(
                chosen,
                named,
                dataset,
                entrants,
                judges=judges,
                limit=limit,
                store=store,
                failed=failed,
                progress=bar,
            )
            scores = rooms.scores(done)
            if table and scores:
                shot = rooms.frame(next(iter(dataset)).read_blurred())
                timings = [rooms.measure(entrant, shot, bar) for entrant in entrants[1:]]
        if scores:
            _tell(done, scores, timings, store, quiet=quiet, as_json=as_json)
    failures.finish()


def _list() -> None:
    """Print the protocols."""
    from rich.console import Console
    from rich.table import Table as Grid

    from unblur.evaluate import PROTOCOLS

    grid = Grid(box=None, pad_edge=False)
    for title in ("protocol", "what it is", "variants", "metrics"):
        grid.add_column(title, no_wrap=title == "protocol")
    for entry in PROTOCOLS:
        metrics = ", ".join(entry.comparison.metrics)
        grid.add_row(entry.name, entry.summary, ", ".join(entry.variants), metrics)
    Console().print(grid, markup=False)


def _tell(
    done: "Run",
    scores: "tuple[Score, ...]",
    timings: "list[Timing]",
    store: "Store | None",
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the scores, and write the records of the run."""
    from unblur import evaluate as rooms

    others = rooms.published(done.protocol.name, done.variant)
    record = _record(done, scores, timings)
    tables = [str(rooms.summary(scores, others))]
    if timings:
        tables.append(str(rooms.table_1(scores, timings)))
    if as_json:
        say(rooms.to_json(record))
    else:
        say("\n\n".join(tables))
    if store is None:
        return
    text = rooms.report(done, scores, others)
    if timings:
        text += f"\n## Table 1 of the DPA-Net paper\n\n{tables[-1]}\n"
    written = [
        store.publish("run.json", rooms.to_json(record) + "\n"),
        store.publish("report.md", text),
        store.publish("report.html", rooms.page(done, scores, others, store=store)),
    ]
    if not quiet:
        for path in written:
            tell(f"wrote {clean(os.fspath(path))}")


def _record(done: "Run", scores: "tuple[Score, ...]", timings: "list[Timing]") -> dict[str, Any]:
    return {
        "protocol": done.protocol.name,
        "variant": done.variant,
        "definitions": done.definitions,
        "scores": [asdict(score) for score in scores],
        "timings": [asdict(timing) for timing in timings],
        "failures": done.failures,
    }
