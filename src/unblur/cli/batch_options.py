"""The options of `unblur batch` that no other command has."""

from typing import Annotated

import typer

__all__ = [
    "Cluster",
    "DryRun",
    "Exclude",
    "Include",
    "Inputs",
    "MaxFailures",
    "Recursive",
    "Results",
    "Resume",
    "Suffix",
    "Watch",
    "Workers",
]

_CHOOSING = "Choosing"
_GOING = "Going on"

Inputs = Annotated[str, typer.Argument(metavar="INDIR", help="A folder of pictures, or a URL.")]
Results = Annotated[
    str, typer.Argument(metavar="OUTDIR", help="A folder for the results, or a URL.")
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive/--no-recursive",
        "-r",
        metavar="",
        help="Folders inside too, kept as they are.",
        rich_help_panel=_CHOOSING,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Only such names, as *.jpg or 2024/*; otherwise all pictures by their extension.",
        rich_help_panel=_CHOOSING,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Not such names.", rich_help_panel=_CHOOSING),
]
Suffix = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Goes before the extension of results.",
        rich_help_panel="Writing",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", metavar="", help="Say what would be done, and do nothing.",
        rich_help_panel=_CHOOSING,
    ),
]  # fmt: skip
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", metavar="", help="Go on with the batch in OUTDIR.", rich_help_panel=_GOING
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", metavar="", help="Then wait for new pictures.", rich_help_panel=_GOING),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Stop after N failures.", rich_help_panel=_GOING),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Pictures at once; otherwise one for each core or GPU.",
        rich_help_panel="Running",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="auto|ADDRESS",
        help="Work on a Ray cluster.",
        rich_help_panel="Running",
    ),
]
