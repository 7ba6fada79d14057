"""Means over the whole picture, or over windows of the size that the network was trained on."""

import torch
from torch import Tensor, nn

from unblur.errors import ParameterError

__all__ = ["WINDOW", "Mean", "running_mean", "set_window", "spread"]

# 1.5 times the patches of 256 pixels that networks of this kind are trained on.
WINDOW = 384


class Mean(nn.Module):
    """The mean of each channel: one of the whole picture, or one of each window within it.

    A network learns with means over small patches. Over a whole photograph they are distributed
    otherwise, and a tile has others than the picture it is cut from. Windows cure both.

    Attributes:
        share: rows and columns of the features for each row and column of the picture: 1/4 for both
            at a quarter of the resolution. A window is scaled by it.
        window: side of the windows in pixels of the picture; None is the whole picture.

    Source:
        X. Chu, L. Chen, C. Chen, X. Lu, Improving Image Restoration by Revisiting Global
        Information Aggregation, 2022, section 3.

    Example:
        >>> import torch
        >>> mean = Mean(share=(1.0, 1.0))
        >>> mean(torch.arange(6.0).reshape(1, 1, 2, 3)).flatten().tolist()
        [2.5]
        >>> mean.window = 2
        >>> mean(torch.arange(6.0).reshape(1, 1, 2, 3)).flatten().tolist()
        [2.0, 3.0]
    """

    window: int | None

    def __init__(self, share: tuple[float, float]) -> None:
        super().__init__()
        self.share = share
        self.window = None

    def forward(self, features: Tensor) -> Tensor:
        """Give (B, C, 1, 1), or (B, C, m, n): one mean for each place a window has within.

        `spread` brings what was computed from it back to (B, C, H, W).
        """
        if self.window is None:
            return features.mean(dim=(2, 3), keepdim=True)
        rows, columns = (max(round(self.window * share), 1) for share in self.share)
        # Running sums lose digits in 16 bits.
        means = running_mean(running_mean(features.float(), columns, axis=3), rows, axis=2)
        return means.to(features.dtype)


def running_mean(values: Tensor, length: int, axis: int) -> Tensor:
    """Mean over each run of `length` along an axis of size n: n - length + 1 of them, or one.

    Differences of running sums, so that the cost does not grow with the length. They are taken of
    what differs from the overall mean, which keeps the sums small: float32 loses no digit that
    matters over tens of thousands of pixels.

    Example:
        >>> import torch
        >>> running_mean(torch.tensor([1.0, 2.0, 6.0, 4.0]), 2, axis=0).tolist()
        [1.5, 4.0, 5.0]
        >>> running_mean(torch.tensor([1.0, 2.0, 6.0, 4.0]), 9, axis=0).tolist()
        [3.25]
    """
    overall = values.mean(dim=axis, keepdim=True)
    size = values.shape[axis]
    if length >= size:
        return overall
    sums = (values - overall).cumsum(dim=axis)
    first = sums.narrow(axis, length - 1, 1)
    later = sums.narrow(axis, length, size - length) - sums.narrow(axis, 0, size - length)
    return overall + torch.cat((first, later), dim=axis) / length


def spread(values: Tensor, features: Tensor) -> Tensor:
    """Extend what belongs to the windows within a picture to all its pixels.

    A pixel has the window around it, moved inwards where that would leave the picture: the values
    (B, C, m, n) are repeated outwards to the size of `features`. One value, (B, C, 1, 1), stays as
    it is, since it broadcasts.

    Example:
        >>> import torch
        >>> spread(torch.tensor([[[[1.0, 2.0]]]]), torch.zeros(1, 1, 1, 5)).tolist()
        [[[[1.0, 1.0, 2.0, 2.0, 2.0]]]]
    """
    if values.shape[-2:] == (1, 1):
        return values
    more_rows = features.shape[-2] - values.shape[-2]
    more_columns = features.shape[-1] - values.shape[-1]
    above, left = more_rows // 2, more_columns // 2
    pad = (left, more_columns - left, above, more_rows - above)
    return nn.functional.pad(values, pad, mode="replicate")


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
