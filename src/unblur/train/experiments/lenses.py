"""Lenses of all kinds, and what a photograph and a chart look like through them."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from unblur.blur import Field, Kernel
from unblur.blur.kernels import gaussian
from unblur.blur.synthesis.lots import Lots
from unblur.blur.synthesis.moving import average, lens_path, reach
from unblur.datasets import sharp
from unblur.errors import InputError
from unblur.files import shown
from unblur.train.batch import Batch, join
from unblur.train.experiments.still import Still
from unblur.train.stream import generator_of

__all__ = ["Blur", "aberrations", "chart", "distortion", "examples", "read_lens", "seen", "through"]

Size = tuple[int, int]
# Pictures (B, 3, H, W) in, blurred ones out.
Blur = Callable[[Tensor], Tensor]

# Centres of the cells of a frame from -1 to 1, along each side.
_CELLS = (-0.8, -0.4, 0.0, 0.4, 0.8)
_STRETCH = (0.12, 0.3)
_SHARPEST, _WIDEST = (0.4, 1.0), 2.5
_DOT = 2
# Small frames of photographs hold little detail unless these are scaled down.
_SCALE = 4.0


def distortion(size: Size, lots: Lots) -> Blur:
    """A lens of equation 16 with a random angle and random scales: sharp in its middle.

    The farthest corner is blurred along 6 to 15 % of the frame's diagonal, half of it to each side,
    so that the blurred picture lies on the sharp one.
    """
    strength = lots.even(_STRETCH)
    scales = (1 + strength, 1 + strength * lots.even((-1, 1)))
    path = lens_path(360 * lots.share(), scales, size, centred=True)
    margin = math.ceil(reach(path, size))

    def blur(pictures: Tensor) -> Tensor:
        wide = pad(pictures, (margin,) * 4, mode="reflect")
        return torch.stack([average(picture, path, margin) for picture in wide])

    return blur


def aberrations(size: Size, lots: Lots) -> Blur:
    """A lens whose spots are Gaussians, and grow along and across the radius on their own.

    sigma = s + a r^2 along the radius and s + b r^2 across it, in pixels, with r = 1 in the
    corners; s from 0.4 to 1, a and b up to 2.5.
    """
    least = lots.even(_SHARPEST)
    along, across = lots.even((0, _WIDEST)), lots.even((0, _WIDEST))
    grid = [[_spot(y, x, size, (least, along, across)) for x in _CELLS] for y in _CELLS]
    return through(Field.of(grid), size)


def _spot(y: float, x: float, size: Size, sigmas: tuple[float, float, float]) -> Kernel:
    """The kernel at a place of the frame, -1 to 1 along each side."""
    least, along, across = sigmas
    far = (y * y + x * x) / 2
    # Rows grow downwards, and angles count counter-clockwise.
    angle = math.degrees(math.atan2(-y * size[0], x * size[1]))
    return gaussian(least + along * far, least + across * far, angle)


def through(field: Field, size: Size) -> Blur:
    """The blur of frames of a size by a field, whatever lies outside reflected."""
    return field.operator(size, "reflect").forward


def read_lens(path: Path) -> Field:
    """Read measured kernels: an array (rows, columns, h, w) or (rows, columns, h, w, 3) as .npy.

    Raises:
        InputError: It is not such an array.
    """
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{shown(path)} cannot be read as an array: {error}") from error
    if array.ndim not in (4, 5):
        raise InputError(
            f"{shown(path)} must hold kernels (rows, columns, h, w[, 3]), not {array.shape}"
        )
    kernels = torch.from_numpy(array).clamp(min=0)
    kernels = kernels[:, :, None] if array.ndim == 4 else kernels.movedim(-1, 2)
    return Field.of(kernels / kernels.sum((-2, -1), keepdim=True))


def chart(size: Size, lots: Lots) -> Tensor:
    """A chart of random black and white squares of two pixels, (1, 3, H, W)."""
    height, width = (side // _DOT + 1 for side in size)
    dots = torch.rand(1, 1, height, width, generator=lots.generator).round()
    squares = dots.repeat_interleave(_DOT, 2).repeat_interleave(_DOT, 3)
    return squares[..., : size[0], : size[1]].expand(-1, 3, -1, -1).contiguous()


def seen(picture: Tensor, blur: Blur, noise_std: float, lots: Lots, name: str = "") -> Batch:
    """A picture and a chart through one lens: what is to be restored, and what is known of it.

    Args:
        picture: (1, 3, H, W) in [0, 1], sharp.
        blur: of the lens.
        noise_std: standard deviation of the noise that both get.
        lots: for the chart and the noise.
        name: of the picture.
    """
    height, width = picture.shape[-2:]
    both = torch.cat([picture, chart((height, width), lots)])
    blurred = blur(both)
    noise = torch.randn(blurred.shape, generator=lots.generator)
    blurred = (blurred + noise_std * noise).clamp(0, 1)
    return Batch(blurred[:1], picture, (name,), reference=(both[1:], blurred[1:]))


def examples(
    root: Path,
    count: int,
    *,
    size: Size,
    noise_std: float,
    seed: int,
    lens: Field | None = None,
    only_distortion: bool = False,
) -> Still:
    """Photographs of a folder, each a whole frame seen through a lens, with a chart beside it.

    Args:
        root: of sharp pictures, taken in turn, cut to the frame's shape and scaled to it.
        count: how many frames.
        size: (height, width) of the frames, multiples of 4.
        noise_std: standard deviation of the noise.
        seed: of the lenses, the charts and the noise.
        lens: of all of them; random ones if not given.
        only_distortion: let random lenses be those of equation 16; otherwise every other one is.
    """
    listed = list(sharp(root))
    made = []
    for n in range(count):
        lots = Lots(generator_of(seed, n))
        pair = listed[n * len(listed) // count if count < len(listed) else n % len(listed)]
        picture = pair.read_blurred().encoded()[:1].float().expand(-1, 3, -1, -1)
        picture = _frame(picture, size, lots)
        if lens is None:
            draw = distortion if only_distortion or n % 2 else aberrations
            blur = draw(size, lots)
        else:
            blur = through(lens, size)
        made.append(seen(picture, blur, noise_std, lots, pair.name))
    return Still(join(made))


def _frame(picture: Tensor, size: Size, lots: Lots) -> Tensor:
    """A part of the picture with the frame's shape, at a quarter of its resolution if large."""
    height, width = picture.shape[-2:]
    scale = min(_SCALE, height / size[0], width / size[1])
    part = [round(side * scale) for side in size]
    top, left = lots.below(height - part[0] + 1), lots.below(width - part[1] + 1)
    crop = picture[..., top : top + part[0], left : left + part[1]]
    return interpolate(crop, size, mode="bilinear", antialias=True).clamp(0, 1)
