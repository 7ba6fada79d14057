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

    What counts is the part of a kernel that is not zero.

    Args:
        image: (B, C, H, W).
        kernel: (h, w), odd sides; what is negative anywhere, or has a kernel a channel, is not
            small.
    """
    if (
        kernel.ndim != 2
        or image.device.type != "cpu"
        or image.dtype != torch.float32
        or not torch.backends.mkldnn.is_available()
        or bool((kernel < 0).any())
        or not bool(kernel.any())
    ):
        return False
    rows, columns = (_squares_for(_span(kernel, axis)) for axis in (0, 1))
    return rows * columns <= _MOST


@dataclass(frozen=True)
class SmallKernel:
    """The likelihood of a picture that is known everywhere, under a kernel `is_small` of.

    Estimates are (B C, 16, H', W'), in squares of 4 x 4 pixels. The first pixel is the furthest
    above and left that the picture's first is blurred from.

    Attributes:
        image: v, in squares, what is not there at the ends of rows and columns included.
        forwards: A as weights of a convolution of squares.
        backwards: A^T, likewise.
        even: ratios with a margin of ones, which what is predicted outside does not contradict.
        start: the picture with a smooth continuation around it, in squares.
        shape: of the picture, (B, C, H, W).
        corner: of the picture, in the pixels of an estimate.
    """

    image: Tensor
    forwards: Tensor
    backwards: Tensor
    even: Tensor
    start: Tensor
    shape: tuple[int, ...]
    corner: Size
    axes: tuple[int, ...] = (1, 2, 3)

    @staticmethod
    def of(seen: Observation, kernel: Tensor) -> "SmallKernel":
        """Build it from a picture that is known everywhere, and its kernel (h, w)."""
        turned = kernel.flip(0, 1)
        spans = (_span(turned, 0), _span(turned, 1))
        corner = (-spans[0].start, -spans[1].start)
        down, across = (_squares_for(span) for span in spans)
        image = seen.crop(seen.image)
        planes = image.flatten(0, 1)[:, None]
        spare = [-side % _SIDE for side in seen.size]
        squares = _squares(pad(planes, (0, spare[1], 0, spare[0])))
        height, width = squares.shape[-2:]
        margins = (height + 2 * (down - 1), width + 2 * (across - 1))
        frame = (_SIDE * (height + down - 1), _SIDE * (width + across - 1))
        return SmallKernel(
            squares,
            *_weights(turned, spans),
            _laid(squares.new_ones(len(planes), _CHANNELS, *margins)),
            _squares(_around(seen, corner, frame)),
            tuple(image.shape),
            corner,
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
        top, left = self.corner
        height, width = self.shape[-2:]
        planes = pixel_shuffle(estimate, _SIDE)[..., top : top + height, left : left + width]
        return planes.reshape(self.shape)

    def _inside(self, ratio: Tensor) -> Tensor:
        down, across = (side - 1 for side in self.forwards.shape[-2:])
        height, width = self.image.shape[-2:]
        return ratio[..., down : down + height, across : across + width]


def _span(kernel: Tensor, axis: int) -> range:
    """Offsets from the middle where a kernel (h, w) is not zero along an axis, and the middle."""
    middle = kernel.shape[axis] // 2
    places = kernel.any(1 - axis).nonzero().flatten() - middle
    return range(min(int(places.min()), 0), max(int(places.max()), 0) + 1)


def _squares_for(span: range) -> int:
    """From how many squares in a row the pixels of one are summed."""
    return -(-(_SIDE - 1 + len(span)) // _SIDE)


def _around(seen: Observation, corner: Size, frame: Size) -> Tensor:
    """The planes that were seen, (N, 1, H', W'), on a frame with the picture at that corner.

    What lies further from the picture than the kernel's radius has no say.
    """
    edges: list[int] = []
    for axis in (1, 0):
        before = corner[axis] - seen.margin[axis]
        edges += [before, frame[axis] - before - seen.image.shape[axis - 2]]
    return pad(seen.image.flatten(0, 1)[:, None], edges)


def _laid(squares: Tensor) -> Tensor:
    """The channels of a square side by side in memory, as the convolution wants them."""
    return squares.contiguous(memory_format=torch.channels_last)


def _squares(planes: Tensor) -> Tensor:
    """(N, 1, H, W) to (N, 16, H / 4, W / 4)."""
    return _laid(pixel_unshuffle(planes, _SIDE))


def _weights(kernel: Tensor, spans: tuple[range, range]) -> tuple[Tensor, Tensor]:
    """The correlation with a kernel and its adjoint as those of squares, (16, 16, h, w) each."""
    taps = kernel
    for axis, span in enumerate(spans):
        taps = taps.narrow(axis, kernel.shape[axis] // 2 + span.start, len(span))
    height, width = taps.shape
    rows, columns = (_squares_for(span) for span in spans)
    forwards, backwards = kernel.new_zeros(2, _CHANNELS, 1, _SIDE * rows, _SIDE * columns)
    for channel in range(_CHANNELS):
        top, left = divmod(channel, _SIDE)
        forwards[channel, 0, top : top + height, left : left + width] = taps
        top += _SIDE * (rows - 1) + 1 - height
        left += _SIDE * (columns - 1) + 1 - width
        backwards[channel, 0, top : top + height, left : left + width] = taps.flip(0, 1)
    return _squares(forwards), _squares(backwards)
