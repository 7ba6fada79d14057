"""Sets of one's own: pairs of folders, the three folders of the blur data set, sharp pictures."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from unblur.datasets.layout import (
    check_variant,
    find_folder,
    matched,
    natural,
    picture_files,
    pictures,
)
from unblur.datasets.pair import Dataset, Pair
from unblur.errors import InputError
from unblur.files import shown

__all__ = ["blur_dataset", "folder", "sharp"]

_FLAT = re.compile(r"(.+)_(blur|sharp)")
_NUMBERED = re.compile(r"(\d+)_.*")


def folder(root: Path, variant: str = "") -> Dataset:
    """Any pairs: two folders, or one whose names say which is which.

    ```
    input/NAME.png      or      NAME_blur.png
    target/NAME.png             NAME_sharp.png
    ```

    Args:
        root: the folder that holds these.
        variant: there is none.

    Raises:
        InputError: A folder is missing, or pictures have no counterpart.
    """
    check_variant("folder", variant, ("",))
    if (root / "input").is_dir() or (root / "target").is_dir():
        for kind in ("input", "target"):
            find_folder("folder", root, kind)
        return Dataset("folder", variant, root, partial(_two_folders, root))
    find_folder("folder", root, ".")
    if not any(_FLAT.fullmatch(path.stem) for path in root.iterdir()):
        raise InputError(
            f"folder: {shown(root)} holds neither the folders input and target nor pictures "
            "named NAME_blur and NAME_sharp"
        )
    return Dataset("folder", variant, root, partial(_flat, root))


def _two_folders(root: Path) -> Iterator[Pair]:
    first, second = (pictures("folder", root / kind) for kind in ("input", "target"))
    for name, blurred, truth in matched("folder", first, second):
        yield Pair(name, blurred, truth)


def _flat(root: Path) -> Iterator[Pair]:
    kinds: dict[str, dict[str, Path]] = {"blur": {}, "sharp": {}}
    for name, path in pictures("folder", root).items():
        found = _FLAT.fullmatch(name)
        if found:
            kinds[found[2]][found[1]] = path
    for name, blurred, truth in matched("folder", kinds["blur"], kinds["sharp"]):
        yield Pair(name, blurred, truth)


def blur_dataset(root: Path, variant: str = "motion") -> Dataset:
    """The blur data set (Kaggle): 350 triples by many cameras, not aligned to the pixel.

    ```
    [blur_dataset_scaled/]sharp/0_IPHONE-SE_S.JPG
                          defocused_blurred/0_IPHONE-SE_F.JPG
                          motion_blurred/0_IPHONE-SE_M.JPG
    ```

    Pictures are paired by the number before the first underscore.

    Args:
        root: the folder of the archive, or the one that holds it.
        variant: "motion" or "defocus".

    Raises:
        InputError: A folder is missing, a number is there twice, or pictures have no counterpart.
    """
    kinds = {"motion": "motion_blurred", "defocus": "defocused_blurred"}
    check_variant("blur-dataset", variant, tuple(kinds))
    tops = ("", "blur_dataset_scaled/", "blur_dataset/")
    truth = find_folder("blur-dataset", root, *(f"{top}sharp" for top in tops))
    blurred = find_folder("blur-dataset", truth.parent, kinds[variant])
    return Dataset("blur-dataset", variant, root, partial(_numbered, blurred, truth), 350)


def _numbered(blurred: Path, truth: Path) -> Iterator[Pair]:
    first, second = (_by_number(kind) for kind in (blurred, truth))
    for number, one, other in matched("blur-dataset", first, second):
        yield Pair(number, one, other, blurred.name)


def _by_number(kind: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in pictures("blur-dataset", kind).items():
        number = _NUMBERED.fullmatch(name)
        if number is None:
            raise InputError(f"blur-dataset: {shown(path)} does not begin with a number and _")
        if number[1] in found:
            raise InputError(
                f"blur-dataset: number {number[1]} is there twice in {shown(kind)}: "
                f"{shown(found[number[1]].name)} and {shown(path.name)}"
            )
        found[number[1]] = path
    return dict(sorted(found.items(), key=lambda entry: natural(entry[0])))


def sharp(root: Path, variant: str = "") -> Dataset:
    """Any folder of sharp pictures, with the folders inside it; each is its own truth.

    Args:
        root: the folder.
        variant: there is none.

    Raises:
        InputError: The folder is missing, or holds no picture.
    """
    check_variant("sharp", variant, ("",))
    find_folder("sharp", root, ".")
    return Dataset("sharp", variant, root, partial(_sharp, root))


def _sharp(root: Path) -> Iterator[Pair]:
    places = [root, *sorted(place for place in root.rglob("*") if place.is_dir())]
    found = [(place, path) for place in places for path in picture_files(place)]
    if not found:
        raise InputError(f"sharp: there are no pictures in {shown(root)}")
    for place, path in found:
        name = path.relative_to(root).as_posix()
        yield Pair(name, path, path, "" if place == root else place.name)
