"""`unblur demo`: the main job on a real photograph, in a folder to look at."""

import json
import os
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Annotated

import typer

from unblur.cli import options as o
from unblur.cli.terminal import Bar, Failures, clean, say

if TYPE_CHECKING:
    from PIL.Image import Image

    from unblur.blur import Kernel

__all__ = ["demo", "register"]

_MARGIN = 12
_CAPTION = 18

Folder = Annotated[
    str, typer.Option("--output", "-o", metavar="DIR", help="Where to; what is there is replaced.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(demo)


def demo(folder: Folder = "demo", device: o.Device = "auto", quiet: o.Quiet = False) -> None:
    """Deblur a real photograph, knowing nothing of its blur.

    The photograph is the motion-blurred clock of scikit-image, public domain. Before, after, the
    kernel and the report go to a folder.
    """
    failures = Failures()
    with failures.about("demo"), Bar("demo", quiet=quiet) as bar:
        from unblur.blur import Kernel
        from unblur.jobs.files import save_text
        from unblur.jobs.job import Job, Options
        from unblur.jobs.run import run

        os.makedirs(folder, exist_ok=True)
        names = (
            "restored.png",
            "kernel.tif",
            "kernel.png",
            "before-after-kernel.png",
            "report.json",
        )
        restored, tif, png, side_by_side, report = (os.path.join(folder, name) for name in names)
        with as_file(files("skimage") / "data" / "clock_motion.png") as source:
            options = Options(device=device, save_kernel=tif, overwrite=True)
            outcome = run(Job(str(source), restored, options=options), bar)
            kernel = Kernel.load(tif)
            kernel.save(png, overwrite=True)
            _compose(str(source), restored, kernel).save(side_by_side)
        record = {**outcome.record, "source": "skimage/data/clock_motion.png"}
        save_text(report, json.dumps(record, indent=2, allow_nan=False) + "\n", overwrite=True)
        bar.stop()
        if not quiet:
            for path in (restored, tif, png, side_by_side, report):
                say(f"wrote {clean(path)}")
    failures.finish()


def _compose(before: str, after: str, kernel: "Kernel") -> "Image":
    """Put before, after and the kernel (enlarged to the same height) in a row, with captions."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    pictures = [Image.open(name).convert("RGB") for name in (before, after)]
    height = pictures[0].height
    grey = Image.fromarray(kernel.show().numpy()).convert("RGB")
    enlarged = ImageOps.pad(grey, (height, height), Image.Resampling.NEAREST)
    size = f"{kernel.size[1]} x {kernel.size[0]} pixels"
    captions = ("before", "after: no parameter given", f"the kernel it found: {size}")
    pictures.append(enlarged)
    width = sum(picture.width for picture in pictures) + _MARGIN * (len(pictures) + 1)
    sheet = Image.new("RGB", (width, height + 3 * _MARGIN + _CAPTION), "white")
    draw, left = ImageDraw.Draw(sheet), _MARGIN
    font = ImageFont.load_default(_CAPTION)
    for picture, caption in zip(pictures, captions, strict=True):
        sheet.paste(picture, (left, _MARGIN))
        draw.text((left, height + 2 * _MARGIN - 2), caption, fill="black", font=font)
        left += picture.width + _MARGIN
    return sheet
