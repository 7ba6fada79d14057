"""Deconvolution with sparse gradients: total variation and hyper-Laplacian, one solver."""

from typing import Literal

from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.proximal import shrink_power, shrink_vector
from unblur.deconvolve.setup import HYPER_RATE, LEAST_NOISE, check, default_regularization
from unblur.deconvolve.splitting import ITERATIONS, Shrink, pose
from unblur.errors import ParameterError
from unblur.progress import Progress

__all__ = ["CURVATURE", "hyper_laplacian", "tv"]

# With these second differences total variation wants less weight over the noise: 0.07 at the noise
# named here restores as 0.1 does alone. What it wants grows faster than the noise.
CURVATURE, _TV_RATE, _TV_NOISE, _TV_POWER = 0.25, 0.07, 0.0075, 1.25


def tv(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float = 0.01,
    regularization: float | None = None,
    curvature: float = CURVATURE,
    iterations: int = ITERATIONS,
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve with the total variation of the picture and of its slope as prior.

    u = argmin |k * u - v|^2 / 2 + r sum (|grad u| + c |H u|), H u all second differences, by
    half-quadratic splitting: alternate the proximal maps at the gradients and second differences
    (soft thresholding of the vectors' lengths) with a quadratic problem in u. Total variation alone
    turns slopes into steps.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified. Channels are independent.
        kernel: (h, w) or (C, h, w), odd sides; or a field.
        noise_std: standard deviation of the noise, in the units of the image, at least 0.
        regularization: r > 0; None derives it from the noise s: 0.07 s (s / 0.0075)^0.25. Small
            values keep noise, large ones flatten texture.
        curvature: c, at least 0; 0 is total variation alone, 1 lets edges ring a little.
        iterations: steps of the continuation, at least 1; more where clipped lights are bright.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as
            one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each iteration.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        P. Getreuer, Total Variation Deconvolution using Split Bregman, IPOL 2012; Y. Wang et al., A
        New Alternating Minimization Algorithm for Total Variation Image Reconstruction, 2008; M.
        Lysaker, X.-C. Tai 2006 for the second differences.

    Example:
        >>> import torch
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 3, 20, 30), 0.5)
        >>> restored = tv(flat, kernels.disk(radius=3).pixels)
        >>> bool((restored - flat).abs().max() < 1e-4)
        True
    """
    rate = _TV_RATE * (max(noise_std, LEAST_NOISE) / _TV_NOISE) ** (_TV_POWER - 1)
    return _solve(
        image,
        kernel,
        shrink_vector,
        rate,
        noise_std=noise_std,
        regularization=regularization,
        curvature=curvature,
        iterations=iterations,
        boundary=boundary,
        clipped=clipped,
        ignored=ignored,
        progress=progress,
    )


def hyper_laplacian(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float = 0.01,
    regularization: float | None = None,
    exponent: float = 0.8,
    iterations: int = ITERATIONS,
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve with the heavy-tailed gradients of natural pictures as prior.

    u = argmin |k * u - v|^2 / 2 + r sum (|D_y u|^p + |D_x u|^p), 0 < p < 1, by half-quadratic
    splitting.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified. Channels are independent.
        kernel: (h, w) or (C, h, w), odd sides; or a field.
        noise_std: standard deviation of the noise, in the units of the image, at least 0.
        regularization: r > 0; None derives it from the noise (see `default_regularization`).
        exponent: p in (0, 1); near 1 is total variation, 1/2 sets most gradients to zero.
        iterations: steps of the continuation, at least 1; more where clipped lights are bright.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as
            one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each iteration.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        D. Krishnan, R. Fergus, Fast Image Deconvolution using Hyper-Laplacian Priors, NIPS 2009.

    Example:
        >>> import torch
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 1, 20, 30), 0.5)
        >>> restored = hyper_laplacian(flat, kernels.gaussian(sigma=2).pixels)
        >>> bool((restored - flat).abs().max() < 1e-4)
        True
    """
    if not 0 < exponent < 1:
        raise ParameterError(f"exponent must be in (0, 1), got {exponent}: for 1 use tv")

    def shrink(along_y: Tensor, along_x: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
        return (
            shrink_power(along_y, threshold, exponent),
            shrink_power(along_x, threshold, exponent),
        )

    return _solve(
        image,
        kernel,
        shrink,
        HYPER_RATE,
        noise_std=noise_std,
        regularization=regularization,
        curvature=0.0,
        iterations=iterations,
        boundary=boundary,
        clipped=clipped,
        ignored=ignored,
        progress=progress,
    )


def _solve(
    image: Tensor,
    kernel: Tensor | Field,
    shrink: Shrink,
    rate: float,
    *,
    noise_std: float,
    regularization: float | None,
    curvature: float,
    iterations: int,
    boundary: str,
    clipped: Tensor | None,
    ignored: Tensor | None,
    progress: Progress | None,
) -> Tensor:
    check(image, kernel, noise_std=noise_std, regularization=regularization, curvature=curvature)
    if iterations < 1:
        raise ParameterError(f"iterations must be at least 1, got {iterations}")
    if regularization is None:
        regularization = default_regularization(noise_std, rate)
    problem = pose(
        image,
        kernel,
        shrink,
        regularization=regularization,
        iterations=iterations,
        boundary=boundary,
        clipped=clipped,
        ignored=ignored,
        curvature=curvature,
    )
    return problem.seen.crop(problem.solve(progress).image).contiguous()
