"""Blind estimation: the blur is unknown."""

from unblur.blind.estimate import Estimate, estimate
from unblur.blind.region import choose_region
from unblur.blind.settings import Settings

__all__ = ["Estimate", "Settings", "choose_region", "estimate"]
