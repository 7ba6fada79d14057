"""How far to trust a network with a picture: it must sharpen edges, or take noise and no more."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from unblur.blur.noise_level import estimate_noise
from unblur.restore.edges import SHARP, edge_width

__all__ = ["Trust", "noise_share", "trust"]

# What edges must become of their width.
_NARROWER = 0.95
# Noise that tells something, up to where texture is taken for noise: of 235 training photographs as
# they came, three lie between by their looks, and one above.
_NOISE = (0.005, 0.03)
# Without noise so much of a change counts, with the least noise above all of it. 24 held-out
# photographs would gain more by all of it, but cameras smooth and sharpen, which the network does
# not know: of eight real defocused pairs two lose 1 dB and show rings by all of it.
_SHARE = 0.5
# How far a picture is moved to see how the network follows, in deviations of the noise.
_NUDGE = 0.1
# What taking noise away must leave of its variance at most: a tenth of a decibel less.
_WORTH = 0.98
# A network that looks for the blur says how likely there is none. Of 24 sharp held-out photographs
# with noise it finds three under 0.6 and none under 0.44; of blurred ones three of four are under
# 0.34.
_SURE, _DOUBT = 0.3, 0.6
# At the finest scale a blurred picture is noise and nothing else, so that all of it is taken.
_SOME, _ALL = 0.5, 0.9
# What changes more than this is the end of a pattern: energies, of what is taken at the finest
# scale, and of the noise altogether where edges are not wide. Stripes lose up to 30 dB by it.
_FINE_MOST, _MOST = 4.0, 60.0
_INSIST = "guard=false (--no-guard) insists"
_FINEST = ((0.5, -0.5), (-0.5, 0.5))


class Trust(NamedTuple):
    """How much of what a network changes counts, and why nothing does where it is 0."""

    share: float
    why: str | None = None


def trust(
    shown: Tensor,
    noise: float,
    run: Callable[[Tensor], Tensor],
    unblurred: float | None = None,
) -> Trust:
    """Say how far to trust a network with a picture.

    With some noise, see `noise_share`; with none, or so much that it may be texture, edges must get
    narrower, whatever the network says: a sharp picture without noise loses 30 dB where it errs.

    Args:
        shown: (1, C, H, W) in [0, 1], a part of the picture.
        noise: its standard deviation, as `estimate_noise` gives it.
        run: what the network does; it is not called where there is nothing to do.
        unblurred: how likely there is no blur, if the network says so, for pictures with noise; if
            not, edges that are wide tell a blur.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> noisy = 0.5 + 0.01 * torch.randn(1, 3, 64, 64, generator=seeded)
        >>> trust(noisy, 0.01, lambda image: 0 * image + 0.5).share > 0.9
        True
    """
    before = edge_width(shown)
    if _NOISE[0] <= noise <= _NOISE[1]:
        restored = run(shown)
        soft = before is None or before >= SHARP
        # Where a picture is so soft that it has no edges, some must appear.
        wide = soft and edge_width(restored) is not None
        blurred = float(wide) if unblurred is None else _rise(unblurred, _DOUBT, _SURE)
        share = noise_share(shown, restored, noise, run, blurred=blurred, wide=wide)
        why = None if share > 0 else f"what would change is detail and not noise; {_INSIST}"
        return Trust(share, why)
    if before is None or before < SHARP:
        if noise > _NOISE[1]:
            return Trust(0.0, f"noise of {noise:.1%}, or texture that looks so; {_INSIST}")
        width = "there are none" if before is None else f"they are {before:.1f} pixels wide"
        why = f"sharp: edges leave the network nothing to do ({width}); {_INSIST}"
        return Trust(0.0, why)
    after = edge_width(run(shown))
    if after is None or after > _NARROWER * before:
        why = f"not sharper: edges stay {before:.1f} pixels wide; {_INSIST}"
        return Trust(0.0, why)
    return Trust(_SHARE + (1 - _SHARE) * min(noise / _NOISE[0], 1.0))


def noise_share(
    shown: Tensor,
    after: Tensor,
    noise: float,
    run: Callable[[Tensor], Tensor],
    *,
    blurred: float = 0.0,
    wide: bool = False,
) -> float:
    """Say how much of a change brings a noisy picture nearer to the truth, as far as can be told.

    Of y = x + n with white noise n, a change c(y) has E <n, c> = s^2 div c with it, by Stein. So
    y + a c is off by s^2 + 2 a s^2 div c + a^2 |c|^2 a pixel, without knowing x, and least for a =
    -s^2 div c / |c|^2. The divergence is taken along one drawn direction b, with nearly the mean
    over all: <b, c(y + e b) - c(y)> / e.

    That is for pictures that noise is all the harm of. Where a picture is blurred, what sharpens
    it counts as harm. So the surer a blur is, and the more of the noise goes at the finest
    scale, where a blur has left nothing else and sharp pictures have detail, the more of the
    change counts beyond that. Not where what changes there is much more than the noise, or all of
    it very much more and edges are not wide.

    Args:
        shown: y, (1, C, H, W).
        after: y + c(y).
        noise: s, its standard deviation.
        run: gives y + c(y).
        blurred: how sure it is that there is a blur, from 0 to 1.
        wide: whether its edges are wide.

    Returns:
        From 0 to 1.

    Source:
        C. Stein, Estimation of the mean of a multivariate normal distribution, 1981; S. Ramani,
        T. Blu, M. Unser, Monte-Carlo SURE, 2008.

    Example:
        >>> noisy = 0.01 * torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
        >>> noise_share(noisy, 0.5 * noisy, 0.01, lambda image: 0.5 * image)
        1.0
        >>> noise_share(noisy, -1.5 * noisy, 0.01, lambda image: image - 2.5 * noisy) < 0.5
        True
    """
    direction = _direction(shown, noise)
    change = (after - shown) / noise
    follows = (run(shown + _NUDGE * noise * direction) - after) / (_NUDGE * noise)
    taken, energy = _response(direction, follows, change)
    share = min(max(taken / max(energy, 1e-9), 0.0), 1.0)
    if 1 - 2 * share * taken + share**2 * energy > _WORTH:
        share = 0.0
    if min(shown.shape[-2:]) < 2:
        return share
    fine_taken, fine_energy = _response(*(_finest(each) for each in (direction, follows, change)))
    if fine_energy > _FINE_MOST * fine_taken or (energy > _MOST and not wide):
        return share
    beyond = blurred * _rise(fine_taken, _SOME, _ALL)
    return share + (1 - share) * beyond


def _rise(value: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on; `end` may lie below."""
    return min(max((value - start) / (end - start), 0.0), 1.0)


