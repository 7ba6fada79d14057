"""Eight captures of Levin et al. 2009: the kernel's size given, its size unknown, the true kernel.

PSNR after the best shift by quarter pixels, 20 pixels of border left out, nothing clipped. The
error ratio is that of the squared errors with the estimated and with the true kernel, both by our
solver.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import unblur
from benchmarks.machine import reference_folder
from benchmarks.table import table
from unblur.metrics import error_ratio, psnr_aligned

__all__ = ["run"]

SOLVER = "tv"
FAILED = 2.0


class Reference(NamedTuple):
    """The l0 paper's own programs on the same picture."""

    size: int
    blurred: float
    true_kernel: float
    estimated: float
    ratio: float


REFERENCE = {
    "im01_ker01": Reference(19, 23.77, 33.86, 31.91, 1.57),
    "im01_ker03": Reference(15, 26.16, 35.09, 32.89, 1.66),
    "im01_ker05": Reference(13, 26.62, 35.12, 32.43, 1.86),
    "im01_ker07": Reference(23, 20.96, 34.08, 31.98, 1.62),
    "im02_ker01": Reference(19, 22.65, 33.42, 30.84, 1.81),
    "im02_ker03": Reference(15, 24.33, 34.27, 33.14, 1.30),
    "im02_ker05": Reference(13, 25.08, 34.81, 33.31, 1.41),
    "im02_ker07": Reference(23, 20.95, 33.83, 30.53, 2.13),
}
HEAD = (
    "image", "size", "blurred", "given", "ratio", "unknown", "ratio", "true kernel",
    "reference: given", "ratio", "true kernel",
)  # fmt: skip


def run() -> str:
    """The table, or why there is none."""
    folder = reference_folder("levin")
    if folder is None:
        return "levin: passed over, the pictures are absent (set UNBLUR_SHARED)"
    rows = [_row(folder / f"{name}.mat", reference) for name, reference in REFERENCE.items()]
    columns = list(zip(*rows, strict=True))
    means = [float(np.mean(column)) for column in columns[2:]]
    successes = [
        f"given {_share(columns[4])}, unknown {_share(columns[6])}, reference {_share(columns[9])}"
    ]
    text = table(HEAD, [*rows, ("mean", None, *means)])
    return f"{text}\nerror ratios at or under {FAILED:g}: {successes[0]}"


def _share(ratios: tuple[float, ...]) -> str:
    return f"{np.mean([ratio <= FAILED for ratio in ratios]):.0%}"


def _row(path: Path, reference: Reference) -> tuple[str | int | float, ...]:
    from scipy.io import loadmat

    stored = loadmat(path)
    sharp, blurred = (_tensor(stored[name]) for name in ("x", "y"))
    # The data satisfy y = conv(x, rot180(f)).
    kernel = unblur.Kernel.from_array(stored["f"]).flip()
    found = {
        "given": unblur.deblur(blurred, kernel_size=reference.size, solver=SOLVER).image,
        "unknown": unblur.deblur(blurred, solver=SOLVER).image,
        "true": unblur.deblur(blurred, SOLVER, kernel=kernel).image,
    }
    quality = {name: float(psnr_aligned(image, sharp)) for name, image in found.items()}
    ratios = {
        name: float(error_ratio(found[name], found["true"], sharp)) for name in ("given", "unknown")
    }
    return (
        path.stem,
        reference.size,
        float(psnr_aligned(blurred, sharp)),
        quality["given"],
        ratios["given"],
        quality["unknown"],
        ratios["unknown"],
        quality["true"],
        reference.estimated,
        reference.ratio,
        reference.true_kernel,
    )


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))[None, None]
