"""What the camera adds to light: highlights that clip, noise, and the curve of its response.

Images are (B, C, H, W); parameters are (B, 1, 1, 1), one a picture.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["expand_highlights", "sensor_noise", "to_light", "to_values", "tone", "untone"]


def to_light(values: Tensor) -> Tensor:
    """Linear light of sRGB values in [0, 1] (clipped); IEC 61966-2-1.

    Example:
        >>> to_light(torch.tensor(0.5)).round(decimals=4)
        tensor(0.2140)
    """
    values = values.clamp(0, 1)
    curve = ((values + 0.055) / 1.055).pow_(2.4)
    return torch.where(values <= 0.04045, values / 12.92, curve)


def to_values(light: Tensor) -> Tensor:
    """The sRGB values of light in [0, 1] (clipped); the inverse of `to_light`.

    Example:
        >>> to_values(torch.tensor(0.214)).round(decimals=3)
        tensor(0.5000)
    """
    light = light.clamp(0, 1)
    curve = light.pow(1 / 2.4).mul_(1.055).sub_(0.055)
    return torch.where(light <= 0.0031308, light * 12.92, curve)


def tone(values: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """A camera's tone curve on values in [0, 1], over the curve of sRGB.

    First y (1 + b) / (1 + b y), above the diagonal for brightness b > 0; then an S through 1/2 with
    slope c there and 1 / c at both ends: m / (c - 2 (c - 1) m) for m up to 1/2, and mirrored. With
    b = 0 and c = 1 nothing changes. Every such curve is smooth and rises.

    Source:
        Schlick, "Fast alternatives to Perlin's bias and gain functions", 1994.

    Example:
        >>> tone(torch.tensor([0.0, 0.5, 1.0]), torch.tensor(1.0), torch.tensor(1.0))
        tensor([0.0000, 0.6667, 1.0000])
    """
    return _press(_bend(values, brightness), contrast)


def untone(values: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """The inverse of `tone`, by curves of the same form: slope 1 / c and brightness -b / (1 + b).

    Example:
        >>> untone(torch.tensor(2 / 3), torch.tensor(1.0), torch.tensor(1.0))
        tensor(0.5000)
    """
    return _bend(_press(values.clamp(0, 1), 1 / contrast), 1 / (1 + brightness) - 1)


def _bend(values: Tensor, brightness: Tensor) -> Tensor:
    return values * (1 + brightness) / (1 + brightness * values)


def _press(values: Tensor, contrast: Tensor) -> Tensor:
    part = torch.minimum(values, 1 - values)
    part = part / (contrast - 2 * (contrast - 1) * part)
    return torch.where(values < 0.5, part, 1 - part)


def expand_highlights(light: Tensor, boost: Tensor, threshold: float) -> Tensor:
    """Give back to clipped light what the sensor cut off: a factor that grows from 1 to `boost`.

    The factor is 1 + (boost - 1) s^2, where s goes from 0 to 1 as the brightest channel goes from
    the threshold to white, so colours keep their hue.

    Example:
        >>> light = torch.tensor([0.5, 0.75, 1.0]).reshape(1, 1, 1, 3)
        >>> expand_highlights(light, torch.full((1, 1, 1, 1), 5.0), 0.5).flatten()
        tensor([0.5000, 1.5000, 5.0000])
    """
    excess = (light.amax(1, keepdim=True) - threshold).clamp_(min=0) / (1 - threshold)
    return light * (1 + (boost - 1) * excess.square())


def sensor_noise(light: Tensor, gain: Tensor, read_std: Tensor, seeds: Sequence[int]) -> Tensor:
    """Add shot and read noise: light + sqrt(gain light + read_std^2) n with n ~ N(0, 1).

    The Poisson law of the photons is replaced by the normal one of the same variance: it is ten
    times faster, and they differ only where few photons make white or the read noise covers it.
    Each picture has its own seed, so its noise does not depend on its neighbours.

    Source:
        Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting", 2008.
    """
    noise = torch.empty_like(light)
    for picture, seed in zip(noise, seeds, strict=True):
        generator = torch.Generator(light.device).manual_seed(seed)
        torch.randn(picture.shape, generator=generator, device=light.device, out=picture)
    spread = (gain * light.clamp(min=0) + read_std.square()).sqrt_()
    return light + noise.mul_(spread)
