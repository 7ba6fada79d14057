"""Tone curves and soundness of ICC colour profiles (ICC.1:2022).

The curves are read from the profile itself, in float64. A colour engine would do too, but it
evaluates table curves in 16 bits, which merges the dark levels of 16-bit photographs: the way back
to the encoded values would not be exact. Profiles without tone curves are sampled by libvips.
"""

import struct
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from unblur.photo import vips

__all__ = ["LIMIT", "NODES", "describe_fault", "tone_curves"]

Curve = npt.NDArray[np.float64]

LIMIT = 4 << 20
"""Profiles larger than this many bytes are dropped; real ones have at most some 3 MB."""
NODES = 65536
"""One node per 16-bit level, so that integer samples never fall between nodes."""
_SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
_TAGS = {1: (b"kTRC",), 3: (b"rTRC", b"gTRC", b"bTRC")}
_LEAST_SLOPE = 1e-4


def describe_fault(profile: bytes, channels: int) -> str | None:
    """Say in words why `profile` cannot serve a picture of `channels` channels; None if it can."""
    if len(profile) > LIMIT:
        return f"it has {len(profile)} bytes, more than {LIMIT}"
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return "it is damaged"
    declared = int.from_bytes(profile[:4], "big")
    if not 132 <= declared <= len(profile) or _tag_table(profile) is None:
        return "it is damaged"
    space = profile[16:20]
    if space != _SPACES.get(channels):
        return (
            f"it is for {space.decode('latin-1').strip()} and the picture has {channels} channels"
        )
    if channels in _TAGS and tone_curves(profile, channels) is None:
        return "its tone curves cannot be used"
    return None


@lru_cache(maxsize=8)
def tone_curves(profile: bytes, channels: int) -> Curve | None:
    """Sample the curves from encoded value to linear light.

    Args:
        profile: A profile whose colour space fits.
        channels: 1 or 3.

    Returns:
        (channels, NODES) linear values at the encoded values `k / (NODES - 1)`, strictly
        increasing, 1 at the end; None where the profile has no increasing curves.
    """
    table = _tag_table(profile) or {}
    position = np.linspace(0.0, 1.0, NODES)
    try:
        # A damaged curve may overflow; whether it is usable is looked at below.
        with np.errstate(all="ignore"):
            rows = [_evaluate(table[tag], position) for tag in _TAGS[channels]]
    except (KeyError, IndexError, ValueError, struct.error):
        rows = _sampled(profile, channels) if b"A2B0" in table else []
    usable = [_increasing(row, position) for row in rows]
    if not usable or any(row is None for row in usable):
        return None
    return np.stack([row for row in usable if row is not None])


def _tag_table(profile: bytes) -> dict[bytes, bytes] | None:
    if len(profile) < 132:
        return None
    count = int.from_bytes(profile[128:132], "big")
    if not 0 < count <= 1000 or 132 + 12 * count > len(profile):
        return None
    tags = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if offset + size > len(profile):
            return None
        tags[name] = profile[offset : offset + size]
    return tags


def _evaluate(tag: bytes, x: Curve) -> Curve:
    """Evaluate a curveType or parametricCurveType (ICC.1:2022, 10.6 and 10.18) at `x`."""
    kind = tag[:4]
    if kind == b"curv":
        count = int.from_bytes(tag[8:12], "big")
        if count == 0:
            return x
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return np.asarray(np.power(x, values[0] / 256.0))
        return np.asarray(np.interp(x, np.linspace(0.0, 1.0, count), values / 65535.0))
    if kind != b"para":
        raise ValueError("unknown curve type")
    function = int.from_bytes(tag[8:10], "big")
    number = (1, 3, 4, 5, 7)[function]
    gamma, *rest = (v / 65536.0 for v in struct.unpack_from(f">{number}i", tag, 12))
    return _parametric(function, gamma, rest, x)


def _parametric(function: int, gamma: float, rest: list[float], x: Curve) -> Curve:
    if function == 0:
        return np.power(x, gamma)
    a, b = rest[:2]
    power = np.power(np.maximum(a * x + b, 0.0), gamma)
    if function == 1:
        return power
    if function == 2:
        return power + rest[2]
    c, d = rest[2:4]
    e, f = rest[4:6] if function == 4 else (0.0, 0.0)
    return np.where(x >= d, power + e, c * x + f)


def _increasing(values: Curve, x: Curve) -> Curve | None:
    """Normalise a curve to end at 1; flat parts get a least slope, so that it has an inverse."""
    if not np.all(np.isfinite(values)) or values[-1] > 16.0 or values[-1] - values[0] <= 0.1:
        return None
    values = np.maximum.accumulate(np.maximum(values, 0.0) / values[-1])
    if np.min(np.diff(values)) <= 0.0:
        values = (values + _LEAST_SLOPE * x) / (1.0 + _LEAST_SLOPE)
    return np.minimum(values, 1.0)


def _sampled(profile: bytes, channels: int) -> list[Curve]:
    """Sample the luminance of the neutral ramp by the colour engine, alike for all channels."""
    coarse = np.linspace(0, 65535, 4096).round().astype(np.uint16)
    try:
        luminance = vips.neutral_luminance(profile, coarse, channels)
    except vips.FAILURES:
        return []
    position = np.linspace(0.0, 1.0, NODES)
    row = np.interp(position, coarse / 65535.0, luminance)
    return [row - row[0]] * channels
