"""Whether there is a blur to remove, and how far to trust the one that was found."""

import math

from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblur.blind.estimate import Estimate

__all__ = ["already_sharp", "confidence", "nothing_to_see"]

# Means over 4 x 4 pixels keep a quarter of the noise; structure adds to it.
_NOISY = 1.5
# The kernel that is found for a sharp picture is nearly one pixel: its peak holds 0.40 to 0.79 of the mass on
# photographs as they come from a camera, and at most 0.36 on ones that a Gaussian of 0.7 pixels has blurred.
_SHARP_PEAK = 0.40
_LEAST_SIDE = 16


def nothing_to_see(image: Tensor, noise_std: float) -> str | None:
    """Say why no blur can be found in a picture, or None where one might be.

    Args:
        image: (1, C, H, W).
        noise_std: of its noise.
    """
    grey = image.mean(dim=(0, 1), keepdim=True)
    if min(grey.shape[-2:]) < _LEAST_SIDE:
        return f"too small: no blur can be found in fewer than {_LEAST_SIDE} pixels a side"
    structure = float(avg_pool2d(grey, 4).std())
    if structure < max(_NOISY * noise_std / 4, 1e-4):
        return "noise: there is nothing in the picture but noise"
    return None


def already_sharp(found: Estimate) -> str | None:
    """Say that there is no blur to remove, or None where there is one."""
    peak = float(found.kernel.max())
    if peak >= _SHARP_PEAK:
        return f"sharp: the blur that was found is a single pixel ({peak:.0%} of its mass)"
    return None


def confidence(found: Estimate) -> float:
    """From 0 to 1: how likely the kernel is right, from how well it explains the picture.

    A kernel that explains the picture leaves a residual of the noise's size, about 1; one that does not leaves
    more, because what the picture has at frequencies that the kernel removes fits nothing.
    """
    return 1 / (1 + math.exp(8 * (found.score.residual - 1.25)))
