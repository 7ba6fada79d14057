"""24 shaken photographs, nothing told: what comes back, beside what the true kernel would give.

The first 24 photographs, sorted by name, 512 x 512 in colour. Picture n is blurred with
`kernels.shake(size, seed=n)`, the sizes going round 9, 13, ... 41 pixels, gets Gaussian noise of
1 % (seed n) and is rounded to 8 bits. The whole picture is blurred, then 24 pixels are cut from
each side of the blurred and the sharp one, so that nobody knows what lay beyond the frame. What is
left goes in as a uint8 array and comes back as one: `unblur.deblur(blurred)`, the size of the
kernel unknown, and with the true kernel `local-wiener` and scikit-image's `unsupervised_wiener`.

PSNR in dB after the best shift by quarter pixels up to 9, 20 more pixels of border left out. The
figures of the reference, the programs of the l0 paper told the size of the kernel, are for 24
photographs of 768 x 512 with the same kinds of shake, noise and rounding: other pictures, so that
the gains compare better than the means.
"""

from pathlib import Path

import numpy as np

import unblur
from benchmarks.pictures import aligned, capture, photographs, read, wiener
from benchmarks.table import table
from unblur.blur import kernels

__all__ = ["run"]

COUNT, NOISE = 24, 0.01
SIZES = tuple(range(9, 42, 4))
HEAD = (
    "image", "size", "input", "blind", "gain", "true kernel", "scikit-image, true", "confidence",
)  # fmt: skip
# Mean blind, mean input, median gain, below the input, mean with the true kernel.
REFERENCE = (28.3, 23.8, 5.0, 1, 30.2)


def run(count: int = COUNT) -> str:
    """The table, or why there is none."""
    paths = photographs()
    if paths is None:
        return "shakes: passed over, the pictures are absent (set UNBLUR_SHARED)"
    rows = [_row(path, index) for index, path in enumerate(paths[:count])]
    means = [float(np.mean([row[column] for row in rows])) for column in range(2, 7)]
    gains = [row[4] for row in rows]
    trusts = [row[7] for row in rows if row[7] is not None]
    trust = float(np.mean(trusts)) if trusts else None
    blind, before, median, below, true = REFERENCE
    ours = ("ours", means[1], means[0], float(np.median(gains)), _below(gains), means[3])
    head = ("", "mean blind", "input", "median gain", "below the input", "true kernel")
    return "\n".join(
        (
            table(HEAD, [*rows, ("mean", None, *means, trust)]),
            "",
            table(head, [ours, ("reference", blind, before, median, f"{below} of 24", true)]),
        )
    )


def _below(gains: list[float]) -> str:
    return f"{sum(gain < 0 for gain in gains)} of {len(gains)}"


def _row(
    path: Path, index: int
) -> tuple[str, int, float, float, float, float, float, float | None]:
    size = SIZES[index % len(SIZES)]
    kernel = kernels.shake(size=size, seed=index)
    blurred, sharp = capture(read(path), kernel, NOISE, index)
    blind = unblur.deblur(blurred)
    known = unblur.deblur(blurred, "local-wiener", kernel=kernel).image
    before, after = aligned(blurred, sharp), aligned(blind.image, sharp)
    return (
        path.stem,
        size,
        before,
        after,
        after - before,
        aligned(known, sharp),
        aligned(wiener(blurred, kernel), sharp),
        (blind.report.kernel or {}).get("confidence"),
    )
