"""The restorer of DPA-Net: an encoder-decoder that attends to a distortion prior.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, figure 2.
"""

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from unblur.nets.attention import ImageFusion, PriorAttention, SelfAttention
from unblur.nets.dpe import (
    LEVELS,
    Encoder,
    FeatureExtraction,
    Prior,
    ResidualBlock,
    level_widths,
)

__all__ = ["DPA", "FeatureFusion"]


class FeatureFusion(nn.Module):
    """FF: the encoder's skip, the features of the fused picture, and those of the coarser level.

    All are merged linearly, then a residual block mixes. Skip and picture come through 1 x 1
    convolutions; the coarser features through a transposed one of stride 2 and side 2, since the
    paper names a feature pyramid beside the picture's without drawing how it is climbed. The sum is
    the 1 x 1 convolution of all three side by side, without holding them side by side.

    Example:
        >>> import torch
        >>> maps = torch.zeros(1, 16, 4, 6), torch.zeros(1, 16, 4, 6), torch.zeros(1, 32, 2, 3)
        >>> FeatureFusion(16)(*maps).shape
        torch.Size([1, 16, 4, 6])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(channels, channels, 1)
        self.picture = nn.Conv2d(channels, channels, 1)
        self.enlarge = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.block = ResidualBlock(channels)

    def forward(self, skip: Tensor, picture: Tensor, coarse: Tensor) -> Tensor:
        """Fuse (B, C, H, W), (B, C, H, W) and (B, 2C, H / 2, W / 2) to (B, C, H, W)."""
        features = self.skip(skip).add_(self.picture(picture)).add_(self.enlarge(coarse))
        mixed: Tensor = self.block(features)
        return mixed


class DPA(nn.Module):
    """The restorer: an encoder-decoder over three levels that attends to a prior on each.

    On the way down FE and RM; each RM's output F_i passes SA, then PA with the prior of its level,
    g_i = PA(SA(F_i), d_i). On the way up, from f_3 = g_3:

        x~_i = IF(g_i, x_(i+1), y_i),  f_i = FF(g_i, FE(x~_i), f_(i+1)),  x_i = y_i + Conv(f_i)

    where y is the bilinear pyramid of the input. The decoder has no RM: with a second one at full
    resolution the published 26 ms would not hold the memory traffic of the feature maps, let alone
    the arithmetic. The paper does not say how features become the picture x. Here they give what
    is to be added to the input, by a convolution that starts at zero: before training nothing is
    changed, and a sharp picture asks for nothing to be learned.

    Args:
        width: channels at the finest level.
        blocks: K, residual blocks of a module.
        colours: channels of the picture.
        extra: channels after those, which the encoder sees and nothing is added to.

    Example:
        >>> import torch
        >>> from unblur.nets.dpe import DPE
        >>> picture = torch.rand(1, 3, 8, 12)
        >>> prior = DPE(blocks=1)(picture)
        >>> torch.equal(DPA(blocks=1)(picture, prior), picture)
        True
    """

    def __init__(
        self, *, width: int = 16, blocks: int = 10, colours: int = 3, extra: int = 0
    ) -> None:
        super().__init__()
        self.colours = colours
        widths = level_widths(width)
        self.encoder = Encoder(colours + extra, width, blocks=blocks)
        self.attend = nn.ModuleList(
            SelfAttention(each, share=0.5**level) for level, each in enumerate(widths)
        )
        self.attend_prior = nn.ModuleList(PriorAttention(each) for each in widths)
        self.fuse_picture = nn.ModuleList(
            ImageFusion(each, colours=colours) for each in widths[:-1]
        )
        self.extract = nn.ModuleList(FeatureExtraction(colours, each) for each in widths[:-1])
        self.fuse = nn.ModuleList(FeatureFusion(each) for each in widths[:-1])
        self.change = nn.ModuleList(nn.Conv2d(each, colours, 3, padding=1) for each in widths)
        for parameter in self.change.parameters():
            nn.init.zeros_(parameter)

    def levels(self, picture: Tensor, prior: Prior) -> tuple[Tensor, Tensor, Tensor]:
        """Restore at full, half and quarter resolution; training takes its loss on each.

        Args:
            picture: (B, 3, H, W), sides multiples of 4, and its extra channels.
            prior: d at the three resolutions, (B or 1, C, H, W) at the first.
        """
        seen, picture = picture, picture[:, : self.colours]
        # Bilinear scaling by one half is the mean of two by two pixels.
        half = avg_pool2d(picture, 2)
        inputs = (picture, half, avg_pool2d(half, 2))
        skips = [
            attend_prior(attend(features), level)
            for attend, attend_prior, features, level in zip(
                self.attend, self.attend_prior, self.encoder(seen), prior, strict=True
            )
        ]
        features = skips[-1]
        restored = [inputs[-1] + self.change[-1](features)]
        for level in reversed(range(LEVELS - 1)):
            fused = self.fuse_picture[level](skips[level], restored[0], inputs[level])
            features = self.fuse[level](skips[level], self.extract[level](fused), features)
            restored.insert(0, inputs[level] + self.change[level](features))
        return restored[0], restored[1], restored[2]

    def forward(self, picture: Tensor, prior: Prior) -> Tensor:
        """Restore at full resolution."""
        return self.levels(picture, prior)[0]
