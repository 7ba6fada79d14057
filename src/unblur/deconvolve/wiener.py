"""Wiener deconvolution: the linear estimate, in closed form."""

from typing import Literal

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.observation import observe
from unblur.deconvolve.setup import check, kernel_radius
from unblur.deconvolve.system import make_system
from unblur.fourier import gradient_power
from unblur.progress import Progress, report

__all__ = ["wiener"]

# Each sweep fills what lies outside the picture, and what is clipped, with what the estimate predicts;
# after three the rest of the change is under a tenth of a grey level.
_SWEEPS = 3


def wiener(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float = 0.01,
    regularization: float | None = None,
    penalty: Literal["laplacian", "flat"] = "laplacian",
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve by the Wiener filter with a stationary image prior.

    u = argmin |k * u - v|^2 + r |L u|^2, that is F[u] = conj(K) V / (|K|^2 + r |L|^2), where L is the Laplacian
    (pictures have little energy at high frequencies) or the identity (a flat noise-to-signal ratio).

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified.
        kernel: (h, w) or (C, h, w), odd sides; or a field.
        noise_std: standard deviation of the noise, in the units of the image, at least 0.
        regularization: r >= 0; None derives it from the noise as 3 noise_std for the Laplacian and as
            2 noise_std for the flat ratio. 0 is the bare inverse filter: noise explodes.
        penalty: L.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each sweep.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        N. Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949.

    Example:
        >>> import torch
        >>> from unblur.blur import kernels
        >>> sharp = torch.zeros(1, 1, 32, 32)
        >>> sharp[..., 12:20, 12:20] = 1
        >>> box = kernels.motion(length=5, angle=0).pixels
        >>> padded = torch.nn.functional.pad(sharp, (2, 2, 2, 2))
        >>> blurred = torch.nn.functional.conv2d(padded, box[None, None])
        >>> restored = wiener(blurred, box, noise_std=1e-4)
        >>> bool((restored - sharp).abs().mean() < (blurred - sharp).abs().mean() / 4)
        True
    """
    check(image, kernel, noise_std=noise_std, regularization=regularization)
    seen = observe(
        image, kernel_radius(kernel), boundary=boundary, clipped=clipped, ignored=ignored
    )
    frame = (seen.image.shape[-2], seen.image.shape[-1])
    system = make_system(kernel, seen.size, seen.margin, frame)
    power = gradient_power(frame, image)
    if penalty == "laplacian":
        weight = 3 * noise_std if regularization is None else regularization
        weights = weight * power**2
    else:
        weight = 2 * noise_std if regularization is None else regularization
        weights = torch.full_like(power, weight)
    # A kernel that removes a frequency leaves 0 / 0 there when nothing regularises it.
    weights = weights.clamp(min=1e-9)

    sweeps = 1 if seen.known is None else _SWEEPS
    observed = estimate = seen.image
    for sweep in range(sweeps):
        report(progress, "deconvolve", sweep / sweeps)
        if sweep:
            observed = seen.complete(system.forward(estimate))
        estimate = system.solve(observed, weights, None, estimate)
    report(progress, "deconvolve", 1.0)
    return seen.crop(estimate).contiguous()
