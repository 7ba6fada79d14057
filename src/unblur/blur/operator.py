"""Blur as a linear map of the whole frame, with its exact adjoint."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from unblur.blur.boundary import Boundary, check_boundary, extend, fold
from unblur.blur.checks import size_pair
from unblur.errors import InputError, KernelError
from unblur.fourier import fast_size, transfer_function

__all__ = ["Convolution", "Operator", "check_frame"]

Size = tuple[int, int]


class Operator(Protocol):
    """A linear blur A of frames of one size."""

    @property
    def size(self) -> Size:
        """(height, width) of the frame."""
        ...

    def forward(self, image: Tensor) -> Tensor:
        """A u for (B, C, H, W)."""
        ...

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u for (B, C, H, W)."""
        ...


@dataclass(frozen=True, eq=False)
class Convolution:
    """The true convolution with one kernel, k * u, of frames of one size.

    Build it with `Convolution.of`. The frame is continued beyond its border, convolved by FFT, and
    cut back to its size; the adjoint runs the three steps backwards.

    Attributes:
        spectrum: of the kernel, (h', w' // 2 + 1) or (C, h', w' // 2 + 1).
        margin: the kernel's reach, (vertical, horizontal).
        size: (height, width) of the frame.
        boundary: what lies outside.
        fft_size: (h', w') of the transform.

    Example:
        >>> blur = Convolution.of(torch.tensor([[0.0, 0.5, 0.5]]), (1, 3), "replicate")
        >>> blur.forward(torch.tensor([[[[1.0, 2.0, 4.0]]]])).round(decimals=4)
        tensor([[[[1.0000, 1.5000, 3.0000]]]])
    """

    spectrum: Tensor
    margin: Size
    size: Size
    boundary: Boundary
    fft_size: Size

    @staticmethod
    def of(kernel: Tensor, size: Size, boundary: Boundary) -> "Convolution":
        """Prepare it for `kernel` (h, w), or one kernel a channel (C, h, w), with odd sides.

        Args:
            kernel: in the precision and on the device that the work shall have.
            size: (height, width) of the frames to come.
            boundary: `periodic`, `zero`, `replicate` or `reflect`.

        Raises:
            KernelError: not such a tensor.
            ParameterError: `size` or `boundary` is not known.
        """
        size = size_pair("size", size)
        check_boundary(boundary)
        if kernel.ndim not in (2, 3) or not all(side % 2 for side in kernel.shape[-2:]):
            raise KernelError(
                "kernel must have shape (h, w) or (channels, h, w) with odd sides; "
                f"got {tuple(kernel.shape)}"
            )
        margin = (kernel.shape[-2] // 2, kernel.shape[-1] // 2)
        fft_size = (fast_size(size[0] + 2 * margin[0]), fast_size(size[1] + 2 * margin[1]))
        return Convolution(transfer_function(kernel, fft_size), margin, size, boundary, fft_size)

    def forward(self, image: Tensor) -> Tensor:
        """The blurred image, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size, or not the kernel's channels.
        """
        self._check(image)
        extended = extend(image, self.margin, self.boundary)
        spectrum = torch.fft.rfft2(extended, s=self.fft_size) * self.spectrum
        blurred: Tensor = torch.fft.irfft2(spectrum, s=self.fft_size)
        (top, left), (height, width) = self.margin, self.size
        return blurred[..., top : top + height, left : left + width].to(image.dtype)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size, or not the kernel's channels.
        """
        self._check(image)
        (top, left), (height, width) = self.margin, self.size
        placed = torch.nn.functional.pad(image, (left, left, top, top))
        spread = torch.fft.rfft2(placed, s=self.fft_size) * self.spectrum.conj()
        spread = torch.fft.irfft2(spread, s=self.fft_size)
        spread = spread[..., : height + 2 * top, : width + 2 * left]
        return fold(spread, self.margin, self.boundary).to(image.dtype)

    def _check(self, image: Tensor) -> None:
        check_frame(image, self.size, 1 if self.spectrum.ndim == 2 else self.spectrum.shape[0])


def check_frame(image: Tensor, size: Size, channels: int) -> None:
    """Refuse what is not (B, C, H, W) of `size`, with C = `channels` unless that is 1.

    Raises:
        InputError: another shape.
    """
    if image.ndim != 4 or tuple(image.shape[-2:]) != size:
        raise InputError(
            f"image must be (batch, channels, {size[0]}, {size[1]}); got {tuple(image.shape)}"
        )
    if channels not in (1, image.shape[1]):
        raise InputError(
            f"image must have {channels} channels, as the kernel has; got {image.shape[1]}"
        )
