"""What lies outside the frame, as a linear map, and the adjoint of that map."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.errors import ParameterError

__all__ = ["Boundary", "check_boundary", "extend", "fold"]

Boundary = Literal["periodic", "zero", "replicate", "reflect"]


def check_boundary(boundary: str) -> None:
    """Refuse a name that is no boundary.

    Raises:
        ParameterError: `boundary` is not one of the four.
    """
    if boundary not in get_args(Boundary):
        raise ParameterError(
            f"boundary must be one of {', '.join(get_args(Boundary))}; got {boundary!r}"
        )


def extend(image: Tensor, margin: tuple[int, int], boundary: Boundary) -> Tensor:
    """Continue (..., H, W) by `margin` (vertical, horizontal) pixels on every side.

    `periodic` repeats the image, `zero` puts zeros, `replicate` the nearest edge pixel, and
    `reflect` mirrors about the centre of the edge pixel. The margin may be larger than the image.

    Example:
        >>> extend(torch.tensor([[1.0, 2.0, 3.0]]), (0, 2), "reflect")
        tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """
    if boundary == "zero":
        return pad(image, (margin[1], margin[1], margin[0], margin[0]))
    for axis, reach in ((-2, margin[0]), (-1, margin[1])):
        if reach:
            image = image.index_select(axis, _sources(image, axis, reach, boundary))
    return image


def fold(extended: Tensor, margin: tuple[int, int], boundary: Boundary) -> Tensor:
    """The adjoint of `extend`: add what lies in the margin to the pixels that it was copied from.

    Example:
        >>> fold(torch.ones(1, 7), (0, 2), "replicate")
        tensor([[3., 1., 3.]])
    """
    height, width = extended.shape[-2] - 2 * margin[0], extended.shape[-1] - 2 * margin[1]
    if boundary == "zero":
        return extended[..., margin[0] : margin[0] + height, margin[1] : margin[1] + width]
    for axis, side, reach in ((-2, height, margin[0]), (-1, width, margin[1])):
        if reach:
            folded = extended.narrow(axis, reach, side).clone()
            sources = _sources(folded, axis, reach, boundary)
            for start in (0, reach + side):
                part = extended.narrow(axis, start, reach)
                folded = folded.index_add(axis, sources[start : start + reach], part)
            extended = folded
    return extended


def _sources(image: Tensor, axis: int, reach: int, boundary: Boundary) -> Tensor:
    """The index inside the image that each place along the extended axis is copied from."""
    side = image.shape[axis]
    places = torch.arange(-reach, side + reach, device=image.device)
    if boundary == "periodic":
        return places % side
    if boundary == "replicate":
        return places.clamp(0, side - 1)
    period = max(2 * side - 2, 1)
    folded = places % period
    return torch.minimum(folded, period - folded) if side > 1 else torch.zeros_like(places)
