"""Whether a pair can tell anything about a lens; each refusal says why, and what to do."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblur.errors import InputError
from unblur.lens.estimate import Estimate, rim_share
from unblur.lens.planes import Plane, noise_of
from unblur.lens.register import Registration
from unblur.lens.warp import resample

__all__ = [
    "TRUSTED",
    "check_blur",
    "check_planes",
    "check_registration",
    "check_result",
    "check_texture",
    "check_tone",
    "reaches_rim",
]

TRUSTED = 0.5
"""From this confidence on a cell counts as seen."""

_ALIKE = 0.5
# What blocks may lie beside a smooth warp, in pixels, and in parts of the frame's longer side; and
# a strong blur hides movements within the finest detail that it leaves.
_SPREAD, _SPREAD_SHARE = 2.0, 1e-3
_KNOWN = 0.3
# Tones: so many squares along the shorter side, within these brightnesses (darker ones hold stray
# light), at least so many, that vary so much and agree so well.
_SQUARES, _FEWEST_SQUARES = 24, 40
_DARK, _BRIGHT = 0.02, 0.8
_LEAST_RANGE, _AGREED = 0.2, 0.95
_MOST_POWER = 1.2
_SEEN = 0.15
_RIM = 0.03
# Blocks of so many means of 4 x 4 pixels a side; texture has so many times the power of noise, of
# which a picture of 8 bits has at least its rounding.
_BLOCK, _TEXTURE, _ROUNDING = 8, 2.0, 1.2e-3
# A Gaussian blur with a standard deviation of 0.5 pixels leaves 0.7 of fine detail.
_UNBLURRED = 0.95


def check_texture(sharp: Tensor, blurred: Tensor) -> None:
    """Refuse planes (H, W) of which the sharp one is smooth nearly everywhere.

    Second differences of means of 4 x 4 pixels see texture, and neither noise nor shading.

    Raises:
        InputError: The verdict.
    """
    means = avg_pool2d(sharp[None, None], 4)
    if min(means.shape[-2:]) < _BLOCK + 2:
        return
    bends = [
        means.diff(n=2, dim=dim)[..., : means.shape[2] - 2, : means.shape[3] - 2] for dim in (2, 3)
    ]
    power = avg_pool2d(bends[0].square() + bends[1].square(), _BLOCK)
    # Each of both has (1 + 4 + 1) / 16 of the noise's power.
    # The finest texture looks like noise, but not when it is blurred.
    noise = 12 / 16 * max(min(noise_of(sharp), noise_of(blurred)), _ROUNDING) ** 2
    _check_seen(float((power > _TEXTURE * noise).float().mean()))


def check_blur(plane: Plane, noise_std: float) -> None:
    """Refuse a pair whose blurred picture has as much fine detail as the sharp one.

    Compared is the energy of gradients over that of the detail, without noise; no gain changes it.

    Args:
        plane: of the pair.
        noise_std: of the blurred picture.

    Raises:
        InputError: The verdict.
    """
    left = _fineness(plane.blurred, plane.known, noise_std)
    # The finest texture of the sharp picture looks like noise.
    noise = min(plane.noise_std, noise_std)
    left /= max(_fineness(plane.sharp, plane.known, noise), 1e-12)
    if left > _UNBLURRED:
        raise InputError(
            "blurred shows no blur: it has as much fine detail as sharp, or more "
            f"({left:.2f} times); are the files swapped, or is one picture given twice?"
        )


def _fineness(detail: Tensor, known: Tensor, noise_std: float) -> float:
    down, across = torch.gradient(detail)
    noise = noise_std**2
    slopes = (known * (down.square() + across.square() - noise)).sum()
    return float(slopes / (known * (detail.square() - noise)).sum().clamp(min=1e-12))


def check_registration(found: Registration) -> None:
    """Refuse pictures of different scenes, and scenes with depth seen from two places.

    Raises:
        InputError: The verdict.
    """
    if found.alike < _ALIKE:
        raise InputError(
            "blurred and sharp do not show the same scene: their detail agrees to "
            f"{found.alike:.2f}, and {_ALIKE:g} is the least; take both from one place, at once"
        )
    limit = max(_SPREAD, _SPREAD_SHARE * max(found.warp.size), found.grain)
    if found.spread > limit:
        raise InputError(
            f"too much parallax: parts of the scene moved by up to {found.spread:.1f} pixels "
            "against each other; use a tripod, or a flat target"
        )


def check_tone(sharp: Tensor, blurred: Tensor, found: Registration) -> None:
    """Refuse pictures whose brightness follows two curves: in linear light one is a multiple.

    Means over squares much larger than the blur are compared as logarithms; an exposure moves them,
    a curve stretches them.

    Args:
        sharp: (H, W), brightness in linear light.
        blurred: likewise.
        found: how they lie.

    Raises:
        InputError: The verdict.
    """
    step = max(min(blurred.shape) // _SQUARES, 1)
    means = [avg_pool2d(plane[None, None], step)[0, 0] for plane in (sharp, blurred)]
    moved = resample(means[0], found.warp.scaled((means[1].shape[0], means[1].shape[1])))
    pair = torch.stack([moved.flatten(), means[1].flatten()])
    pair = pair[:, (pair > _DARK).all(0) & (pair < _BRIGHT).all(0)]
    if pair.shape[1] < _FEWEST_SQUARES:
        return
    logs = pair.log()
    spread = logs.std(1)
    agreed = float(torch.corrcoef(logs)[0, 1])
    if float(spread[0]) < _LEAST_RANGE or agreed < _AGREED:
        return
    power = float(spread[1] / spread[0])
    if not 1 / _MOST_POWER < power < _MOST_POWER:
        raise InputError(
            "the tone curves of sharp and blurred differ: in linear light, blurred is sharp to the "
            f"power of {power:.2f}; develop both alike, without automatic contrast, or say what "
            "the files hold (--encoding)"
        )


def check_planes(planes: Sequence[Plane]) -> None:
    """Refuse pictures of which hardly anything can be used, or shows any detail.

    Raises:
        InputError: The verdict.
    """
    share = sum(float(plane.known.mean()) for plane in planes) / len(planes)
    if share < _KNOWN:
        raise InputError(
            f"only {100 * share:.0f} % of the frame can be used: the rest is saturated, or outside "
            "the sharp picture; expose for the highlights, and keep both framed alike"
        )


def reaches_rim(found: Estimate) -> bool:
    """Whether kernels that can be trusted end only where their square does."""
    sure = found.confidence >= TRUSTED
    if not bool(sure.any()):
        return False
    return float(rim_share(found.kernels)[sure].median()) > _RIM


def _check_seen(share: float) -> None:
    if share < _SEEN:
        raise InputError(
            f"too little texture: only {100 * share:.0f} % of the frame shows what a kernel could "
            "be found from; use a target with detail in all directions all over the frame "
            "(`unblur chart`), or more light"
        )


def check_result(estimates: Sequence[Estimate]) -> None:
    """Refuse kernels that nothing was seen of, or that are cut off.

    Raises:
        InputError: The verdict.
    """
    confidence = torch.stack([each.confidence for each in estimates]).mean(0)
    seen = float((confidence >= TRUSTED).float().mean())
    _check_seen(seen)
    if any(reaches_rim(each) for each in estimates):
        side = estimates[0].kernels.shape[-1]
        raise InputError(
            f"the blur is larger than kernels of {side} pixels: give a larger kernel_size, or "
            "pictures at a lower resolution"
        )