def _direction(shown: Tensor, noise: float) -> Tensor:
    """Noise of variance 1, as much of it common to all channels as of that of the picture.

    The mean of C channels has the variance s^2 (1 + (C - 1) r) / C where noise is correlated by r.
    """
    seeded = torch.Generator().manual_seed(0)
    own = torch.randn(shown.shape, generator=seeded).to(shown)
    channels = shown.shape[1]
    if channels == 1:
        return own
    common = torch.randn(shown[:, :1].shape, generator=seeded).to(shown)
    mean = float(estimate_noise(shown.mean(dim=1, keepdim=True)))
    alike = (channels * (mean / noise) ** 2 - 1) / (channels - 1)
    alike = min(max(alike, 0.0), 1.0)
    return math.sqrt(1 - alike) * own + math.sqrt(alike) * common


def _response(direction: Tensor, follows: Tensor, change: Tensor) -> tuple[float, float]:
    """The share of the noise that is taken, and the energy of the change, in variances of it."""
    return 1 - float((direction * follows).mean()), float(change.square().mean())


def _finest(image: Tensor) -> Tensor:
    """(a - b - c + d) / 2 of two by two pixels: white noise keeps its variance."""
    channels = image.shape[1]
    filters = torch.tensor(_FINEST, dtype=image.dtype, device=image.device)
    return conv2d(image, filters.expand(channels, 1, 2, 2), groups=channels)
