"""From pairs of pictures, sharp and blurred, to a lens profile."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.blur.checks import odd_side
from unblur.blur.record import Record
from unblur.errors import ParameterError
from unblur.lens.estimate import Estimate, estimate, rim_share
from unblur.lens.planes import brightness, check_pair, light, noise_of, plane_of
from unblur.lens.prior import PriorEstimator, StoredPrior, estimate_prior
from unblur.lens.profile import LensProfile, on_sensor, sensor_frame
from unblur.lens.register import Registration, register
from unblur.lens.shot import shot_of
from unblur.lens.turning import to_sensor
from unblur.lens.verdict import (
    TRUSTED,
    check_blur,
    check_planes,
    check_registration,
    check_result,
    check_texture,
    check_tone,
    reaches_rim,
)
from unblur.lens.warp import resample
from unblur.photo import Photo
from unblur.photo.transfer import SRGB
from unblur.progress import Progress, part, report

__all__ = ["calibrate"]

Size = tuple[int, int]
Pair = tuple[Photo, Photo]

# Kernels are tried at these sides until hardly any mass lies at the rim.
_SIDES = (25, 41, 65)
# Cells of about this side hold enough texture, and a lens changes little within them.
_CELL = 333
_MOST_CELLS = (9, 12)
# With fewer cells a side the middle of the frame cannot differ from its corners.
_FEW_CELLS = 3
# Shares of the time.
_REGISTERED, _ESTIMATED = 0.2, 0.9


def calibrate(
    pairs: Sequence[Pair],
    *,
    grid: Size | None = None,
    kernel_size: int | None = None,
    prior: PriorEstimator | None = None,
    progress: Progress | None = None,
) -> LensProfile:
    """Calibrate a lens from pairs of pictures of one scene or chart, sharp and blurred.

    Each pair is registered, and the sharp picture alone resampled; then the kernels of all cells
    are found by regularised least squares, channel by channel. The kernels' sums are the gain from
    one exposure to the other, cell by cell; divided by it, every kernel has mass 1. The geometry is
    found on green, so that the kernels of green are centred in the mean; what the other channels
    are shifted by, the lateral colour, is in their kernels.

    Args:
        pairs: (sharp, blurred), all of one size; several are combined.
        grid: (rows, columns) of cells; None chooses by the size.
        kernel_size: N, odd; None finds it.
        prior: a network that estimates the distortion prior from the first pair.
        progress: told what is being done.

    Raises:
        InputError: A pair cannot work; the message is the verdict.
        ParameterError: A number is out of range.

    Source:
        I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, for the
        calibration from a pair; M. Delbracio et al., The Non-parametric Sub-pixel Local Point
        Spread Function Estimation Is a Well Posed Problem, 2012, for its conditions.
    """
    if not pairs:
        raise ParameterError("sharp and blurred must name at least one picture each")
    for sharp, blurred in pairs:
        check_pair(sharp, blurred)
        check_pair(pairs[0][1], blurred)
    size = pairs[0][1].size
    chosen, grid = grid is None, _grid(grid, size)
    sides: Sequence[int] = (
        _SIDES if kernel_size is None else (odd_side("kernel_size", kernel_size),)
    )
    sides = [side for side in sides if 4 * side <= min(size)] or sides[:1]
    _check_room(grid, sides[0], size)
    found: list[Registration] = []
    for index, (sharp, blurred) in enumerate(pairs):
        report(progress, "register", _REGISTERED * index / len(pairs))
        planes = brightness(sharp), brightness(blurred)
        check_texture(*planes)
        found.append(register(*planes))
        check_registration(found[-1])
        check_tone(*planes, found[-1])
        _check_blur(sharp, blurred, found[-1], sides[0] // 2)
    estimates = _estimates(pairs, found, grid, sides, part(progress, _REGISTERED, _ESTIMATED))
    check_result(estimates)
    made = None
    if prior is not None:
        made = _prior(pairs[0], found[0], prior, part(progress, _ESTIMATED, 1.0))
    report(progress, "done", 1.0)
    warnings = _few_cells(grid, size) if chosen else []
    return _profile(pairs, found, estimates, made, warnings)


def _grid(grid: Size | None, size: Size) -> Size:
    if grid is None:
        rows, columns = (
            min(max(round(side / _CELL), 1), most)
            for side, most in zip(size, _oriented(_MOST_CELLS, size), strict=True)
        )
        return rows, columns
    if len(grid) != 2 or not all(1 <= int(number) <= 64 for number in grid):
        raise ParameterError(f"grid must be (rows, columns), each from 1 to 64; got {grid!r}")
    return int(grid[0]), int(grid[1])


def _few_cells(grid: Size, size: Size) -> list[str]:
    if min(grid) >= _FEW_CELLS:
        return []
    cells = "one cell" if grid == (1, 1) else f"{grid[1]} x {grid[0]} cells"
    words = (
        f"pictures of {size[1]} x {size[0]} pixels give only {cells}, and blur that changes within "
        f"a cell is averaged: larger pictures give more, one for each {_CELL} pixels of a side"
    )
    return [words]


def _check_blur(sharp: Photo, blurred: Photo, found: Registration, radius: int) -> None:
    green = blurred.samples.shape[1] // 2
    plane = plane_of(sharp, blurred, found.warp, green, radius)
    check_planes([plane])
    check_blur(plane, noise_of(light(blurred, green)))


def _oriented(most: Size, size: Size) -> Size:
    return most if size[1] >= size[0] else (most[1], most[0])


def _check_room(grid: Size, kernel_size: int, size: Size) -> None:
    cell = (size[0] // grid[0], size[1] // grid[1])
    if min(cell) < 2 * kernel_size:
        raise ParameterError(
            f"cells of {cell[1]} x {cell[0]} pixels are too small for kernels of {kernel_size}: "
            "give fewer rows and columns as grid, a smaller kernel_size, or larger pictures"
        )


def _estimates(
    pairs: Sequence[Pair],
    found: Sequence[Registration],
    grid: Size,
    sides: Sequence[int],
    progress: Progress | None,
) -> list[Estimate]:
    """One estimate a channel; green first, which tells the side that is needed."""
    channels = pairs[0][1].samples.shape[1]
    green = channels // 2
    results: dict[int, Estimate] = {}
    for index, channel in enumerate([green, *(n for n in range(channels) if n != green)]):
        span = part(progress, index / channels, (index + 1) / channels)
        for side in sides:
            results[channel] = _channel(
                pairs, found, grid, side=side, channel=channel, progress=span
            )
            if not reaches_rim(results[channel]):
                break
        sides = (side,)
    return [results[channel] for channel in range(channels)]


def _channel(
    pairs: Sequence[Pair],
    found: Sequence[Registration],
    grid: Size,
    *,
    side: int,
    channel: int,
    progress: Progress | None,
) -> Estimate:
    planes = [
        plane_of(sharp, blurred, each.warp, channel, side // 2)
        for (sharp, blurred), each in zip(pairs, found, strict=True)
    ]
    check_planes(planes)
    noise = max(noise_of(light(blurred, channel)) for _, blurred in pairs)
    return estimate(planes, grid, side, noise, progress=progress)


def _prior(
    pair: Pair, found: Registration, estimator: PriorEstimator, progress: Progress | None
) -> StoredPrior:
    """From the pair as it is displayed: what networks learn from."""
    sharp, blurred = pair
    channels = range(blurred.samples.shape[1])
    target = torch.stack([light(blurred, n) for n in channels])[None]
    moved = torch.stack([resample(light(sharp, n), found.warp) for n in channels])[None]
    moved = torch.where(torch.isnan(moved), target, moved)
    bare = blurred.carried.encoding == "linear" and blurred.depth < 32
    shown = [each if bare else SRGB.to_encoded(each.clamp(0, 1)) for each in (moved, target)]
    made = estimate_prior(shown[0].clamp(0, 1), shown[1].clamp(0, 1), estimator, progress=progress)
    orientation = blurred.carried.orientation
    return made if orientation == 1 else made.to_sensor(orientation)


def _profile(
    pairs: Sequence[Pair],
    found: Sequence[Registration],
    estimates: Sequence[Estimate],
    prior: StoredPrior | None,
    warnings: Sequence[str],
) -> LensProfile:
    blurred = pairs[0][1]
    orientation = blurred.carried.orientation
    measured: dict[str, Any] = {
        "pairs": [_registered(each) for each in found],
        "gain": [float(_trusted(e.kernels.sum((-2, -1)), e)) for e in estimates],
        "residual": [float(_trusted(e.residual, e)) for e in estimates],
        "unexplained": [_unexplained(pairs, n, e) for n, e in enumerate(estimates)],
        "rim": [float(_trusted(rim_share(e.kernels), e)) for e in estimates],
        "cells_trusted": float((_confidence(estimates) >= TRUSTED).float().mean()),
        "warnings": list(warnings),
    }
    kernels = torch.stack([_normalised(e.kernels) for e in estimates], 2)
    side = kernels.shape[-1]
    record = Record("calibrate", {"kernel_size": side, "pairs": len(pairs)})
    return LensProfile(
        to_sensor(Field(kernels, record=record), orientation),
        on_sensor(_confidence(estimates), orientation),
        sensor_frame(blurred.size, orientation),
        shot_of(blurred),
        orientation,
        measured,
        prior,
    )


def _registered(found: Registration) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "degrees": found.turn,
        "scale": found.scale,
        "shift": list(found.shift),
        "spread": found.spread,
    }


def _confidence(estimates: Sequence[Estimate]) -> Tensor:
    return torch.stack([each.confidence for each in estimates]).mean(0)


def _trusted(values: Tensor, found: Estimate) -> Tensor:
    """The mean of values over cells, by confidence."""
    weight = found.confidence + 1e-6
    return (values * weight).sum() / weight.sum()


def _unexplained(pairs: Sequence[Pair], channel: int, found: Estimate) -> float:
    """What the kernels leave besides noise: depth, movement, a tone curve; a standard deviation."""
    noise = max(noise_of(light(blurred, channel)) for _, blurred in pairs)
    return math.sqrt(max(float(_trusted(found.residual, found)) ** 2 - noise**2, 0.0))


def _normalised(kernels: Tensor) -> Tensor:
    """Each of mass 1; where nothing was found, the mean of all."""
    mass = kernels.sum((-2, -1), keepdim=True)
    mean = kernels.sum((0, 1)) / kernels.sum().clamp(min=1e-12)
    return torch.where(mass > 1e-6, kernels / mass.clamp(min=1e-12), mean)
