"""How good a kernel is, judged from the blurred picture alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unblur.deconvolve import hyper_laplacian
from unblur.fourier import gradient, inverse, transfer_function

__all__ = ["Score", "rate"]


@dataclass(frozen=True)
class Score:
    """What a kernel makes of the picture.

    Attributes:
        residual: root mean square of k * u - v, in units of the noise; a kernel that explains the
            picture leaves about 1, a wrong one more.
        sparsity: mean of |grad u|^(1/2): what rings or is noisy has more of it.
        before: the same of the blurred picture.
        noise_std: the unit of `residual`.
    """

    residual: float
    sparsity: float
    before: float
    noise_std: float

    @property
    def cost(self) -> float:
        """Log max(residual, 1) + log sparsity; smaller is better.

        Chosen for choosing: over 30 seeded blurs of training photographs it loses 0.35 dB to the
        best of four candidates on average; the residual alone loses 1.1, without the floor at 1 the
        sum loses 0.65.
        """
        return math.log(max(self.residual, 1.0)) + math.log(max(self.sparsity, 1e-6))

    @property
    def excess(self) -> float:
        """How much more gradient the restored picture has: ringing if the kernel is wrong."""
        return self.sparsity / max(self.before, 1e-6)


def rate(grey: Tensor, kernel: Tensor, noise_std: float) -> Score:
    """Deconvolve the picture (H, W) with the kernel and judge the result.

    Args:
        grey: the blurred picture.
        kernel: (h, w), odd sides.
        noise_std: standard deviation of the noise of one channel, positive; that of their mean is
            smaller, and so is the residual.
    """
    # A weaker prior than the solver's own: the residual is to tell what the kernel cannot explain,
    # not what the prior smooths.
    weight = 0.5 * noise_std**1.5
    sharp = hyper_laplacian(grey[None, None], kernel, regularization=weight)[0, 0]
    size = (grey.shape[0], grey.shape[1])
    again = inverse(torch.fft.rfft2(sharp) * transfer_function(kernel, size), size)
    # The frame's border is explained by light from outside, which is not in `sharp`.
    margin = min(max(kernel.shape) // 2 + 2, min(size) // 4)
    inside = slice(margin, -margin if margin else None)
    residual = (again - grey)[inside, inside].square().mean().sqrt() / noise_std
    return Score(float(residual), _sparsity(sharp, margin), _sparsity(grey, margin), noise_std)


def _sparsity(image: Tensor, margin: int) -> float:
    inside = slice(margin // 2, -(margin // 2 + 1))
    steps = torch.stack([part[inside, inside] for part in gradient(image)])
    return float(steps.abs().sqrt().mean())
