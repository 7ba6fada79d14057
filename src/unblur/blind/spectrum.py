"""What the spectrum of a blurred picture says about its kernel, without any restoration."""

import torch
from torch import Tensor

from unblur.fourier import gradient, gradient_power, transfer_function

__all__ = ["spectral_agreement"]

_BLOCK, _SMALL_BLOCK = 128, 64
# Frequencies (cycles per pixel) that are compared: below them the block is too short, above them
# all is noise; and the ones that the noise is measured at.
_LOWEST, _HIGHEST, _NOISE = 0.03, 0.4, 0.45
_RINGS = 64


def spectral_agreement(grey: Tensor, kernel: Tensor) -> float:
    """Correlate the dips of a picture's spectrum with those of the kernel's.

    Sharp pictures have a smooth power spectrum, about 1 / |f|^2; what the blurred one has beyond
    that, its stripes and zeros, is the kernel's |K|^2. The power spectrum is averaged over blocks
    (Welch 1967), modelled as c |K|^2 / |f|^2 + noise, and both logarithms are compared after the
    mean of every ring of frequencies is taken off, so that only direction and dips count.

    Args:
        grey: the blurred picture, (H, W).
        kernel: (h, w), odd sides.

    Returns:
        The correlation, -1 to 1; about 0 where the kernel is unrelated, or where the picture is
        too small to say.

    Source:
        Goldstein & Fattal, Blur-Kernel Estimation from Spectral Irregularities, 2012, for the idea.
    """
    shortest = min(grey.shape)
    side = _BLOCK if shortest >= 2 * _BLOCK else _SMALL_BLOCK
    if shortest <= side or max(kernel.shape) > side:
        return 0.0
    size = (side, side)
    window = torch.hann_window(side, dtype=grey.dtype, device=grey.device)
    window = window[:, None] * window
    measured = grey.new_zeros(side, side // 2 + 1)
    for part in gradient(grey):
        blocks = part[:-1, :-1].unfold(0, side, side // 2).unfold(1, side, side // 2)
        measured += torch.fft.rfft2(blocks * window).abs().square().mean((0, 1))
    measured = measured / gradient_power(size, grey).clamp(min=1e-6)
    y, x = torch.fft.fftfreq(side).to(grey), torch.fft.rfftfreq(side).to(grey)
    frequency = torch.hypot(y[:, None], x[None, :])
    noise = measured[frequency > _NOISE].median()
    inside = (frequency > _LOWEST) & (frequency < _HIGHEST)
    ring = (frequency[inside] * _RINGS).long()
    model = transfer_function(kernel, size).abs().square()[inside] / frequency[inside] ** 2
    signal = (measured[inside] - noise).sum().clamp(min=0)
    expected = signal * model / model.sum().clamp(min=1e-12) + noise
    ours, theirs = (_detrended(one, ring) for one in (measured[inside], expected))
    return float((ours * theirs).sum() / (ours.norm() * theirs.norm()).clamp(min=1e-9))


def _detrended(power: Tensor, ring: Tensor) -> Tensor:
    """The logarithm, less its mean over the ring of frequencies."""
    logarithm = power.clamp(min=1e-20).log()
    sums = logarithm.new_zeros(_RINGS).scatter_add_(0, ring, logarithm)
    counts = logarithm.new_zeros(_RINGS).scatter_add_(0, ring, torch.ones_like(logarithm))
    return logarithm - (sums / counts.clamp(min=1))[ring]
