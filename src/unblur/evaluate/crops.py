"""The part of a picture that shows the most, the same for every contender."""

from io import BytesIO

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblur.photo import Photo, write

__all__ = ["TRUTH", "place", "png"]

# The label of the truth among the crops.
TRUTH = "truth"
_SIDE = 224


def place(blurred: Tensor, truth: Tensor) -> tuple[slice, slice]:
    """Rows and columns where the blurred picture differs most from the truth.

    Args:
        blurred: (1, C, H, W).
        truth: of the same shape.

    Example:
        >>> truth = torch.zeros(1, 1, 300, 500)
        >>> blurred = truth.clone()
        >>> blurred[..., 100:120, 400:420] = 1
        >>> place(blurred, truth)
        (slice(0, 224, None), slice(208, 432, None))
    """
    height, width = truth.shape[-2:]
    side_y, side_x = min(_SIDE, height), min(_SIDE, width)
    step = 16
    error = (blurred - truth).square().mean(1, keepdim=True)
    energy = avg_pool2d(error, (side_y, side_x), stride=step)[0, 0]
    top, left = divmod(int(energy.argmax()), energy.shape[1])
    return slice(top * step, top * step + side_y), slice(left * step, left * step + side_x)


def png(image: Tensor, where: tuple[slice, slice]) -> bytes:
    """The crop as a PNG of 8 bits.

    Example:
        >>> png(torch.zeros(1, 1, 9, 9), (slice(0, 4), slice(0, 4)))[1:4]
        b'PNG'
    """
    buffer = BytesIO()
    part = image[0][..., where[0], where[1]].clamp(0, 1).to(torch.float32)
    write(buffer, Photo.from_tensor(part), format="png")
    return buffer.getvalue()
