"""The finish of a deconvolution: what linear inverses and a classical solver say, combined."""

import re
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from unblur.errors import WeightsError
from unblur.nets.network import NetSpec, Network, Shapes, pad_to_multiple

__all__ = ["CHANNELS", "DeepWiener"]

# The classical result, the blurred picture, a bold and a careful inverse, what the classical result
# leaves unexplained, each in colour, and the noise.
CHANNELS = 16

_STEP = 2  # side of the squares of pixels that become channels
_MULTIPLE = 4 * _STEP
# What inverses differ by is a tenth of what pictures do, and noise a hundredth.
_SPREAD, _NOISE_SPREAD = 4.0, 30.0
_BYTES_PER_CHANNEL = 8  # of the highest resolution, half the picture's


class _Block(nn.Module):
    """Two convolutions, added to what they are given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.second(torch.relu(self.first(features)))
        return features + change


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))


class DeepWiener(Network):
    """An encoder and a decoder of residual blocks over three levels, on squares of pixels.

    The last layer begins at zero, so that an untrained network gives the classical result; what it
    learns is added to that. It sees how the other pictures differ from the classical one.

    Args:
        widths: channels at a half, a quarter and an eighth of the resolution.
        blocks: at a half and a quarter of the resolution, on the way down and again on the way up,
            and at an eighth.

    Source:
        J. Dong, S. Roth, B. Schiele, Deep Wiener Deconvolution: Wiener Meets Deep Learning for
        Image Deblurring, NeurIPS 2020, for a network behind the inverse; this one works on
        pictures, not on features of them.

    Example:
        >>> network = DeepWiener(widths=(8, 8, 8), blocks=(1, 1, 1))
        >>> given = torch.rand(1, CHANNELS, 9, 14)
        >>> bool((network(given) == given[:, :3]).all())
        True
    """

    title: ClassVar[str] = "DeepWiener"
    licence: ClassVar[str] = "that of unblur"
    channels: ClassVar[int] = CHANNELS

    def __init__(
        self,
        *,
        widths: tuple[int, int, int] = (48, 80, 112),
        blocks: tuple[int, int, int] = (1, 2, 3),
    ) -> None:
        super().__init__()
        self.widths, self.blocks = tuple(widths), tuple(blocks)
        high, middle, low = widths
        self.enter = nn.Conv2d((CHANNELS - 1) * _STEP**2 + 1, high, 3, padding=1)
        self.encoders = nn.ModuleList(map(_blocks, widths[:2], blocks[:2]))
        self.downs = nn.ModuleList(
            nn.Conv2d(*pair, 2, stride=2) for pair in ((high, middle), (middle, low))
        )
        self.lowest = _blocks(low, blocks[2])
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(*pair, 2, stride=2) for pair in ((low, middle), (middle, high))
        )
        self.decoders = nn.ModuleList(map(_blocks, widths[1::-1], blocks[1::-1]))
        self.leave = nn.Conv2d(high, 3 * _STEP**2, 3, padding=1)
        for module in self.modules():
            if isinstance(module, _Block):
                # Blocks begin near the identity.
                nn.init.normal_(
                    module.second.weight, std=0.2 / (9 * module.second.in_channels) ** 0.5
                )
        for entry in self.leave.parameters():
            nn.init.zeros_(entry)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes, with weights not set yet.

        Raises:
            WeightsError: No width or depth of this architecture gives these entries.
        """
        names = ("encoders.0", "encoders.1", "lowest")
        first = [tuple(shapes.get(f"{name}.0.first.weight", ())) for name in names]
        if any(len(shape) != 4 for shape in first):
            raise WeightsError(
                f"weights do not fit {cls.title}: expected residual blocks at three levels, got "
                f"{first}"
            )
        widths, blocks = zip(
            *((shape[0], _count(shapes, name)) for shape, name in zip(first, names, strict=True)),
            strict=True,
        )
        return cls(widths=widths, blocks=blocks).expect(shapes)

    @property
    def spec(self) -> NetSpec:
        """What running this network needs to know."""
        # A block reaches two pixels of its level; entering and leaving, one each.
        high, middle, low = self.blocks
        radius = 2 * (2 * high + 2 * 2 * middle + 4 * low) + 2
        return NetSpec(
            multiple_of=_MULTIPLE,
            halo=_STEP * radius + _MULTIPLE - 1,
            global_statistics=False,
            bytes_per_pixel=_BYTES_PER_CHANNEL * self.widths[0],
        )

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures from what `CHANNELS` names: (B, 13, H, W), any size, to (B, 3, H, W)."""
        height, width = image.shape[-2:]
        image = pad_to_multiple(image, _MULTIPLE)
        base, others, misfit, noise = image.split((3, CHANNELS - 7, 3, 1), dim=1)
        apart = [(each - base) * _SPREAD for each in others.split(3, dim=1)]
        spread = torch.cat([base - 0.5, *apart, misfit * _NOISE_SPREAD], dim=1)
        noise = noise[..., ::_STEP, ::_STEP] * _NOISE_SPREAD
        entered = torch.cat([nn.functional.pixel_unshuffle(spread, _STEP), noise], dim=1)
        high = self.encoders[0](self.enter(entered))
        middle = self.encoders[1](self.downs[0](high))
        low = self.lowest(self.downs[1](middle))
        middle = self.decoders[0](self.ups[0](low) + middle)
        high = self.decoders[1](self.ups[1](middle) + high)
        change = nn.functional.pixel_shuffle(self.leave(high), _STEP)
        restored: Tensor = base + change
        return restored[..., :height, :width]


def _count(shapes: Shapes, level: str) -> int:
    entry = re.compile(rf"{level}\.\d+\.first\.weight")
    return sum(entry.fullmatch(name) is not None for name in shapes)
