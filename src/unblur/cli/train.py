"""`unblur train`: networks learn, from a configuration to weights."""

from pathlib import Path
from typing import Annotated

import typer

from unblur.cli import options as o
from unblur.cli.terminal import Failures, clean, say, tell
from unblur.errors import ParameterError

__all__ = ["register", "train"]

Config = Annotated[
    str | None,
    typer.Argument(
        metavar="CONFIG.yaml|NAME", help="A file, or one that comes with unblur (--list)."
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="For the weights, checkpoints, curves and pictures; runs/NAME if not given.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", metavar="", help="Go on from the last checkpoint in DIR."),
]
Listing = Annotated[
    bool, typer.Option("--list", metavar="", help="List the configurations and leave.")
]
Show = Annotated[
    bool, typer.Option("--print", metavar="", help="Print the whole configuration and leave.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        options_metavar="[OPTIONS] [--SECTION.KEY VALUE]...",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(train)


def train(
    context: typer.Context,
    config: Config = None,
    output: Folder = None,
    resume: Resume = False,
    listing: Listing = False,
    show: Show = False,
    quiet: o.Quiet = False,
) -> None:
    """Train a network: on a CPU, a GPU, or several.

    Any key of the configuration may be given after it: --data.root DIR --model.lr 1e-4.
    It may be stopped at any time: with --resume it goes on as if it had not been.
    """
    failures = Failures()
    code = 0
    with failures.about(config or "train"):
        from unblur.train.extras import require

        if listing:
            _list()
            return
        if config is None or config.startswith("-"):
            raise ParameterError("CONFIG is missing: a file, or a name of `unblur train --list`")
        require("unblur train")
        from unblur.train.keeping import Stopped
        from unblur.train.run import train as run
        from unblur.train.settings import parse, parser

        if show:
            say(parser().dump(parse(config, context.args, root="MISSING")).rstrip())
            return
        folder = Path(output) if output is not None else Path("runs") / Path(config).stem
        try:
            run(config, context.args, folder=folder, resume=resume, say=None if quiet else _tell)
        except Stopped as stop:
            tell(f"unblur: {clean(stop)}; go on with --resume")
            code = 128 + stop.signal
    failures.finish()
    if code:
        raise typer.Exit(code)


def _tell(line: str) -> None:
    tell(clean(line))


def _list() -> None:
    """Print the configurations with the first line of their comments."""
    from unblur.train.names import CONFIGS

    for path in sorted(CONFIGS.glob("*.yaml")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        say(f"{path.stem:20} {title}")
