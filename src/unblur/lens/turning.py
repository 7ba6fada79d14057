"""Fields and priors between the frame of the sensor and upright pictures."""

from dataclasses import replace

from torch import Tensor

from unblur.blur import Field

__all__ = ["inverse_of", "to_sensor", "turned", "upright"]

# EXIF orientation to (mirrored left to right, then quarter turns counter-clockwise): what makes
# the stored picture upright.
_STEPS = {
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2),
    5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip


def turned(grid: Tensor, orientation: int, axes: tuple[int, int] = (-2, -1)) -> Tensor:
    """Turn two axes of a tensor as an EXIF orientation turns a stored picture upright.

    Example:
        >>> import torch
        >>> turned(torch.tensor([[1, 2], [3, 4]]), 6)
        tensor([[3, 1],
                [4, 2]])
    """
    mirrored, quarters = _STEPS[orientation]
    grid = grid.flip(axes[1]) if mirrored else grid
    return grid.rot90(quarters, axes)


def upright(field: Field, orientation: int) -> Field:
    """The field of upright pictures from that of pictures as the sensor stored them."""
    kernels = turned(turned(field.kernels, orientation, (0, 1)), orientation, (3, 4))
    return replace(field, kernels=kernels.contiguous())


def to_sensor(field: Field, orientation: int) -> Field:
    """The inverse of `upright`."""
    return upright(field, inverse_of(orientation))


def inverse_of(orientation: int) -> int:
    """The orientation that undoes another: a quarter turn is undone by the other one.

    Example:
        >>> inverse_of(6)
        8
    """
    return {6: 8, 8: 6}.get(orientation, orientation)
