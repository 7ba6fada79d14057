"""How far a deconvolution looks: the halo that a tile needs."""

from dataclasses import dataclass

import torch

from unblur.blur import Field, Kernel
from unblur.deconvolve.setup import default_regularization
from unblur.fourier import fast_size, gradient_power, inverse, transfer_function

__all__ = ["Reach", "reach"]

# What a tile assumes beyond its halo is wrong by the picture's texture, about a tenth. With this
# much of the inverse filter's energy (as a root) out there, tv in tiles was within 0.01 grey levels
# of the whole under a Gaussian of 2 pixels, and within one level under a disk of 5.
_TAIL = 0.05


@dataclass(frozen=True)
class Reach:
    """The halo of a tile.

    Attributes:
        halo: in pixels, at least the kernel's radius.
        exact: whether tiles with that halo agree with the whole to half a grey level of 8 bits.
            Kernels that remove frequencies altogether have inverse filters without an end: for them
            the halo is a compromise, and tiles cross over smoothly.
    """

    halo: int
    exact: bool


def reach(blur: Kernel | Field, noise_std: float, regularization: float | None = None) -> Reach:
    """Give the radius outside which the regularised inverse filter of `blur` may be ignored.

    h = F^-1[conj(K) / (|K|^2 + r |F D|^2)] is what a solver of this package amounts to where its
    prior is quadratic. The halo is the least radius with sqrt(sum_{|x| > halo} h(x)^2) <= 0.05.

    Args:
        blur: the kernel, or the field, of which the mean kernel counts.
        noise_std: what the regularisation is derived from, where that is not given.
        regularization: of the solver.

    Example:
        >>> from unblur.blur import kernels
        >>> reach(kernels.gaussian(sigma=1), 0.01)
        Reach(halo=10, exact=True)
    """
    kernel = blur.pixels if isinstance(blur, Kernel) else blur.kernels.mean(dim=(0, 1, 2))
    radius = max(kernel.shape[-2:]) // 2
    limit = 32 + 2 * radius
    side = fast_size(4 * limit, 8)
    spectrum = transfer_function(kernel.double(), (side, side))
    weight = default_regularization(noise_std) if regularization is None else regularization
    penalty = max(weight, 1e-5) * gradient_power((side, side), kernel.double())
    response = inverse(spectrum.conj() / (spectrum.abs() ** 2 + penalty), (side, side))
    y = torch.fft.fftfreq(side, 1 / side).abs()
    distance = torch.maximum(y[:, None], y[None, :]).long().to(response.device)
    rings = response.new_zeros(side // 2 + 1)
    rings.scatter_add_(0, distance.flatten(), response.square().flatten())
    outside = rings.flip(0).cumsum(0).flip(0).sqrt()
    found = int((outside > _TAIL).sum())
    return Reach(max(min(found, limit), radius + 1), exact=found <= limit)
