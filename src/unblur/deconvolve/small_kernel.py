"""A small kernel, summed pixel by pixel: quicker than transforms, and without their frame."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle

from unblur.deconvolve.likelihood import DARKEST
from unblur.deconvolve.observation import Observation

__all__ = ["SmallKernel", "is_small"]

Size = tuple[int, int]

# Squares of 4 x 4 pixels are the channels of a convolution: with a single channel, as pictures have
# it, such a library reaches a tenth of its speed.
_SIDE = 4
_CHANNELS = _SIDE**2
# Squares that a square is summed from. At 1024 x 1024 a forward and an inverse transform take
# 11 ms of one core, 25 squares 9 ms, and 49 of them 20 ms.
_MOST = 27


def is_small(image: Tensor, kernel: Tensor) -> bool:
    """Say whether sums are quicker than transforms: for kernels up to 17 x 17, on a CPU.

    Args:
        image: (B, C, H, W).
        kernel: (h, w), odd sides; what is negative anywhere, or has a kernel a channel, is not
            small.
    """
    if kernel.ndim != 2:
        return False
    down, across = _reach(kernel)
    return (
        image.device.type == "cpu"
        and image.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and (2 * down + 1) * (2 * across + 1) <= _MOST
        and bool((kernel >= 0).all())
    )


@dataclass(frozen=True)
class SmallKernel:
    """The likelihood of a picture that is known everywhere, under a kernel `is_small` of.

    Estimates are (B C, 16, H', W'), in squares of 4 x 4 pixels, whose margin is as many squares as
    the kernel reaches into.

    Attributes:
        image: v, in squares, what is not there at the ends of rows and columns included.
        forwards: A as weights of a convolution of squares.
        backwards: A^T, likewise.
        even: ratios with a margin of ones, which what is predicted outside does not contradict.
        start: the picture with a smooth continuation around it, in squares.
        shape: of the picture, (B, C, H, W).
    """

    image: Tensor
    forwards: Tensor
    backwards: Tensor
    even: Tensor
    start: Tensor
    shape: tuple[int, ...]
    axes: tuple[int, ...] = (1, 2, 3)

    @staticmethod
    def of(seen: Observation, kernel: Tensor) -> "SmallKernel":
        """Build it from a picture that is known everywhere, and its kernel (h, w)."""
        down, across = _reach(kernel)
        image = seen.crop(seen.image)
        planes = image.flatten(0, 1)[:, None]
        spare = [-side % _SIDE for side in seen.size]
        squares = _squares(pad(planes, (0, spare[1], 0, spare[0])))
        height, width = squares.shape[-2:]
        even = squares.new_ones(len(planes), _CHANNELS, height + 4 * down, width + 4 * across)
        return SmallKernel(
            squares,
            _weights(kernel.flip(0, 1)),
            _weights(kernel),
            _laid(even),
            _squares(_around(seen, (_SIDE * down, _SIDE * across), spare)),
            tuple(image.shape),
        )

    def first(self, value: float | None) -> Tensor:
        """The picture and its continuation, or that value everywhere."""
        return self.start if value is None else torch.full_like(self.start, value)

    def predict(self, estimate: Tensor) -> Tensor:
        """A u for the picture's squares, at least `DARKEST`."""
        return conv2d(estimate, self.forwards).clamp_(min=DARKEST)

    def ratio(self, predicted: Tensor) -> Tensor:
        """Give v / A u within a margin of ones."""
        inside = self._inside(self.even)
        torch.div(self.image, predicted, out=inside)
        # The last squares may reach beyond the picture.
        rows, columns = (side % _SIDE for side in self.shape[-2:])
        if rows:
            inside[:, rows * _SIDE :, -1] = 1
        if columns:
            inside.unflatten(1, (_SIDE, _SIDE))[:, :, columns:, :, -1] = 1
        return self.even

    def error(self, predicted: Tensor, ratio: Tensor) -> float:
        """The mean square of A u - v over the picture."""
        wrong = (self._inside(ratio) - 1).mul_(predicted)
        return float(wrong.square_().sum()) / (len(wrong) * self.shape[-2] * self.shape[-1])

    def adjoint(self, ratio: Tensor) -> Tensor:
        """A^T r."""
        return conv2d(ratio, self.backwards)

    def picture(self, estimate: Tensor) -> Tensor:
        """The picture's part of an estimate."""
        down, across = (side // 2 for side in self.forwards.shape[-2:])
        top, left = _SIDE * down, _SIDE * across
        height, width = self.shape[-2:]
        planes = pixel_shuffle(estimate, _SIDE)[..., top : top + height, left : left + width]
        return planes.reshape(self.shape)

    def _inside(self, ratio: Tensor) -> Tensor:
        down, across = (side - 1 for side in self.forwards.shape[-2:])
        height, width = self.image.shape[-2:]
        return ratio[..., down : down + height, across : across + width]


def _reach(kernel: Tensor) -> Size:
    """Squares that the kernel reaches into, down and across."""
    down, across = (-(-(side // 2) // _SIDE) for side in kernel.shape)
    return down, across


def _around(seen: Observation, margin: Size, spare: list[int]) -> Tensor:
    """The planes of the frame that was seen, (N, 1, H', W'), within other margins.

    What lies further from the picture than the kernel's radius has no say.
    """
    edges: list[int] = []
    for axis in (1, 0):
        before = margin[axis] - seen.margin[axis]
        whole = seen.size[axis] + spare[axis] + 2 * margin[axis]
        edges += [before, whole - before - seen.image.shape[axis - 2]]
    return pad(seen.image.flatten(0, 1)[:, None], edges)


def _laid(squares: Tensor) -> Tensor:
    """The channels of a square side by side in memory, as the convolution wants them."""
    return squares.contiguous(memory_format=torch.channels_last)


def _squares(planes: Tensor) -> Tensor:
    """(N, 1, H, W) to (N, 16, H / 4, W / 4)."""
    return _laid(pixel_unshuffle(planes, _SIDE))


def _weights(kernel: Tensor) -> Tensor:
    """The correlation with a kernel as one of squares, (16, 16, h, w)."""
    (height, width), (down, across) = kernel.shape, _reach(kernel)
    sides = [_SIDE * (2 * reach + 1) for reach in (down, across)]
    shifted = kernel.new_zeros(_CHANNELS, 1, *sides)
    for channel, own in enumerate(shifted[:, 0]):
        top = _SIDE * down + channel // _SIDE - height // 2
        left = _SIDE * across + channel % _SIDE - width // 2
        own[top : top + height, left : left + width] = kernel
    return _squares(shifted)
