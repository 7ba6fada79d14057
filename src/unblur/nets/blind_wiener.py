"""A Wiener filter that finds its blur by itself: deconvolution in front of a network.

To undo a blur takes filters that reach further than it, which stacks of 3 x 3 convolutions learn
slowly. The inverse of a known blur is known; what has to be learned is which blur there is. A
window's power spectrum shows it: it is that of photographs, much alike for all of them, times that
of the blur, whose zeros are dark lines and rings.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, pad

from unblur.nets.inverses import BLURS, LEVELS, WINDOW, inverse_filters

__all__ = ["HOP", "BlindWiener"]

# How far a window lies from the next.
HOP = WINDOW // 2
# Spectra are those of these smaller windows at half their side, and of the windows themselves as
# far as a quarter of a cycle a pixel, where what large blurs leave is.
_SMALL, _QUARTER = 64, WINDOW // 4
_FEATURES = 2 * _SMALL * (_SMALL // 2 + 1) + (2 * _QUARTER + 1) * (_QUARTER + 1)
_HIDDEN = 448
# Filters that are learned, beside those of known blurs.
_LEARNED = 96
# Of powers: noise of 1 % has 0.06 in the small windows.
_FLOOR = 1e-3


class BlindWiener(nn.Module):
    """What to add to a picture so that each window loses the blur that it seems to have.

    Windows of 128 pixels under a Hann window, 64 apart, so that their sum is the picture. Three
    layers read the logarithms of power spectra (Welch's mean of nine smaller windows here, the same
    around here, and low frequencies around here more finely), and give how likely each of `BLURS`
    is, and each of `LEVELS`. The filter is the mean of the Wiener filters, so weighed, and so much
    of each of 96 further ones that are learned: shaken and turned cameras blur in more ways than
    could be listed. All of it is of brightness alone, and stays in float32 whatever the rest of a
    network becomes: what matters is a thousandth of the brightness.

    Fourier transforms are products with matrices of cosines and sines, which costs little at this
    size and exports to any runtime.

    Attributes:
        halo: how far a pixel sees, in pixels.

    Source:
        P. Welch, The use of fast Fourier transform for the estimation of power spectra, 1967; for
        blurs told by the zeros of their spectra, M. Cannon, Blind deconvolution of spatially
        invariant image blurs with phase, 1976.

    Example:
        >>> BlindWiener()(torch.rand(1, 3, 16, 24)).shape
        torch.Size([1, 1, 16, 24])
    """

    halo = WINDOW + HOP
    filters: Tensor
    cosine: Tensor
    sine: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(_FEATURES, _HIDDEN)
        self.second = nn.Linear(_HIDDEN, _HIDDEN)
        self.blur = nn.Linear(_HIDDEN, len(BLURS) + 1)
        self.noise = nn.Linear(_HIDDEN, len(LEVELS))
        self.share = nn.Linear(_HIDDEN, _LEARNED)
        frequencies = WINDOW * (WINDOW // 2 + 1)
        self.learned = nn.Parameter(0.02 * torch.randn(_LEARNED, frequencies))
        for layer, spread in ((self.blur, 0.01), (self.noise, 0.01), (self.share, 0.0)):
            nn.init.normal_(layer.weight, std=spread)
            nn.init.zeros_(layer.bias)
        here = self.first.weight.device
        self.register_buffer("filters", inverse_filters().to(here), persistent=False)
        for name, wave in (("cosine", torch.cos), ("sine", torch.sin)):
            turns = torch.arange(WINDOW, dtype=torch.float64, device="cpu") / WINDOW
            angles = 2 * math.pi * turns[:, None] * torch.arange(WINDOW, device="cpu")
            self.register_buffer(name, wave(angles).float().to(here), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(fn(tensor).device)

        applied: Self = super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return applied

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, 1, H, W) for pictures (B, C, H, W) of any size."""
        # Mixed precision ends here, on devices that know it.
        device = image.device.type
        lowered = torch.amp.is_autocast_available(device)
        with torch.autocast(device, enabled=False) if lowered else nullcontext():
            return self._change(image.float().mean(dim=1))

    def seen(self, image: Tensor) -> Tensor:
        """Logarithms of powers around each window of pictures (B, C, H, W): (B, m, n, 6369)."""
        around = _extended(image.float().mean(dim=1))
        return self._features(around, *self._spectrum(_tapered(_windows(around, WINDOW))))

    def unblurred(self, image: Tensor) -> Tensor:
        """How likely it is for each window that nothing blurred it: (B, m, n)."""
        likely: Tensor = self.blur(self._hidden(self.seen(image))).softmax(-1)
        return likely[..., -1]

    def _change(self, grey: Tensor) -> Tensor:
        height, width = grey.shape[-2:]
        around = _extended(grey)
        real, imaginary = self._spectrum(_tapered(_windows(around, WINDOW)))
        part = self._filter(self._features(around, real, imaginary))
        added = _added(self._picture(real * part, imaginary * part))
        return added[:, None, HOP : HOP + height, HOP : HOP + width]

    def _features(self, around: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
        small = self._spectrum(_tapered(_windows(around, _SMALL), weighted=False))
        welch = _pooled(_power(*small).flatten(3), 2)
        low = [
            torch.cat((each[..., : _QUARTER + 1, :], each[..., -_QUARTER:, :]), dim=-2)
            for each in (real[..., : _QUARTER + 1], imaginary[..., : _QUARTER + 1])
        ]
        parts = (welch, _pooled(welch, 1), _pooled(_power(*low).flatten(3), 1))
        return (torch.cat(parts, dim=-1) + _FLOOR).log()

    def _filter(self, seen: Tensor) -> Tensor:
        """The change of each window's spectrum, (..., 128, 65), for features (..., 6369)."""
        hidden = self._hidden(seen)
        blurs, levels = self.blur(hidden).softmax(-1), self.noise(hidden).softmax(-1)
        weights = levels[..., :, None] * blurs[..., None, :]
        known: Tensor = weights.flatten(-2) @ self.filters
        change: Tensor = known + self.share(hidden) @ self.learned
        return torch.unflatten(change, -1, (WINDOW, WINDOW // 2 + 1))

    def _hidden(self, seen: Tensor) -> Tensor:
        hidden: Tensor = gelu(self.first(seen))
        deeper: Tensor = hidden + gelu(self.second(hidden))
        return deeper

    def _waves(self, side: int) -> tuple[Tensor, Tensor]:
        step = WINDOW // side
        return self.cosine[::step, :side], self.sine[::step, :side]

    def _spectrum(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of `torch.fft.rfft2`."""
        side = windows.shape[-1]
        cosine, sine = self._waves(side)
        half = side // 2 + 1
        even, odd = windows @ cosine[:, :half], windows @ sine[:, :half]
        return cosine @ even - sine @ odd, -(cosine @ odd) - sine @ even

    def _picture(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """What `torch.fft.irfft2` gives."""
        cosine, sine = self._waves(WINDOW)
        half = WINDOW // 2 + 1
        # Each frequency stands for its negative too, but for the first and the last.
        twice = torch.full((half, 1), 2.0, device=real.device)
        twice = pad(twice[1:-1], (0, 0, 1, 1), value=1.0) / WINDOW**2
        even, odd = cosine @ real - sine @ imaginary, cosine @ imaginary + sine @ real
        return even @ (twice * cosine[:half]) - odd @ (twice * sine[:half])


def _extended(grey: Tensor) -> Tensor:
    """Reflect (B, H, W) by 64 pixels before, and behind up to a multiple of 64 and by 64 again."""
    for axis in (1, 2):
        length = grey.shape[axis]
        behind = (length + HOP - 1) // HOP * HOP + HOP
        place = torch.arange(-HOP, behind, device=grey.device).abs()
        # The last pixel comes twice, so that even one has a period; a tensor, for exporters.
        period = torch.full_like(place, 2 * length - 1)
        place = place % period
        grey = grey.index_select(axis, torch.minimum(place, period - place))
    return grey


def _windows(grey: Tensor, side: int) -> Tensor:
    """Windows of a picture (B, H, W) at half their side: (B, m, n, side, side)."""
    blocks = grey.unflatten(2, (-1, side // 2)).unflatten(1, (-1, side // 2))
    rows = torch.cat((blocks[:, :-1], blocks[:, 1:]), dim=2)
    return torch.cat((rows[..., :-1, :], rows[..., 1:, :]), dim=4).transpose(2, 3)


def _added(windows: Tensor) -> Tensor:
    """The sum of windows where they lie: the picture of `_windows`."""
    half = windows.shape[-1] // 2
    rows = pad(windows[..., :half], (0, 0, 0, 0, 0, 1)) + pad(
        windows[..., half:], (0, 0, 0, 0, 1, 0)
    )
    blocks = pad(rows[..., :half, :], (0, 0, 0, 0, 0, 0, 0, 1)) + pad(
        rows[..., half:, :], (0, 0, 0, 0, 0, 0, 1, 0)
    )
    return blocks.transpose(2, 3).flatten(3).flatten(1, 2)


def _tapered(windows: Tensor, *, weighted: bool = True) -> Tensor:
    """Windows under a Hann window, less their means, which are those under that window or plain.

    What the shipped weights have learned from depends on which.
    """
    wave = torch.hann_window(windows.shape[-1], device=windows.device)
    weights = wave[:, None] * wave
    share = weights / weights.sum() if weighted else torch.full_like(weights, 1 / weights.numel())
    return (windows - (windows * share).sum((-2, -1), keepdim=True)) * weights


def _power(real: Tensor, imaginary: Tensor) -> Tensor:
    return real.square() + imaginary.square()


def _pooled(features: Tensor, stride: int) -> Tensor:
    """Means over three by three windows of features (B, m, n, F), as far as there are any."""
    moved = features.permute(0, 3, 1, 2)
    border = 1 if stride == 1 else 0
    return avg_pool2d(moved, 3, stride, border, count_include_pad=False).permute(0, 2, 3, 1)
