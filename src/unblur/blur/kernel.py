"""The blur kernel as a document: its pixels and how it came to be."""

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from unblur.blur import editing
from unblur.blur.checks import MAX_SIDE
from unblur.blur.record import Record
from unblur.errors import KernelError

__all__ = ["Kernel", "Record", "validate_kernel"]

# Negative values of this share of the maximum are rounding of whoever computed the kernel.
_NEGATIVE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Kernel:
    """A uniform blur: what one bright point becomes.

    `Kernel.from_array` checks; the constructor trusts. Every edit gives a new kernel with the same
    record.

    Attributes:
        pixels: (h, w) float32, odd sides, non-negative, sum 1; the centre pixel is the origin, and
            blurring is true convolution with it.
        record: where it comes from.

    Example:
        >>> kernel = Kernel.from_array([[0, 1, 1], [0, 2, 0], [0, 0, 0]])
        >>> kernel.size, float(kernel.pixels[1, 1])
        ((3, 3), 0.5)
    """

    pixels: torch.Tensor
    record: Record = field(default_factory=Record)

    @staticmethod
    def from_array(array: Any, *, record: Record | None = None) -> "Kernel":
        """Check `array` (NumPy, tensor or nested lists; (h, w)) and make it a kernel.

        The mass is brought to 1. An even side gets one row of zeros at the bottom, or one column at
        the right, so that the origin is index n // 2 of the side n that was given.

        Raises:
            KernelError: not a usable kernel; the message says what is wrong.

        Example:
            >>> Kernel.from_array([[1, 3]]).pixels
            tensor([[0.2500, 0.7500, 0.0000]])
        """
        return Kernel(validate_kernel(array), record or Record())

    @staticmethod
    def identity() -> "Kernel":
        """The kernel that blurs nothing: one pixel of mass 1.

        Example:
            >>> Kernel.identity().size
            (1, 1)
        """
        return Kernel(torch.ones(1, 1), Record("identity"))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Kernel":
        """Read a kernel from a picture or a NumPy array; the content says which, not the name.

        Files written by `save` bring their record back. Pictures count as they are, without any
        gamma.

        Raises:
            KernelError: the file is missing, cannot be read, or does not hold a usable kernel.
        """
        from unblur.blur.kernel_files import load_kernel

        array, record = load_kernel(path)
        try:
            return Kernel.from_array(array, record=record)
        except KernelError as error:
            raise KernelError(f"{os.path.basename(path)}: {error}") from error

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to `.tif`, `.tiff` or `.npy` (exact, with the record) or `.png` (for the eye).

        The file appears whole or not at all. In a `.npy` the record follows the pixels as a second
        array, so that `numpy.load` reads the pixels alone. A `.png` is 8-bit, scaled to its
        maximum, without record.

        Raises:
            OutputError: another extension, a file that exists (without `overwrite`), or a failing
                disk.
        """
        from unblur.blur.kernel_files import save_kernel

        save_kernel(self.pixels, self.record, path, overwrite=overwrite)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), both odd."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the pixels are."""
        return self.pixels.device

    def to(self, device: torch.device | str) -> "Kernel":
        """The same kernel on `device`."""
        return replace(self, pixels=self.pixels.to(device))

    def check_fits(self, size: tuple[int, int]) -> None:
        """Refuse a kernel that is larger than a picture of `size` (height, width).

        Raises:
            KernelError: a side of the kernel is longer than the picture's.
        """
        if self.size[0] > size[0] or self.size[1] > size[1]:
            raise KernelError(
                f"the kernel is larger than the picture: {self.size[0]} x {self.size[1]} pixels "
                f"(height x width) against {size[0]} x {size[1]}: crop the kernel, or use a larger "
                "picture"
            )

    def show(self) -> torch.Tensor:
        """A grey uint8 picture (H, W) for the eye: maximum at 255, enlarged to at least 256 pixels.

        Example:
            >>> Kernel.identity().show().shape
            torch.Size([256, 256])
        """
        grey = (self.pixels / self.pixels.max() * 255).round().to(torch.uint8).cpu()
        factor = -(-256 // max(self.size))
        return grey.repeat_interleave(factor, 0).repeat_interleave(factor, 1)

    def centre(self, subpixel: bool = False) -> "Kernel":
        """Shift the centre of mass to the centre pixel, by whole pixels or exactly (linear).

        The box grows where mass would leave it.

        Example:
            >>> Kernel.from_array([[1.0, 0.0, 0.0]]).centre().pixels
            tensor([[0., 1., 0.]])
        """
        return replace(self, pixels=editing.centre(self.pixels, subpixel))

    def clean(self, threshold: float = 0.05, isolated: float = 0.1) -> "Kernel":
        """Drop values under `threshold` x maximum, then islands under `isolated` of the mass.

        Islands are 8-connected; the heaviest stays. Both arguments are in [0, 1], and 0 drops
        nothing.

        Raises:
            ParameterError: an argument is outside [0, 1].

        Example:
            >>> Kernel.from_array([[8.0, 0.0, 0.1], [8.0, 0.0, 1.0]]).clean().pixels
            tensor([[0.5000, 0.0000, 0.0000],
                    [0.5000, 0.0000, 0.0000],
                    [0.0000, 0.0000, 0.0000]])
        """
        return replace(self, pixels=editing.clean(self.pixels, threshold, isolated))

    def resize(self, scale: float) -> "Kernel":
        """The same blur for a picture at `scale` times the resolution; the mass stays 1.

        Raises:
            ParameterError: `scale` is not positive or makes the kernel too large.

        Example:
            >>> Kernel.from_array([[1.0, 1.0, 1.0]]).resize(0.5).pixels
            tensor([[0.1667, 0.6667, 0.1667]])
        """
        return replace(self, pixels=editing.resize(self.pixels, scale))

    def rotate(self, angle: float) -> "Kernel":
        """Turn by `angle` degrees counter-clockwise; the box grows or shrinks with the content.

        Raises:
            ParameterError: `angle` is not a finite number.

        Example:
            >>> Kernel.from_array([[0.0, 0.0, 1.0]]).rotate(90).pixels.flatten()
            tensor([1., 0., 0.])
        """
        return replace(self, pixels=editing.rotate(self.pixels, angle))

    def crop(self, size: int | tuple[int, int]) -> "Kernel":
        """Cut or pad to `size` (one side or (height, width), odd) about the centre; mass 1 again.

        Raises:
            ParameterError: a side is even or out of range.
            KernelError: nothing but zeros lies inside.

        Example:
            >>> Kernel.identity().crop(3).pixels.sum(), Kernel.identity().crop((1, 5)).size
            (tensor(1.), (1, 5))
        """
        return replace(self, pixels=editing.crop(self.pixels, size))

    def trim(self) -> "Kernel":
        """Cut rows and columns of zeros at the rim, as many on opposite sides.

        Example:
            >>> Kernel.from_array([[0.0, 0.25, 0.75, 0.0, 0.0]]).trim().size
            (1, 3)
        """
        return replace(self, pixels=editing.trim(self.pixels))

    def flip(self, vertical: bool = True, horizontal: bool = True) -> "Kernel":
        """Mirror top to bottom and left to right; both together give the adjoint blur.

        Example:
            >>> Kernel.from_array([[0.0, 0.25, 0.75]]).flip().pixels
            tensor([[0.7500, 0.2500, 0.0000]])
        """
        axes = [axis for axis, wanted in ((0, vertical), (1, horizontal)) if wanted]
        return replace(self, pixels=self.pixels.flip(axes))


def validate_kernel(array: Any) -> torch.Tensor:
    """The one check of a kernel: numbers (h, w) in, float32 with odd sides and mass 1 out.

    Raises:
        KernelError: not numbers, not 2-D, empty, too large, not finite, negative, or without mass.

    Example:
        >>> validate_kernel([[2, 2, 4]])
        tensor([[0.2500, 0.2500, 0.5000]])
    """
    pixels = _as_double(array)
    _check_shape(tuple(pixels.shape))
    if not bool(torch.isfinite(pixels).all()):
        count = int((~torch.isfinite(pixels)).sum())
        raise KernelError(f"a kernel must be finite; {count} of its values are NaN or infinity")
    top, bottom = float(pixels.max()), float(pixels.min())
    if bottom < 0 and bottom < -_NEGATIVE_TOLERANCE * max(top, 0.0):
        raise KernelError(
            f"a kernel must not be negative; its least value is {bottom:g} against a maximum of "
            f"{top:g}: clip it at 0 first if that is meant"
        )
    if top <= 0:
        raise KernelError("a kernel must have mass; all its values are zero")
    # Dividing by the maximum first keeps the sum of huge or tiny values finite.
    pixels = (pixels / top).clamp(min=0)
    pixels = torch.nn.functional.pad(
        pixels, (0, 1 - pixels.shape[1] % 2, 0, 1 - pixels.shape[0] % 2)
    )
    return editing.normalise(pixels).float()


def _as_double(array: Any) -> torch.Tensor:
    """A new float64 tensor of the values, or a KernelError for what does not hold real numbers."""
    if isinstance(array, Kernel):
        array = array.pixels
    if isinstance(array, torch.Tensor):
        if array.is_complex():
            raise KernelError("a kernel must hold real numbers; got complex ones")
        return array.detach().double().clone()
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise KernelError(f"a kernel must be numbers of shape (height, width): {error}") from error
    if values.dtype.kind not in "biuf":
        raise KernelError(
            f"a kernel must be an array of real numbers (height, width); got "
            f"{type(array).__name__} of {values.dtype}"
        )
    return torch.from_numpy(values.astype(np.float64))


def _check_shape(shape: tuple[int, ...]) -> None:
    """Refuse what is not two-dimensional, is empty, or is far larger than any blur."""
    if len(shape) == 3 and (shape[-1] in (3, 4) or shape[0] in (3, 4)):
        raise KernelError(
            f"a kernel must be grey, of shape (height, width); got colour, of shape {shape}: "
            "average the channels, or give one kernel per channel as a Field"
        )
    if len(shape) != 2:
        raise KernelError(f"a kernel must be 2-D, of shape (height, width); got shape {shape}")
    if 0 in shape:
        raise KernelError(f"a kernel must have at least one pixel; got shape {shape}")
    if max(shape) > MAX_SIDE:
        raise KernelError(
            f"a kernel's sides are at most {MAX_SIDE} pixels; got shape {shape}: is this the "
            "picture itself?"
        )
