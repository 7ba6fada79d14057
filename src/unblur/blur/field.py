"""A blur that varies over the frame: a grid of kernels, blended by windows."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur.boundary import Boundary, check_boundary
from unblur.blur.checks import real, size_pair
from unblur.blur.editing import resize as resize_pixels
from unblur.blur.field_files import load_field, save_field
from unblur.blur.field_operator import FieldOperator
from unblur.blur.kernel import Kernel, validate_kernel
from unblur.blur.record import Record
from unblur.blur.windows import Window, axis_windows, pack_axis
from unblur.errors import KernelError, ParameterError

__all__ = ["Field"]

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Field:
    """Kernels on a grid, and the part of the frame that the grid covers.

    The cell in row i and column j has its centre at ((i + 0.5) H / rows, (j + 0.5) W / columns) of
    the frame, for a frame of any size: positions are fractions of it, only the kernels are in
    pixels. Between centres the kernels blend; outside the outermost centres they stay as they are.
    `Field.of` checks; the constructor trusts.

    Attributes:
        kernels: (rows, columns, C, h, w), C = 1 for all channels alike or 3; each of mass 1.
        window: `hann` (raised cosine) or `linear`.
        box: (top, left, bottom, right) of the grid, as fractions of the frame.
        record: where it comes from.

    Example:
        >>> from unblur.blur.kernels import gaussian
        >>> field = Field.of([[gaussian(0), gaussian(1)]])
        >>> field.grid, field.kernel_size
        ((1, 2), (9, 9))
    """

    kernels: Tensor
    window: Window = "hann"
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    record: Record = field(default_factory=Record)

    @staticmethod
    def of(
        kernels: Tensor | Sequence[Sequence[Kernel]],
        *,
        window: Window = "hann",
        record: Record | None = None,
    ) -> "Field":
        """Check kernels and make them a field.

        Args:
            kernels: (rows, columns, h, w) or (rows, columns, C, h, w), C = 1 or 3; or rows of
                `Kernel`s, which are padded to one size.
            window: how kernels blend, `hann` or `linear`.
            record: where they come from.

        Raises:
            KernelError: a wrong shape, or a kernel that is not usable; the message says which.
            ParameterError: `window` is not known.
        """
        if window not in get_args(Window):
            raise ParameterError(f"window must be hann or linear; got {window!r}")
        grid = kernels if isinstance(kernels, Tensor) else _stack(kernels)
        grid = grid[:, :, None] if grid.ndim == 4 else grid
        if grid.ndim != 5 or grid.shape[2] not in (1, 3) or 0 in grid.shape:
            raise KernelError(
                "kernels must have shape (rows, columns, h, w) or (rows, columns, channels, h, "
                f"w) with 1 or 3 channels; got {tuple(grid.shape)}"
            )
        rows = [
            [_checked(cell, f"row {i}, column {j}") for j, cell in enumerate(row)]
            for i, row in enumerate(grid)
        ]
        stacked = torch.stack([torch.stack(row) for row in rows])
        return Field(stacked, window, record=record or Record())

    @staticmethod
    def uniform(kernel: Kernel | Tensor) -> "Field":
        """One kernel for the whole frame: a `Kernel`, or a tensor (h, w) or (C, h, w).

        Raises:
            KernelError: the kernel is not usable.

        Example:
            >>> Field.uniform(Kernel.identity()).grid
            (1, 1)
        """
        if isinstance(kernel, Kernel):
            return Field(kernel.pixels[None, None, None], record=kernel.record)
        return Field.of(kernel[None, None])

    @property
    def grid(self) -> Size:
        """(rows, columns) of cells."""
        return self.kernels.shape[0], self.kernels.shape[1]

    @property
    def channels(self) -> int:
        """1 where all channels are blurred alike, otherwise 3."""
        return self.kernels.shape[2]

    @property
    def kernel_size(self) -> Size:
        """(height, width) of each kernel."""
        return self.kernels.shape[3], self.kernels.shape[4]

    @property
    def device(self) -> torch.device:
        """Where the kernels are."""
        return self.kernels.device

    def to(self, target: torch.device | str | torch.dtype) -> "Field":
        """The same field on another device, or in another precision."""
        return replace(self, kernels=self.kernels.to(target))

    def windows(self, size: Size) -> tuple[Tensor, Tensor]:
        """The windows over a frame of `size`: (rows, H) and (columns, W).

        The weight of a cell at a pixel is the product of the two; over all cells they sum to 1.

        Example:
            >>> vertical, horizontal = Field.uniform(Kernel.identity()).windows((2, 3))
            >>> vertical.shape, horizontal
            (torch.Size([1, 2]), tensor([[1., 1., 1.]]))
        """
        height, width = size_pair("size", size)
        top, left, bottom, right = self.box
        rows, columns = self.grid
        return (
            axis_windows(rows, height, (top * height, bottom * height), self.window, self.kernels),
            axis_windows(columns, width, (left * width, right * width), self.window, self.kernels),
        )

    def operator(self, size: Size, boundary: Boundary = "periodic") -> FieldOperator:
        """The blur of frames of `size` as a linear map with adjoint, A u = sum_p w_p (k_p * u).

        The default boundary is that of the frames that solvers work on, which they have extended
        beforehand; name another one to blur a bare picture.

        Raises:
            ParameterError: `size` or `boundary` is not known.

        Example:
            >>> blur = Field.uniform(Kernel.identity()).operator((4, 4))
            >>> bool(blur.forward(torch.ones(1, 3, 4, 4)).allclose(torch.ones(())))
            True
        """
        check_boundary(boundary)
        size = size_pair("size", size)
        vertical, horizontal = (pack_axis(weights) for weights in self.windows(size))
        return FieldOperator.of(self.kernels, vertical, horizontal, size, boundary)

    def at(self, y: float, x: float) -> Tensor:
        """The blended kernel (C, h, w) at a place in the frame, given as fractions of its sides.

        Raises:
            ParameterError: `y` or `x` is outside [0, 1].

        Example:
            >>> Field.uniform(Kernel.identity()).at(0.5, 0.5)
            tensor([[[1.]]])
        """
        y, x = real("y", y, 0, 1), real("x", x, 0, 1)
        top, left, bottom, right = self.box
        rows, columns = self.grid
        # A frame of one pixel whose centre is the place asked for.
        vertical = axis_windows(
            rows, 1, (top - y + 0.5, bottom - y + 0.5), self.window, self.kernels
        )
        horizontal = axis_windows(
            columns, 1, (left - x + 0.5, right - x + 0.5), self.window, self.kernels
        )
        return torch.einsum("rck...,r,c->k...", self.kernels, vertical[:, 0], horizontal[:, 0])

    def extend(self, size: Size, margin: Size, frame: Size) -> "Field":
        """The field of a larger frame, where the picture of `size` starts at `margin` (top, left).

        Inside the picture the blur is the same; outside, the outermost kernels go on.

        Example:
            >>> Field.uniform(Kernel.identity()).extend((2, 2), (1, 1), (4, 4)).box
            (0.25, 0.25, 0.75, 0.75)
        """
        return self._reframe(size_pair("size", size), margin, size_pair("frame", frame))

    def restrict(self, region: tuple[int, int, int, int], size: Size) -> "Field":
        """The field of a part of the frame: `region` (x, y, width, height) of a picture of `size`.

        Kernels of cells out of reach are dropped when an operator is made.

        Raises:
            ParameterError: the region is empty.

        Example:
            >>> Field.uniform(Kernel.identity()).restrict((0, 2, 4, 2), (4, 4)).box
            (-1.0, 0.0, 1.0, 1.0)
        """
        x, y, width, height = region
        if width < 1 or height < 1:
            raise ParameterError(f"region must be (x, y, width, height) with pixels; got {region}")
        return self._reframe(size_pair("size", size), (-y, -x), (height, width))

    def resize(self, scale: float) -> "Field":
        """The field of the same blur for a picture at `scale` times the resolution.

        Raises:
            ParameterError: `scale` is not positive, or makes the kernels too large.

        Example:
            >>> Field.uniform(Kernel.identity()).resize(2).kernel_size
            (3, 3)
        """
        flat = [resize_pixels(kernel, scale) for kernel in self.kernels.flatten(0, 2)]
        shape = (*self.kernels.shape[:3], *flat[0].shape)
        return replace(self, kernels=torch.stack(flat).reshape(shape))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to one safetensors file, whole or not at all.

        Raises:
            OutputError: the file exists (without `overwrite`), or the disk fails.
        """
        save_field(self.kernels, self.window, self.box, self.record, path, overwrite=overwrite)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Field":
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            KernelError: the file is missing, damaged, or not a field.
        """
        kernels, window, box, record = load_field(path)
        return replace(Field.of(kernels, window=window, record=record), box=box)

    def _reframe(self, size: Size, margin: Size, frame: Size) -> "Field":
        """Express the box in fractions of a frame that holds this one at `margin`."""
        top, left, bottom, right = self.box
        box = (
            (top * size[0] + margin[0]) / frame[0],
            (left * size[1] + margin[1]) / frame[1],
            (bottom * size[0] + margin[0]) / frame[0],
            (right * size[1] + margin[1]) / frame[1],
        )
        return replace(self, box=box)


def _stack(kernels: Sequence[Sequence[Kernel]]) -> Tensor:
    """Rows of kernels as one tensor (rows, columns, h, w), padded to the largest."""
    rows = [list(row) for row in kernels]
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise KernelError("kernels must be rows of one length, each with at least one kernel")
    height = max(kernel.size[0] for row in rows for kernel in row)
    width = max(kernel.size[1] for row in rows for kernel in row)
    cells = [[kernel.crop((height, width)).pixels for kernel in row] for row in rows]
    return torch.stack([torch.stack(row) for row in cells])


def _checked(cell: Tensor, place: str) -> Tensor:
    """(C, h, w) kernels of one cell after `validate_kernel`, double precision kept."""
    try:
        checked = torch.stack([validate_kernel(kernel) for kernel in cell])
    except KernelError as error:
        raise KernelError(f"the kernel in {place} of the field: {error}") from error
    if cell.dtype != torch.float64:
        return checked
    even = (1 - cell.shape[-2] % 2, 1 - cell.shape[-1] % 2)
    wide = pad(cell.clamp(min=0), (0, even[1], 0, even[0]))
    return wide / wide.sum((-2, -1), keepdim=True)
