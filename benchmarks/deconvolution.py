"""Photographs shaken by a known kernel: what each solver gives back.

24 colour photographs, kernels of 9 to 41 pixels, noise of 1 %, 8 bits. The blur is that of a larger
scene, of which a margin is cut away: no program is told what lay beyond. Mean PSNR in dB, values
clipped to [0, 1]. OpenCV has no deconvolution.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage import restoration

import unblur
from benchmarks.machine import reference_folder
from benchmarks.table import table
from unblur.blur import kernels
from unblur.fourier import inverse, transfer_function
from unblur.metrics import psnr
from unblur.restore.catalogue import METHODS

__all__ = ["capture", "run"]

COUNT, NOISE, MARGIN = 24, 0.01, 20
Solver = Callable[[np.ndarray, np.ndarray], np.ndarray]


def capture(path: Path, index: int) -> tuple[np.ndarray, np.ndarray, unblur.Kernel]:
    """What was there, what the camera saw, float32 (H, W, 3) in [0, 1], and the kernel."""
    scene = unblur.read(path).encoded()[0]
    scene = scene.expand(3, -1, -1)
    kernel = kernels.shake(size=9 + 2 * (index * 7 % 17), seed=index)
    size = (scene.shape[-2], scene.shape[-1])
    # Circular, but the margin that is cut away is as wide as what wraps.
    blurred = inverse(torch.fft.rfft2(scene) * transfer_function(kernel.pixels, size), size)
    generator = torch.Generator().manual_seed(index)
    noisy = blurred + NOISE * torch.randn(blurred.shape, generator=generator)
    stored = (noisy.clamp(0, 1) * 255).round() / 255
    sharp, seen = (
        image[:, MARGIN:-MARGIN, MARGIN:-MARGIN].permute(1, 2, 0).numpy().copy()
        for image in (scene, stored)
    )
    return sharp, seen, kernel


def run() -> str:
    """The table, or why there is none."""
    folder = reference_folder("cid22")
    if folder is None:
        return "deconvolution: passed over, the pictures are absent (set UNBLUR_SHARED)"
    rows: dict[str, list[float]] = {}
    for index, path in enumerate(sorted(folder.glob("*.jpg"))[:COUNT]):
        sharp, seen, kernel = capture(path, index)
        found = {"input": seen}
        for name, solver in _others().items():
            found[name] = solver(seen, kernel.pixels.numpy())
        for method in METHODS:
            if method.needs_kernel:
                found[f"unblur {method.name}"] = unblur.deblur(
                    seen, method.name, kernel=kernel
                ).image
        for name, image in found.items():
            rows.setdefault(name, []).append(_psnr(image, sharp))
    before = np.mean(rows["input"])
    figures = [
        (name, float(np.mean(values)), float(np.mean(values) - before), float(np.min(values)))
        for name, values in rows.items()
    ]
    return table(("solver", "mean PSNR", "gain", "worst"), figures)


def _psnr(image: np.ndarray, sharp: np.ndarray) -> float:
    return float(psnr(_planes(image).clamp(0, 1), _planes(sharp)))


def _planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]


def _others() -> dict[str, Solver]:
    """scikit-image's; what it derives by itself is left to it, the rest is what suits the noise."""
    return {
        "scikit-image unsupervised_wiener": _each(
            lambda plane, kernel: restoration.unsupervised_wiener(plane, kernel, rng=0)[0]
        ),
        "scikit-image wiener, balance 0.03": _each(
            lambda plane, kernel: restoration.wiener(plane, kernel, 0.03)
        ),
        "scikit-image richardson_lucy, 15 iterations": _each(
            lambda plane, kernel: restoration.richardson_lucy(plane, kernel, num_iter=15)
        ),
    }


def _each(solver: Solver) -> Solver:
    return lambda image, kernel: np.stack(
        [solver(np.ascontiguousarray(plane), kernel) for plane in np.moveaxis(image, -1, 0)], -1
    )
