"""`unblur blur`: makes test material whose blur is known."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from unblur.cli import options as o
from unblur.cli.arguments import check_choice
from unblur.cli.terminal import Failures, clean, say, warn
from unblur.errors import ParameterError
from unblur.jobs.files import check_target, open_source
from unblur.jobs.job import STREAM
from unblur.jobs.names import keep_apart

if TYPE_CHECKING:
    from unblur.blur import Kernel

__all__ = ["blur", "register"]

# What each kind takes, and which of it cannot be left out.
_KINDS = {
    "motion": ("length", "angle"),
    "disk": ("radius", "blades", "rotation"),
    "gaussian": ("sigma", "sigma_y", "angle"),
    "shake": ("size", "exposure", "anxiety"),
}
_SHAPE = "Shape of the blur"

Blurred = Annotated[
    str, typer.Option("--output", "-o", metavar="OUT", help="A file; - is standard output.")
]
Kind = Annotated[
    str,
    typer.Option(metavar="|".join(_KINDS), help="What blurred.", rich_help_panel=_SHAPE),
]
Length = Annotated[
    float | None, typer.Option(help="motion: pixels of the path.", rich_help_panel=_SHAPE)
]
Angle = Annotated[
    float | None,
    typer.Option(help="motion, gaussian: degrees counter-clockwise.", rich_help_panel=_SHAPE),
]
Radius = Annotated[float | None, typer.Option(help="disk: pixels.", rich_help_panel=_SHAPE)]
Blades = Annotated[
    int | None, typer.Option(help="disk: sides of the aperture.", rich_help_panel=_SHAPE)
]
Rotation = Annotated[
    float | None, typer.Option(help="disk with blades: degrees.", rich_help_panel=_SHAPE)
]
Sigma = Annotated[
    float | None, typer.Option(help="gaussian: standard deviation, pixels.", rich_help_panel=_SHAPE)
]
SigmaY = Annotated[
    float | None, typer.Option(help="gaussian: across, if it differs.", rich_help_panel=_SHAPE)
]
Size = Annotated[
    int | None, typer.Option(help="shake: odd side in pixels.", rich_help_panel=_SHAPE)
]
Exposure = Annotated[
    float | None, typer.Option(help="shake: share of the path, 0..1.", rich_help_panel=_SHAPE)
]
Anxiety = Annotated[
    float | None, typer.Option(help="shake: 0 steady, 1 nervous.", rich_help_panel=_SHAPE)
]
Noise = Annotated[
    float, typer.Option(metavar="STD", help="Standard deviation of added noise; values in 0..1.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(blur)


def blur(
    source: o.Source,
    output: Blurred,
    kind: Kind = "motion",
    length: Length = None,
    angle: Angle = None,
    radius: Radius = None,
    blades: Blades = None,
    rotation: Rotation = None,
    sigma: Sigma = None,
    sigma_y: SigmaY = None,
    size: Size = None,
    exposure: Exposure = None,
    anxiety: Anxiety = None,
    kernel: o.KernelFile = None,
    noise: Noise = 0.0,
    seed: o.Seed = 0,
    save_kernel: o.SaveKernel = None,
    quality: o.Quality = 95,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    as_json: o.AsJson = False,
) -> None:
    """Blur a sharp photograph, in linear light, to have test material whose blur is known."""
    shape = {
        "length": length,
        "angle": angle,
        "radius": radius,
        "blades": blades,
        "rotation": rotation,
        "sigma": sigma,
        "sigma_y": sigma_y,
        "size": size,
        "exposure": exposure,
        "anxiety": anxiety,
    }
    failures = Failures(as_json=as_json)
    with failures.about(source):
        opened = open_source(source)
        keep_apart([source, kernel], [output, save_kernel])
        check_target(output, overwrite=overwrite)
        if save_kernel is not None:
            check_target(save_kernel, overwrite=overwrite)
        made = _kernel(kind, {name: n for name, n in shape.items() if n is not None}, kernel, seed)
        from unblur.jobs.files import rehearse, store
        from unblur.photo import read
        from unblur.restore.synthesis import blur as blurred

        photo = read(opened.content)
        rehearse(output, photo, quality=quality)
        result = blurred(photo, made, noise=noise, seed=seed)
        opened.check_unchanged()
        warnings = store(output, result, overwrite=overwrite, quality=quality)
        if save_kernel is not None:
            made.save(save_kernel, overwrite=overwrite)
        if not quiet:
            warn(source, (*photo.warnings, *warnings))
        if as_json:
            record = {"kernel": made.record.as_dict(), "noise": noise, "seed": seed}
            say(json.dumps({"source": source, "target": output, "ok": True, **record}))
        elif not quiet and output != STREAM:
            say(f"{clean(source)} -> {clean(output)} (kernel {made.size[0]} x {made.size[1]})")
    failures.finish()


def _kernel(kind: str, shape: dict[str, float], file: str | None, seed: int) -> "Kernel":
    """Make the kernel that the options describe."""
    from unblur.blur import Kernel, kernels

    if file is not None:
        if shape:
            raise ParameterError(f"--{next(iter(shape))} and --kernel exclude each other")
        return Kernel.load(file)
    needed, *optional = _KINDS[check_choice("--kind", kind, tuple(_KINDS))]
    for name in shape:
        if name not in (needed, *optional):
            takes = ", ".join(f"--{each.replace('_', '-')}" for each in (needed, *optional))
            raise ParameterError(
                f"--kind {kind} takes no --{name.replace('_', '-')}; it takes {takes}"
            )
    if needed not in shape:
        raise ParameterError(f"--kind {kind} needs --{needed}")
    more = {"seed": seed} if kind == "shake" else {}
    made: Kernel = getattr(kernels, kind)(**shape, **more)
    return made
