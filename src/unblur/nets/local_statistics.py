"""Means over the whole picture, or over windows of the size that the network was trained on."""

import torch
from torch import Tensor, nn

from unblur.errors import ParameterError

__all__ = ["WINDOW", "Mean", "finer", "per_block", "running_mean", "set_window", "spread"]

# 1.5 times the patches of 256 pixels that networks of this kind are trained on.
WINDOW = 384


class Mean(nn.Module):
    """The mean of each channel: one of the whole picture, or one of the window around each pixel.

    A network learns with means over small patches. Over a whole photograph they are distributed
    otherwise, and a tile has others than the picture it is cut from. Windows cure both. Near the
    border the window is moved inwards, so that all are of one size.

    Args:
        share: rows and columns of the features for each row and column of the picture: 1/4 for both
            at a quarter of the resolution. A window is scaled by it.
        step: windows begin at multiples of it, and what lies between is interpolated. With 4, that
            is a fortieth of the work of 1, and as good: a window that is a hundred times as large
            hardly changes within 4 pixels. Sides of the features must be multiples.

    Attributes:
        window: side of the windows in pixels of the picture; None is the whole picture.

    Source:
        X. Chu, L. Chen, C. Chen, X. Lu, Improving Image Restoration by Revisiting Global
        Information Aggregation, 2022, section 3.

    Example:
        >>> features = torch.tensor([[[[0.0, 1.0, 2.0, 6.0]]]])
        >>> mean = Mean()
        >>> mean(features).flatten().tolist()
        [2.25]
        >>> mean.window = 3
        >>> windows = mean(features)
        >>> windows.flatten().tolist()
        [1.0, 3.0]
        >>> spread(windows, features).flatten().tolist()
        [1.0, 1.0, 3.0, 3.0]
    """

    window: int | None

    def __init__(self, share: tuple[float, float] = (1.0, 1.0), step: int = 1) -> None:
        super().__init__()
        self.share = share
        self.step = step
        self.window = None

    def forward(self, features: Tensor) -> Tensor:
        """Give (B, C, 1, 1), or (B, C, m, n): a mean for each of the m x n places of a window.

        `spread` brings what was computed from it back to the size of the features.
        """
        rows, columns = features.shape[-2:]
        if self.window is not None:
            height, width = (max(round(self.window * each / self.step), 1) for each in self.share)
            if height * self.step < rows or width * self.step < columns:
                blocks = nn.functional.avg_pool2d(features, self.step)
                # Running sums lose digits in 16 bits.
                blocks = blocks.to(torch.promote_types(blocks.dtype, torch.float32))
                means = running_mean(running_mean(blocks, width, axis=3), height, axis=2)
                return means.to(features.dtype)
        if features.is_cpu and features.dtype == torch.bfloat16:
            # As exact as `mean`, which first makes a copy in 32 bits and takes twenty times longer.
            return nn.functional.avg_pool2d(features, (rows, columns))
        return features.mean(dim=(2, 3), keepdim=True)


def running_mean(values: Tensor, length: int, axis: int) -> Tensor:
    """Mean over each run of `length` along an axis of size n: n - length + 1 of them, or one.

    The first is taken as it is, and each next adds what enters and leaves, so that the cost does
    not grow with the length and no sum grows large.

    Example:
        >>> running_mean(torch.tensor([1.0, 2.0, 6.0, 4.0]), 2, axis=0).tolist()
        [1.5, 4.0, 5.0]
        >>> running_mean(torch.tensor([1.0, 2.0, 6.0, 4.0]), 9, axis=0).tolist()
        [3.25]
    """
    size = values.shape[axis]
    if length >= size:
        return values.mean(dim=axis, keepdim=True)
    first = values.narrow(axis, 0, length).mean(dim=axis, keepdim=True)
    enter = values.narrow(axis, length, size - length)
    leave = values.narrow(axis, 0, size - length)
    return torch.cat((first, (enter - leave) / length), dim=axis).cumsum(dim=axis)


def spread(values: Tensor, features: Tensor, step: int = 1) -> Tensor:
    """Give each pixel of features (B, C, H, W) the value that belongs to the window around it.

    Args:
        values: (B, C, m, n), one for each place of a window, from the means of a `Mean`. A single
            one, (B, C, 1, 1), stays as it is, since it broadcasts.
        features: what the means were taken of.
        step: that of the `Mean`.

    Example:
        >>> spread(torch.tensor([[[[1.0, 2.0]]]]), torch.zeros(1, 1, 1, 5)).tolist()
        [[[[1.0, 1.0, 2.0, 2.0, 2.0]]]]
    """
    return finer(per_block(values, features, step), step)


def per_block(values: Tensor, features: Tensor, step: int = 1) -> Tensor:
    """Give each block of `step` times `step` pixels of features its value, as `spread` begins.

    Args:
        values: as for `spread`; a single one stays as it is.
        features: what the means were taken of.
        step: that of the `Mean`.
    """
    if values.shape[-2:] == (1, 1):
        return values
    more_rows = features.shape[-2] // step - values.shape[-2]
    more_columns = features.shape[-1] // step - values.shape[-1]
    above, left = more_rows // 2, more_columns // 2
    pad = (left, more_columns - left, above, more_rows - above)
    return nn.functional.pad(values, pad, mode="replicate")


def finer(values: Tensor, step: int) -> Tensor:
    """Interpolate what `per_block` gave to the size of the features, as `spread` ends."""
    if step == 1 or values.shape[-2:] == (1, 1):
        return values
    return nn.functional.interpolate(values, scale_factor=float(step), mode="bilinear")


def set_window(network: nn.Module, window: int | None) -> None:
    """Give every `Mean` of a network this window; None goes back to the whole picture.

    Raises:
        ParameterError: The window is not at least 1.
    """
    if window is not None and window < 1:
        raise ParameterError(f"window must be at least 1 pixel, or None, got {window!r}")
    for module in network.modules():
        if isinstance(module, Mean):
            module.window = window
