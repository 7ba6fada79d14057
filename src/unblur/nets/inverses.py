"""Wiener filters of common blurs and levels of noise, as spectra of windows."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.special import bessel_j1

__all__ = ["BLURS", "LEVELS", "WINDOW", "Blur", "inverse_filters", "transfer"]

# Side of the windows that are filtered.
WINDOW = 128
# Noise to signal is such a number times the square of the frequency in cycles a pixel, since the
# power of photographs falls with that square down to a lowest frequency. The second is that of
# noise of 0.5 %, the third of 1 %, the last of 2 %, in photographs of middling contrast.
LEVELS = (0.004, 0.02, 0.08, 0.35)
_LOWEST = 1 / 128


class Blur(NamedTuple):
    """A blur whose transform is real.

    Attributes:
        kind: "gaussian", "disk" or "motion".
        size: standard deviation along the longer axis, radius, or length, in pixels.
        angle: of that axis or of the motion, in half turns from the rows.
        ratio: of a Gaussian's shorter axis to the longer one.
    """

    kind: str
    size: float
    angle: float = 0.0
    ratio: float = 1.0


def _blurs() -> Iterator[Blur]:
    for size in (0.6, 0.8, 1.0, 1.25, 1.5, 1.8, 2.2, 2.6, 3.0, 3.5, 4.0):
        yield Blur("gaussian", size)
    for size in (1.0, 1.6, 2.4, 3.4):
        yield from (Blur("gaussian", size, turn / 8, 0.45) for turn in range(8))
    for size in (1.0, 1.4, 1.8, 2.2, 2.7, 3.2, 3.8, 4.4, 5.0, 5.7, 6.4, 7.2, 8.0, 9.0, 10.0):
        yield Blur("disk", size)
    for size in (3.0, 4.0, 5.0, 6.0, 7.2, 8.6, 10.4, 12.5, 15.0, 18.0, 21.5, 25.5, 30.0):
        # The longer a motion, the narrower the angle in which another one is nearly the same.
        count = max(8, 2 * round(0.55 * size))
        yield from (Blur("motion", size, turn / count) for turn in range(count))


BLURS: tuple[Blur, ...] = tuple(_blurs())


def transfer(blur: Blur, down: Tensor, across: Tensor) -> Tensor:
    """What a blur leaves of each frequency; all of these are even, so that it is real.

    exp(-2 pi^2 s^2 (u^2 + q^2 v^2)) of a Gaussian of deviation s and ratio q, 2 J1(z) / z with
    z = 2 pi r f of a disk of radius r, sin(z) / z with z = pi l u of motion over a length l; u is
    the frequency along the angle, v across it.

    Args:
        blur: one of these.
        down: frequencies in cycles a pixel.
        across: likewise.

    Example:
        >>> across = torch.tensor([0.0, 0.125, 0.25], dtype=torch.float64)
        >>> transfer(Blur("motion", 4), torch.zeros(()), across).round(decimals=3).tolist()
        [1.0, 0.637, 0.0]
    """
    cosine, sine = math.cos(math.pi * blur.angle), math.sin(math.pi * blur.angle)
    along = across * cosine + down * sine
    if blur.kind == "motion":
        return torch.sinc(blur.size * along)
    if blur.kind == "gaussian":
        beside = blur.ratio * (down * cosine - across * sine)
        return torch.exp(-2 * (math.pi * blur.size) ** 2 * (along.square() + beside.square()))
    z = (2 * math.pi * blur.size * (down.square() + across.square()).sqrt()).clamp(min=1e-9)
    found: Tensor = 2 * bessel_j1(z) / z
    return found


@lru_cache(maxsize=1)
def inverse_filters() -> Tensor:
    """What to add to the spectrum of a window, as a part of it: Wiener's inverses, less 1.

    H / (H^2 + level (f^2 + 1/128^2)) - 1 for each level of noise, and for each of `BLURS` and for
    no blur in it.

    Returns:
        (4 * 255, 128 * 65): a row for each filter, frequencies as `torch.fft.rfft2` has them.

    Source:
        N. Wiener, Extrapolation, Interpolation and Smoothing of Stationary Time Series, 1949.

    Example:
        >>> filters = inverse_filters()
        >>> filters.shape, bool(filters[:, 0].abs().max() < 0.01)
        (torch.Size([1020, 8320]), True)
    """
    down = torch.fft.fftfreq(WINDOW, dtype=torch.float64, device="cpu")[:, None]
    across = torch.fft.rfftfreq(WINDOW, dtype=torch.float64, device="cpu")[None]
    noise = down.square() + across.square() + _LOWEST**2
    kept = torch.stack([*(transfer(each, down, across) for each in BLURS), torch.ones_like(noise)])
    found = [kept / (kept.square() + level * noise) - 1 for level in LEVELS]
    return torch.cat(found).flatten(1).float()
