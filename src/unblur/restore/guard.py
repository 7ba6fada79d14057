"""Whether to trust a network with a picture: it must sharpen edges, or take noise and no more."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from unblur.restore.edges import SHARP, edge_width

__all__ = ["only_noise", "share_of", "why_not"]

# What edges must become of their width.
_NARROWER = 0.95
# Noise that is worth taking away, up to where texture is taken for noise: of 235 training
# photographs as they came, three lie between by their looks, and one above.
_NOISE = (0.005, 0.03)
# Without noise so much of a change counts, with the least noise above all of it: the network was
# mostly trained with noise. Eight real defocused pictures without it lose 0.43 dB in the mean by
# the whole change and 0.09 by half, the worst 2.4 and 0.8; three moving ones gain 0.13 and 0.12.
_SHARE = 0.5
# Energy at the finest scale that may be taken, in a tenth of the blocks, and added, in the mean; in
# variances of the noise. Set on 36 training photographs, the twelve of the finest texture among
# them: what exceeds it lost up to 19 dB, and of the others the worst 2.4.
_TAKEN, _ADDED = 5.0, 4.0
_BLOCK = 32
_FINEST = ((0.5, -0.5), (-0.5, 0.5))


def why_not(shown: Tensor, noise: float, run: Callable[[Tensor], Tensor]) -> str | None:
    """Say why a picture should stay as it is; None where the network does it good.

    Args:
        shown: (1, 3, H, W) in [0, 1], a part of the picture.
        noise: its standard deviation, as `estimate_noise` gives it.
        run: what the network does; it is not called where there is nothing to do.
    """
    before = edge_width(shown)
    blurred = before is not None and before >= SHARP
    noisy = _NOISE[0] <= noise <= _NOISE[1]
    restored = run(shown) if blurred or noisy else shown
    if blurred:
        after = edge_width(restored)
        if after is not None and before is not None and after <= _NARROWER * before:
            return None
    if noisy and only_noise(shown, restored, noise):
        return None
    if blurred:
        return f"not sharper: edges stay {before:.1f} pixels wide; guard=false insists"
    width = "there are none" if before is None else f"they are {before:.1f} pixels wide"
    return f"sharp: edges leave the network nothing to do ({width}); guard=false insists"


def share_of(noise: float) -> float:
    """How much of what the network changes counts, in a picture with that noise.

    Example:
        >>> share_of(0.0), share_of(0.01)
        (0.5, 1.0)
    """
    return _SHARE + (1 - _SHARE) * min(noise / _NOISE[0], 1.0)


def only_noise(before: Tensor, after: Tensor, noise: float) -> bool:
    """Whether what went at the finest scale is no more than noise: texture would be more.

    At each pixel the energy of (a - b - c + d) / 2 of two by two pixels has the variance of white
    noise, in a sharp picture with texture on top.

    Args:
        before: (1, C, H, W).
        after: of the same shape.
        noise: its standard deviation.

    Example:
        >>> seeded = torch.Generator().manual_seed(0)
        >>> noise = 0.01 * torch.randn(1, 3, 64, 64, generator=seeded)
        >>> texture = 0.05 * torch.randn(1, 3, 64, 64, generator=seeded)
        >>> only_noise(texture + noise, texture, 0.01), only_noise(texture + noise, 0 * noise, 0.01)
        (True, False)
    """
    if min(before.shape[-2:]) <= _BLOCK:
        return False
    taken = (_energy(before) - _energy(after)) / noise**2
    most = torch.quantile(avg_pool2d(taken, _BLOCK).flatten(), 0.9)
    return bool(most <= _TAKEN) and bool(taken.mean() >= -_ADDED)


def _energy(image: Tensor) -> Tensor:
    channels = image.shape[1]
    filters = torch.tensor(_FINEST, dtype=image.dtype, device=image.device)
    found = conv2d(image, filters.expand(channels, 1, 2, 2), groups=channels)
    return found.square().mean(dim=1, keepdim=True)
