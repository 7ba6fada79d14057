"""Inverse filters of common blurs, mixed place by place: deconvolution in front of a network.

To undo a blur takes filters that reach further than it, which stacks of 3 x 3 convolutions learn
slowly. Those of common blurs are known; what has to be learned is which of them a place needs.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad
from torch.special import bessel_j1

__all__ = ["BLOCK", "BLURS", "Bank", "Mixture", "inverse_filter", "transfer"]

# Squares of so many pixels share their weights.
BLOCK = 8
# Noise to signal is this times the square of the frequency in cycles a pixel: noise of 1 % in
# photographs, whose power falls with that square down to a lowest frequency.
_NOISE, _LOWEST = 0.07, 1 / 128
# Sides of the filters, on pixels and on squares of two by two, and the grid they are drawn on.
_FINE, _COARSE, _GRID = 21, 31, 128
# Sides of the windows over which energies are taken, in blocks.
_WINDOWS = (15, 25)
_HIDDEN = 192
# Of the mean squares of responses: far under those of rounding to 8 bits.
_FLOOR = 1e-8

# A kind, its size in pixels, and for motion the direction in eighths of half a turn.
Blur = tuple[str, float, int]


def _motions(*lengths: float) -> list[Blur]:
    return [("motion", length, eighth) for length in lengths for eighth in range(8)]


# Small blurs are undone on pixels; of large ones only low frequencies are left, so that squares of
# two by two pixels are enough.
BLURS: tuple[Sequence[Blur], Sequence[Blur]] = (
    (
        *(("gaussian", size, 0) for size in (0.8, 1.3, 2.0)),
        *(("disk", size, 0) for size in (1.5, 2.5, 4.0)),
        *_motions(5, 9),
    ),
    (
        *(("gaussian", size, 0) for size in (2.0, 3.0, 4.0)),
        *(("disk", size, 0) for size in (4.0, 6.0, 8.0, 10.0)),
        *_motions(9, 14, 20, 28),
    ),
)


def transfer(blur: Blur, down: Tensor, across: Tensor) -> Tensor:
    """What a blur leaves of each frequency; all of these are even, so that it is real.

    exp(-2 pi^2 s^2 f^2) of a Gaussian of deviation s, 2 J1(z) / z with z = 2 pi r f of a disk of
    radius r, sin(z) / z with z = pi l f of motion over a length l, f along it.

    Args:
        blur: ("gaussian", s, 0), ("disk", r, 0) or ("motion", l, eighths of half a turn).
        down: frequencies in cycles a pixel.
        across: likewise.

    Example:
        >>> across = torch.tensor([0.0, 0.125, 0.25], dtype=torch.float64)
        >>> transfer(("motion", 4, 0), torch.zeros(()), across).round(decimals=3).tolist()
        [1.0, 0.637, 0.0]
    """
    kind, size, eighth = blur
    if kind == "motion":
        angle = math.pi * eighth / 8
        return torch.sinc(size * (across * math.cos(angle) + down * math.sin(angle)))
    square = down.square() + across.square()
    if kind == "gaussian":
        return torch.exp(-2 * (math.pi * size) ** 2 * square)
    z = (2 * math.pi * size * square.sqrt()).clamp(min=1e-9)
    found: Tensor = 2 * bessel_j1(z) / z
    return found


def inverse_filter(blur: Blur, side: int, *, scale: int = 1) -> Tensor:
    """What to add to a blurred picture: the best inverse of a blur of this side, less the identity.

    Of all even filters v of side x side taps the one whose v * (h * x + n) lies nearest to x in the
    mean, where the picture x has the power 1 / (f^2 + 1/128^2) and the noise n the power 0.07: the
    solution of the normal equations (P H^2 + N) v = P H, inside the side. The taps of what is
    returned sum to 0, so that brightness is left alone.

    Args:
        blur: as for `transfer`.
        side: of the filter, odd, up to 63.
        scale: pixels of the picture for each tap.

    Returns:
        (side, side) in float64.

    Source:
        N. Wiener, Extrapolation, Interpolation and Smoothing of Stationary Time Series, 1949; with
        finitely many taps, N. Levinson, The Wiener RMS error criterion in filter design and
        prediction, 1946.

    Example:
        >>> found = inverse_filter(("gaussian", 1.0, 0), 9)
        >>> found.shape, float(found.sum().abs().round(decimals=9)), bool(found[4, 4] > 1)
        (torch.Size([9, 9]), 0.0, True)
    """
    frequency = torch.fft.fftfreq(_GRID, d=scale, dtype=torch.float64, device="cpu")
    down, across = frequency[:, None], frequency[None]
    kept = transfer(blur, down, across)
    power = 1 / (down.square() + across.square() + _LOWEST**2)
    both = torch.fft.ifft2(power * kept.square() + _NOISE).real
    towards = torch.fft.ifft2(power * kept).real
    radius = side // 2
    place = torch.arange(-radius, radius + 1, device="cpu")
    # Half of the taps: each stands for the one opposite too.
    rows, columns = (
        each.flatten()[: side * side // 2 + 1]
        for each in torch.meshgrid(place, place, indexing="ij")
    )
    matrix = sum(
        both[(rows[:, None] + sign * rows) % _GRID, (columns[:, None] + sign * columns) % _GRID]
        for sign in (-1, 1)
    )
    aim = towards[rows % _GRID, columns % _GRID, None]
    half = torch.cholesky_solve(aim, torch.linalg.cholesky(matrix))[:, 0]
    # The middle was counted twice.
    half[-1] *= 2
    taps = torch.cat((half, half[:-1].flip(0))).reshape(side, side)
    taps[radius, radius] -= taps.sum()
    return taps


@lru_cache(maxsize=1)
def _filters() -> tuple[Tensor, Tensor]:
    """Of blurs on pixels and on squares of pixels, (K, 1, side, side) each."""
    fine, coarse = BLURS
    return (
        torch.stack([_turned(each, _FINE, 1) for each in fine])[:, None].float(),
        torch.stack([_turned(each, _COARSE, 2) for each in coarse])[:, None].float(),
    )


@lru_cache(maxsize=64)
def _turned(blur: Blur, side: int, scale: int) -> Tensor:
    """The inverse filter, for most directions by turning or mirroring that of another one."""
    kind, size, eighth = blur
    if eighth > 4:
        return _turned((kind, size, 8 - eighth), side, scale).flip(0)
    if eighth > 2:
        return _turned((kind, size, 4 - eighth), side, scale).T
    return inverse_filter(blur, side, scale=scale)


class Bank(nn.Module):
    """The responses of a picture's brightness to the inverse filters of `BLURS`.

    Attributes:
        halo: how far a filter reaches, in pixels.

    Example:
        >>> [tuple(each.shape) for each in Bank()(torch.rand(1, 3, 16, 24))]
        [(1, 22, 16, 24), (1, 39, 8, 12)]
    """

    halo = 2 * (_COARSE // 2) + 1
    fine: Tensor
    coarse: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, filters in zip(("fine", "coarse"), _filters(), strict=True):
            here = filters.to(torch.get_default_device())
            self.register_buffer(name, here, persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Filter pictures (B, C, H, W) with even sides: (B, 22, H, W) and (B, 39, H/2, W/2)."""
        grey = image.float().mean(dim=1, keepdim=True)
        return _filtered(grey, self.fine), _filtered(avg_pool2d(grey, 2), self.coarse)


