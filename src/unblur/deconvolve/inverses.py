"""Linear inverses of one blur, from bold to careful, and what an estimate leaves unexplained."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.observation import observe
from unblur.deconvolve.setup import LEAST_NOISE, check, kernel_radius
from unblur.deconvolve.system import make_system
from unblur.fourier import gradient_power

__all__ = ["RATES", "inverses"]

# Regularisation over noise_std. The best single one is 2: below it more detail is left and more
# noise, above it what a wrong kernel makes ring is calmer.
RATES = (0.3, 6.0)
# Of conjugate gradients for what lies outside the frame.
_STEPS = 4


def inverses(
    image: Tensor,
    kernel: Tensor | Field,
    estimate: Tensor,
    *,
    noise_std: float,
    rates: Sequence[float] = RATES,
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
) -> Tensor:
    """Deconvolve by Wiener filters that differ in the noise they let through; check an estimate.

    u_r = argmin |k * u - v|^2 + r s |L u|^2 for each r, with L the Laplacian and s the noise. What
    lies outside the frame, and behind clipped pixels, is completed once, by the first of them. The
    misfit of the estimate e is v - k * e, with u_r of the first r around the frame: white noise
    where the kernel is right. At clipped pixels only light that e lacks counts.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified.
        kernel: (h, w), odd sides, (C, h, w) with one kernel a channel, or a field.
        estimate: e, of the shape of `image`.
        noise_std: s, standard deviation of the noise, in the units of the image, at least 0.
        rates: r, each above 0.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.

    Returns:
        (B, (len(rates) + 1) C, H, W), the first rate's channels first, the misfit last; not
        clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Example:
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 3, 20, 30), 0.5)
        >>> found = inverses(flat, kernels.disk(radius=3).pixels, flat, noise_std=0.01)
        >>> bold, careful, misfit = found.split(3, dim=1)
        >>> bool((careful - 0.5).abs().max() < 1e-4), bool(misfit.abs().max() < 1e-4)
        (True, True)
    """
    check(image, kernel, noise_std=noise_std)
    seen = observe(image, kernel_radius(kernel), clipped=clipped, ignored=ignored)
    frame = (seen.image.shape[-2], seen.image.shape[-1])
    system = make_system(kernel, seen.size, seen.margin, frame)
    noise = max(noise_std, LEAST_NOISE)
    rough = gradient_power(frame, image) ** 2
    # A kernel that removes a frequency leaves 0 / 0 there when nothing regularises it.
    penalties = [(rate * noise * rough).clamp(min=1e-9) for rate in rates]
    first = system.fit(seen.image, seen.known, penalties[0], _STEPS)
    predicted = system.forward(first)
    projected = system.project(seen.complete(predicted), first, predicted)
    nothing = torch.zeros_like(first)
    found = [
        seen.crop(system.solve(projected, penalty, 1.0, nothing, first)) for penalty in penalties
    ]
    extended = first.clone()
    seen.crop(extended).copy_(estimate)
    misfit = image - seen.crop(system.forward(extended))
    if clipped is not None:
        misfit = torch.where(clipped, misfit.clamp(min=0), misfit)
    return torch.cat([*found, misfit], dim=1)
