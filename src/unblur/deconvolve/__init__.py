"""Deconvolution: the blur is known."""

from unblur.deconvolve.deep_wiener import deep_wiener
from unblur.deconvolve.local_wiener import local_wiener
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.richardson_lucy import richardson_lucy
from unblur.deconvolve.sparse import hyper_laplacian, tv
from unblur.deconvolve.wiener import wiener

__all__ = [
    "deep_wiener",
    "hyper_laplacian",
    "iterate",
    "local_wiener",
    "richardson_lucy",
    "tv",
    "wiener",
]
