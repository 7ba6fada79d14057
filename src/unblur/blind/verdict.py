"""Whether there is a blur to remove, and how far to trust the one that was found."""

import math

from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblur.blind.estimate import Estimate
from unblur.blind.projection import project

__all__ = ["confidence", "doubtful", "nothing_to_remove", "nothing_to_see"]

# Means over 4 x 4 pixels keep a quarter of the noise; structure adds to it.
_NOISY = 1.5
# The kernel that is found for a sharp picture is nearly one pixel. On 116 of 119 training pictures
# as they came its peak holds 0.20 to 1.0 of the mass; under a Gaussian of 1 pixel 0.11 to 0.17,
# under motion over 6 pixels 0.12 to 0.16. Between lie blurs that the eye hardly sees, and estimates
# that have stuck near the trivial kernel: neither gains much.
_SHARP_PEAK = 0.19
# A kernel that leaves this many times the noise explains nothing.
_UNEXPLAINED = 1.6
# What makes this much more texture must have the blurred picture's spectrum on its side: over 60
# shaken training photographs the ratio of the two (`excess` over `agreement`) was up to 2.5 where
# the kernel was right, and for sharp ones that a kernel was found for 2.7 to 25. The spectrum of
# smooth blurs says little, but they make little texture.
_TEXTURE, _RINGING = 2.0, 3.3
_LEAST_AGREEMENT = 0.05
_LEAST_SIDE = 16
# What a right kernel leaves of a real photograph without noise: no blur is quite uniform.
_MODEL_ERROR = 0.002
# Spectra that agree better than this speak for the kernel: all 8 training blurs were right there,
# and of 86 others all 39 gained 0.9 dB or more, though six lost over 3 to the true kernel.
_SPOKEN_FOR = 0.65
# Below this the picture stays as it is. Of 200 synthetic blurs 11 were under 0.2, and one of them
# within 3 dB of the true kernel; real captures without noise come down to 0.04 with kernels that
# are right.
_DOUBTFUL = 0.04
_INSIST = "a kernel size insists (--kernel-size 25)"
# Of one plane, in the pictures that the confidence was fitted to.
_LEAST_NOISE, _MOST_NOISE = 0.0017, 0.012


def nothing_to_see(image: Tensor, noise_std: float) -> str | None:
    """Say why no blur can be found in a picture, or None where one might be.

    Args:
        image: (1, C, H, W).
        noise_std: of the noise of one channel.
    """
    grey = project(image)[0][None, None]
    if min(grey.shape[-2:]) < _LEAST_SIDE:
        return f"too small: no blur can be found in fewer than {_LEAST_SIDE} pixels a side"
    structure = float(avg_pool2d(grey, 4).std())
    if structure < max(_NOISY * noise_std / 4, 1e-4):
        return "noise: there is nothing in the picture but noise"
    return None


def nothing_to_remove(found: Estimate) -> str | None:
    """Say why the kernel that was found should not be undone, or None where it should."""
    peak = float(found.judged.max())
    if peak >= _SHARP_PEAK:
        return (
            "sharp, or blurred in a way that was not found: the kernel is hardly more than a pixel "
            f"({peak:.0%} in one); {_INSIST}"
        )
    trusted = max(found.score.agreement, _LEAST_AGREEMENT)
    if found.score.excess > max(_TEXTURE, _RINGING * trusted):
        return (
            "sharp, or blurred in a way that was not found: the result would show lines and grain "
            f"that are not in the picture ({found.score.excess:.1f} times its fine detail); "
            f"{_INSIST}"
        )
    left = _left(found)
    if left > _UNEXPLAINED:
        return (
            "unexplained: no single blur fits the picture, parts of which may have moved or lie at "
            f"other distances (the best one leaves {left:.1f} times what noise and a blur that is "
            f"not quite uniform would); {_INSIST}"
        )
    return None


def confidence(found: Estimate) -> float:
    """From 0 to 1: how likely the kernel is right enough, within 3 dB of what the true one gives.

    A logistic regression on what 115 seeded blurs of training photographs showed (shakes, motion,
    disks, Gaussians; noise of 0.3 to 2 %). Wrong kernels are found by one candidate and not by the
    others, and are a peak with crumbs around it: log (peak x e^entropy) is 0 for a flat kernel and
    grows as the peak stands out. Under noise the true kernel restores less, and the others come
    nearer to it. What the kernel leaves of the picture tells little, but where it leaves much more
    than the noise it is not right. A bright spot with a long faint path is right where the blurred
    picture's spectrum shows the same dips: that term was added later, and the rest not fitted anew.
    """
    kernel = found.judged[found.judged > 0]
    peaked = math.log(float(kernel.max())) - float((kernel * kernel.log()).sum())
    noise = math.log(min(max(found.score.noise_std, _LEAST_NOISE), _MOST_NOISE))
    evidence = 8.0 * found.consensus - 8.0 * peaked + 0.9 * noise + 5.7
    evidence -= 8.0 * max(_left(found) - 1.0, 0.0)
    evidence += 5.0 * max(found.score.agreement - _SPOKEN_FOR, 0.0)
    return 1 / (1 + math.exp(-max(min(evidence, 50.0), -50.0)))


def doubtful(found: Estimate, trust: float) -> bool:
    """Whether a kernel of so much confidence had better not be used: not even its spectrum fits."""
    return trust < _DOUBTFUL and found.score.agreement <= _SPOKEN_FOR


def _left(found: Estimate) -> float:
    """The residual in units of the noise and the model's own error."""
    noise = found.score.noise_std
    return found.score.residual * noise / math.hypot(noise, _MODEL_ERROR)
