"""A printable target for calibration: noise like nature's, slanted edges, marks to register by."""

import math
import os
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray

from unblur.errors import OutputError, ParameterError
from unblur.files import write_whole

__all__ = ["PAPERS", "chart", "save_chart"]

Size = tuple[int, int]
_Picture = NDArray[np.float32]

PAPERS: dict[str, tuple[float, float]] = {
    "a0": (841.0, 1189.0),
    "a1": (594.0, 841.0),
    "a2": (420.0, 594.0),
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "letter": (215.9, 279.4),
    "tabloid": (279.4, 431.8),
}
"""Width and height in millimetres, upright; charts lie on their side."""

_INCH = 25.4
_MOST_PIXELS = 200_000_000
# Squares on the shorter side; every third holds edges.
_SQUARES = 8
# Edges leave rows and columns by this angle, so that they are sampled at all sub-pixel places.
_SLANT = 5.0
_LIGHT, _DARK = 0.85, 0.15
_CONTRAST = 0.2


def chart(size: Size, *, seed: int = 0) -> _Picture:
    """Draw the target.

    Noise whose power falls with the square of the frequency, as that of photographs does, shows a
    kernel at every frequency and looks nowhere like elsewhere; squares turned by 5 degrees show
    edges to the eye; rings in the corners, along the sides and in the middle mark the frame.

    Args:
        size: (height, width) in pixels.
        seed: of the noise.

    Returns:
        (height, width), values in [0, 1] as displayed or printed.

    Raises:
        ParameterError: The size is under 64 pixels, or beyond 200 megapixels.

    Example:
        >>> chart((64, 96)).shape
        (64, 96)
    """
    height, width = size
    if min(size) < 64 or height * width > _MOST_PIXELS:
        raise ParameterError(
            f"a chart must have from 64 pixels a side to 200 megapixels; got {width} x {height}"
        )
    picture = _natural_noise(size, seed)
    side = min(size) // _SQUARES
    rows, columns = height // side, width // side
    tops = (height - rows * side) // 2, (width - columns * side) // 2
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            if (row + column) % 3 == 0 and row % 2:
                _square(picture, (tops[0] + row * side, tops[1] + column * side), side)
    for y in (0.06, 0.5, 0.94):
        for x in (0.05, 0.5, 0.95):
            _rings(picture, (y * height, x * width), side / 3)
    return picture


def save_chart(
    path: str | os.PathLike[str],
    *,
    paper: str = "a3",
    dpi: int = 300,
    seed: int = 0,
    overwrite: bool = False,
) -> Size:
    """Write the target for a sheet of paper, as PNG or PDF by the name's ending; whole or not.

    Args:
        path: ends in .png or .pdf.
        paper: a name of `PAPERS`, or "WxH" in millimetres; the chart fills it.
        dpi: dots an inch, 50 to 1200.
        seed: of the noise.
        overwrite: whether to replace a file.

    Returns:
        (height, width) in pixels.

    Raises:
        ParameterError: The paper or the resolution is not known.
        OutputError: The name ends otherwise, the file exists, or the disk fails.
    """
    from PIL import Image

    kind = os.path.splitext(os.fspath(path))[1].lower()
    if kind not in (".png", ".pdf"):
        raise OutputError(f"a chart is written as .png or .pdf, not {kind or 'without an ending'}")
    if not 50 <= dpi <= 1200:
        raise ParameterError(f"dpi must be from 50 to 1200, got {dpi}")
    height, width = (round(millimetres / _INCH * dpi) for millimetres in _sheet(paper))
    values = (chart((height, width), seed=seed) * 255).round().astype(np.uint8)
    buffer = BytesIO()
    sheet = Image.fromarray(values)
    if kind == ".pdf":
        sheet.save(buffer, "PDF", resolution=float(dpi), title="unblur calibration chart")
    else:
        sheet.save(buffer, "PNG", dpi=(dpi, dpi))
    write_whole(path, buffer.getvalue(), overwrite=overwrite)
    return height, width


def _sheet(paper: str) -> tuple[float, float]:
    """(height, width) in millimetres, lying on its side."""
    known = PAPERS.get(paper.lower())
    if known is None:
        try:
            across, down = (float(part) for part in paper.lower().split("x"))
        except ValueError:
            across, down = math.nan, math.nan
        if not (10 <= across <= 5000 and 10 <= down <= 5000):
            raise ParameterError(
                f"paper must be one of {', '.join(PAPERS)}, or WxH in millimetres from 10 to 5000; "
                f"got {paper!r}"
            )
        return down, across
    return known[0], known[1]


def _natural_noise(size: Size, seed: int) -> _Picture:
    """Noise with an amplitude of 1 / f, of mean 1/2."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = torch.fft.rfft2(torch.randn(size, generator=generator))
    y = torch.fft.fftfreq(size[0])[:, None]
    x = torch.fft.rfftfreq(size[1])[None, :]
    # Below a few periods a frame, all grey would be spent on shades that tell nothing.
    frequency = (y.square() + x.square()).sqrt().clamp(min=16 / max(size))
    noise = torch.fft.irfft2(spectrum / frequency, s=size)
    noise = (noise - noise.mean()) / noise.std()
    values: _Picture = (0.5 + _CONTRAST * noise).clamp(0, 1).numpy()
    return values


def _square(picture: _Picture, corner: Size, side: int) -> None:
    """A dark square on a light one, turned by `_SLANT`, each pixel covered as far as it is."""
    steps = np.arange(side) - (side - 1) / 2
    y, x = np.meshgrid(steps, steps, indexing="ij")
    cosine, sine = math.cos(math.radians(_SLANT)), math.sin(math.radians(_SLANT))
    far = np.maximum(np.abs(cosine * y - sine * x), np.abs(sine * y + cosine * x))
    dark = np.clip(0.28 * side - far + 0.5, 0, 1)
    light = np.clip(0.42 * side - far + 0.5, 0, 1)
    part = picture[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    part += light * (_LIGHT - part)
    part += dark * (_DARK - part)


def _rings(picture: _Picture, centre: tuple[float, float], radius: float) -> None:
    """Rings about a point, dark and light, on a light disk."""
    top, left = (max(int(place - radius) - 1, 0) for place in centre)
    part = picture[top : int(centre[0] + radius) + 2, left : int(centre[1] + radius) + 2]
    y, x = np.meshgrid(
        top + np.arange(part.shape[0]) + 0.5 - centre[0],
        left + np.arange(part.shape[1]) + 0.5 - centre[1],
        indexing="ij",
    )
    far = np.hypot(y, x)
    for share, value in ((1.0, _LIGHT), (0.8, _DARK), (0.5, _LIGHT), (0.22, _DARK)):
        part += np.clip(share * radius - far + 0.5, 0, 1) * (value - part)
