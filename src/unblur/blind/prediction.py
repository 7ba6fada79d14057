"""The sharp picture under a kernel, with as few gradients as possible."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unblur.fourier import gradient_power, inverse, transfer_function

__all__ = ["predict", "predict_spectrum"]

# beta starts at this many times lambda: gradients up to sqrt(1 / 16) = 0.25 are smoothed away.
_FIRST_RATIO = 16.0
# Beyond it nothing changes any more but rounding: at 1e5, where the paper stops, the kernels come
# out the same.
_LAST_WEIGHT = 50.0
_GROWTH = 2.0
# Where an earlier prediction is at hand, its gradients take the place of the smaller values.
_WARM = 1.0


def predict(
    blurred: Tensor,
    kernel: Tensor,
    weight: float | Tensor,
    *,
    last: float = _LAST_WEIGHT,
    start: Tensor | None = None,
) -> Tensor:
    """Minimise |k * u - v|^2 + weight |grad u|_0 by half-quadratic splitting.

    For beta from 16 weight up to `last`: keep the gradients with |grad u|^2 >= weight / beta, set
    the others to zero, and fit u to the blurred picture and these gradients, F[u] = (conj(K) V +
    beta F[D^T w]) / (|K|^2 + beta |F D|^2). No gradient is kept at first.

    Args:
        blurred: v, (H, W), taken as one period.
        kernel: (..., h, w), odd sides: one, or a batch of them.
        weight: lambda > 0, or one a kernel; larger keeps fewer edges.
        last: of the values of beta: the larger, the nearer to the objective's own minimum.
        start: u under a kernel and a weight close by, (..., H, W): beta then begins at 1, with the
            gradients of this picture. A third of the work; what it once holds it hardly loses.

    Returns:
        u, (..., H, W).

    Source:
        Xu, Lu, Xu & Jia, Image Smoothing via L0 Gradient Minimization, 2011; Anger, Facciolo &
        Delbracio 2019, section 2.2.
    """
    size = (blurred.shape[-2], blurred.shape[-1])
    spectrum = predict_spectrum(blurred, kernel, weight, last=last, start=start)
    return inverse(spectrum, size)


def predict_spectrum(
    blurred: Tensor,
    kernel: Tensor,
    weight: float | Tensor,
    *,
    last: float = _LAST_WEIGHT,
    start: Tensor | None = None,
) -> Tensor:
    """Give the half spectrum of what `predict` gives, before the last transform."""
    size = (blurred.shape[-2], blurred.shape[-1])
    problem = _Quadratic.of(blurred, transfer_function(kernel, size))
    weights = torch.as_tensor(weight, dtype=blurred.dtype, device=blurred.device)[..., None, None]
    first = torch.full_like(weights, _WARM) if start is not None else _FIRST_RATIO * weights
    beta = first.clamp(max=last)
    # Weights of a batch differ: each grows at a pace of its own, and all arrive together.
    steps = max(int(math.log(last / float(beta.min()), _GROWTH)), 0)
    growth = (last / beta) ** (1 / max(steps, 1))
    spectrum = problem.solve(beta, None)
    image, work = start, _Buffers(spectrum, size)
    for _ in range(steps):
        image = inverse(spectrum, size) if image is None else image
        beta = beta * growth
        spectrum = problem.solve(beta, work.kept(image, weights / beta).mul_(beta))
        image = None
    return spectrum


@dataclass(frozen=True)
class _Quadratic:
    """|k * u - v|^2 + beta |D u - w|^2 in u, as half spectra."""

    data: Tensor
    power: Tensor
    penalty: Tensor

    @staticmethod
    def of(blurred: Tensor, spectrum: Tensor) -> "_Quadratic":
        size = (blurred.shape[-2], blurred.shape[-1])
        return _Quadratic(
            spectrum.conj() * torch.fft.rfft2(blurred),
            spectrum.real**2 + spectrum.imag**2,
            gradient_power(size, blurred),
        )

    def solve(self, beta: Tensor, kept: Tensor | None) -> Tensor:
        """The minimum, given beta D^T w; None for zero."""
        # Complex, though real: products of mixed types take three times as long.
        scale = (self.power + beta * self.penalty).reciprocal_().to(self.data)
        if kept is None:
            return scale.mul_(self.data)
        right: Tensor = torch.fft.rfft2(kept)
        return right.add_(self.data).mul_(scale)


class _Buffers:
    """Arrays that every step fills again: fresh ones would cost more than the arithmetic."""

    def __init__(self, like: Tensor, size: tuple[int, int]) -> None:
        shape = (*like.shape[:-2], *size)
        self.along_y, self.along_x, self.power, self.sum = (
            torch.empty(shape, dtype=like.real.dtype, device=like.device) for _ in range(4)
        )

    def kept(self, image: Tensor, least: Tensor) -> Tensor:
        """D^T w, where w is grad u with lengths under sqrt(least) set to zero."""
        # Differences the other way round, so that their adjoint needs no change of sign.
        y, x = self.along_y, self.along_x
        torch.sub(image[..., :-1, :], image[..., 1:, :], out=y[..., :-1, :])
        torch.sub(image[..., -1, :], image[..., 0, :], out=y[..., -1, :])
        torch.sub(image[..., :, :-1], image[..., :, 1:], out=x[..., :, :-1])
        torch.sub(image[..., :, -1], image[..., :, 0], out=x[..., :, -1])
        strong = torch.mul(y, y, out=self.power).addcmul_(x, x).ge_(least)
        y.mul_(strong)
        x.mul_(strong)
        total = torch.add(y, x, out=self.sum)
        total[..., 1:, :].sub_(y[..., :-1, :])
        total[..., 0, :].sub_(y[..., -1, :])
        total[..., :, 1:].sub_(x[..., :, :-1])
        total[..., :, 0].sub_(x[..., :, -1])
        return total
