"""Kernels over the frame as one picture."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from unblur.blur import Field

__all__ = ["draw"]

_GAP = 2
_LEAST_CELL = 72
# Of a confidence of 0, of a half, and of 1: from red over amber to green.
_COLOURS = ((0.85, 0.20, 0.15), (0.80, 0.60, 0.10), (0.15, 0.60, 0.25))
_SHADE = 0.45


def draw(field: Field, confidence: Tensor) -> Tensor:
    """Draw each kernel in its cell, the brighter the more mass, on a ground of its confidence.

    Args:
        field: of one or three channels, which are drawn in their colours.
        confidence: (rows, columns), in [0, 1].

    Returns:
        uint8 (3, H, W).
    """
    kernels = field.kernels.expand(-1, -1, 3, -1, -1)
    zoom = -(-_LEAST_CELL // max(field.kernel_size))
    bright = (kernels / kernels.amax((-3, -2, -1), keepdim=True)).clamp(0, 1).sqrt()
    rows, columns = field.grid
    cells = interpolate(bright.flatten(0, 1), scale_factor=zoom, mode="nearest")
    ground = _SHADE * _colours(confidence).flatten(0, 1)[:, :, None, None].to(cells)
    # Light over the ground: where there is mass, its own colour is seen.
    painted = 1 - (1 - cells) * (1 - ground)
    height, width = painted.shape[-2] + _GAP, painted.shape[-1] + _GAP
    sheet = torch.zeros(3, rows * height + _GAP, columns * width + _GAP)
    for index, cell in enumerate(painted):
        top, left = _GAP + index // columns * height, _GAP + index % columns * width
        sheet[:, top : top + cell.shape[1], left : left + cell.shape[2]] = cell
    return (sheet * 255).round().to(torch.uint8)


def _colours(confidence: Tensor) -> Tensor:
    """(rows, columns, 3): between the three colours."""
    low, middle, high = (torch.tensor(each) for each in _COLOURS)
    share = confidence.clamp(0, 1).float().cpu()[..., None] * 2
    below = low + (middle - low) * share.clamp(max=1)
    return torch.where(share <= 1, below, middle + (high - middle) * (share - 1).clamp(min=0))
