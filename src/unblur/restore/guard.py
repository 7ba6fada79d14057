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
# Without noise so much of a change counts, with the least noise above all of it: the network was
# mostly trained with noise. Eight real defocused pairs without it lose 0.43 dB in the mean by
# the whole change and 0.09 by half, the worst 2.4 and 0.8; three moving ones gain 0.13 and 0.12.
_SHARE = 0.5
# How far a picture is moved to see how the network follows, in deviations of the noise.
_NUDGE = 0.1
# What taking noise away must leave of its variance at most: a tenth of a decibel less.
_WORTH = 0.98
# At the finest scale a blurred picture is noise and nothing else. The network takes half of it in
# 167 of 168 blurred training photographs and in 17 of 24 sharp ones, nine tenths in 110 and in
# none. From the one on more of the change counts than what is noise, from the other on all of it,
# unless the energy of the change there is so many times what is taken: with edges that are wide,
# and with edges that are not.
_WIDE_EDGES, _NO_WIDE_EDGES = (0.5, 0.9, 4.0), (0.8, 1.0, 2.0)
# Without wide edges a change of more energy, in variances of the noise, is more likely the end of
# a fine pattern than what sharpens: stripes lose up to 24 dB by it.
_MOST = 4.0
_INSIST = "guard=false (--no-guard) insists"
_FINEST = ((0.5, -0.5), (-0.5, 0.5))


class Trust(NamedTuple):
    """How much of what a network changes counts, and why nothing does where it is 0."""

    share: float
    why: str | None = None


def trust(shown: Tensor, noise: float, run: Callable[[Tensor], Tensor]) -> Trust:
    """Say how far to trust a network with a picture.

    With some noise, see `noise_share`; with none, or so much that it may be texture, edges must get
    narrower.

    Args:
        shown: (1, C, H, W) in [0, 1], a part of the picture.
        noise: its standard deviation, as `estimate_noise` gives it.
        run: what the network does; it is not called where there is nothing to do.

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
        blurred = soft and edge_width(restored) is not None
        share = noise_share(shown, restored, noise, run, blurred=blurred)
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
    blurred: bool = False,
) -> float:
    """Say how much of a change brings a noisy picture nearer to the truth, as far as can be told.

    Of y = x + n with white noise n, a change c(y) has E <n, c> = s^2 div c with it, by Stein. So
    y + a c is off by s^2 + 2 a s^2 div c + a^2 |c|^2 a pixel, without knowing x, and least for a =
    -s^2 div c / |c|^2. The divergence is taken along one drawn direction b, with nearly the mean
    over all: <b, c(y + e b) - c(y)> / e.

    That is for pictures that noise is all the harm of. Where a picture is blurred, what sharpens
    it counts as harm. So the more of the noise goes at the finest scale, where a blur has left
    nothing else and sharp pictures have detail, the more of the change counts beyond that. Not
    where what changes there is more than the noise, or all of it much more and edges are not wide.

    Args:
        shown: y, (1, C, H, W).
        after: y + c(y).
        noise: s, its standard deviation.
        run: gives y + c(y).
        blurred: whether its edges are wide.

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
    some, whole, most = _WIDE_EDGES if blurred else _NO_WIDE_EDGES
    if fine_energy > most * fine_taken or (energy > _MOST and not blurred):
        return share
    beyond = (fine_taken - some) / (whole - some)
    return share + (1 - share) * min(max(beyond, 0.0), 1.0)


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
