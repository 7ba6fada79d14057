"""A random blur of each kind."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from unblur.blur.depth import Defocus, random_depth
from unblur.blur.kernels import disk, gaussian, motion
from unblur.blur.synthesis.lots import Lots
from unblur.blur.synthesis.moving import lens_path, reach, turn_path
from unblur.blur.synthesis.settings import Kind, Synthesis
from unblur.blur.synthesis.trajectories import bank, path_kernel, random_path

__all__ = ["draw_blur"]

Size = tuple[int, int]

# The patch is cut from a frame this many times as large, and the lens is as long as the frame is
# wide, times this: from wide-angle to short telephoto.
_FRAME = (1.5, 4.0)
_FOCAL = (0.7, 2.0)
_STRONGEST_LENS = 0.5


def draw_blur(kind: Kind, settings: Synthesis, size: Size, lots: Lots) -> dict[str, Any]:
    """The `kernel`, `path` or `defocus` of a blur of this kind, for patches of `size`.

    Kinds that need none of these (`frames` and `none`) give nothing.

    Example:
        >>> lots = Lots(torch.Generator().manual_seed(0))
        >>> blur = draw_blur("motion", Synthesis(motion=(5, 5)), (64, 64), lots)
        >>> blur["kernel"].sum().round(decimals=4)
        tensor(1.)
    """
    return _BLURS[kind](settings, size, lots) if kind in _BLURS else {}


def _shake(settings: Synthesis, _size: Size, lots: Lots) -> dict[str, Any]:
    path = random_path(bank(settings.bank), lots) * lots.steep(settings.shake)
    return {"kernel": path_kernel(path, settings.margin)}


def _motion(settings: Synthesis, _size: Size, lots: Lots) -> dict[str, Any]:
    length = min(lots.steep(settings.motion), 2 * settings.margin)
    return {"kernel": motion(length, 180 * lots.share()).pixels}


def _disk(settings: Synthesis, _size: Size, lots: Lots) -> dict[str, Any]:
    radius = min(lots.even(settings.disk), settings.margin)
    return {"kernel": disk(radius, _blades(lots), 360 * lots.share()).pixels}


def _gaussian(settings: Synthesis, _size: Size, lots: Lots) -> dict[str, Any]:
    # Kernels are cut at four standard deviations.
    sigma = min(lots.even(settings.gaussian), settings.margin / 4)
    across = sigma if lots.chance(0.5) else sigma * lots.even((0.2, 1.0))
    return {"kernel": gaussian(sigma, across, 180 * lots.share()).pixels}


def _homography(settings: Synthesis, size: Size, lots: Lots) -> dict[str, Any]:
    frame = max(size) * lots.even(_FRAME)
    focal, centre = frame * lots.even(_FOCAL), _optical_centre(size, frame, lots)
    extent, paths = lots.steep(settings.homography), bank(settings.bank)
    shift, roll = random_path(paths, lots), random_path(paths, lots)
    moments = np.linspace(0, 1, min(len(shift), len(roll)))
    shift, roll = (each[(moments * (len(each) - 1)).astype(int)] for each in (shift, roll))
    # The edges of the frame turn by up to as much as its centre shifts.
    turn = roll[:, :1] * (lots.share() * 2 * focal / frame)
    angles = torch.from_numpy(np.hstack((shift[:, ::-1], turn)) * (extent / focal))
    angles = angles - angles.mean(0)
    return {
        "path": _within(
            settings.margin, size, lambda part: turn_path(angles * part, focal, size, centre)
        )
    }


def _lens(settings: Synthesis, size: Size, lots: Lots) -> dict[str, Any]:
    frame = max(size) * lots.even(_FRAME)
    centre, angle = _optical_centre(size, frame, lots), 360 * lots.share()
    longest = lots.even(settings.lens)
    weights = np.array([lots.even((-1, 1)), lots.even((-1, 1))])
    # The pixel farthest from the optical centre goes about that far.
    far = math.hypot(
        *(abs(place) + side / 2 for place, side in zip(centre, size[::-1], strict=True))
    )
    strength = min(longest / far, _STRONGEST_LENS) / np.abs(weights).max()
    return {
        "path": _within(
            settings.margin,
            size,
            lambda part: lens_path(
                angle,
                tuple(1 + part * strength * weights),
                size,
                centre,
                centred=settings.centred,
            ),
        )
    }


def _depth(settings: Synthesis, _size: Size, lots: Lots) -> dict[str, Any]:
    # The disks come in whole layers, which may be wider than the largest radius.
    radius = min(lots.even(settings.depth), max(settings.margin - 2, 0))
    depth, focus = random_depth(lots.generator), lots.share()
    return {"defocus": Defocus.of(depth, radius, focus, _blades(lots), 360 * lots.share())}


_BLURS: dict[Kind, Callable[[Synthesis, Size, Lots], dict[str, Any]]] = {
    "shake": _shake,
    "motion": _motion,
    "disk": _disk,
    "gaussian": _gaussian,
    "homography": _homography,
    "lens": _lens,
    "depth": _depth,
}


def _blades(lots: Lots) -> int | None:
    """Half of all apertures are circles, the others have 5 to 9 blades."""
    return 5 + lots.below(5) if lots.chance(0.5) else None


def _optical_centre(size: Size, frame: float, lots: Lots) -> tuple[float, float]:
    """Where the middle of the frame lies from that of a patch cut out of it anywhere, (x, y)."""
    height, width = size
    return (
        lots.even((-0.5, 0.5)) * max(frame - width, 0),
        lots.even((-0.5, 0.5)) * max(frame - height, 0),
    )


def _within(margin: int, size: Size, make: Callable[[float], torch.Tensor]) -> torch.Tensor:
    """The path that `make` gives for 1, or for the part of it that looks no farther than margin."""
    part, path = 1.0, make(1.0)
    while (far := reach(path, size)) > margin + 1e-3:
        part *= 0.95 * margin / far
        path = make(part)
    return path
