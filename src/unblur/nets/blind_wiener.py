"""A Wiener filter that finds its blur by itself: deconvolution in front of a network.

To undo a blur takes filters that reach further than it, which stacks of 3 x 3 convolutions learn
slowly. The inverse of a known blur is known; what has to be learned is which blur there is. A
window's power spectrum shows it: it is that of photographs, much alike for all of them, times that
of the blur, whose zeros are dark lines and rings.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import lru_cache
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, gelu, pad
from torch.special import bessel_j1

__all__ = ["BLURS", "HOP", "LEVELS", "WINDOW", "BlindWiener", "Blur", "inverse_filters", "transfer"]

# Side of the windows that are deconvolved, and how far one lies from the next.
WINDOW, HOP = 128, 64
# Noise to signal is such a number times the square of the frequency in cycles a pixel, since the
# power of photographs falls with that square down to a lowest frequency. The second is that of
# noise of 0.5 %, the third of 1 %, the last of 2 %, in photographs of middling contrast.
LEVELS = (0.004, 0.02, 0.08, 0.35)
_LOWEST = 1 / 128
# Spectra are those of these smaller windows at half their side, and of the windows themselves as
# far as a quarter of a cycle a pixel, where what large blurs leave is.
_SMALL, _QUARTER = 64, WINDOW // 4
_FEATURES = 2 * _SMALL * (_SMALL // 2 + 1) + (2 * _QUARTER + 1) * (_QUARTER + 1)
_HIDDEN = 448
# Filters that are learned, beside those of known blurs.
_LEARNED = 96
# Of powers: noise of 1 % has 0.06 in the small windows.
_FLOOR = 1e-3


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


class BlindWiener(nn.Module):
    """What to add to a picture so that each window is deconvolved of the blur that it seems to have.

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
        return self.blur(self._hidden(self.seen(image))).softmax(-1)[..., -1]

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
        change: Tensor = weights.flatten(-2) @ self.filters + self.share(hidden) @ self.learned
        return change.unflatten(-1, (WINDOW, WINDOW // 2 + 1))

    def _hidden(self, seen: Tensor) -> Tensor:
        hidden = gelu(self.first(seen))
        return hidden + gelu(self.second(hidden))

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
    """Windows less their means, under a Hann window or as they are, under a Hann window."""
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
