"""How wide the edges of a picture are: whether there is a blur for a network to remove."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from unblur.blur.noise_level import estimate_noise

__all__ = ["SHARP", "edge_width"]

# Pixels. Of 235 training photographs as they came, 234 lie below; under a Gaussian of 2 pixels, or
# motion over 8, nineteen of twenty lie above.
SHARP = 1.0

# Deviations of the Gaussians under which edges are compared.
_FINE, _COARSE = 1.0, 2.0
_DIRECTIONS = 6
# Edges are the steepest tenth of the picture, and stand out of the noise.
_STEEPEST, _ABOVE_NOISE, _LEAST_SLOPE = 0.9, 8.0, 0.004
# Of the edges of a direction, a quarter is sharper than what is told: objects have soft ones too.
_SHARPER = 0.75
_FEWEST = 40
_WIDEST = 20.0
_SAMPLES = 200_000


def edge_width(image: Tensor) -> float | None:
    """Measure the blur of the edges of a picture, across the direction in which they are widest.

    A step under a Gaussian blur b has a slope of 1 / sqrt(2 pi (b^2 + s^2)) when it is looked at
    through a Gaussian s. From the slopes at two s, in the ratio q^(1/2), comes
    b^2 = (s2^2 - q s1^2) / (q - 1). Motion leaves edges along it sharp, so that directions are told
    apart.

    Args:
        image: (1, C, H, W) in [0, 1].

    Returns:
        b in pixels, 0 to 20; None where no direction has edges enough.

    Source:
        The ratio of slopes is that of Zhuo & Sim, Defocus map estimation from a single image, 2011,
        taken between two blurs, so that noise counts less.

    Example:
        >>> columns = torch.arange(128.0)
        >>> edge = torch.erf((columns - 64) / (2.0 * 2**0.5)) / 2 + 0.5
        >>> image = edge.expand(1, 1, 128, 128)
        >>> round(edge_width(image), 1)
        2.0
    """
    grey = image.mean(dim=1, keepdim=True)
    noise = float(estimate_noise(image)) / math.sqrt(image.shape[1])
    fine, coarse = (_gradient(grey, scale) for scale in (_FINE, _COARSE))
    slope = coarse.norm(dim=1, keepdim=True)
    # The slope at the fine scale in the direction that the coarse one finds.
    along = (fine * coarse).sum(dim=1, keepdim=True) / slope.clamp(min=1e-6)
    values = slope.flatten()
    steep = float(torch.quantile(values[:: max(1, len(values) // _SAMPLES)], _STEEPEST))
    seen = noise / (math.sqrt(8 * math.pi) * _COARSE**2)
    edges = slope > max(steep, _ABOVE_NOISE * seen, _LEAST_SLOPE)
    edges &= max_pool2d(along, 3, 1, 1) == along
    angle = torch.atan2(coarse[:, 1:], coarse[:, :1]) % math.pi * (_DIRECTIONS / math.pi)
    ratio = along / slope.clamp(min=1e-6)
    found = [ratio[edges & (angle.floor() == part)] for part in range(_DIRECTIONS)]
    return max((_width(each) for each in found if len(each) >= _FEWEST), default=None)


def _width(ratios: Tensor) -> float:
    """The blur that gives this ratio of slopes."""
    square = float(torch.quantile(ratios, _SHARPER)) ** 2
    if square <= 1:
        return _WIDEST
    return min(math.sqrt(max(_COARSE**2 - square * _FINE**2, 0) / (square - 1)), _WIDEST)


def _gradient(grey: Tensor, scale: float) -> Tensor:
    """Derivatives of a Gaussian, across and down: (1, 2, H, W)."""
    radius = math.ceil(3.5 * scale)
    place = torch.arange(-radius, radius + 1, dtype=grey.dtype, device=grey.device)
    smooth = torch.exp(-(place**2) / (2 * scale**2))
    smooth /= smooth.sum()
    change = place / scale**2 * smooth
    framed = pad(grey, (radius,) * 4, mode="replicate")
    planes = [
        conv2d(conv2d(framed, down.reshape(1, 1, -1, 1)), across.reshape(1, 1, 1, -1))
        for down, across in ((smooth, change), (change, smooth))
    ]
    return torch.cat(planes, dim=1)
