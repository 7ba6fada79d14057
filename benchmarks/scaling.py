"""What a pixel costs as pictures grow: seconds per megapixel at 1, 4, 16 and 64 megapixels.

The picture is four photographs repeated, uint8 RGB, blurred by a shake of 15 pixels with noise of
0.5 %, so that every size has the same content on each pixel. `tv` gets the kernel; `l0` gets
nothing, and its search for the kernel, on a region of fixed size, weighs less the larger the
picture. Memory is limited to 4 GB, so that large pictures go through in tiles. The ratio is that of
the cost of a pixel to that at 4 megapixels: growth is linear where it stays near 1. Each size runs
once, after a small picture that warms up. The peak is the most that this process has held until
then.

`UNBLUR_MEGAPIXELS=1,4` cuts the list short.
"""

import math
import os
import time
from collections.abc import Sequence

import unblur
from benchmarks.pictures import tiled
from benchmarks.table import table
from unblur.blur import kernels

__all__ = ["run", "sizes"]

MEGAPIXELS = (1.0, 4.0, 16.0, 64.0)
YARDSTICK = 4.0
LIMIT = "4GB"
METHODS = ("tv", "l0")


def run(megapixels: Sequence[float] | None = None) -> str:
    """The table."""
    kernel = kernels.shake(size=15, seed=1)
    chosen = sizes() if megapixels is None else megapixels
    rows: list[tuple[str, str, float, float, float | None, float]] = []
    for method in METHODS:
        given = kernel if method == "tv" else None
        unblur.deblur(tiled(kernel, 256, 256), method, max_memory=LIMIT, kernel=given)
        costs: dict[float, tuple[str, float, float]] = {}
        for size in chosen:
            side = round(math.sqrt(size * 1e6))
            image = tiled(kernel, side, side)
            started = time.perf_counter()
            report = unblur.deblur(image, method, max_memory=LIMIT, kernel=given).report
            seconds = time.perf_counter() - started
            costs[size] = (f"{side} x {side}", seconds, report.peak_memory_bytes / 1e9)
            print(f"  {method}, {side} x {side}: {seconds:.1f} s", flush=True)
        rows += _rows(method, costs)
    head = ("method", "picture", "seconds", "s per MP", f"ratio to {YARDSTICK:g} MP", "peak, GB")
    return table(head, rows)


def sizes() -> tuple[float, ...]:
    """What $UNBLUR_MEGAPIXELS names, or all."""
    named = os.environ.get("UNBLUR_MEGAPIXELS")
    return tuple(float(word) for word in named.split(",")) if named else MEGAPIXELS


def _rows(
    method: str, costs: dict[float, tuple[str, float, float]]
) -> list[tuple[str, str, float, float, float | None, float]]:
    unit = costs[YARDSTICK][1] / YARDSTICK if YARDSTICK in costs else None
    return [
        (method, picture, seconds, seconds / size, unit and seconds / size / unit, peak)
        for size, (picture, seconds, peak) in costs.items()
    ]