def _filtered(grey: Tensor, filters: Tensor) -> Tensor:
    return conv2d(pad(grey, (filters.shape[-1] // 2,) * 4, mode="replicate"), filters)


class Mixture(nn.Module):
    """What to add to a picture: responses of the bank, weighed for each block by their energies.

    The energies of all filters around a place tell its power spectrum, and that what blurred it.
    Three layers make weights of their logarithms, over windows of 120 and of 200 pixels. Before
    training the weights are 0. All of it stays in float32 whatever the rest of a network becomes:
    what filters answer to is a thousandth of the brightness.

    Attributes:
        halo: how far a pixel sees, in pixels.

    Example:
        >>> Mixture()(torch.rand(1, 3, 16, 24)).shape
        torch.Size([1, 1, 16, 24])
    """

    halo = Bank.halo + BLOCK * (max(_WINDOWS) // 2 + 2)

    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank()
        count = sum(map(len, BLURS))
        self.choose = nn.Sequential(
            nn.Conv2d(len(_WINDOWS) * count, _HIDDEN, 1),
            nn.GELU(),
            nn.Conv2d(_HIDDEN, _HIDDEN, 1),
            nn.GELU(),
            nn.Conv2d(_HIDDEN, count, 1),
        )
        for parameter in self.choose[-1].parameters():
            nn.init.zeros_(parameter)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(fn(tensor).device)

        applied: Self = super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return applied

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 1, H, W) for pictures (B, C, H, W), sides multiples of 8."""
        fine, coarse = self.bank(image)
        seen = self.energies(fine, coarse)
        weights: Tensor = self.choose(seen)
        on_pixels, on_squares = weights.split((fine.shape[1], coarse.shape[1]), dim=1)
        large = _weighed(coarse, on_squares, BLOCK // 2)
        large = interpolate(large, scale_factor=2.0, mode="bilinear")
        return _weighed(fine, on_pixels, BLOCK).add_(large)

    def energies(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Logarithms of mean squares, (B, 122, H / 8, W / 8): all in the small window, then all."""
        blocks = torch.cat(
            (avg_pool2d(fine.square(), BLOCK), avg_pool2d(coarse.square(), BLOCK // 2)), dim=1
        )
        return (torch.cat([_means(blocks, side) for side in _WINDOWS], dim=1) + _FLOOR).log()


def _means(blocks: Tensor, side: int) -> Tensor:
    """Over windows, as far as they lie in the picture: down, then across."""
    for window in ((side, 1), (1, side)):
        reach = (window[0] // 2, window[1] // 2)
        blocks = avg_pool2d(blocks, window, 1, reach, count_include_pad=False)
    return blocks


def _weighed(responses: Tensor, weights: Tensor, factor: int) -> Tensor:
    larger = interpolate(weights, scale_factor=float(factor), mode="bilinear")
    return (responses * larger).sum(dim=1, keepdim=True)
