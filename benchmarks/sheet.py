"""The contact sheet of the documentation, docs/images/shakes.png, made again.

Four photographs that come with scikit-image, all in the public domain or CC0 by its own notes:
astronaut (NASA), coffee (Rachel Michetti), chelsea (Stefan van der Walt), rocket (SpaceX). Each is
blurred with `kernels.shake(size, seed=n)` for the n-th, sizes 13, 17, 21 and 25, with noise of 1 %
and 8 bits, the border unknown. Four columns: blurred, scikit-image's `unsupervised_wiener` with the
true kernel (which takes the frame to wrap around: where it does not, it rings), ours with nothing
told, and the truth; crops of 200 pixels, each restored as a part of the whole picture, with its
PSNR in dB over the whole picture (after the best shift, 20 pixels of border left out). Seeds and
sizes were set before the result was seen. Values of the sheet are rounded to multiples of 3, which
the eye does not see and a third of the file's size does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import unblur
from benchmarks.pictures import aligned, capture, wiener
from unblur.blur import kernels

__all__ = ["compose", "run"]

TARGET = Path(__file__).parents[1] / "docs" / "images" / "shakes.png"
NOISE = 0.01
CROP, GAP, LINE = 200, 6, 16
# Rounding of the sheet's values: at most one grey level away.
STEP = 3
COLUMNS = ("blurred", "scikit-image, true kernel", "unblur, nothing told", "sharp")


class Picture(NamedTuple):
    """A photograph, the size of its shake, and where its crop is (row, column)."""

    load: Callable[[], np.ndarray]
    size: int
    crop: tuple[int, int]


PICTURES = (
    Picture(data.astronaut, 13, (0, 98)),
    Picture(data.coffee, 17, (70, 155)),
    Picture(data.chelsea, 21, (10, 80)),
    Picture(data.rocket, 25, (155, 230)),
)
Cell = tuple[np.ndarray, float | None]


def run(target: Path = TARGET) -> str:
    """Write the sheet; one line that says where and how large."""
    sheet = compose([_row(picture, index) for index, picture in enumerate(PICTURES)])
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, optimize=True)
    return f"{target.name}: {sheet.width} x {sheet.height}, {target.stat().st_size / 1e3:.0f} kB"


def compose(rows: list[list[Cell]]) -> Image.Image:
    """Crops in a grid, the columns' names above, PSNR under each."""
    font = ImageFont.load_default(13)
    width = len(COLUMNS) * (CROP + GAP) + GAP
    sheet = Image.new("RGB", (width, GAP + LINE + len(rows) * (CROP + LINE + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(COLUMNS):
        draw.text((GAP + column * (CROP + GAP), 2), name, fill="black", font=font)
    for row, cells in enumerate(rows):
        top = GAP + LINE + row * (CROP + LINE + GAP)
        for column, (crop, quality) in enumerate(cells):
            left = GAP + column * (CROP + GAP)
            rounded = (crop.astype(int) + STEP // 2) // STEP * STEP
            sheet.paste(Image.fromarray(rounded.astype(np.uint8)), (left, top))
            if quality is not None:
                place = (left, top + CROP)
                draw.text(place, f"{quality:.1f} dB", fill="black", font=font)
    return sheet


def _row(picture: Picture, index: int) -> list[Cell]:
    kernel = kernels.shake(size=picture.size, seed=index)
    blurred, sharp = capture(picture.load(), kernel, NOISE, index)
    found = (blurred, wiener(blurred, kernel), unblur.deblur(blurred).image)
    top, left = picture.crop
    inside = (slice(top, top + CROP), slice(left, left + CROP))
    return [*((image[inside], aligned(image, sharp)) for image in found), (sharp[inside], None)]
