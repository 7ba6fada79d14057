"""Sets of uniform blur and of camera shake: Levin, Köhler, Lai."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unblur.blur import Kernel
from unblur.datasets.layout import check_variant, find_folder, natural, pictures
from unblur.datasets.pair import Dataset, Pair
from unblur.errors import InputError
from unblur.files import shown
from unblur.photo import Carried, Photo

__all__ = ["LevinPair", "kohler", "lai", "levin"]

_LEVIN = re.compile(r"im(\d\d)_(?:flit|ker)(\d\d)\.mat")
_BLURRY = re.compile(r"Blurry(\d+)_(\d+)")
_LAI = {"uniform": "kernel", "nonuniform": "gyro"}


@dataclass(frozen=True)
class LevinPair(Pair):
    """A capture whose picture, truth and kernel are the matrices y, x and f of one file."""

    def read_blurred(self) -> Photo:
        """Read y as floats."""
        return _photo(_matrix(self.blurred, "y"))

    def read_sharp(self) -> Photo:
        """Read x as floats."""
        return _photo(_matrix(self.blurred, "x"))

    def kernel(self) -> Kernel:
        """Read f; the files satisfy y = x correlated with f, so that it is turned here."""
        return Kernel.from_array(_matrix(self.blurred, "f")).flip()


def _matrix(path: Path, name: str) -> Any:
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=[name])
    # The reader of MATLAB files raises whatever it stumbles over.
    except Exception as error:
        raise InputError(f"{shown(path)} is not a MATLAB file: {error}") from error
    if name not in found or found[name].ndim != 2 or found[name].dtype.kind not in "fui":
        raise InputError(f"{shown(path)} must hold a matrix of numbers named {name}")
    return found[name]


def _photo(values: Any) -> Photo:
    samples = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    return Photo(samples, carried=Carried(bits=32, encoding="srgb"))


def levin(root: Path, variant: str = "size-unknown") -> Dataset:
    """Levin et al. 2009: 32 real captures, four pictures under eight kernels, grey, 255 x 255.

    ```
    [Levin09blurdata/]im05_flit01.mat ... im08_flit08.mat      (or im01_ker01.mat)
    ```

    Each file holds the matrices `x` (sharp), `y` (captured) and `f` (kernel).

    Args:
        root: the folder of the files, or the one that holds it.
        variant: "size-unknown", or "size-given": whether a method is told the side of the kernel.

    Raises:
        InputError: There is no such file.

    Source:
        Levin, Weiss, Durand & Freeman 2009.
    """
    check_variant("levin", variant, ("size-unknown", "size-given"))
    folder = find_folder("levin", root, "Levin09blurdata", "LevinEtalCVPR09Data", ".")
    if not any(_LEVIN.fullmatch(path.name) for path in folder.iterdir()):
        raise InputError(
            f"levin: there is no file like im05_flit01.mat in {shown(folder)}; the archive has 32"
        )
    return Dataset("levin", variant, root, partial(_levin, folder), 32)


def _levin(folder: Path) -> Iterator[Pair]:
    for path in sorted(folder.iterdir()):
        found = _LEVIN.fullmatch(path.name)
        if found:
            yield LevinPair(path.stem, path, path, f"kernel {int(found[2])}")


def kohler(root: Path, variant: str = "") -> Dataset:
    """Köhler et al. 2012: camera shake, four pictures under twelve motions, 800 x 800 pixels.

    ```
    [BlurryImages/]Blurry1_1.png ... Blurry4_12.png
    [GroundTruth_pngs_Image1/]Image1/Kernel1/GroundTruth1_1_1.png ... GroundTruth1_1_199.png
    ```

    The truth is 199 pictures along the camera's way; a pair without them lists none.

    Args:
        root: the folder that holds these.
        variant: there is none.

    Raises:
        InputError: There is no blurred picture of such a name.

    Source:
        Köhler, Hirsch, Mohler, Schölkopf & Harmeling 2012.
    """
    check_variant("kohler", variant, ("",))
    folder = find_folder("kohler", root, "BlurryImages", ".")
    found = [_BLURRY.fullmatch(name) for name in pictures("kohler", folder)]
    if not any(found):
        raise InputError(f"kohler: there is no picture like Blurry1_1.png in {shown(folder)}")
    truth = "Image1/Kernel1/GroundTruth1_1_1.png and so on"
    return Dataset("kohler", variant, root, partial(_kohler, root, folder), 48, truth)


def _kohler(root: Path, folder: Path) -> Iterator[Pair]:
    for name, path in pictures("kohler", folder).items():
        found = _BLURRY.fullmatch(name)
        if found is None:
            continue
        image, motion = found.groups()
        inner = f"Image{image}/Kernel{motion}"
        places = [root / inner, root / f"GroundTruth_pngs_Image{image}" / inner]
        place = next((place for place in places if place.is_dir()), None)
        frames: list[Path] = []
        if place is not None:
            frames = sorted(place.glob(f"GroundTruth{image}_{motion}_*"), key=_order)
            numbers = [int(frame.stem.rpartition("_")[2]) for frame in frames]
            if numbers != list(range(1, len(frames) + 1)):
                raise InputError(
                    f"kohler: the frames in {shown(place)} must be numbered from 1 without a gap"
                )
        yield Pair(name, path, group=f"image {image}", frames=tuple(frames))


def _order(path: Path) -> list[tuple[int, int | str]]:
    return natural(path.name)


def lai(root: Path, variant: str = "uniform") -> Dataset:
    """Lai et al. 2016: 25 pictures under four large kernels, or four recorded motions.

    ```
    [..]uniform/manmade_01_kernel_01.png        (or these files in the folder itself)
        nonuniform/manmade_01_gyro_01.png
        ground_truth/manmade_01.png
    ```

    A pair without truth lists none.

    Args:
        root: the folder that holds these.
        variant: "uniform" or "nonuniform".

    Raises:
        InputError: There is no blurred picture of such a name.

    Source:
        Lai, Huang, Hu, Ahuja & Yang 2016.
    """
    check_variant("lai", variant, tuple(_LAI))
    folder = find_folder("lai", root, variant, ".")
    wanted = re.compile(rf"((\w+)_\d+)_{_LAI[variant]}_?(\d+)")
    if not any(wanted.fullmatch(name) for name in pictures("lai", folder)):
        raise InputError(
            f"lai: there is no picture like manmade_01_{_LAI[variant]}_01.png in {shown(folder)}"
        )
    truth = "ground_truth/manmade_01.png and so on"
    return Dataset("lai", variant, root, partial(_lai, root, folder, wanted), 100, truth)


def _lai(root: Path, folder: Path, wanted: re.Pattern[str]) -> Iterator[Pair]:
    truth = root / "ground_truth"
    sharp = pictures("lai", truth) if truth.is_dir() else {}
    for name, path in pictures("lai", folder).items():
        found = wanted.fullmatch(name)
        if found is not None:
            yield Pair(name, path, sharp.get(found[1]), found[2])
