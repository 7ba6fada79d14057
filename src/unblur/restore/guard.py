"""How far to trust a network with a picture: it must sharpen edges, or take noise and no more."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

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
# none. From the one on more of the change counts than what is noise, from the other on all of it:
# with edges that are wide, and with edges that are not.
_WIDE_EDGES, _NO_WIDE_EDGES = (0.5, 0.9), (0.8, 1.0)
_FINEST = ((0.5, -0.5), (-0.5, 0.5))


class Trust(NamedTuple):
    """How much of what a network changes counts, and why nothing does where it is 0."""

    share: float
    why: str | None = None


def trust(shown: Tensor, noise: float, run: Callable[[Tensor], Tensor]) -> Trust:
    """Say how far to trust a network with a picture.

    With noise, see `noise_share`; without, edges must get narrower.

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
    blurred = before is not None and before >= SHARP
    if _NOISE[0] <= noise <= _NOISE[1]:
        share = noise_share(shown, noise, run, blurred=blurred)
        if share > 0:
            return Trust(share)
        return Trust(0.0, "what would change is detail and not noise; guard=false insists")
    if before is None or not blurred:
        width = "there are none" if before is None else f"they are {before:.1f} pixels wide"
        why = f"sharp: edges leave the network nothing to do ({width}); guard=false insists"
        return Trust(0.0, why)
    after = edge_width(run(shown))
    if after is None or after > _NARROWER * before:
        why = f"not sharper: edges stay {before:.1f} pixels wide; guard=false insists"
        return Trust(0.0, why)
    return Trust(_SHARE + (1 - _SHARE) * min(noise / _NOISE[0], 1.0))


def noise_share(
    shown: Tensor, noise: float, run: Callable[[Tensor], Tensor], *, blurred: bool = False
) -> float:
    """Say how much of a change brings a noisy picture nearer to the truth, as far as can be told.

    Of y = x + n with white noise n, a change c(y) has E <n, c> = s^2 div c with it, by Stein. So
    y + a c is off by s^2 + 2 a s^2 div c + a^2 |c|^2 a pixel, without knowing x, and least for a =
    -s^2 div c / |c|^2. The divergence is taken along one drawn direction b, with nearly the mean
    over all: <b, c(y + e b) - c(y)> / e.

    That is for pictures that noise is all the harm of. Where a picture is blurred, what sharpens
    it counts as harm. So the more of the noise goes at the finest scale, where a blur has left
    nothing else and sharp pictures have detail, the more of the change counts beyond that. Not
    where what changes there is more than the noise.

    Args:
        shown: y, (1, C, H, W).
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
        >>> noise_share(noisy, 0.01, lambda image: 0.5 * image)
        1.0
        >>> noise_share(noisy, 0.01, lambda image: image - 2.5 * noisy) < 0.5
        True
    """
    direction = torch.randn(shown.shape, generator=torch.Generator().manual_seed(0)).to(shown)
    after = run(shown)
    change = (after - shown) / noise
    follows = (run(shown + _NUDGE * noise * direction) - after) / (_NUDGE * noise)
    taken, energy = _response(direction, follows, change)
    share = min(max(taken / max(energy, 1e-9), 0.0), 1.0)
    if 1 - 2 * share * taken + share**2 * energy > _WORTH:
        share = 0.0
    if min(shown.shape[-2:]) < 2:
        return share
    taken, energy = _response(*(_finest(each) for each in (direction, follows, change)))
    if energy > 2 * taken:
        return share
    some, whole = _WIDE_EDGES if blurred else _NO_WIDE_EDGES
    beyond = (taken - some) / (whole - some)
    return share + (1 - share) * min(max(beyond, 0.0), 1.0)


def _response(direction: Tensor, follows: Tensor, change: Tensor) -> tuple[float, float]:
    """The share of the noise that is taken, and the energy of the change, in variances of it."""
    return 1 - float((direction * follows).mean()), float(change.square().mean())


def _finest(image: Tensor) -> Tensor:
    """(a - b - c + d) / 2 of two by two pixels: white noise keeps its variance."""
    channels = image.shape[1]
    filters = torch.tensor(_FINEST, dtype=image.dtype, device=image.device)
    return conv2d(image, filters.expand(channels, 1, 2, 2), groups=channels)
