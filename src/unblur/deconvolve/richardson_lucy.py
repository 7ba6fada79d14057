"""Richardson-Lucy deconvolution: the likelihood of counted photons."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.likelihood import Framed, Likelihood
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.observation import observe
from unblur.deconvolve.setup import check, kernel_radius
from unblur.deconvolve.small_kernel import SmallKernel, is_small
from unblur.deconvolve.system import make_system
from unblur.errors import ParameterError
from unblur.fourier import adjoint_gradient, gradient
from unblur.progress import Progress

__all__ = ["richardson_lucy"]

_TINY = 1e-12


def richardson_lucy(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    iterations: int = 30,
    noise_std: float = 0.0,
    regularization: float = 0.0,
    acceleration: bool = False,
    tolerance: float = 0.0,
    start: float | None = None,
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve by the multiplicative iteration of Richardson and Lucy.

    u <- u / (1 - r div(grad u / |grad u|)) . A^T(v / A u): expectation-maximisation for Poisson
    counts with mean A u, with a total-variation term of weight r. The result stays non-negative and
    keeps the total light.

    Args:
        image: v, (B, C, H, W), non-negative (values under 0 count as 0); not modified.
        kernel: (h, w) or (C, h, w), odd sides; or a field.
        iterations: steps, at least 1. More is sharper and noisier: stopping early is the
            regularisation.
        noise_std: where the residual |A u - v| falls to this standard deviation, the iterations
            stop (Morozov's discrepancy principle); 0 runs them all.
        regularization: r in [0, 1): total variation; 0.002 calms noise, 0.05 paints.
        acceleration: extrapolate along the last two corrections (Biggs & Andrews 1997): about five
            times as far in as many steps.
        tolerance: stop when the picture moves less than this share of its norm; 0 runs them all.
        start: constant to start from, as scikit-image does with 0.5; None starts from the blurred
            picture.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as
            one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each iteration.

    Returns:
        (B, C, H, W), non-negative, not clipped to 1.

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        W. Richardson 1972, L. Lucy 1974; N. Dey et al. 2006 for the total-variation term; D. Biggs,
        M. Andrews 1997 for the acceleration; O. Whyte et al. 2014 for clipped pixels.

    Example:
        >>> import torch
        >>> from unblur.blur import kernels
        >>> blurred = kernels.gaussian(sigma=1.5).crop(31).pixels[None, None]
        >>> point = richardson_lucy(blurred, kernels.gaussian(sigma=1.5).pixels, iterations=50)
        >>> bool(point.max() > 5 * blurred.max())
        True
    """
    check(image, kernel, noise_std=noise_std, regularization=regularization, tolerance=tolerance)
    if iterations < 1:
        raise ParameterError(f"iterations must be at least 1, got {iterations}")
    if regularization >= 1:
        raise ParameterError(f"regularization must be in [0, 1), got {regularization}")
    image = image.clamp(min=0)
    seen = observe(
        image, kernel_radius(kernel), boundary=boundary, clipped=clipped, ignored=ignored
    )
    likelihood: Likelihood
    summed = seen.whole and boundary == "unknown" and regularization == 0
    if summed and isinstance(kernel, Tensor) and is_small(image, kernel):
        likelihood = SmallKernel.of(seen, kernel)
    else:
        likelihood = Framed.of(seen, partial(make_system, kernel, seen.size, seen.margin))
    problem = _Problem(likelihood, regularization, acceleration, noise_std)
    state = iterate(
        _State(likelihood.first(start)),
        problem.step,
        iterations=iterations,
        tolerance=tolerance,
        progress=progress,
    )
    return likelihood.picture(state.image)


@dataclass(frozen=True)
class _State:
    image: Tensor
    previous: Tensor | None = None
    correction: Tensor | None = None
    acceleration: Tensor | None = None
    done: bool = False


@dataclass(frozen=True)
class _Problem:
    likelihood: Likelihood
    regularization: float
    accelerated: bool
    noise_std: float

    def step(self, state: _State) -> _State:
        """Apply one multiplicative correction, at a point ahead of the last one if accelerated."""
        if state.done:
            return state
        base = self._ahead(state)
        predicted = self.likelihood.predict(base)
        ratio = self.likelihood.ratio(predicted)
        if self.noise_std > 0 and self.likelihood.error(predicted, ratio) <= self.noise_std**2:
            return replace(state, done=True)
        image = self.likelihood.adjoint(ratio).mul_(base)
        if self.regularization > 0:
            image = image / (1 + self.regularization * self._curvature(base)).clamp(min=0.1)
        image = image.clamp_(min=0)
        if not self.accelerated:
            return _State(image)
        correction = image - base
        gain = _gain(correction, state.correction, self.likelihood.axes)
        return _State(image, state.image, correction, gain)

    def _ahead(self, state: _State) -> Tensor:
        """Equation 7: y = x_k + a (x_k - x_{k-1}), with a from the last two corrections."""
        if state.previous is None or state.acceleration is None:
            return state.image
        ahead = (state.image - state.previous).mul_(state.acceleration).add_(state.image)
        return ahead.clamp_(min=0)

    def _curvature(self, image: Tensor) -> Tensor:
        """-div(grad u / |grad u|)."""
        along_y, along_x = gradient(image)
        length = torch.sqrt(along_y**2 + along_x**2 + 1e-6)
        return adjoint_gradient(along_y / length, along_x / length)


def _gain(correction: Tensor, last: Tensor | None, axes: tuple[int, ...]) -> Tensor | None:
    """Equation 10: a = <g_k, g_{k-1}> / <g_{k-1}, g_{k-1}> in [0, 1], one a plane."""
    if last is None:
        return None
    overlap = (correction * last).sum(dim=axes, keepdim=True)
    power = last.square().sum(dim=axes, keepdim=True)
    return (overlap / power.clamp(min=_TINY)).clamp(min=0, max=1)
