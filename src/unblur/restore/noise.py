"""The noise that a solver has to reckon with."""

import math

from unblur.blur import Field, Kernel
from unblur.blur.noise_level import estimate_coarse_noise, estimate_noise, noise_where_removed
from unblur.restore.page import Page
from unblur.restore.tiling import Box

__all__ = ["as_it_looks", "effective_noise", "measure_noise", "rounding"]

# A picture of 8 bits is never known better than its rounding: 1 / 255 / sqrt(12).
_LEAST_NOISE = 1.2e-3
# No kernel is exact: the error that it leaves acts on a solver like noise of this standard
# deviation.
_KERNEL_ERROR = 0.003
# What JPEG leaves out is to a solver like noise whose variance, in levels, is this many times the
# mean step: on 8 training photographs at qualities from 50 to 98 the best noise_std was within a
# fifth of it. What is taken for noise by its looks was less by a factor of up to 20, since flat
# blocks have none left, and cost 1 to 7 dB.
_ROUNDING = 0.9
# In pictures that were something else before: where there is so many times more at the frequencies
# that the kernel removes than noise would leave, something has taken the noise from flat places and
# not from the others. What counts then is so many times what is found there: from which ratio on,
# from which ratio on all of it, how many times. Likewise where noise is not white but smoothed, and
# has more at middle frequencies, which solvers amplify; texture alone reaches a ratio of 1.5.
_HIDDEN, _SMOOTHED = (1.6, 2.4, 3.0), (1.7, 2.3, 1.5)
# The noise is estimated on at most this many pixels a side, from the middle of the page.
_NOISE_SIDE = 1024


def measure_noise(page: Page) -> float:
    """Estimate the noise from the middle of a page, not under the rounding of 8 bits."""
    return max(float(estimate_noise(page.read(_middle(page)))), _LEAST_NOISE)


def _middle(page: Page) -> Box:
    height, width = page.size
    top, left = max(height - _NOISE_SIDE, 0) // 2, max(width - _NOISE_SIDE, 0) // 2
    return Box(top, left, min(top + _NOISE_SIDE, height), min(left + _NOISE_SIDE, width))


def effective_noise(page: Page, blur: Kernel | Field, noise: float, error: float = 0.0) -> float:
    """Give the standard deviation of white noise that would trouble a solver as much as all does.

    That is the noise, what the file left out, and the error of the kernel.

    Args:
        page: what is restored.
        blur: what is undone.
        noise: as `measure_noise` gives it.
        error: what the blur is known to leave unexplained; at least what every kernel does.
    """
    if page.step:
        return as_it_looks(max(noise, rounding(page)), error)
    image = page.read(_middle(page))
    kernels = blur.pixels if isinstance(blur, Kernel) else blur.kernels.flatten(0, 2)
    removed = noise_where_removed(image, kernels.to(page.device)) or 0.0
    coarse = float(estimate_coarse_noise(image))
    found = (_towards(noise, removed, *_HIDDEN), _towards(noise, coarse, *_SMOOTHED))
    return as_it_looks(max(found), error)


def _towards(noise: float, other: float, uneven: float, clearly: float, factor: float) -> float:
    """The noise, or so many times the other where that is clearly more, or between."""
    share = min(max((other / noise - uneven) / (clearly - uneven), 0), 1)
    return noise + share * (factor * other - noise)


def rounding(page: Page) -> float:
    """Give the standard deviation of noise that does as much as what JPEG left out."""
    return math.sqrt(_ROUNDING * page.step / 255)


def as_it_looks(noise: float, error: float = 0.0) -> float:
    """Add the error of the kernel to noise that is what it looks."""
    return math.hypot(noise, max(error, _KERNEL_ERROR))
