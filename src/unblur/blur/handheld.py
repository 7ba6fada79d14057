"""The field of a hand-held camera: random shifts and rolls."""

from dataclasses import replace

import numpy as np
import torch

from unblur.blur.checks import MAX_SIDE, integer, real
from unblur.blur.field import Field
from unblur.blur.homography import camera_shake
from unblur.blur.record import Record
from unblur.blur.shake import trajectory

__all__ = ["random_camera_shake"]

# The length in pixels that the formula of hands' trajectories is meant for.
_HAND = 64.0


def random_camera_shake(
    shift: float,
    degrees: float,
    size: tuple[int, int],
    grid: tuple[int, int] = (6, 8),
    *,
    exposure: float = 1.0,
    anxiety: float = 0.5,
    seed: int = 0,
) -> Field:
    """A `camera_shake` along random trajectories of the hand, one for the shift and one for roll.

    Args:
        shift: longer side of the box around the path of the centre, pixels.
        degrees: how far the camera rolls, from one end to the other.
        size: (height, width) of the frame.
        grid: (rows, columns) of kernels.
        exposure: share of the trajectories that the shutter is open for.
        anxiety: 0 (steady) to 1 (a nervous hand).
        seed: the same number gives the same field.

    Raises:
        ParameterError: an argument is out of range.

    Example:
        >>> random_camera_shake(9, 0.5, (60, 80), (2, 2), seed=3).grid
        (2, 2)
    """
    box = np.array([real("shift", shift, 0, MAX_SIDE, "pixels"), real("degrees", degrees, 0, 90)])
    exposure, anxiety = real("exposure", exposure, 0, 1), real("anxiety", anxiety, 0, 1)
    generator = torch.Generator().manual_seed(integer("seed", seed, 0, 2**63 - 1))
    paths = [trajectory(_HAND, anxiety, generator) for _ in box]
    steps = max(round(exposure * (len(paths[0]) - 1)), 1)
    # A way of some hundred pixels needs no more than a pose each.
    shifts, rolls = (path[: steps + 1 : max(steps // 256, 1)] for path in paths)
    poses = np.hstack((shifts, rolls[:, :1]))
    poses = poses - (poses[1:] + poses[:-1]).mean(0) / 2
    extent = np.ptp(poses, axis=0)
    poses[:, :2] *= box[0] / extent[:2].max()
    poses[:, 2] *= box[1] / max(extent[2], 1e-12)
    if exposure == 0:
        poses = np.zeros((1, 3))
    field = camera_shake(poses, size, grid)
    parameters = {
        "shift": box[0],
        "degrees": box[1],
        "exposure": exposure,
        "anxiety": anxiety,
        "seed": seed,
    }
    return replace(field, record=Record("homography", parameters))
