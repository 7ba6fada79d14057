"""NAFNet: a U-shaped network whose only non-linearity is a product of channels."""

import re
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from unblur.errors import WeightsError
from unblur.nets.local_statistics import WINDOW, Mean, set_window, spread
from unblur.nets.network import NetSpec, Network, Shapes, pad_to_multiple

__all__ = ["NAFNet"]

_GRID = 4  # of windows, in pixels of the picture
# Beyond half a window, with the reference weights and photographs: what is further off changes no
# pixel by more than 0.03 of 255 levels.
_REACH = 128
_BYTES_PER_CHANNEL = 42  # of the whole resolution; measured 34 to 41


class _LayerNorm(nn.LayerNorm):
    """Each pixel's channels to mean 0 and variance 1, then scaled and shifted."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _gate(features: Tensor) -> Tensor:
    """The first half of the channels times the second."""
    first, second = features.chunk(2, dim=1)
    return first * second


class _Block(nn.Module):
    """Mixing of neighbours, then of channels; each is added in its own measure (figure 2c)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.beta, self.gamma = (nn.Parameter(torch.zeros(1, channels, 1, 1)) for _ in range(2))
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.mean = Mean((1 / stride, 1 / stride), step=max(_GRID // stride, 1))
        self.sca = nn.Sequential(self.mean, nn.Conv2d(channels, channels, 1))
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.norm1, self.norm2 = (_LayerNorm(channels, eps=1e-6) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        near = _gate(self.conv2(self.conv1(self.norm1(features))))
        near = self.conv3(near * spread(self.sca(near), near, self.mean.step))
        features = torch.addcmul(features, near, self.beta)
        mixed = self.conv5(_gate(self.conv4(self.norm2(features))))
        return torch.addcmul(features, mixed, self.gamma)


def _blocks(channels: int, count: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels, stride) for _ in range(count)))


class NAFNet(Network):
    """An encoder and a decoder of the same simple block, and the picture added at the end.

    Entries are named as in the released checkpoints. Sides become multiples of 2 to the number of
    levels, and of 4, by zeros to the right and below.

    Args:
        width: channels at the whole resolution; each level has twice those of the one above.
        encoder: blocks at each level on the way down.
        middle: blocks at the lowest resolution.
        decoder: blocks at each level on the way up, the lowest first.

    Attributes:
        depths: blocks at each level on the way down, at the lowest, and at each on the way up.

    Source:
        L. Chen, X. Chu, X. Zhang, J. Sun, Simple Baselines for Image Restoration, ECCV 2022.

    Example:
        >>> network = NAFNet(width=4, encoder=[1, 1], middle=1, decoder=[1, 1])
        >>> network(torch.zeros(1, 3, 5, 9)).shape
        torch.Size([1, 3, 5, 9])
    """

    title: ClassVar[str] = "NAFNet"
    licence: ClassVar[str] = "MIT"

    def __init__(
        self,
        width: int = 32,
        encoder: Sequence[int] = (1, 1, 1, 28),
        middle: int = 1,
        decoder: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        super().__init__()
        self.window: int | None = None
        self.depths = (tuple(encoder), middle, tuple(decoder))
        self.multiple = max(2 ** len(encoder), _GRID)
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        strides = [2**level for level in range(len(encoder))]
        widths = [width * stride for stride in strides]
        self.encoders = nn.ModuleList(map(_blocks, widths, encoder, strides))
        self.decoders = nn.ModuleList(map(_blocks, widths[::-1], decoder, strides[::-1]))
        lowest = 2 ** len(encoder)
        self.middle_blks = _blocks(width * lowest, middle, lowest)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * each, 4 * each, 1, bias=False), nn.PixelShuffle(2))
            for each in widths[::-1]
        )
        self.downs = nn.ModuleList(nn.Conv2d(each, 2 * each, 2, stride=2) for each in widths)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes, with weights not set yet.

        Raises:
            WeightsError: No width or depth of this architecture gives these entries.

        Example:
            >>> entries = NAFNet(width=4, encoder=[2, 1], middle=3, decoder=[1, 1]).state_dict()
            >>> found = NAFNet.from_shapes({name: each.shape for name, each in entries.items()})
            >>> found.depths
            ((2, 1), 3, (1, 1))
        """
        width = (*shapes.get("intro.weight", ()), 0)[0]
        encoder = [_count(shapes, f"encoders.{level}") for level in range(_count(shapes, "downs"))]
        decoder = [_count(shapes, f"decoders.{level}") for level in range(len(encoder))]
        if width < 1 or not encoder:
            raise WeightsError(
                f"weights do not fit {cls.title}: intro.weight must be (width, 3, 3, 3) and "
                f"downs.0.weight must be there, got {tuple(shapes.get('intro.weight', ())) or None}"
                f" and {len(encoder)} levels"
            )
        network = cls(width, encoder, _count(shapes, "middle_blks"), decoder)
        return network.expect(shapes)

    @property
    def spec(self) -> NetSpec:
        """What running this network needs to know."""
        down, middle, up = self.depths
        lowest = 2 ** len(down)
        # A block reaches one pixel of its level; the grid of each level, what it rounds to.
        steps = [*down, middle, *up]
        strides = [2**level for level in (*range(len(down) + 1), *range(len(down))[::-1])]
        radius = sum(a * b for a, b in zip(steps, strides, strict=True)) + 2 + lowest - 1
        return NetSpec(
            multiple_of=self.multiple,
            halo=radius if self.window is None else max(radius, self.window // 2 + _REACH),
            global_statistics=self.window is None,
            bytes_per_pixel=_BYTES_PER_CHANNEL * self.intro.out_channels,
        )

    def local(self, window: int | None = WINDOW) -> Self:
        """Take means over windows, so that tiles agree with the whole.

        Args:
            window: side in pixels of the picture; None goes back to means over the whole picture.
        """
        set_window(self, window)
        self.window = window
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, H, W) of any size; not clipped to [0, 1]."""
        height, width = image.shape[-2:]
        padded = pad_to_multiple(image, self.multiple, mode="zeros")
        features = self.intro(padded)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            skips.append(blocks(features))
            features = down(skips[-1])
        features = self.middle_blks(features)
        for blocks, up in zip(self.decoders, self.ups, strict=True):
            features = blocks(up(features) + skips.pop())
        restored: Tensor = self.ending(features) + padded
        return restored[..., :height, :width]


def _count(shapes: Shapes, part: str) -> int:
    """How many blocks the entries of a part name."""
    place = re.compile(rf"{re.escape(part)}\.(\d+)\.")
    return len({found[1] for name in shapes if (found := place.match(name))})
