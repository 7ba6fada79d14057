"""Photographs as a user would give them: uint8 (H, W, 3), blurred as a camera would store them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data, restoration

import unblur
from benchmarks.machine import reference_folder
from unblur.metrics import psnr_aligned

__all__ = ["MARGIN", "aligned", "capture", "photographs", "read", "tiled", "wiener"]

# Cut from each side of what was blurred: no kernel of the benchmarks reaches further, so that
# nothing in the picture depends on how the scene went on beyond its frame.
MARGIN = 24


def photographs() -> list[Path] | None:
    """The reference photographs, sorted by name; None where they are absent."""
    folder = reference_folder("cid22")
    return None if folder is None else sorted(folder.glob("*.jpg"))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def capture(
    scene: np.ndarray, kernel: unblur.Kernel, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the camera stored, and what was there: the whole scene is blurred, then `MARGIN` cut."""
    blurred = unblur.blur(scene.astype(np.float32) / 255, kernel, noise=noise, seed=seed)
    inside = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    return _stored(blurred)[inside].copy(), scene[inside].copy()


def tiled(kernel: unblur.Kernel, height: int, width: int, noise: float = 0.005) -> np.ndarray:
    """A blurred picture of any size: four photographs, blurred as one that repeats without end.

    Every size has the same content on each pixel, so that only the size differs.
    """
    paths = photographs()
    tiles = [data.astronaut()] * 4 if paths is None else [read(path) for path in paths[:4]]
    period = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    around = np.pad(period, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="wrap")
    blurred, _ = capture(around, kernel, noise, 0)
    times = (-(-height // blurred.shape[0]), -(-width // blurred.shape[1]), 1)
    return np.ascontiguousarray(np.tile(blurred, times)[:height, :width])


def wiener(blurred: np.ndarray, kernel: unblur.Kernel) -> np.ndarray:
    """scikit-image's unsupervised Wiener filter, channel by channel, in 8 bits."""
    planes = [
        restoration.unsupervised_wiener(
            np.ascontiguousarray(blurred[..., channel], np.float32) / 255,
            kernel.pixels.numpy(),
            rng=0,
        )[0]
        for channel in range(blurred.shape[-1])
    ]
    return _stored(np.stack(planes, -1))


def aligned(image: np.ndarray, sharp: np.ndarray) -> float:
    """PSNR in dB after the best shift of quarter pixels, 20 pixels of border left out."""
    return float(psnr_aligned(_tensor(image), _tensor(sharp)))


def _stored(image: np.ndarray) -> np.ndarray:
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
