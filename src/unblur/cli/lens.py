"""`unblur calibrate`, `unblur lens` and `unblur chart`: a lens measured, kept and looked at."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblur.cli import options as o
from unblur.cli.lens_words import facts, measured, summary
from unblur.cli.terminal import Bar, Failures, clean, say, warn
from unblur.errors import InputError, ParameterError

if TYPE_CHECKING:
    from unblur.lens import LensProfile

__all__ = ["register"]

ProfileFile = Annotated[str, typer.Argument(metavar="LENS", help="A lens profile.")]
Printed = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(calibrate)
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_lens)
    group.command()(show)
    group.command("list")(list_)
    group.command()(add)
    group.command()(remove)
    app.add_typer(group, name="lens")
    app.command()(chart)


def calibrate(
    sharp: Annotated[
        list[str],
        typer.Option("--sharp", metavar="A", help="The sharp picture; once for each pair."),
    ],
    blurred: Annotated[
        list[str],
        typer.Option("--blurred", metavar="B", help="The blurred picture of the same scene."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="LENS.safetensors", help="The profile.")
    ],
    grid: Annotated[
        str | None,
        typer.Option(metavar="ROWSxCOLUMNS", help="Of cells; by the size if not given."),
    ] = None,
    kernel_size: Annotated[
        int | None, typer.Option(metavar="N", help="Side in pixels, odd; found if not given.")
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Weights of dpanet: keep its prior as well."),
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where the metadata do not name it.")
    ] = None,
    lens_name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where the metadata do not name it.")
    ] = None,
    encoding: o.Encoding = "auto",
    device: o.Device = "auto",
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    as_json: Printed = False,
) -> None:
    """Measure a lens: pairs of pictures, sharp and blurred, give its kernels over the frame.

    LENS.png, beside the profile, shows the kernels, green where they can be trusted.
    """
    failures = Failures(as_json=as_json)
    with failures.about("calibrate"), Bar("calibrate", quiet=quiet) as bar:
        drawn = _checked(output, [*sharp, *blurred], overwrite=overwrite)
        cells = _grid(grid)
        from unblur.photo import read
        from unblur.restore.calibration import calibrate as measure

        told: Any = _encoding(encoding)
        with _options_named():
            profile = measure(
                [read(name, encoding=told) for name in sharp],
                [read(name, encoding=told) for name in blurred],
                grid=cells,
                kernel_size=kernel_size,
                prior=prior,
                camera=camera,
                lens=lens_name,
                device=device,
                progress=bar,
            )
        bar.stop()
        profile.save(output, overwrite=overwrite)
        _draw(profile, drawn, overwrite=overwrite)
        if not quiet:
            warn(output, profile.measured["warnings"])
        if as_json:
            say(json.dumps({"target": output, "ok": True, **facts(profile)}))
        elif not quiet:
            say(f"{clean(output)}: {summary(profile)}")
    failures.finish()


def _checked(output: str, sources: list[str], *, overwrite: bool) -> str:
    """The name of the picture beside the profile, after what can be checked before any work."""
    from unblur.jobs.files import check_target
    from unblur.jobs.names import keep_apart

    stem, ending = os.path.splitext(output)
    if ending.lower() != ".safetensors":
        raise ParameterError(f"-o must end in .safetensors, not {output!r}")
    drawn = f"{stem}.png"
    keep_apart(sources, [output, drawn])
    for target in (output, drawn):
        check_target(target, overwrite=overwrite)
    return drawn


def _grid(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        rows, columns = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ParameterError(f"--grid must be ROWSxCOLUMNS, such as 9x12, not {text!r}") from None
    return rows, columns


def _encoding(value: str) -> str:
    from unblur.cli.arguments import check_choice

    return check_choice("--encoding", value, ("auto", "srgb", "linear"))


def _draw(profile: "LensProfile", path: str, *, overwrite: bool) -> None:
    from unblur.photo import Photo, write

    write(path, Photo(profile.show()[None]), overwrite=overwrite)


def _lens() -> None:
    """Look at calibrated lenses, and keep them so that `fix --lens auto` finds them."""


def show(
    source: ProfileFile,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="A picture of the kernels."),
    ] = None,
    overwrite: o.Overwrite = False,
    as_json: Printed = False,
) -> None:
    """Say what a profile is for and how far to trust it, cell by cell; -o draws its kernels."""
    failures = Failures(as_json=as_json)
    with failures.about(source):
        from unblur.lens import LensProfile

        profile = LensProfile.load(source)
        if as_json:
            say(json.dumps({"source": source, **facts(profile)}))
        else:
            say(summary(profile))
            say("confidence of the cells, in tenths:")
            for row in (profile.confidence * 10).round().int().tolist():
                say(" ".join(f"{value:2d}" for value in row))
            for words in measured(profile.measured):
                say(words)
        if output is not None:
            _draw(profile, output, overwrite=overwrite)
    failures.finish()


def list_(as_json: Printed = False) -> None:
    """List the profiles that `--lens auto` looks through."""
    failures = Failures(as_json=as_json)
    with failures.about("lens"):
        from unblur.lens import shelf

        kept = shelf.profiles()
        if as_json:
            say(json.dumps([_entry(each) for each in kept]))
        elif not kept:
            say(f"no profiles in {clean(shelf.folder())}: `unblur lens add LENS` keeps one")
        else:
            for each in kept:
                what = each.damage if each.profile is None else summary(each.profile)
                say(f"{clean(each.name)}: {clean(what)}")
    failures.finish()


def _entry(kept: Any) -> dict[str, Any]:
    known = {"damage": kept.damage} if kept.profile is None else facts(kept.profile)
    return {"name": kept.name, "path": str(kept.path), **known}


def add(source: ProfileFile, overwrite: o.Overwrite = False) -> None:
    """Keep a profile under the names of its camera and lens, for `fix --lens auto`."""
    failures = Failures()
    with failures.about(source):
        from unblur.lens import shelf

        say(f"{clean(source)} -> {clean(shelf.add(source, overwrite=overwrite))}")
    failures.finish()


def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A kept profile, as `lens list` names it.")
    ],
) -> None:
    """Delete a profile that was kept."""
    failures = Failures()
    with failures.about(name):
        from unblur.lens import shelf

        say(f"removed {clean(shelf.remove(name))}")
    failures.finish()


def chart(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="CHART.pdf", help="A .pdf or .png.")
    ],
    paper: Annotated[
        str, typer.Option(metavar="NAME|WxH", help="a0 to a4, letter, tabloid, or millimetres.")
    ] = "a3",
    dpi: Annotated[int, typer.Option(metavar="N", help="Dots an inch of the printer.")] = 300,
    seed: o.Seed = 0,
    overwrite: o.Overwrite = False,
) -> None:
    """Draw a target to print and photograph, sharp and blurred, for `unblur calibrate`."""
    failures = Failures()
    with failures.about(output):
        from unblur.lens.chart import save_chart

        height, width = save_chart(output, paper=paper, dpi=dpi, seed=seed, overwrite=overwrite)
        say(f"{clean(output)}: {width} x {height} pixels, {clean(paper)} at {dpi} dots an inch")
    failures.finish()


def _in_options(message: str) -> str:
    """A message of the library in the words of the command line."""
    for name, option in (
        ("kernel_size", "--kernel-size"),
        ("as grid", "as --grid"),
        ("grid must be (rows, columns)", "--grid must be ROWSxCOLUMNS"),
    ):
        message = message.replace(name, option)
    return message


@contextmanager
def _options_named() -> Iterator[None]:
    try:
        yield
    except (InputError, ParameterError) as error:
        raise type(error)(_in_options(str(error))) from error
