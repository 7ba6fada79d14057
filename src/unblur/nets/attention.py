"""The attention of the distortion-prior networks: to itself, to a prior, between two levels.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, section 2.2,
whose equation numbers stand below. The paper does not say how large the convolutions of its
attention are. They are 1 x 1 here: the equations weigh pixels, and after twenty 3 x 3 convolutions
a pixel of the features already knows its surroundings.
"""

import torch
from torch import Tensor, nn

from unblur.nets.local_statistics import Mean, spread

__all__ = ["Gate", "ImageFusion", "PriorAttention", "SelfAttention"]

# Hidden channels of a gate are a quarter of its inputs: common in attention to channels.
_REDUCTION = 4


class Gate(nn.Sequential):
    """Weights in (0, 1): A = sigmoid(Conv(relu(Conv(F)))), equations 5, 7 and 9.

    Example:
        >>> Gate(16, 1)(torch.zeros(2, 16, 5, 7)).shape
        torch.Size([2, 1, 5, 7])
    """

    def __init__(self, channels: int, weights: int) -> None:
        hidden = max(channels // _REDUCTION, 1)
        super().__init__(
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, weights, 1),
            nn.Sigmoid(),
        )


class SelfAttention(nn.Module):
    """SA: attention to channels, then to pixels.

    G = Pool(F*), F = F* . A(G) with a weight per channel (equations 4 to 6); then F = F* . A(F*)
    with a weight per pixel (equations 7 and 8). The pooling is the mean over the whole picture.

    Example:
        >>> SelfAttention(16)(torch.zeros(2, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(self, channels: int, *, share: float = 1.0) -> None:
        super().__init__()
        self.pool = Mean(share=(share, share))
        self.channels = Gate(channels, channels)
        self.pixels = Gate(channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh features (B, C, H, W)."""
        features = features * spread(self.channels(self.pool(features)), features)
        weighed: Tensor = features * self.pixels(features)
        return weighed


class PriorAttention(nn.Module):
    """PA: features are scaled and shifted as the prior says, equations 12 to 15.

    A = relu(Conv(relu(Conv(d)))), F = F* + F* . Conv(A) + Conv(A), two different convolutions.

    Example:
        >>> PriorAttention(16)(torch.zeros(2, 16, 5, 7), torch.zeros(1, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(inplace=True),
        )
        self.scale = nn.Conv2d(channels, channels, 1)
        self.shift = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, prior: Tensor) -> Tensor:
        """Bring the prior d, (B or 1, C, H, W), into features (B, C, H, W)."""
        attention = self.attention(prior.to(features.dtype))
        return torch.addcmul(features + self.shift(attention), features, self.scale(attention))


class ImageFusion(nn.Module):
    """IF: the picture of the coarser level and the input, blended by level attention.

    A = sigmoid(Conv(relu(Conv(F)))), x' = S Conv^(x), x~ = x' . A + y . (1 - A), equations 9 to 11.
    The transposed convolution has stride 2, side 4 and starts as bilinear interpolation, S as 1, so
    that x' is a picture from the start. Its input is extended by its rim, so that the frame of x'
    is as bright as the rest.

    Example:
        >>> fuse = ImageFusion(16)
        >>> coarse, fine = torch.full((1, 3, 2, 3), 0.5), torch.full((1, 3, 4, 6), 0.5)
        >>> fuse(torch.zeros(1, 16, 4, 6), coarse, fine).unique()
        tensor([0.5000], grad_fn=...)
    """

    def __init__(self, channels: int, *, colours: int = 3) -> None:
        super().__init__()
        self.level = Gate(channels, 1)
        self.enlarge = nn.ConvTranspose2d(colours, colours, 4, stride=2, padding=3, bias=False)
        self.scale = nn.Parameter(torch.ones(()))
        weights = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.enlarge.weight.copy_(
                torch.eye(colours)[..., None, None] * torch.outer(weights, weights)
            )

    def forward(self, features: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
        """Blend.

        Args:
            features: F, (B, C, H, W).
            coarse: x, the restored picture of the coarser level, (B, 3, H / 2, W / 2).
            fine: y, the input at this level, (B, 3, H, W).
        """
        rim = nn.functional.pad(coarse.to(features.dtype), (1, 1, 1, 1), mode="replicate")
        # The input may be finer than the features, float32 against bfloat16: lerp takes one type.
        larger: Tensor = self.scale * self.enlarge(rim)
        level: Tensor = self.level(features)
        return fine + level * (larger - fine)
