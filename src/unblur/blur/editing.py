"""Edits of a kernel's pixels: tensor (h, w) in, tensor (h, w) of mass 1 out, sides odd.

They are plain functions because the estimation of kernels uses them on bare tensors; `Kernel`
offers them as methods. The input is trusted to be non-negative with some mass, as `validate_kernel`
leaves it.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import grid_sample, pad

from unblur.blur.checks import MAX_SIDE, odd_side, real
from unblur.errors import KernelError, ParameterError

__all__ = ["centre", "centroid", "clean", "crop", "normalise", "resize", "rotate", "trim"]


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """`pixels` / sum(`pixels`), summed in double precision.

    Raises:
        KernelError: no mass is left.
    """
    wide = pixels.double()
    mass = wide.sum()
    if not bool(mass > 0):
        raise KernelError("no mass is left in the kernel: its values are all zero")
    return (wide / mass).to(pixels.dtype)


def centroid(pixels: torch.Tensor) -> tuple[float, float]:
    """The (row, column) of the centre of mass, relative to the centre pixel."""
    wide = normalise(pixels.double())
    rows, columns = _offsets(pixels.shape[0], wide), _offsets(pixels.shape[1], wide)
    return float(wide.sum(1) @ rows), float(wide.sum(0) @ columns)


def centre(pixels: torch.Tensor, subpixel: bool = False) -> torch.Tensor:
    """Shift the centre of mass to the centre pixel.

    The shift is whole (what remains is at most half a pixel) or, with `subpixel`, linear between
    neighbours, which is exact and keeps values non-negative, at the price of a slight blur. Where
    mass would leave the box, the box grows on all sides: nothing is cut.
    """
    shift = [-value for value in centroid(pixels)]
    whole = [math.floor(value) if subpixel else round(value) for value in shift]
    if not subpixel and whole == [0, 0]:
        return normalise(pixels)
    moved = _shift(pixels, whole[0], whole[1], 1 if subpixel else 0)
    if subpixel:
        for axis in (0, 1):
            share = shift[axis] - whole[axis]
            moved = (1 - share) * moved + share * moved.roll(1, axis)
    return normalise(trim(moved, pixels.shape[0], pixels.shape[1]))


def clean(pixels: torch.Tensor, threshold: float = 0.05, isolated: float = 0.1) -> torch.Tensor:
    """Drop faint values and small islands, then normalise.

    Values under `threshold` x the maximum go first. Of what stays, every 8-connected component that
    holds less than `isolated` of the remaining mass goes too; the heaviest component always stays.

    Raises:
        ParameterError: `threshold` or `isolated` outside [0, 1].
    """
    real("threshold", threshold, 0, 1)
    real("isolated", isolated, 0, 1)
    kept = torch.where(pixels < threshold * pixels.max(), torch.zeros_like(pixels), pixels)
    numbers, count = _islands((kept > 0).cpu().numpy())
    if count == 1:
        return normalise(kept)
    labels = torch.from_numpy(numbers).to(pixels.device)
    masses = torch.bincount(labels.flatten(), weights=kept.double().flatten())
    stays = masses >= isolated * masses.sum()
    stays[masses.argmax()] = True
    return normalise(torch.where(stays[labels], kept, torch.zeros_like(kept)))


def resize(pixels: torch.Tensor, scale: float) -> torch.Tensor:
    """The kernel of the same blur seen at `scale` times the resolution.

    Each pixel's mass is spread along rows and columns by a triangle as wide as the coarser of the
    two grids, about the centre pixel; all mass is kept, and the box is as large as it must be to
    hold it.

    Raises:
        ParameterError: `scale` is not positive, or the result would be over the limit of a side.
    """
    real("scale", scale, 1e-3, MAX_SIDE)
    result = pixels.double()
    for _ in range(2):
        result = _resizing_matrix(result.shape[0], scale, result) @ result
        result = result.T
    return normalise(result).to(pixels.dtype)


def rotate(pixels: torch.Tensor, angle: float) -> torch.Tensor:
    """Turn by `angle` degrees, counter-clockwise, about the centre pixel.

    Multiples of 90 degrees are exact; other angles interpolate linearly between pixels. The box
    grows to hold the corners that have mass.

    Raises:
        ParameterError: `angle` is not a number within 36000 degrees.
    """
    angle = real("angle", angle, -36000, 36000, "degrees") % 360
    if angle % 90 == 0:
        return torch.rot90(pixels, int(angle // 90)).clone()
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    half = [pixels.shape[0] // 2 + 1, pixels.shape[1] // 2 + 1]
    height = math.ceil(abs(cosine) * half[0] + abs(sine) * half[1])
    width = math.ceil(abs(sine) * half[0] + abs(cosine) * half[1])
    wide = pixels.double()
    rows, columns = torch.meshgrid(
        _offsets(2 * height + 1, wide), _offsets(2 * width + 1, wide), indexing="ij"
    )
    # Rows grow downwards, so a counter-clockwise turn on the screen maps (x, y) as written here.
    source_x = (cosine * columns - sine * rows) / half[1]
    source_y = (sine * columns + cosine * rows) / half[0]
    grid = torch.stack((source_x, source_y), -1)[None]
    turned = grid_sample(pad(wide, (1, 1, 1, 1))[None, None], grid, align_corners=True)[0, 0]
    return normalise(trim(turned)).to(pixels.dtype)


def crop(pixels: torch.Tensor, size: int | tuple[int, int]) -> torch.Tensor:
    """Cut, or pad with zeros, to `size` (one side or (height, width), odd) about the centre pixel.

    Raises:
        ParameterError: a side is not an odd number from 1 to the limit.
        KernelError: nothing but zeros lies inside.
    """
    sides: object = (size, size) if isinstance(size, int) else size
    if not isinstance(sides, tuple | list) or len(sides) != 2:
        raise ParameterError(f"size must be one side or a pair (height, width); got {size!r}")
    height, width = odd_side("size (height)", sides[0]), odd_side("size (width)", sides[1])
    vertical, horizontal = (height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2
    return normalise(pad(pixels, (horizontal, horizontal, vertical, vertical)))


def _islands(filled: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """The 8-connected components, numbered from 1, 0 where nothing is; and how many they are."""
    # Loaded on use: it brings much of SciPy along; scikit-image's would bring more.
    from scipy.ndimage import label

    numbers, count = label(filled, structure=np.ones((3, 3)))
    return np.asarray(numbers, np.int64), int(count)


def _offsets(side: int, like: torch.Tensor) -> torch.Tensor:
    """Pixel positions along a side, 0 at the centre pixel."""
    return torch.arange(side, dtype=torch.float64, device=like.device) - side // 2


def _shift(pixels: torch.Tensor, down: int, right: int, margin: int) -> torch.Tensor:
    """Move by whole pixels inside a box grown by as much, and by `margin`, on every side."""
    vertical, horizontal = abs(down) + margin, abs(right) + margin
    return pad(pixels, (horizontal, horizontal, vertical, vertical)).roll((down, right), (0, 1))


def trim(pixels: torch.Tensor, least_height: int = 1, least_width: int = 1) -> torch.Tensor:
    """Cut empty rows and columns at the rim, alike on opposite sides, not below the least sides."""
    filled = pixels > 0
    for axis, least in ((0, least_height), (1, least_width)):
        side = pixels.shape[axis]
        places = filled.any(1 - axis).nonzero().flatten() - side // 2
        reach = max(int(places.abs().max()) if len(places) else 0, least // 2)
        pixels = pixels.narrow(axis, side // 2 - reach, 2 * reach + 1)
        filled = filled.narrow(axis, side // 2 - reach, 2 * reach + 1)
    return pixels


def _resizing_matrix(side: int, scale: float, like: torch.Tensor) -> torch.Tensor:
    """The (new side, side) weights that spread old pixels over new ones; columns sum to 1."""
    half = side // 2
    reach = math.ceil(half * scale) if scale <= 1 else math.ceil((half + 1) * scale) - 1
    if 2 * reach + 1 > MAX_SIDE:
        raise ParameterError(
            f"scale {scale:g} makes a kernel {2 * reach + 1} pixels wide; at most {MAX_SIDE} is "
            "allowed"
        )
    new, old = _offsets(2 * reach + 1, like), _offsets(side, like)
    distance = (new[:, None] - scale * old[None, :]).abs() / max(scale, 1.0)
    weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(0)
