"""Half the resolution, for what holds no more."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from unblur.blur import Field

__all__ = ["double", "halve", "halve_kernel"]

# Lobes of the Lanczos window by which a kernel is halved.
_LOBES = 3


def halve(image: Tensor) -> Tensor:
    """Take the mean of each square of 2 x 2 pixels, as JPEG does with colour.

    Args:
        image: (B, C, H, W); of odd sides the last row or column counts twice.

    Example:
        >>> halve(torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])).item()
        1.5
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        image = pad(image, (0, width % 2, 0, height % 2), mode="replicate")
    # Four times as fast as a pooling of two by two.
    rows = image[..., ::2, :] + image[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


def double(image: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Undo `halve` by interpolation between the middles of the squares, and cut to `size`."""
    height, width = size
    # Two or three channels together take three to six times as long as one after the other.
    planes = image.flatten(0, 1)[:, None]
    doubled = interpolate(planes, scale_factor=2, mode="bilinear")[..., :height, :width]
    apart: Tensor = doubled.unflatten(0, image.shape[:2])
    return apart.squeeze(2)


def halve_kernel(kernel: Tensor | Field) -> Tensor | Field:
    """Give the kernel, or the field, that blurs halved pictures as the given one blurs whole ones.

    k'(n) = sum_m k(m) w(2 n - m), w the Lanczos window that keeps what halved pictures can show,
    and the sum brought back to that of k.

    Args:
        kernel: (..., h, w) with odd sides, or a field.

    Example:
        >>> halved = halve_kernel(torch.ones(1, 9) / 9)
        >>> halved.shape, round(float(halved.sum()), 6)
        (torch.Size([5, 9]), 1.0)
    """
    if isinstance(kernel, Field):
        return replace(kernel, kernels=_halved(kernel.kernels))
    return _halved(kernel)


def _halved(kernel: Tensor) -> Tensor:
    rows, columns = (_decimation(side, kernel) for side in kernel.shape[-2:])
    halved = rows @ kernel @ columns.T
    total = kernel.sum((-2, -1), keepdim=True) / halved.sum((-2, -1), keepdim=True)
    return halved * total


def _decimation(side: int, like: Tensor) -> Tensor:
    """The matrix that halves an axis of that odd length, about its middle."""
    radius = side // 2
    reach = (radius + 2 * _LOBES - 1) // 2
    to = 2 * torch.arange(-reach, reach + 1, dtype=torch.float64)
    distance = (to[:, None] - torch.arange(-radius, radius + 1)) / 2
    weight = torch.sinc(distance) * torch.sinc(distance / _LOBES)
    return torch.where(distance.abs() < _LOBES, weight, 0).to(like) / 2
