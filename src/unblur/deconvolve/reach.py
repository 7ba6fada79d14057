"""How far a deconvolution looks: the halo that a tile needs."""

import torch

from unblur.blur import Field, Kernel
from unblur.deconvolve.sparse import default_regularization
from unblur.fourier import gradient_power, transfer_function

__all__ = ["reach"]

# Half a grey level of 8 bits.
_TOLERANCE = 0.5 / 255
_SIDE = 1024
# In a picture the error of cutting the inverse filter is far below the worst case, which is a sum
# of absolute values: neighbours' contributions cancel. Measured on photographs: by this factor at
# the least.
_CANCELLATION = 10.0


def reach(blur: Kernel | Field, noise_std: float, regularization: float | None = None) -> int:
    """Give the radius outside which the regularised inverse filter of `blur` may be ignored.

    h = F^-1[conj(K) / (|K|^2 + r |D|^2)] is what a solver of this package amounts to where its
    prior is quadratic. The error of a pixel whose surroundings are cut at radius r is at most
    sum_{|x| > r} |h(x)| for pictures in [0, 1].

    Args:
        blur: the kernel, or the field, of which the widest kernel counts.
        noise_std: what the regularisation is derived from, where that is not given.
        regularization: of the solver.

    Returns:
        Pixels, at least the kernel's radius.
    """
    kernel = blur.pixels if isinstance(blur, Kernel) else blur.kernels.mean(dim=(0, 1, 2))
    radius = max(kernel.shape[-2:]) // 2
    side = max(_SIDE, 8 * radius)
    spectrum = transfer_function(kernel.double(), (side, side))
    weight = default_regularization(noise_std) if regularization is None else regularization
    penalty = max(weight, 1e-5) * gradient_power((side, side), kernel.double())
    inverse = torch.fft.irfft2(spectrum.conj() / (spectrum.abs() ** 2 + penalty), s=(side, side))
    y = torch.fft.fftfreq(side, 1 / side).abs()
    distance = torch.maximum(y[:, None], y[None, :]).long().to(inverse.device)
    # A constant is restored exactly whatever the halo: only the deviation from the mean is cut.
    rings = torch.zeros(side // 2 + 1, dtype=inverse.dtype, device=inverse.device)
    rings.scatter_add_(0, distance.flatten(), inverse.abs().flatten())
    outside = rings.flip(0).cumsum(0).flip(0)
    enough = (outside <= _TOLERANCE * _CANCELLATION).nonzero()
    found = int(enough[0]) if len(enough) else side // 2
    return max(found, radius + 1)
