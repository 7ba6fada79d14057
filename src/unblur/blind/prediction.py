"""The sharp picture under a kernel, with as few gradients as possible."""

import torch
from torch import Tensor

from unblur.fourier import adjoint_gradient, gradient, gradient_power, inverse, transfer_function

__all__ = ["predict"]

_FIRST_WEIGHT, _LAST_WEIGHT = 1e-6, 1e5


def predict(blurred: Tensor, kernel: Tensor, weight: float, *, growth: float = 2.0) -> Tensor:
    """Minimise |k * u - v|^2 + weight |grad u|_0 by half-quadratic splitting.

    For beta from 2 weight up to 1e5, by `growth`: keep the gradients with |grad u|^2 >= weight /
    beta, set the others to zero, and fit u to the blurred picture and these gradients, F[u] =
    (conj(K) V + beta F[D^T w]) / (|K|^2 + beta |F D|^2).

    Args:
        blurred: v, (H, W), taken as one period.
        kernel: (h, w), odd sides.
        weight: lambda > 0; larger keeps fewer edges.
        growth: of beta from step to step.

    Returns:
        u, (H, W).

    Source:
        Xu, Lu, Xu & Jia, Image Smoothing via L0 Gradient Minimization, 2011; Anger, Facciolo &
        Delbracio 2019, section 2.2.
    """
    size = (blurred.shape[-2], blurred.shape[-1])
    spectrum = transfer_function(kernel, size)
    power = spectrum.real**2 + spectrum.imag**2
    data = spectrum.conj() * torch.fft.rfft2(blurred)
    penalty = gradient_power(size, blurred)
    image, beta = blurred, max(2 * weight, _FIRST_WEIGHT)
    while beta < _LAST_WEIGHT:
        along_y, along_x = gradient(image)
        edges = along_y.square().addcmul_(along_x, along_x) >= weight / beta
        kept = adjoint_gradient(along_y.mul_(edges), along_x.mul_(edges))
        image = inverse((data + beta * torch.fft.rfft2(kept)) / (power + beta * penalty), size)
        beta *= growth
    return image
