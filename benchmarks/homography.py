"""Shakes that roll: one kernel or a field of kernels, on twelve pictures with a known path.

Each picture is the mean of exactly warped frames along a random path of shifts and rolls, cut so
that no pixel comes from outside, with 1 % of noise and 8 bits. PSNR after the best shift, 20 pixels
of border left out.
"""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample

from benchmarks.machine import reference_folder
from benchmarks.table import table
from unblur.blind import Settings, estimate
from unblur.blind.field import estimate_field
from unblur.blur import Field, camera_shake, estimate_noise
from unblur.blur.shake import trajectory
from unblur.deconvolve import tv
from unblur.metrics import psnr_aligned

__all__ = ["run", "shaken"]

# Every third picture was seen while the method was made; of the others, these.
FIRST, PICTURES = 8, 12
NOISE = 0.01
POSES = 121
# More than any pose carries a corner.
MARGIN = 28
# What a slightly wrong kernel leaves acts on the solver like noise of this standard deviation.
KERNEL_ERROR = 0.003
HEAD = (
    "image", "degrees", "blurred", "one kernel", "centre's", "field", "kept", "true field", "gain",
)  # fmt: skip


def run() -> str:
    """The table, or why there is none."""
    folder = reference_folder("cid22")
    if folder is None:
        return "homography: passed over, the pictures are absent (set UNBLUR_SHARED)"
    files = [path for index, path in enumerate(sorted(folder.glob("*.jpg"))) if index % 3]
    rows = [_row(path, index) for index, path in enumerate(files[FIRST : FIRST + PICTURES])]
    gains = [float(row[-1]) for row in rows]
    numbers = [float(np.mean([float(row[n]) for row in rows])) for n in (1, 2, 3, 4, 5)]
    best = float(np.mean([float(row[7]) for row in rows]))
    mean = ("mean", *numbers, None, best, float(np.mean(gains)))
    return f"{table(HEAD, [*rows, mean])}\nworst: {min(gains):+.2f} dB"


def _row(path: Path, index: int) -> tuple[str | float, ...]:
    sharp = torch.from_numpy(np.asarray(Image.open(path).convert("RGB"), np.float32) / 255)
    degrees = 0.4 + 1.1 * index / (PICTURES - 1)
    sharp, blurred, poses = shaken(sharp.permute(2, 0, 1)[None], 8 + 1.3 * index, degrees, index)
    noise = float(estimate_noise(blurred))
    size = (sharp.shape[-2], sharp.shape[-1])
    single = estimate(blurred, Settings(), noise_std=noise)
    found = estimate_field(blurred, single.kernel, single.settings, noise_std=noise)
    true = camera_shake(poses, size, (8, 8))

    def quality(blur: Tensor | Field) -> float:
        restored = tv(blurred, blur, noise_std=math.hypot(noise, KERNEL_ERROR))
        return float(psnr_aligned(restored.clamp(0, 1), sharp))

    one, field = quality(single.kernel), quality(found.field)
    return (
        path.stem,
        degrees,
        float(psnr_aligned(blurred, sharp)),
        one,
        quality(true.at(0.5, 0.5)[0]),
        field,
        "field" if found.better else "kernel",
        quality(true),
        field - one if found.better else 0.0,
    )


def shaken(
    sharp: Tensor, length: float, degrees: float, seed: int
) -> tuple[Tensor, Tensor, np.ndarray]:
    """The picture without its rim, the same shaken and noisy, and the poses (dy, dx, degrees)."""
    generator = torch.Generator().manual_seed(seed)
    step = 2000 // (POSES - 1)
    shift = trajectory(length, 0.5, generator)[::step]
    roll = trajectory(1.0, 0.5, generator)[::step, 0]
    roll = (roll - roll.min()) / np.ptp(roll) * degrees
    poses = np.concatenate((shift, roll[:, None]), 1)
    middles = (poses[:-1] + poses[1:]) / 2
    poses, middles = poses - middles.mean(0), middles - middles.mean(0)
    mean = torch.stack([_seen(sharp, pose) for pose in middles]).mean(0)
    inside = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    noise = NOISE * torch.randn(mean[inside].shape, generator=generator)
    return sharp[inside], ((mean[inside] + noise).clamp(0, 1) * 255).round() / 255, poses


def _seen(sharp: Tensor, pose: np.ndarray) -> Tensor:
    """What the camera sees at a pose: the point p of the scene at R(angle) p + (dy, dx)."""
    height, width = sharp.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height) - (height - 1) / 2 - float(pose[0]),
        torch.arange(width) - (width - 1) / 2 - float(pose[1]),
        indexing="ij",
    )
    cosine, sine = math.cos(math.radians(pose[2])), math.sin(math.radians(pose[2]))
    source_y, source_x = cosine * y + sine * x, cosine * x - sine * y
    grid = torch.stack((source_x / ((width - 1) / 2), source_y / ((height - 1) / 2)), -1)[None]
    return grid_sample(sharp, grid, "bicubic", "reflection", align_corners=True)
