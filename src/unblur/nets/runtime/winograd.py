"""3 x 3 convolutions with half of the multiplications."""

from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

__all__ = ["WinogradConv", "replace_convolutions"]

# Polynomials are multiplied by their values at these points and at infinity. Of all that lose few
# digits, these are some for which the factors of the first transform are exact in bfloat16.
_NEAR, _FAR = 0.75, 1.5
_POINTS = (0.0, _NEAR, -_NEAR, _FAR, -_FAR)
_ROWS = 4  # of the result, from six of the input
# With fewer, additions take longer than what they save.
_LEAST_CHANNELS = 64
# Values at a time: 2 to 4 MB for each of the six products, which stay near the processor.
_PART = 1 << 20


class WinogradConv(nn.Module):
    """A 3 x 3 convolution with zeros around the picture, in 18 multiplications instead of 36.

    Four rows of the result need six rows d of the input. With the three rows g of a kernel they are
    y = A ((G g) (B d)). The sums B d are convolutions channel by channel; the six products are
    convolutions of 1 x 3 pixels, each at a quarter of the rows. Equal up to rounding: to 1e-6 in
    float32. In bfloat16 a whole MPRNet is off by 1.3 % of what it changes, and by 1.1 % without.

    Args:
        conv: the convolution; its weights are copied.

    Source:
        A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, here for
        rows only, which are few additions in whole lines of memory.

    Example:
        >>> conv = nn.Conv2d(2, 3, 3, padding=1).double()
        >>> image = torch.rand(1, 2, 7, 5, dtype=torch.float64)
        >>> torch.allclose(WinogradConv(conv)(image), conv(image))
        True
    """

    kernels: Tensor
    sums: Tensor
    biases: Tensor | None

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        a, g, b = _transforms()
        weight = conv.weight.detach()
        g, b = g.to(weight), b.to(weight)
        # (6, out, in, 1, 3), channels last in memory, as convolutions on a CPU like them.
        kernels = torch.einsum("jk,ockw->jowc", g.double(), weight.double()).to(weight)
        self.register_buffer("kernels", kernels[:, :, None].movedim(-1, 2))
        sums = b[:, None, None, :, None].expand(-1, conv.in_channels, -1, -1, -1)
        self.register_buffer("sums", sums.contiguous())
        # Products with these shares of the bias give rows that have all of it.
        shares = torch.linalg.pinv(a).sum(dim=1).to(weight)
        bias = None if conv.bias is None else torch.outer(shares, conv.bias.detach())
        self.register_buffer("biases", bias)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve features (B, C, H, W)."""
        features = features.to(self.kernels.dtype)
        batch, channels, height, width = features.shape
        outputs = self.kernels.shape[1]
        lines = -(-height // _ROWS) * _ROWS
        result = features.new_empty(batch, lines, width, outputs).permute(0, 3, 1, 2)
        step = max(_PART // (batch * width * max(channels, outputs)), 1) * _ROWS
        for top in range(0, lines, step):
            bottom = min(top + step, lines)
            rows = features[:, :, max(top - 1, 0) : bottom + 1]
            above, below = int(top == 0), max(bottom + 1 - height, 0)
            products = self._products(pad(rows, (0, 0, above, below)) if above + below else rows)
            _sum(products, [result[:, :, top + row : bottom : _ROWS] for row in range(_ROWS)])
        return result[:, :, :height]

    def _products(self, rows: Tensor) -> list[Tensor]:
        biases = [None] * len(self.sums) if self.biases is None else self.biases
        return [
            conv2d(
                conv2d(rows, sums, stride=(_ROWS, 1), groups=rows.shape[1]),
                kernel,
                bias,
                padding=(0, 1),
            )
            for sums, kernel, bias in zip(self.sums, self.kernels, biases, strict=True)
        ]


def _sum(products: list[Tensor], rows: list[Tensor]) -> None:
    """Write A m to the rows of the result; the products m are used up.

    The points come in pairs of opposites, so that their even and odd powers share sums.
    """
    zero, near, near_opposite, far, far_opposite, infinity = products
    even_near, odd_near = near + near_opposite, near.sub_(near_opposite)
    even_far, odd_far = far + far_opposite, far.sub_(far_opposite)
    torch.add(zero.add_(even_near), even_far, out=rows[0])
    infinity.add_(odd_near, alpha=_NEAR**3)
    torch.add(infinity, odd_far, alpha=_FAR**3, out=rows[3])
    torch.add(odd_near.mul_(_NEAR), odd_far, alpha=_FAR, out=rows[1])
    torch.add(even_near.mul_(_NEAR**2), even_far, alpha=_FAR**2, out=rows[2])


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Give A (4, 6), G (6, 3) and B (6, 6), by Toom and Cook, transposed."""
    powers = np.vander(_POINTS, _ROWS, increasing=True)
    others = list(combinations(_POINTS, len(_POINTS) - 1))[::-1]
    # Products of the differences to the other points, as coefficients, and at the point itself.
    b = np.array([[*np.poly(each)[::-1], 0.0] for each in others] + [np.poly(_POINTS)[::-1]])
    scale = [np.polyval(np.poly(each), at) for each, at in zip(others, _POINTS, strict=True)]
    g = np.vstack((powers[:, :3] / np.array(scale)[:, None], [0.0, 0.0, 1.0]))
    a = np.vstack((powers, [0.0, 0.0, 0.0, 1.0])).T
    return torch.from_numpy(a.copy()), torch.from_numpy(g), torch.from_numpy(b)


def replace_convolutions(network: nn.Module) -> None:
    """Replace those convolutions of a network that have enough channels to gain."""
    for name, module in network.named_children():
        if isinstance(module, nn.Conv2d) and _gains(module):
            setattr(network, name, WinogradConv(module))
        else:
            replace_convolutions(module)


def _gains(conv: nn.Conv2d) -> bool:
    plain = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.padding_mode) == (
        (3, 3), (1, 1), (1, 1), (1, 1), "zeros",
    )  # fmt: skip
    return plain and conv.groups == 1 and min(conv.weight.shape[:2]) >= _LEAST_CHANNELS
