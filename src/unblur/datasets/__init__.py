"""Data sets of blurred pictures, in the layouts of their published archives.

A reader looks at a folder, says exactly what is missing, and gives a `Dataset`: a small frozen
object that lists its pairs. No picture is opened before a pair is asked to read it.
"""

from unblur.datasets.folders import blur_dataset, folder, sharp
from unblur.datasets.frames import dpdd, gopro, hide, reds
from unblur.datasets.kernels import kohler, lai, levin
from unblur.datasets.listed import realblur, rsblur
from unblur.datasets.pair import Dataset, Pair

__all__ = [
    "Dataset",
    "Pair",
    "blur_dataset",
    "dpdd",
    "folder",
    "gopro",
    "hide",
    "kohler",
    "lai",
    "levin",
    "realblur",
    "reds",
    "rsblur",
    "sharp",
]
