"""`unblur experiment`: experiments of papers, run again and measured."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblur.cli import options as o
from unblur.cli.terminal import Failures, clean, say, tell

if TYPE_CHECKING:
    from unblur.train.experiments.showing import Table

__all__ = ["register"]

Folder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="For the table and all else.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", metavar="", help="Go on from the last checkpoints in DIR."),
]
Device = Annotated[
    str, typer.Option("--accelerator", metavar="NAME", help="cpu, cuda, mps, or auto.")
]
Blurred = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The blur data set (Kaggle), defocused."),
]
Sharp = Annotated[
    Path | None,
    typer.Option("--sharp", metavar="DIR", help="Sharp pictures, to be defocused by disks."),
]
Pictures = Annotated[
    int, typer.Option("--pictures", metavar="N", help="Take N of the sharp ones; 0 takes all.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_experiment)
    group.command()(autoencoder)
    group.command("distortion-prior")(distortion_prior)
    app.add_typer(group, name="experiment")


def _experiment() -> None:
    """Run an experiment of a paper again: train, measure, and leave tables and pictures."""


def autoencoder(
    output: Folder,
    data: Blurred = None,
    sharp: Sharp = None,
    pictures: Pictures = 0,
    epochs: Annotated[int, typer.Option(min=1, help="The table shows 10, 50 and the last.")] = 100,
    width: Annotated[int, typer.Option(min=1, help="Channels of the first layer.")] = 64,
    latent: Annotated[int, typer.Option(min=1, help="Numbers in the code.")] = 256,
    accelerator: Device = "auto",
    resume: Resume = False,
    quiet: o.Quiet = False,
) -> None:
    """The autoencoder (Kashmar 2024): accuracy by epochs, validated in two ways.

    Give --data, --sharp, or both. The folder of the results gets table.csv, curves.png and
    predicted.png.
    """

    def run(report: Callable[[str], None] | None) -> "Table":
        from unblur.train.experiments import autoencoder as experiment
        from unblur.train.experiments.defocused import prepare

        recipe = experiment.Recipe(
            epochs=epochs,
            stops=tuple(sorted({*(n for n in (10, 50) if n < epochs), epochs})),
            width=width,
            latent=latent,
            accelerator=accelerator,
        )
        pairs = prepare(data, sharp, count=pictures, seed=recipe.seed)
        return experiment.run(pairs, output, recipe, resume=resume, say=report)

    _run("experiment autoencoder", run, quiet=quiet)


def distortion_prior(
    sharp: Annotated[Path, typer.Argument(metavar="DIR", help="Sharp pictures to train with.")],
    output: Folder,
    tests: Annotated[
        Path | None,
        typer.Option("--tests", metavar="DIR", help="Other sharp pictures, to compare with."),
    ] = None,
    lens: Annotated[
        Path | None,
        typer.Option(
            "--lens", metavar="FILE", help="Kernels of a lens (rows, columns, h, w[, 3]), .npy."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=10, help="Of each of the three.")] = 20_000,
    side: Annotated[int, typer.Option(min=32, help="Of the frames, pixels.")] = 96,
    frames: Annotated[int, typer.Option(min=1, help="Made to train with.")] = 4000,
    width: Annotated[int, typer.Option(min=1, help="Channels at the finest level.")] = 16,
    blocks: Annotated[int, typer.Option(min=1, help="Residual blocks of a module.")] = 4,
    lr: Annotated[float, typer.Option(min=0, help="The learning rate at its height.")] = 1e-3,
    accelerator: Device = "auto",
    resume: Resume = False,
    quiet: o.Quiet = False,
) -> None:
    """The distortion prior (Kim 2021): DPA-Net without it, with a uniform one, with all of it.

    Three networks learn alike from random lenses. The folder of the results gets table.csv, PSNR
    at the centre and at the periphery of frames, and pictures.
    """

    def run(report: Callable[[str], None] | None) -> "Table":
        from unblur.train.experiments import distortion_prior as experiment

        recipe = experiment.Recipe(
            steps=steps,
            side=side,
            frames=frames,
            width=width,
            blocks=blocks,
            lr=lr,
            accelerator=accelerator,
        )
        return experiment.run(
            sharp, output, recipe, tests=tests, lens=lens, resume=resume, say=report
        )

    _run("experiment distortion-prior", run, quiet=quiet)


def _run(name: str, run: "Callable[[Callable[[str], None] | None], Table]", *, quiet: bool) -> None:
    """Run an experiment and print its table; stopped by a signal, say how to go on."""
    failures = Failures()
    code = 0
    with failures.about(name):
        from unblur.train.extras import require

        require(f"unblur {name}")
        from unblur.evaluate.tables import markdown
        from unblur.train.keeping import Stopped

        try:
            table = run(None if quiet else _tell)
        except Stopped as stop:
            tell(f"unblur: {clean(stop)}; go on with --resume")
            code = 128 + stop.signal
        else:
            say(
                markdown(
                    list(table[0]), [[_cell(value) for value in row.values()] for row in table]
                )
            )
    failures.finish()
    if code:
        raise typer.Exit(code)


def _cell(value: str | float) -> str:
    """A number as tables have it: shares and similarities under 1 with three digits.

    Example:
        >>> _cell("input"), _cell(100), _cell(0.79561), _cell(18.9069)
        ('input', '100', '0.796', '18.91')
    """
    if isinstance(value, str | int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _tell(line: str) -> None:
    tell(clean(line))
