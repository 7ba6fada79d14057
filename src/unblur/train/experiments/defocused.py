"""Defocused pictures and their truths, as the appendix of the autoencoder paper reads them."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from unblur.blur import Field
from unblur.blur.kernels import disk
from unblur.blur.synthesis.lots import Lots
from unblur.datasets import blur_dataset, sharp
from unblur.errors import InputError, ParameterError
from unblur.photo import Photo
from unblur.train.batch import Batch
from unblur.train.experiments.still import Still
from unblur.train.stream import generator_of

__all__ = ["prepare"]

_SIDE = 128
# Radii of the defocus of sharp pictures, pixels of the file.
_RADII = (3.0, 12.0)


def prepare(
    root: Path | None, sharp_root: Path | None = None, *, count: int = 0, seed: int = 0
) -> Still:
    """Read pairs as the appendix does: to 128 x 128 pixels, each the nearest one of the file.

    Args:
        root: a folder with the layout of the blur data set, whose defocused pictures are taken.
        sharp_root: a folder of sharp pictures that are defocused here, by disks of 3 to 12 pixels.
        count: take so many of these, evenly over the list; 0 takes all.
        seed: of the radii.

    Raises:
        InputError: A folder is not what it should be.
        ParameterError: Neither is given.
    """
    pairs: list[tuple[str, Tensor, Tensor]] = []
    if root is not None:
        for pair in blur_dataset(root, "defocus"):
            blurred, truth = _values(pair.read_blurred()), _values(pair.read_sharp())
            pairs.append((pair.name, _scaled(blurred), _scaled(truth)))
    if sharp_root is not None:
        listed = list(sharp(sharp_root))
        wanted = min(count or len(listed), len(listed))
        for n in range(wanted):
            pair = listed[n * len(listed) // wanted]
            radius = Lots(generator_of(seed, n)).even(_RADII)
            picture = _values(pair.read_blurred())
            pairs.append((pair.name, _scaled(_defocused(picture, radius)), _scaled(picture)))
    if not pairs:
        raise ParameterError("give the folder of the blur data set, or one of sharp pictures")
    names, defocused, truths = zip(*pairs, strict=True)
    return Still(Batch(torch.cat(defocused), torch.cat(truths), names))


def _values(photo: Photo | None) -> Tensor:
    if photo is None:
        raise InputError("a pair has no sharp picture")
    return photo.encoded()[:1].float().expand(-1, 3, -1, -1)


def _scaled(picture: Tensor) -> Tensor:
    # What Keras' `load_img` does where no interpolation is named.
    return interpolate(picture, (_SIDE, _SIDE), mode="nearest-exact")


def _defocused(picture: Tensor, radius: float) -> Tensor:
    height, width = picture.shape[-2:]
    blur = Field.uniform(disk(radius)).operator((height, width), "reflect")
    return (blur.forward(picture).clamp(0, 1) * 255).round() / 255
