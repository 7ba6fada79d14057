"""Time in units of Y, a public yardstick timed in the same run: the ratio carries elsewhere too.

Y is `skimage.restoration.richardson_lucy` on a 1024 x 1024 float32 grey image with a 15 x 15 kernel
and 30 iterations. Each figure is the median of rounds in which the yardstick is timed beside the
work; all of it is wall clock.

The photograph of 12 megapixels, 4000 x 3000 as JPEG, shaken by 31 pixels, goes from file to file
through `unblur fix` with no option but the name of the output: a process of its own, its start and
its reading and writing included, with the most memory that it held.

OpenCV has nothing to set beside these: it has no deconvolution (`cv2.filter2D` blurs).
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data, restoration, transform

import unblur
from benchmarks.machine import reference_folder
from benchmarks.pictures import tiled
from benchmarks.table import table
from unblur.blur import kernels
from unblur.restore.catalogue import METHODS

__all__ = ["fix", "run", "scene"]

SIDE, KERNEL = 1024, 15
ROUNDS = 3
LARGE = (3000, 4000)
FILE = "unblur fix, 4000 x 3000 JPEG, file to file"


def scene(side: int = SIDE) -> np.ndarray:
    """A shaken photograph, float32 (side, side, 3) in [0, 1]."""
    folder = reference_folder("cid22")
    if folder is None:
        sharp = data.astronaut()
    else:
        paths = sorted(folder.glob("*.jpg"))[:4]
        tiles = [unblur.read(path).samples[0].permute(1, 2, 0).numpy() for path in paths]
        sharp = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    sharp = transform.resize(sharp, (side, side), anti_aliasing=True).astype(np.float32)
    return unblur.blur(sharp, kernel(), noise=0.005)


def kernel() -> unblur.Kernel:
    """15 x 15 pixels."""
    return kernels.shake(size=KERNEL, seed=1)


def run() -> str:
    """The table."""
    image = scene()
    grey = np.ascontiguousarray(image.mean(-1))
    blur = kernel()

    def yardstick() -> None:
        restoration.richardson_lucy(grey, blur.pixels.numpy(), num_iter=30)

    work: dict[str, Callable[[], object]] = {
        f"estimate_kernel, grey, size {KERNEL}": lambda: unblur.estimate_kernel(grey, KERNEL),
        "estimate_kernel, RGB, size unknown": lambda: unblur.estimate_kernel(image),
        "richardson-lucy, grey, 30 iterations": lambda: unblur.deblur(
            grey, "richardson-lucy", kernel=blur, iterations=30, acceleration=False,
            stop_at_noise=False,
        ),
    }  # fmt: skip
    for method in METHODS:
        if method.needs_kernel:
            work[f"{method.name}, RGB"] = _call(image, method.name, blur)
    reference = {
        f"estimate_kernel, grey, size {KERNEL}": 7.5,
        "tv, RGB": 6.4,
        "richardson-lucy, grey, 30 iterations": 1.0,
        FILE: 217.0,
    }
    wanted = {
        f"estimate_kernel, grey, size {KERNEL}": 0.6,
        "tv, RGB": 0.6,
        "hyper-laplacian, RGB": 0.6,
        "richardson-lucy, grey, 30 iterations": 0.3,
        FILE: 10.0,
    }
    peaks: list[float] = []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "shaken.jpg"
        shaken = tiled(kernels.shake(size=31, seed=1), *LARGE)
        Image.fromarray(shaken).save(source, quality=95)
        work[FILE] = lambda: peaks.append(fix(source, source.with_name("sharp.jpg")))
        for name, call in work.items():
            pairs = [(_seconds(yardstick), _seconds(call)) for _ in range(ROUNDS)]
            ratio = statistics.median(mine / unit for unit, mine in pairs)
            seconds = statistics.median(mine for _, mine in pairs)
            rows.append((name, seconds, ratio, reference.get(name), wanted.get(name)))
    head = (f"work, {SIDE} x {SIDE}", "seconds", "Y", "others, Y", "wanted, Y")
    return f"{table(head, rows)}\n{FILE}: peak {max(peaks) / 1e9:.2f} GB (others 3.7, wanted 2)"


def fix(source: Path, target: Path) -> float:
    """Run `unblur fix` on a file; the most bytes that the process held (nan on Windows).

    Raises:
        RuntimeError: It failed; the message is its own.
    """
    words = [sys.executable, "-m", "unblur", "fix", str(source), "-o", str(target)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    target.unlink(missing_ok=True)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, env=environment)  # noqa: S603
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            peak = usage.ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
        else:
            process.wait()
            peak = math.nan
        if process.returncode:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace").strip())
    return peak


def _call(image: np.ndarray, method: str, blur: unblur.Kernel) -> Callable[[], object]:
    return lambda: unblur.deblur(image, method, kernel=blur)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
