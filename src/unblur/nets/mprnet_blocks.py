"""What MPRNet is built from; attributes are named as the entries of its checkpoints."""

import torch
from torch import Tensor, nn

from unblur.nets.local_statistics import Mean, finer, per_block
from unblur.nets.strips import by_rows

__all__ = [
    "BLOCKS",
    "RESIDUAL_BLOCKS",
    "WHOLE",
    "AttentionBlock",
    "Decoder",
    "Encoder",
    "Levels",
    "OriginalResolution",
    "Share",
    "SupervisedAttention",
    "conv",
]

BLOCKS = 2  # attention blocks at each level of the first two stages
_BLOCK_REACH = 2  # rows, of its two convolutions
RESIDUAL_BLOCKS = 8  # attention blocks in each of the three groups of the last
_GRID = 4  # of windows, in pixels of the picture; sides of its quarters are multiples

Share = tuple[float, float]  # rows and columns that a stage sees, for each of the picture's
Widths = tuple[int, int, int]
# At the whole, half and quarter resolution. Who takes a list takes the tensors out of it, so that
# they are free as soon as they have been used: an argument would be held by its caller.
Levels = list[Tensor]
WHOLE: Share = (1.0, 1.0)


def conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    """A convolution as all of them are here: without bias, of the same size."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)


def _added(features: Tensor, more: Tensor) -> Tensor:
    """The sum, in the place of `features` where none is to be learnt; nobody else has them."""
    return features + more if torch.is_grad_enabled() else features.add_(more)


def _sum_of(first: nn.Module, second: nn.Module, left: Tensor, right: Tensor) -> Tensor:
    """What two layers make, added; both look at single pixels."""
    return by_rows(lambda one, two: first(one) + second(two), left, right)


def _doubled(features: Tensor) -> Tensor:
    return nn.functional.interpolate(
        features, scale_factor=2.0, mode="bilinear", align_corners=False
    )


class _ChannelAttention(nn.Module):
    """A factor for each channel, from the channels' means; `finer` brings it to each pixel."""

    def __init__(self, channels: int, share: Share, stride: int) -> None:
        super().__init__()
        self.mean = Mean((share[0] / stride, share[1] / stride), step=_GRID // stride)
        self.conv_du = nn.Sequential(
            conv(channels, channels // 4, 1),
            nn.ReLU(),
            conv(channels // 4, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        factors: Tensor = self.conv_du(self.mean(features))
        return per_block(factors, features, self.mean.step)


class AttentionBlock(nn.Module):
    """x + a(b(x)) b(x), b = conv3, PReLU, conv3 (figure 3b of the paper)."""

    def __init__(self, channels: int, slope: nn.PReLU, share: Share, stride: int = 1) -> None:
        super().__init__()
        self.CA = _ChannelAttention(channels, share, stride)
        self.body = nn.Sequential(conv(channels, channels, 3), slope, conv(channels, channels, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Change features (B, C, H, W)."""
        change = by_rows(self.body, features, margin=_BLOCK_REACH)
        step = self.CA.mean.step
        return by_rows(
            lambda old, new, factors: torch.addcmul(old, new, finer(factors, step)),
            features,
            change,
            self.CA(change),
            margin=step,
            out=change,
        )


class _Down(nn.Module):
    """Half the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            # Bilinear scaling by one half takes the mean of two by two pixels.
            nn.AvgPool2d(2),
            conv(inputs, outputs, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        halved: Tensor = self.down(features)
        return halved


class _Up(nn.Module):
    """The change of channels that goes with twice the resolution.

    It commutes with scaling, so it comes first, where there are a quarter of the pixels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Identity(), conv(inputs, outputs, 1))

    def forward(self, features: Tensor) -> Tensor:
        mixed: Tensor = self.up(features)
        return mixed


def _blocks(channels: int, slope: nn.PReLU, share: Share, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*(AttentionBlock(channels, slope, share, stride) for _ in range(BLOCKS)))


class Encoder(nn.Module):
    """Features at the whole, half and quarter resolution.

    What an earlier stage found at each of them is added, where there is one (figure 3d).
    """

    def __init__(self, widths: Widths, slope: nn.PReLU, share: Share, *, fuses: bool) -> None:
        super().__init__()
        self.encoder_level1 = _blocks(widths[0], slope, share, 1)
        self.encoder_level2 = _blocks(widths[1], slope, share, 2)
        self.encoder_level3 = _blocks(widths[2], slope, share, 4)
        self.down12 = _Down(widths[0], widths[1])
        self.down23 = _Down(widths[1], widths[2])
        if fuses:
            self.csff_enc1, self.csff_enc2, self.csff_enc3 = (conv(n, n, 1) for n in widths)
            self.csff_dec1, self.csff_dec2, self.csff_dec3 = (conv(n, n, 1) for n in widths)

    def fuse(self, encoded: Levels, decoded: Levels) -> Levels:
        """What is added at each resolution, of both sides of the stage before.

        Both are taken, but for the first of `decoded`.
        """
        third = _sum_of(self.csff_enc3, self.csff_dec3, encoded.pop(), decoded.pop())
        second = _sum_of(self.csff_enc2, self.csff_dec2, encoded.pop(), decoded.pop())
        return [_sum_of(self.csff_enc1, self.csff_dec1, encoded.pop(), decoded[0]), second, third]

    def forward(self, features: Tensor, fused: Levels | None = None) -> Levels:
        """Encode features (B, C, H, W); `fused` is added, and taken, where there is some."""
        level1: Tensor = self.encoder_level1(features)
        if fused is not None:
            level1 = _added(level1, fused.pop(0))
        level2: Tensor = self.encoder_level2(self.down12(level1))
        if fused is not None:
            level2 = _added(level2, fused.pop(0))
        level3: Tensor = self.encoder_level3(self.down23(level2))
        if fused is not None:
            level3 = _added(level3, fused.pop(0))
        return [level1, level2, level3]


class Decoder(nn.Module):
    """Back to the whole resolution, with what the encoder had at each."""

    def __init__(self, widths: Widths, slope: nn.PReLU, share: Share) -> None:
        super().__init__()
        self.decoder_level1 = _blocks(widths[0], slope, share, 1)
        self.decoder_level2 = _blocks(widths[1], slope, share, 2)
        self.decoder_level3 = _blocks(widths[2], slope, share, 4)
        self.skip_attn1 = AttentionBlock(widths[0], slope, share)
        self.skip_attn2 = AttentionBlock(widths[1], slope, share, 2)
        self.up21 = _Up(widths[1], widths[0])
        self.up32 = _Up(widths[2], widths[1])

    def forward(self, encoded: Levels) -> Levels:
        """Decode what `Encoder` gave; the first level is the whole resolution."""
        level3: Tensor = self.decoder_level3(encoded[2])
        level2: Tensor = self.decoder_level2(
            _added(_doubled(self.up32(level3)), self.skip_attn2(encoded[1]))
        )
        level1: Tensor = self.decoder_level1(
            _added(_doubled(self.up21(level2)), self.skip_attn1(encoded[0]))
        )
        return [level1, level2, level3]


class SupervisedAttention(nn.Module):
    """A picture from features, and the features that this picture bears out (figure 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 1)
        self.conv2 = conv(channels, 3, 1)
        self.conv3 = conv(3, channels, 1)

    def forward(self, features: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give features (B, C, H, W) for the next stage, and the picture (B, 3, H, W)."""
        restored = self.conv2(features) + image
        return by_rows(self._trusted, features, restored), restored

    def _trusted(self, features: Tensor, restored: Tensor) -> Tensor:
        return torch.addcmul(features, self.conv1(features), torch.sigmoid(self.conv3(restored)))


class _ResidualGroup(nn.Module):
    """x + b(x), b = attention blocks and a conv3 (figure 3c)."""

    def __init__(self, channels: int, slope: nn.PReLU) -> None:
        super().__init__()
        blocks = (AttentionBlock(channels, slope, WHOLE) for _ in range(RESIDUAL_BLOCKS))
        self.body = nn.Sequential(*blocks, conv(channels, channels, 3))

    def forward(self, given: list[Tensor], found: Tensor) -> Tensor:
        """Refine the only one of `given`, which is taken, and add what was found beside."""
        features = given.pop()
        # Both are added in the end, and the blocks before it need only one of them.
        sums = _added(found, features)
        for layer in self.body:
            features = layer(features)
        return _added(sums, features)


class OriginalResolution(nn.Module):
    """Three groups at the whole resolution; after each, what stage 2 found at one of its levels."""

    def __init__(self, widths: Widths, channels: int, slope: nn.PReLU) -> None:
        super().__init__()
        first, second, third = widths
        self.orb1, self.orb2, self.orb3 = (_ResidualGroup(channels, slope) for _ in range(3))
        self.up_enc1, self.up_dec1 = (_Up(second, first) for _ in range(2))
        self.up_enc2, self.up_dec2 = (
            nn.Sequential(_Up(third, second), _Up(second, first)) for _ in range(2)
        )
        self.conv_enc1, self.conv_enc2, self.conv_enc3 = (conv(first, channels, 1) for _ in "123")
        self.conv_dec1, self.conv_dec2, self.conv_dec3 = (conv(first, channels, 1) for _ in "123")

    def gather(self, encoded: Levels, decoded: Levels) -> Levels:
        """What is added after each group, of both sides of stage 2, at the resolution it has.

        The two sides are scaled as one. Both are taken, but for the first of `decoded`.
        """
        third = _sum_of(
            nn.Sequential(self.up_enc2, self.conv_enc3),
            nn.Sequential(self.up_dec2, self.conv_dec3),
            encoded.pop(),
            decoded.pop(),
        )
        second = _sum_of(
            nn.Sequential(self.up_enc1, self.conv_enc2),
            nn.Sequential(self.up_dec1, self.conv_dec2),
            encoded.pop(),
            decoded.pop(),
        )
        return [_sum_of(self.conv_enc1, self.conv_dec1, encoded.pop(), decoded[0]), second, third]

    def forward(self, given: list[Tensor], found: Levels) -> Tensor:
        """Refine the features (B, C, H, W) in `given` with what `gather` gave; both are taken."""
        given.append(self.orb1(given, found.pop(0)))
        given.append(self.orb2(given, _doubled(found.pop(0))))
        refined: Tensor = self.orb3(given, _doubled(_doubled(found.pop(0))))
        return refined
