"""JPEG on whole batches, on any device: the cosine transform, rounded as the codec does."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

__all__ = ["compress"]

# Annex K of ITU T.81, which libjpeg scales by quality.
_LUMA = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101
72 92 95 98 112 100 103 99
"""
_CHROMA = """
17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
"""
# From this quality on, colour keeps its full resolution, as libvips has it.
_FULL_COLOUR = 90
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


def compress(images: Tensor, qualities: Tensor) -> Tensor:
    """What JPEG leaves of each picture; baseline, 8 bits, colour halved under quality 90.

    Agrees with libjpeg-turbo but for its integer arithmetic: to 0.8 of a level on average, or less.

    Args:
        images: (B, 3, H, W), display-encoded, clipped to [0, 1].
        qualities: (B,) whole numbers from 1 to 100.

    Returns:
        (B, 3, H, W), multiples of 1 / 255.

    Example:
        >>> grey = torch.full((1, 3, 16, 16), 0.5)
        >>> compress(grey, torch.tensor([90]))[0, :, 0, 0] * 255
        tensor([128., 128., 128.])
    """
    result = torch.empty_like(images)
    halved = qualities < _FULL_COLOUR
    for chosen, factor in ((halved, 2), (~halved, 1)):
        index = chosen.nonzero().flatten()
        if len(index):
            result[index] = _compress(images[index], qualities[index].to(images), factor)
    return result


def _compress(images: Tensor, qualities: Tensor, factor: int) -> Tensor:
    height, width = images.shape[-2:]
    unit = 8 * factor
    levels = (images.clamp(0, 1) * 255).round()
    levels = pad(levels, (0, -width % unit, 0, -height % unit), mode="replicate")
    matrix = torch.tensor(_TO_YCC, dtype=torch.float64).to(images)
    planes = torch.einsum("dc,bchw->bdhw", matrix, levels - 128)
    luma, colour = planes[:, :1].round(), planes[:, 1:]
    if factor > 1:
        colour = avg_pool2d(colour, factor)
    luma = _coarsen(luma, _table(_LUMA, qualities))
    colour = _coarsen(colour.round(), _table(_CHROMA, qualities))
    if factor > 1:
        # The triangle filter of libjpeg: 3/4 of the nearer sample and 1/4 of the other.
        colour = interpolate(colour, scale_factor=factor, mode="bilinear", align_corners=False)
    inverse = torch.linalg.inv(torch.tensor(_TO_YCC, dtype=torch.float64)).to(images)
    decoded = torch.einsum("dc,bchw->bdhw", inverse, torch.cat((luma, colour), 1)) + 128
    return decoded[..., :height, :width].round().clamp(0, 255) / 255


def _coarsen(planes: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of 8 x 8 blocks to multiples of `table` (B, 1, 1, 8, 1, 8)."""
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    transform = _cosine().to(planes)
    spectrum = torch.einsum("uy,bcmynx,vx->bcmunv", transform, blocks, transform)
    spectrum = (spectrum / table).round_() * table
    blocks = torch.einsum("uy,bcmunv,vx->bcmynx", transform, spectrum, transform)
    return blocks.reshape(planes.shape).round_().clamp_(-128, 127)


def _table(base: str, qualities: Tensor) -> Tensor:
    """The steps for each quality, (B, 1, 1, 8, 1, 8), whole numbers from 1 to 255."""
    steps = torch.tensor([float(word) for word in base.split()]).to(qualities)
    percent = torch.where(qualities < 50, (5000 / qualities).floor(), 200 - 2 * qualities)
    scaled = ((steps * percent[:, None] + 50) / 100).floor().clamp(1, 255)
    return scaled.reshape(-1, 1, 1, 8, 1, 8)


def _cosine() -> Tensor:
    """The orthonormal cosine transform (type II) of eight values."""
    n = torch.arange(8, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * n + 1) * n[:, None] / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix
