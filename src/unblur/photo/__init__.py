"""Photographs: files in, files out, and what they carry besides pixels.

The only package that knows files, bit depths, colour profiles and metadata.
"""

from unblur.photo.carried import Carried
from unblur.photo.photo import Photo
from unblur.photo.quantise import quantise
from unblur.photo.reading import read
from unblur.photo.transfer import Transfer
from unblur.photo.writing import write

__all__ = ["Carried", "Photo", "Transfer", "quantise", "read", "write"]
