"""Training pairs: sharp crops in, realistically blurred ones out."""

from unblur.blur.synthesis.pipeline import Sample, render, synthesise
from unblur.blur.synthesis.plan import Plan, draw
from unblur.blur.synthesis.settings import DEFAULT_SHARES, Kind, Synthesis

__all__ = [
    "DEFAULT_SHARES",
    "Kind",
    "Plan",
    "Sample",
    "Synthesis",
    "draw",
    "render",
    "synthesise",
]
