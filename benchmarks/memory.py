"""The most that a process of its own holds, by work and by size of the picture."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.table import table

__all__ = ["run"]

# The picture is made without `deblur`; what the process holds before it starts is subtracted.
PROGRAM = """
import sys, numpy as np, unblur
from unblur.blur import kernels
from unblur.restore.memory import peak_bytes
height, width, method, limit = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
y, x = np.ogrid[:height, :width]
image = np.empty((height, width, 3), np.uint8)
for channel in range(3):
    image[..., channel] = (x * (3 + channel) // 7 ^ y * 5 // 9) & 255
options = {} if method == "l0" else {"kernel": kernels.disk(radius=4)}
if method == "l0":
    options["kernel_size"] = 15
unblur.deblur(image[:64, :64], method, **options)
start = peak_bytes()
unblur.deblur(image, method, max_memory=None if limit == "none" else limit, **options)
print(start, peak_bytes())
"""
WORK = [
    ((1024, 1024), "l0", "none"),
    ((1024, 1024), "wiener", "none"),
    ((1024, 1024), "tv", "none"),
    ((1024, 1024), "hyper-laplacian", "none"),
    ((1024, 1024), "richardson-lucy", "none"),
    ((3000, 4000), "l0", "none"),
    ((3000, 4000), "tv", "1GB"),
]


def run() -> str:
    """The table."""
    rows = [
        (f"{w} x {h}", method, limit, *_peak((h, w), method, limit))
        for (h, w), method, limit in WORK
    ]
    return table(("picture", "method", "max_memory", "start, MB", "peak, MB", "limit kept?"), rows)


def _peak(size: tuple[int, int], method: str, limit: str) -> tuple[float | None, float | None, str]:
    source = str(Path(__file__).parents[1] / "src")
    finished = subprocess.run(  # noqa: S603 - this Python, with words of this file
        [sys.executable, "-c", PROGRAM, *map(str, size), method, limit],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    if finished.returncode:
        return None, None, f"failed: {finished.stderr.strip().splitlines()[-1]}"
    start, peak = (int(word) / 1e6 for word in finished.stdout.split())
    kept = "-" if limit == "none" else "yes" if peak <= 1000 * float(limit[:-2]) else "no"
    return start, peak, kept
