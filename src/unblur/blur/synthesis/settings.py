"""What a training pair may look like: the stages, how often each acts, and their ranges."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from unblur.blur.checks import integer, real
from unblur.errors import ParameterError

__all__ = ["DEFAULT_SHARES", "Kind", "Range", "Synthesis"]

Kind = Literal[
    "shake", "motion", "disk", "gaussian", "homography", "lens", "depth", "frames", "none"
]
Range = tuple[float, float]

DEFAULT_SHARES: Mapping[Kind, float] = {
    "shake": 0.32,
    "motion": 0.08,
    "disk": 0.12,
    "gaussian": 0.08,
    "homography": 0.10,
    "lens": 0.05,
    "depth": 0.05,
    "frames": 0.25,
    "none": 0.20,
}

# The lowest and the highest value that each range may have.
_BOUNDS: Mapping[str, Range] = {
    "boost": (1, 100),
    "brightness": (-0.9, 9),
    "contrast": (0.1, 10),
    "gain": (1e-8, 1),
    "read_std": (1e-8, 1),
    "quality": (1, 100),
    "shake": (1, 1023),
    "motion": (0, 1023),
    "disk": (0, 511),
    "gaussian": (0, 127),
    "homography": (1, 1023),
    "lens": (0, 1023),
    "depth": (0, 511),
}


@dataclass(frozen=True)
class Synthesis:
    """How sharp crops become training pairs: stages in the order in which they act.

    Lengths are in pixels of the crop, light is linear with white at 1, and every (low, high) is a
    range that a value is drawn from: evenly in the logarithm for `boost`, `gain`, `read_std` and
    the sizes of `shake`, `motion` and `homography`, evenly otherwise. A probability of 0 switches a
    stage off; `linear`, `clip` and `levels` act on every pair or on none.

    Attributes:
        shares: of each kind of blur; brought to the sum 1. `frames` counts only where consecutive
            frames are given. `none` leaves pictures unblurred.
        margin: pixels of a crop on each side that only serve as border, and the reach of every
            blur.
        linear: blur light, not display values: sRGB, and the tone curve, undone and redone.
        tone: probability of a camera whose response is not plain sRGB.
        brightness: of that response's curve; 0 is neutral.
        contrast: slope of that curve in its middle; 1 is neutral.
        highlights: probability of light beyond white, which the blur spreads before it is clipped.
        threshold: light over which it is expanded.
        boost: what white becomes.
        clip: the sensor's limits, 0 and 1.
        noise: probability of shot and read noise.
        gain: light per photon: the shot noise has variance gain * light.
        read_std: standard deviation of the read noise.
        levels: largest integer of the stored picture, 255 for 8 bits; 0 for no rounding.
        jpeg: probability of compression.
        quality: of JPEG.
        shake: longer side of the box around a shaken path.
        motion: length of straight motion.
        disk: radius of defocus; half of the apertures have 5 to 9 blades.
        gaussian: standard deviation along the longer axis; half of them are round.
        homography: longer side of the box around the path of the crop's centre, for a camera that
            turns about all three axes.
        lens: longest path of a pixel in the crop, by a lens that stretches the picture (eq. 16).
        centred: let that stretch pass through the identity in its middle, so that the blurred
            picture lies on the sharp one; otherwise it starts there, as in the paper.
        depth: largest radius of defocus over a random smooth depth map.
        bank: how many shaken trajectories are made, once, to draw from.

    Raises:
        ParameterError: a share, a probability or a range is not possible.

    Example:
        >>> Synthesis(shares={"motion": 3, "none": 1}, jpeg=0).probabilities()
        {'motion': 0.75, 'none': 0.25}
    """

    shares: Mapping[Kind, float] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    margin: int = 32
    linear: bool = True
    tone: float = 0.5
    brightness: Range = (-0.3, 0.4)
    contrast: Range = (0.8, 1.4)
    highlights: float = 0.5
    threshold: float = 0.7
    boost: Range = (1.5, 8.0)
    clip: bool = True
    noise: float = 0.9
    gain: Range = (3e-5, 3e-3)
    read_std: Range = (2e-4, 5e-3)
    levels: int = 255
    jpeg: float = 0.5
    quality: Range = (60, 98)
    shake: Range = (5, 61)
    motion: Range = (3, 49)
    disk: Range = (1, 14)
    gaussian: Range = (0.6, 5)
    homography: Range = (5, 49)
    lens: Range = (2, 28)
    centred: bool = True
    depth: Range = (3, 12)
    bank: int = 256

    def __post_init__(self) -> None:
        """Check every setting."""
        for kind, share in self.shares.items():
            if kind not in get_args(Kind):
                known = ", ".join(get_args(Kind))
                raise ParameterError(f"shares has no kind {kind!r}; it knows {known}")
            real(f"shares[{kind!r}]", share, 0, 1e6)
        integer("margin", self.margin, 0, 511)
        integer("levels", self.levels, 0, 65535)
        integer("bank", self.bank, 1, 65536)
        for name in ("tone", "highlights", "noise", "jpeg", "threshold"):
            real(name, getattr(self, name), 0, 1)
        for entry in fields(self):
            if entry.name in _BOUNDS:
                _check_range(entry.name, getattr(self, entry.name))
        if self.threshold == 1:
            raise ParameterError("threshold must be less than 1, so that there is light over it")

    def probabilities(self, *, frames: bool = False) -> dict[Kind, float]:
        """How often each kind is drawn, with or without `frames` to average; the sum is 1.

        Raises:
            ParameterError: nothing is left to draw.
        """
        left = {
            kind: share
            for kind, share in self.shares.items()
            if share > 0 and (frames or kind != "frames")
        }
        total = math.fsum(left.values())
        if not left:
            raise ParameterError("shares must give some kind a share above 0 (other than frames)")
        return {kind: share / total for kind, share in left.items()}


def _check_range(name: str, value: object) -> None:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ParameterError(f"{name} must be a range (low, high); got {value!r}")
    low, high = (real(name, end, *_BOUNDS[name]) for end in value)
    if low > high:
        raise ParameterError(f"{name} must be a range (low, high) with low <= high; got {value!r}")
