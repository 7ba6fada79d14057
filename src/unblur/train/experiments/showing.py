"""What an experiment leaves for people: tables as CSV, curves and pictures as PNG."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from unblur.files import replacing, write_whole
from unblur.photo import Photo, write

__all__ = ["Lines", "Table", "draw_lines", "save_panels", "save_table"]

_GAP = 4

# A row is words and numbers by the name of their column.
Table = Sequence[Mapping[str, str | float]]
# The curves of a panel: places and heights by label.
Lines = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def save_table(rows: Table, path: Path) -> None:
    """Write rows as CSV; the first one names the columns.

    Example:
        >>> save_table([{"prior": "none", "psnr": 20.0}], Path(getfixture("tmp_path")) / "t.csv")
    """
    text = StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode(), overwrite=True)


def draw_lines(panels: Mapping[str, Lines], path: Path, *, x: str) -> None:
    """Draw a row of panels with curves as a PNG.

    Args:
        panels: the curves of each, by title.
        path: of the PNG.
        x: what the horizontal axis counts.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * len(panels), 3.4), dpi=100, layout="constrained")
    axes: Any = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels.items(), strict=True):
        for label, points in lines.items():
            axis.plot(*points, label=label)
        axis.set_title(title)
        axis.set_xlabel(x)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    with replacing(path, overwrite=True) as descriptor, open(descriptor, "wb", closefd=False) as f:
        figure.savefig(f, format="png")


def save_panels(rows: Sequence[Sequence[Tensor]], path: Path, *, zoom: int = 1) -> None:
    """Write pictures side by side, a row of them under the other.

    Args:
        rows: pictures (3, h, w) in [0, 1], all of one size.
        path: of the PNG.
        zoom: pixels of the sheet for one of a picture.
    """
    strips = [
        torch.cat([pad(each, (0, _GAP, 0, _GAP), value=1.0) for each in row], 2) for row in rows
    ]
    sheet = torch.cat(strips, 1)[:, :-_GAP, :-_GAP].clamp(0, 1)
    if zoom > 1:
        sheet = interpolate(sheet[None], scale_factor=zoom, mode="nearest-exact")[0]
    write(path, Photo.from_tensor(sheet), overwrite=True)
