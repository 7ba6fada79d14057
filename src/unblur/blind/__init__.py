"""Blind estimation: the blur is unknown."""

from unblur.blind.estimate import Estimate, estimate
from unblur.blind.field import FieldEstimate, estimate_field
from unblur.blind.region import choose_region
from unblur.blind.settings import Settings

__all__ = [
    "Estimate",
    "FieldEstimate",
    "Settings",
    "choose_region",
    "estimate",
    "estimate_field",
]
