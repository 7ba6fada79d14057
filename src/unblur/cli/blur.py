"""`unblur blur`: makes test material whose blur is known."""

import json
from typing import Annotated, Any

import typer

from unblur.cli import options as o
from unblur.cli.blur_kinds import KINDS, check_kept, described, make
from unblur.cli.terminal import Failures, clean, say, warn
from unblur.errors import ParameterError
from unblur.jobs.files import check_target, open_source
from unblur.jobs.job import STREAM
from unblur.jobs.names import keep_apart

__all__ = ["blur", "register"]

_SHAPE = "Shape of the blur"
_CAMERA = "Camera"

Blurred = Annotated[
    str, typer.Option("--output", "-o", metavar="OUT", help="A file; - is standard output.")
]
Kind = Annotated[
    str,
    typer.Option(metavar="|".join(KINDS), help="What blurred.", rich_help_panel=_SHAPE),
]
Length = Annotated[
    float | None, typer.Option(help="motion: pixels of the path.", rich_help_panel=_SHAPE)
]
Angle = Annotated[
    float | None,
    typer.Option(help="motion, gaussian, lens: degrees counter-clockwise.", rich_help_panel=_SHAPE),
]
Radius = Annotated[
    float | None,
    typer.Option(
        help="disk: pixels; depth: pixels a unit of depth away from the focus.",
        rich_help_panel=_SHAPE,
    ),
]
Blades = Annotated[
    int | None, typer.Option(help="disk, depth: sides of the aperture.", rich_help_panel=_SHAPE)
]
Rotation = Annotated[
    float | None, typer.Option(help="with blades: degrees.", rich_help_panel=_SHAPE)
]
Sigma = Annotated[
    float | None, typer.Option(help="gaussian: standard deviation, pixels.", rich_help_panel=_SHAPE)
]
SigmaY = Annotated[
    float | None, typer.Option(help="gaussian: across, if it differs.", rich_help_panel=_SHAPE)
]
Size = Annotated[
    int | None,
    typer.Option(
        help="shake: odd side; homography: of the path, in pixels.", rich_help_panel=_SHAPE
    ),
]
Exposure = Annotated[
    float | None,
    typer.Option(help="shake, homography: share of the path, 0..1.", rich_help_panel=_SHAPE),
]
Anxiety = Annotated[
    float | None,
    typer.Option(help="shake, homography: 0 steady, 1 nervous.", rich_help_panel=_SHAPE),
]
Degrees = Annotated[
    float | None, typer.Option(help="homography: how far it rolls.", rich_help_panel=_SHAPE)
]
Stretch = Annotated[
    float | None,
    typer.Option(help="lens: factor along the angle, such as 1.02.", rich_help_panel=_SHAPE),
]
StretchY = Annotated[
    float | None, typer.Option(help="lens: across, if not 1.", rich_help_panel=_SHAPE)
]
Focus = Annotated[
    float | None,
    typer.Option(help="depth: what is sharp of a random landscape, 0..1.", rich_help_panel=_SHAPE),
]
Saturation = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        help="What white becomes before the blur; clipped after it.",
        rich_help_panel=_CAMERA,
    ),
]
Photons = Annotated[
    float | None,
    typer.Option(metavar="N", help="Shot noise: photons for white.", rich_help_panel=_CAMERA),
]
Contrast = Annotated[
    float,
    typer.Option(
        metavar="SLOPE", help="Of the camera's tone curve, in its middle.", rich_help_panel=_CAMERA
    ),
]
Compression = Annotated[
    int | None,
    typer.Option(
        "--jpeg", min=1, max=100, metavar="N", help="Quality of JPEG.", rich_help_panel=_CAMERA
    ),
]
Sheet = Annotated[
    bool,
    typer.Option(
        "--sheet",
        metavar="",
        help="Instead, 24 random training pairs of the pictures, as one picture.",
    ),
]
Noise = Annotated[
    float,
    typer.Option(
        metavar="STD",
        help="Standard deviation of added noise; values in 0..1.",
        rich_help_panel=_CAMERA,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(blur)


def blur(
    sources: o.Sources,
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
    degrees: Degrees = None,
    stretch: Stretch = None,
    stretch_y: StretchY = None,
    focus: Focus = None,
    kernel: o.KernelFile = None,
    noise: Noise = 0.0,
    saturation: Saturation = 1.0,
    photons: Photons = None,
    contrast: Contrast = 1.0,
    compression: Compression = None,
    sheet: Sheet = False,
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
        "degrees": degrees,
        "stretch": stretch,
        "stretch_y": stretch_y,
        "focus": focus,
    }
    given = {name: value for name, value in shape.items() if value is not None}
    camera = {
        "noise": noise,
        "saturation": saturation,
        "photons": photons,
        "contrast": contrast,
        "compression": compression,
    }
    writing = {"overwrite": overwrite, "quiet": quiet, "as_json": as_json}
    failures = Failures(as_json=as_json)
    if sheet:
        with failures.about(output):
            _sheet(sources, output, seed, **writing)
    else:
        with failures.about(sources[0]):
            if len(sources) > 1:
                raise ParameterError("one picture at a time is blurred, unless --sheet is given")
            made = (kind, given, kernel)
            _one(sources[0], output, made, camera, seed, save_kernel, quality, **writing)
    failures.finish()


def _one(
    source: str,
    output: str,
    described_as: tuple[str, dict[str, Any], str | None],
    camera: dict[str, Any],
    seed: int,
    save_kernel: str | None,
    quality: int,
    *,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Blur one picture."""
    kind, shape, kernel = described_as
    opened = open_source(source)
    keep_apart([source, kernel], [output, save_kernel])
    for target in (output, save_kernel):
        if target is not None:
            check_target(target, overwrite=overwrite)
    from unblur.blur import Defocus
    from unblur.jobs.files import rehearse, store
    from unblur.photo import read
    from unblur.restore.synthesis import blur as blurred

    photo = read(opened.content)
    made = make(kind, shape, kernel, photo.size, seed)
    check_kept(made, save_kernel)
    rehearse(output, photo, quality=quality)
    result = blurred(photo, made, seed=seed, **camera)
    opened.check_unchanged()
    warnings = store(output, result, overwrite=overwrite, quality=quality)
    if save_kernel is not None and not isinstance(made, Defocus):
        made.save(save_kernel, overwrite=overwrite)
    if not quiet:
        warn(source, (*photo.warnings, *warnings))
    if as_json:
        record = {"kernel": made.record.as_dict(), **camera, "seed": seed}
        say(json.dumps({"source": source, "target": output, "ok": True, **record}))
    elif not quiet and output != STREAM:
        say(f"{clean(source)} -> {clean(output)} ({described(made)})")


def _sheet(
    sources: list[str], output: str, seed: int, *, overwrite: bool, quiet: bool, as_json: bool
) -> None:
    """Draw training pairs of the pictures."""
    if output == STREAM:
        raise ParameterError("--output must be a file where --sheet is given")
    opened = [open_source(source) for source in sources]
    keep_apart(sources, [output])
    check_target(output, overwrite=overwrite)
    from unblur.cli.blur_sheet import contact_sheet, save_sheet
    from unblur.photo import read

    sheet, sample = contact_sheet([read(each.content) for each in opened], seed)
    save_sheet(output, sheet, overwrite=overwrite)
    if as_json:
        say(json.dumps({"target": output, "ok": True, "kinds": sample.kinds, "seed": seed}))
    elif not quiet:
        say(f"wrote {clean(output)}")
