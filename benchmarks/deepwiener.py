"""`deep-wiener` beside the solvers that learned nothing, on photographs that none has seen.

The 24 shaken photographs of `shakes`, with the true kernels and with those that `l0` estimates.
Then what `l0` gives back with each, on shakes of one size. PSNR in dB after the best shift by
quarter pixels. Last, the time for 1024 x 1024 pixels in colour, in units of Y, see `speed`.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from skimage import restoration

import unblur
from benchmarks.pictures import aligned, capture, photographs, read
from benchmarks.shakes import COUNT, NOISE, SIZES
from benchmarks.speed import kernel, scene
from benchmarks.table import table
from unblur.blur import kernels

__all__ = ["run", "seconds", "shaken"]

SOLVERS = ("hyper-laplacian", "local-wiener", "deep-wiener")
BEFORE, OURS = SOLVERS[0], SOLVERS[-1]
LENGTHS, EACH = (15, 25, 41), 8
ROUNDS = 3


def run(count: int = COUNT) -> str:
    """The tables, or why there is none."""
    paths = photographs()
    parts = []
    if paths is None:
        parts.append("pictures: passed over, they are absent (set UNBLUR_SHARED)")
    else:
        parts += [shaken(paths[:count]), _blind(paths)]
    parts.append(seconds())
    return "\n\n".join(parts)


def shaken(paths: Sequence[Path]) -> str:
    """Each solver, with the true kernels and the estimated ones."""
    rows = []
    found: dict[str, list[list[float]]] = {"true": [], "estimated": []}
    for index, path in enumerate(paths):
        size = SIZES[index % len(SIZES)]
        true = kernels.shake(size=size, seed=index)
        blurred, sharp = capture(read(path), true, NOISE, index)
        chosen = {"true": true, "estimated": unblur.estimate_kernel(blurred)}
        for name, blur in chosen.items():
            found[name].append(
                [
                    aligned(unblur.deblur(blurred, solver, kernel=blur).image, sharp)
                    for solver in SOLVERS
                ]
            )
        rows.append(
            (path.stem, size, aligned(blurred, sharp), *found["true"][-1], *found["estimated"][-1])
        )
    means = [float(np.mean([row[column] for row in rows])) for column in range(2, 9)]
    head = ("image", "size", "input", *SOLVERS, *(f"{name}, estimated" for name in SOLVERS))
    gains = [(f"{name} kernels", *_gain(values)) for name, values in found.items()]
    return "\n\n".join(
        (
            table(head, [*rows, ("mean", None, *means)]),
            table((f"{OURS} over {BEFORE}", "mean", "least", "pictures below"), gains),
        )
    )


def _gain(rows: Sequence[Sequence[float]]) -> tuple[float, float, int]:
    gains = [row[-1] - row[0] for row in rows]
    return float(np.mean(gains)), min(gains), sum(gain < 0 for gain in gains)


def _blind(paths: Sequence[Path]) -> str:
    """`l0` by its own choice of solver, and with the network, for shakes of one size."""
    rows = []
    for length in LENGTHS:
        figures = []
        for index in range(EACH):
            path = paths[(index * 3 + length) % len(paths)]
            blur = kernels.shake(size=length, seed=1000 * length + index)
            blurred, sharp = capture(read(path), blur, NOISE, index)
            figures.append(
                [aligned(blurred, sharp)]
                + [
                    aligned(unblur.deblur(blurred, "l0", solver=solver).image, sharp)
                    for solver in ("local-wiener", OURS)
                ]
            )
        before, classical, ours = np.array(figures).T
        wins = int((ours > classical).sum())
        rows.append((length, before.mean(), classical.mean(), ours.mean(), f"{wins} of {EACH}"))
    head = ("shake", "input", "l0, local-wiener", f"l0, {OURS}", f"{OURS} is better")
    return table(head, [tuple(map(_plain, row)) for row in rows])


def _plain(cell: object) -> str | float | int:
    return float(cell) if isinstance(cell, np.floating) else cell  # type: ignore[return-value]


def seconds() -> str:
    """The time of a picture in colour beside the yardstick, both in the same rounds."""
    image, blur = scene(), kernel()
    grey = np.ascontiguousarray(image.mean(-1))

    def yardstick() -> None:
        restoration.richardson_lucy(grey, blur.pixels.numpy(), num_iter=30)

    rows = []
    for solver in SOLVERS[1:]:
        unblur.deblur(image, solver, kernel=blur)  # loads what stays
        pairs = [
            (_timed(yardstick), _timed(lambda: unblur.deblur(image, solver, kernel=blur)))  # noqa: B023 - called at once
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(mine / unit for unit, mine in pairs)
        rows.append((solver, statistics.median(mine for _, mine in pairs), ratio, 3.0))
    return table(("1024 x 1024, RGB", "seconds", "Y", "wanted, Y"), rows)


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
