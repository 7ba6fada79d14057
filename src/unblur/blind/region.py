"""The part of a picture that says most about its blur."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from unblur.fourier import gradient

__all__ = ["choose_region"]

# Windows are compared on a picture reduced to about this many pixels a side.
_SIDE = 256
# The share of edges above which they count alike: one bright edge must not outweigh a street of
# them.
_STRONG = 0.95


def choose_region(
    image: Tensor, side: int, clipped: Tensor | None = None
) -> tuple[int, int, int, int]:
    """Choose a square with many edges in all directions and few clipped pixels.

    Each window is rated by the smaller eigenvalue of its structure tensor, sum of grad u grad u^T:
    it is large only where edges of more than one direction are, and a blur can be seen only across
    edges. Gradients above the 95th percentile count as that; clipped pixels and their neighbours do
    not count.

    Args:
        image: (1, C, H, W).
        side: of the square; a picture that is shorter gives its whole side.
        clipped: bool, broadcastable to (1, C, H, W).

    Returns:
        (x, y, width, height).

    Example:
        >>> picture = torch.zeros(1, 1, 64, 96)
        >>> picture[..., 20:30, 70:80] = 1.0
        >>> x, y, width, height = choose_region(picture, 32)
        >>> x <= 69 and x + width >= 80 and y <= 19 and y + height >= 30
        True
    """
    height, width = image.shape[-2:]
    window = (min(side, height), min(side, width))
    if window == (height, width):
        return 0, 0, width, height
    step = max(1, max(height, width) // _SIDE)
    grey = avg_pool2d(image.mean(1, keepdim=True), step, ceil_mode=True)
    along_y, along_x = (part[0, 0] for part in gradient(grey))
    along_y[-1], along_x[:, -1] = 0, 0
    if clipped is not None:
        bright = clipped.any(1, keepdim=True).to(grey).expand(1, 1, height, width)
        spoiled = avg_pool2d(bright, step, ceil_mode=True)[0, 0] > 0
        along_y, along_x = along_y.masked_fill(spoiled, 0), along_x.masked_fill(spoiled, 0)
    length = torch.hypot(along_y, along_x)
    common = torch.quantile(length.flatten()[:: max(1, length.numel() // 2**20)], _STRONG)
    # Where edges are rare, that is the length of no edge at all.
    strong = max(float(common), float(length.max()) / 4)
    scale = strong / length.clamp(min=strong + 1e-12)
    along_y, along_x = along_y * scale, along_x * scale
    tensor = torch.stack([along_y**2, along_x**2, along_y * along_x])
    cells = (max(1, window[0] // step), max(1, window[1] // step))
    sums = _window_sums(tensor, cells)
    trace, determinant = sums[0] + sums[1], sums[0] * sums[1] - sums[2] ** 2
    least = trace / 2 - (trace**2 / 4 - determinant).clamp(min=0).sqrt()
    best = int(least.argmax())
    row, column = divmod(best, least.shape[1])
    x = min(column * step, width - window[1])
    y = min(row * step, height - window[0])
    return x, y, window[1], window[0]


def _window_sums(images: Tensor, window: tuple[int, int]) -> Tensor:
    """The sum over every window of that size, (C, H - h + 1, W - w + 1), by integral images."""
    integral = pad(images.double(), (1, 0, 1, 0)).cumsum(-1).cumsum(-2)
    height, width = window
    return (
        integral[:, height:, width:]
        - integral[:, :-height, width:]
        - integral[:, height:, :-width]
        + integral[:, :-height, :-width]
    )
