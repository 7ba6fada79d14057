"""A lens, calibrated once: a sharp and a blurred picture become a `LensProfile`."""

from unblur.lens.calibrate import calibrate
from unblur.lens.profile import LensProfile
from unblur.lens.shot import Shot, shot_of

__all__ = ["LensProfile", "Shot", "calibrate", "shot_of"]
