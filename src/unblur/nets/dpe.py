"""The estimator of the distortion prior, and the residual blocks of both networks of the paper.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, section 2.1.
"""

from torch import Tensor, nn

__all__ = [
    "DPE",
    "LEVELS",
    "Encoder",
    "FeatureExtraction",
    "Prior",
    "ResidualBlock",
    "ResidualModule",
    "level_widths",
]

LEVELS = 3
# d at full, half and quarter resolution.
Prior = tuple[Tensor, Tensor, Tensor]


def level_widths(width: int) -> tuple[int, ...]:
    """Give the channels of each level, finest first: they double as the resolution halves.

    The paper does not give them. Doubled, a residual module costs the same on every level, and
    most of what a network learns sits where it sees far and is cheap to hold in memory.

    Example:
        >>> level_widths(16)
        (16, 32, 64)
    """
    return tuple(width * 2**level for level in range(LEVELS))


class ResidualBlock(nn.Module):
    """RB: F + Conv(relu(Conv(F))), 3 x 3, without normalisation.

    Example:
        >>> import torch
        >>> ResidualBlock(16)(torch.zeros(2, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, C, H, W)."""
        # In place: nobody else holds what a convolution has just made.
        change: Tensor = self.second(self.first(features).relu_())
        return change.add_(features)


class ResidualModule(nn.Module):
    """RM: K residual blocks one after another, and a skip around them all.

    Example:
        >>> import torch
        >>> ResidualModule(16, blocks=2)(torch.zeros(2, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(self, channels: int, *, blocks: int = 10) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, C, H, W)."""
        refined: Tensor = self.blocks(features)
        return features + refined


class FeatureExtraction(nn.Module):
    """FE: pictures to features, one 3 x 3 convolution and one residual block.

    Pictures are taken in their own precision and features have that of the weights: a picture in
    bfloat16 has fewer than 256 greys.

    Example:
        >>> import torch
        >>> FeatureExtraction(3, 16).bfloat16()(torch.zeros(2, 3, 5, 7)).dtype
        torch.bfloat16
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, channels, 3, padding=1)
        self.block = ResidualBlock(channels)

    def forward(self, picture: Tensor) -> Tensor:
        """Extract (B, C, H, W) from (B, inputs, H, W)."""
        features: Tensor = self.block(self.first(picture.to(self.first.weight.dtype)))
        return features


class Encoder(nn.Module):
    """FE, RM, down, RM, down, RM: features at three levels, finest first.

    Down is a 3 x 3 convolution of stride 2 that doubles the channels. It takes what RM gives: the
    paper puts self-attention between RM and what leaves the encoder, not into the encoder itself.

    Example:
        >>> import torch
        >>> [list(each.shape) for each in Encoder(3, 16, blocks=1)(torch.zeros(1, 3, 8, 12))]
        [[1, 16, 8, 12], [1, 32, 4, 6], [1, 64, 2, 3]]
    """

    def __init__(self, inputs: int, width: int, *, blocks: int) -> None:
        super().__init__()
        widths = level_widths(width)
        self.extract = FeatureExtraction(inputs, width)
        self.refine = nn.ModuleList(ResidualModule(each, blocks=blocks) for each in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(fine, 2 * fine, 3, stride=2, padding=1) for fine in widths[:-1]
        )

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Encode pictures (B, inputs, H, W), sides multiples of 4."""
        outputs = [self.refine[0](self.extract(picture))]
        for down, refine in zip(self.down, self.refine[1:], strict=True):
            outputs.append(refine(down(outputs[-1])))
        return outputs


class DPE(nn.Module):
    """The estimator: the prior d at three scales, from a picture or from a calibration pair.

    An encoder like the restorer's, without self-attention, and one 3 x 3 convolution on the output
    of each of its residual modules. The prior of a level has as many channels as the features that
    it attends to. The paper says K = 10 of the restorer alone; the estimator has 4 blocks unless
    told otherwise, which keeps both networks together within the cost of published ones.

    Args:
        inputs: 3 for a blurred picture (blind), 6 for the pair, sharp before blurred (non-blind).
        width: channels at the finest level.
        blocks: K, residual blocks of a module.

    Example:
        >>> import torch
        >>> prior = DPE(inputs=6, blocks=1)(torch.zeros(1, 6, 8, 12))
        >>> [list(level.shape) for level in prior]
        [[1, 16, 8, 12], [1, 32, 4, 6], [1, 64, 2, 3]]
    """

    def __init__(self, inputs: int = 3, *, width: int = 16, blocks: int = 4) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, width, blocks=blocks)
        self.prior = nn.ModuleList(
            nn.Conv2d(each, each, 3, padding=1) for each in level_widths(width)
        )

    def forward(self, pictures: Tensor) -> Prior:
        """Estimate the prior of pictures (B, inputs, H, W), sides multiples of 4."""
        fine, middle, coarse = (
            convolution(features)
            for convolution, features in zip(self.prior, self.encoder(pictures), strict=True)
        )
        return fine, middle, coarse
