"""Between display-encoded values and linear light."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch

from unblur.errors import InputError
from unblur.photo.icc import NODES, Curve, tone_curves
from unblur.photo.quantise import slabs

__all__ = ["LINEAR", "SRGB", "Transfer"]

_INVERSE_NODES = 1 << 17


@dataclass(frozen=True, eq=False)
class Transfer:
    """A transfer function, one curve per channel.

    "sRGB" is the formula of IEC 61966-2-1, "linear" the identity; a profile's curves are tables of
    65536 nodes with linear interpolation. Values outside [0, 1] are allowed: negative ones are
    mirrored, ones above 1 follow the formula, or the last slope of a table.

    Attributes:
        name: "sRGB", "linear" or "ICC".
        forward: (C, 65536) linear value at each encoded value, or None for a formula.
        inverse: (C, n) encoded value at each fourth root of a linear value. The fourth root
            spreads the dark end, where curves are steepest, so that a plain table is exact to far
            less than one level of 16 bits. None for formulas, and for curves so uneven that this
            does not hold; they are searched, which is exact and some ten times slower.
    """

    name: str
    forward: torch.Tensor | None = field(default=None, repr=False)
    inverse: torch.Tensor | None = field(default=None, repr=False)
    slopes: tuple[float, ...] = field(default=(), repr=False)

    def to_linear(self, x: torch.Tensor) -> torch.Tensor:
        """Turn display-encoded values into linear light.

        Args:
            x: float32, shape (..., C, H, W) with C = 1 or 3; in [0, 1] for integer files.

        Returns:
            Linear light of the same shape; 0 stays 0 and 1 stays 1.

        Example:
            >>> round(float(SRGB.to_linear(torch.full((1, 1, 1), 0.5))), 4)
            0.214
        """
        if self.forward is None:
            return _by_slabs(x, _srgb_to_linear if self.name == "sRGB" else torch.clone)
        return _by_channels(x, self.forward, self.slopes, _look_up)

    def to_encoded(self, x: torch.Tensor) -> torch.Tensor:
        """Turn linear light into display-encoded values; the inverse of `to_linear`.

        Args:
            x: float32, shape (..., C, H, W) with C = 1 or 3; in [0, 1] for integer files.

        Returns:
            Display-encoded values of the same shape.

        Example:
            >>> round(float(SRGB.to_encoded(torch.full((1, 1, 1), 0.214))), 3)
            0.5
        """
        if self.forward is None:
            return _by_slabs(x, _srgb_to_encoded if self.name == "sRGB" else torch.clone)
        slopes = tuple(1.0 / slope for slope in self.slopes)
        if self.inverse is None:
            return _by_channels(x, self.forward, slopes, _search)
        return _by_channels(x, self.inverse, slopes, _look_up_root)

    def table(self, levels: int, channels: int) -> torch.Tensor:
        """Return the linear value of each integer level, shape (channels, levels)."""
        ramp = torch.arange(levels, dtype=torch.float64).div_(levels - 1).expand(channels, 1, -1)
        if self.forward is not None:
            return self.to_linear(ramp.float()).flatten(1)
        linear = _srgb_to_linear(ramp) if self.name == "sRGB" else ramp
        return linear.float().flatten(1)

    @staticmethod
    def from_icc(profile: bytes, channels: int) -> "Transfer | None":
        """Return the curves of a colour profile; None where it has none that can be used."""
        return _from_icc(profile, channels)


SRGB = Transfer("sRGB")
LINEAR = Transfer("linear")


@lru_cache(maxsize=8)
def _from_icc(profile: bytes, channels: int) -> Transfer | None:
    curves = tone_curves(profile, channels)
    if curves is None:
        return None
    inverse = np.stack([_invert(row) for row in curves])
    slopes = (curves[:, -1] - curves[:, -2]) * (NODES - 1)
    forward = torch.from_numpy(curves.astype(np.float32))
    transfer = Transfer(
        "ICC",
        forward,
        torch.from_numpy(inverse.astype(np.float32)),
        tuple(float(slope) for slope in slopes.clip(0.1, 10.0)),
    )
    error = transfer.to_encoded(forward[:, None]) - torch.linspace(0.0, 1.0, NODES)
    return transfer if float(error.abs().max()) < 0.2 / NODES else replace(transfer, inverse=None)


def _invert(forward: Curve) -> Curve:
    """Return the encoded value at each `t` where the linear value is `t ** 4`."""
    roots = np.linspace(0.0, 1.0, _INVERSE_NODES)
    return np.interp(roots**4, forward, np.linspace(0.0, 1.0, NODES))


def _by_slabs(x: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    out = torch.empty_like(x)
    for rows in slabs(x.shape[-2], x[..., :1, :].numel()):
        out[..., rows, :] = function(x[..., rows, :])
    return out


def _by_channels(
    x: torch.Tensor,
    tables: torch.Tensor,
    slopes: tuple[float, ...],
    evaluate: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Apply each channel's table to magnitudes up to 1, and its slope to what lies above."""
    if x.shape[-3] != tables.shape[0]:
        raise InputError(
            f"the colour profile has {tables.shape[0]} channels, the image has {x.shape[-3]}"
        )
    out = torch.empty_like(x)
    tables = tables.to(x.device)
    for rows in slabs(x.shape[-2], x[..., :1, :1, :].numel()):
        for channel, table in enumerate(tables):
            values = x[..., channel, rows, :]
            magnitude = values.abs()
            inside = evaluate(magnitude.clamp(max=1.0), table)
            above = (magnitude - 1.0).clamp_(min=0.0).mul_(slopes[channel])
            out[..., channel, rows, :] = (inside + above).copysign_(values)
    return out


def _look_up(values: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    last = table.numel() - 1
    place = values * last
    low = place.long().clamp_(max=last - 1)
    low_value = torch.take(table, low)
    return low_value + (place - low) * (torch.take(table, low + 1) - low_value)


def _look_up_root(values: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    return _look_up(values.sqrt().sqrt_(), table)


def _search(values: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    last = table.numel() - 1
    high = torch.searchsorted(table, values.contiguous()).clamp_(1, last)
    low_value, high_value = torch.take(table, high - 1), torch.take(table, high)
    part = ((values - low_value) / (high_value - low_value)).clamp_(0.0, 1.0)
    return (part + (high - 1)) / last


def _srgb_to_linear(x: torch.Tensor) -> torch.Tensor:
    magnitude = x.abs()
    curve = ((magnitude + 0.055) / 1.055).pow_(2.4)
    return torch.where(magnitude <= 0.04045, magnitude / 12.92, curve).copysign_(x)


def _srgb_to_encoded(x: torch.Tensor) -> torch.Tensor:
    magnitude = x.abs()
    curve = magnitude.pow(1 / 2.4).mul_(1.055).sub_(0.055)
    return torch.where(magnitude <= 0.0031308, magnitude * 12.92, curve).copysign_(x)
