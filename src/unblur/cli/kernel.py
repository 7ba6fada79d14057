"""`unblur kernel`: estimate a kernel, look at it, clean it, convert it."""

import json
import os
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from unblur.cli import options as o
from unblur.cli.arguments import MethodCommand, region, settings
from unblur.cli.terminal import Bar, Failures, clean, say, warn
from unblur.errors import ParameterError
from unblur.jobs.files import check_target, open_source
from unblur.jobs.job import STREAM
from unblur.jobs.names import keep_apart

if TYPE_CHECKING:
    from unblur.blur import Kernel

__all__ = ["register"]

_SHADES = " .:-=+*#%@"

KernelSource = Annotated[
    str, typer.Argument(metavar="KERNEL", help="A kernel: .tif, .npy, or any picture.")
]
KernelTarget = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="A .tif, .npy, or .png for the eye."),
]
Size = Annotated[str | None, typer.Option(metavar="N", help="Side in pixels; found if not given.")]


class _EstimateFirst(TyperGroup):
    """`unblur kernel IN` is short for `unblur kernel estimate IN`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["estimate", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    group = typer.Typer(cls=_EstimateFirst, no_args_is_help=True)
    group.callback()(_kernel)
    group.command(cls=MethodCommand)(estimate)
    group.command()(show)
    group.command("clean")(clean_up)
    group.command()(convert)
    app.add_typer(group, name="kernel")


def _kernel() -> None:
    """Estimate, show and edit the kernel of a blur; `unblur kernel IN` estimates."""


def estimate(
    source: o.Source,
    output: KernelTarget = None,
    size: Size = None,
    roi: o.Region = None,
    settings_: o.Setting = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    as_json: o.AsJson = False,
) -> None:
    """Estimate the kernel of a blurred picture: `shaken.jpg` gives `shaken.kernel.tif`."""
    failures = Failures(as_json=as_json)
    with failures.about(source), Bar(source, quiet=quiet) as bar:
        values = settings(settings_, kernel_size=size)
        area = region(roi)
        target = output or _name(source)
        keep_apart([source], [target])
        check_target(target, overwrite=overwrite)
        opened = open_source(source)
        from unblur.photo import read
        from unblur.restore.api import estimate_kernel

        photo = read(opened.content)
        kernel = estimate_kernel(photo, roi=area, device=device, seed=seed, progress=bar, **values)
        bar.stop()
        opened.check_unchanged()
        kernel.save(target, overwrite=overwrite)
        if not quiet:
            warn(source, photo.warnings)
        _tell(source, target, kernel, as_json=as_json, quiet=quiet)
    failures.finish()


def _name(source: str) -> str:
    if source == STREAM:
        raise ParameterError("a picture from standard input has no name: give -o a file")
    return f"{os.path.splitext(source)[0]}.kernel.tif"


def show(source: KernelSource, output: KernelTarget = None, overwrite: o.Overwrite = False) -> None:
    """Draw a kernel in the terminal, with its record; -o keeps a picture of it."""
    failures = Failures()
    with failures.about(source):
        from unblur.blur import Kernel

        kernel = Kernel.load(source)
        say(_drawing(kernel))
        say(_summary(kernel))
        say(json.dumps(kernel.record.as_dict(), indent=2))
        if output is not None:
            kernel.save(output, overwrite=overwrite)
    failures.finish()


def clean_up(
    source: KernelSource,
    output: KernelTarget = None,
    threshold: Annotated[
        float, typer.Option(help="Drop values under this share of the maximum.")
    ] = 0.05,
    isolated: Annotated[
        float, typer.Option(help="Drop islands with less than this share of the mass.")
    ] = 0.1,
    centre: Annotated[bool, typer.Option(help="Put the centre of mass at the centre.")] = True,
    overwrite: o.Overwrite = False,
) -> None:
    """Drop specks and islands: `shaken.kernel.tif` gives `shaken.kernel.clean.tif`."""
    failures = Failures()
    with failures.about(source):
        from unblur.blur import Kernel

        stem, extension = os.path.splitext(source)
        target = output or f"{stem}.clean{extension}"
        kernel = Kernel.load(source).clean(threshold, isolated)
        kernel = kernel.centre() if centre else kernel
        kernel.save(target, overwrite=overwrite)
        _tell(source, target, kernel)
    failures.finish()


def convert(
    source: KernelSource,
    target: Annotated[
        str, typer.Argument(metavar="FILE", help="A .tif, .npy, or .png for the eye.")
    ],
    scale: Annotated[float, typer.Option(help="For a picture that much larger.")] = 1.0,
    rotate: Annotated[float, typer.Option(help="Degrees counter-clockwise.")] = 0.0,
    flip: Annotated[bool, typer.Option("--flip", help="Turn it into its adjoint.")] = False,
    crop: Annotated[
        int | None, typer.Option(metavar="N", help="Cut or pad to this odd side.")
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Write a kernel in another format, scaled, rotated, flipped or cropped (in this order)."""
    failures = Failures()
    with failures.about(source):
        from unblur.blur import Kernel

        kernel = Kernel.load(source)
        kernel = kernel.resize(scale) if scale != 1.0 else kernel
        kernel = kernel.rotate(rotate) if rotate else kernel
        kernel = kernel.flip() if flip else kernel
        kernel = kernel.crop(crop) if crop is not None else kernel
        kernel.save(target, overwrite=overwrite)
        _tell(source, target, kernel)
    failures.finish()


def _tell(
    source: str, target: str, kernel: "Kernel", *, as_json: bool = False, quiet: bool = False
) -> None:
    if as_json:
        height, width = kernel.size
        facts = {"height": height, "width": width, **kernel.record.as_dict()}
        say(json.dumps({"source": source, "target": target, "ok": True, **facts}))
    elif not quiet:
        say(f"{clean(source)} -> {clean(target)} ({_summary(kernel)})")


def _summary(kernel: "Kernel") -> str:
    confidence = kernel.record.confidence
    trust = "" if confidence is None else f", confidence {confidence:.2f}"
    # It leaves a picture as it is.
    nothing = ": no blur was found" if kernel.size == (1, 1) else ""
    return f"kernel {kernel.size[0]} x {kernel.size[1]}{trust}{nothing}"


def _drawing(kernel: "Kernel", columns: int = 64) -> str:
    """Draw with letters, darker where there is more; large kernels are shrunk to fit."""
    from torch.nn.functional import adaptive_avg_pool2d

    side = min(max(kernel.size), columns)
    height, width = (max(1, round(n * side / max(kernel.size))) for n in kernel.size)
    small = adaptive_avg_pool2d(kernel.pixels[None, None].cpu(), (height, width))[0, 0]
    levels = (small / small.max() * (len(_SHADES) - 1)).ceil().int().tolist()
    return "\n".join("".join(_SHADES[level] * 2 for level in row).rstrip() for row in levels)
