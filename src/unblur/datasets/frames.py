"""Sets that pair frames by their names: GoPro, HIDE, REDS, DPDD."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from unblur.datasets.layout import check_variant, find_folder, matched, pictures, subfolders
from unblur.datasets.pair import Dataset, Pair
from unblur.errors import InputError
from unblur.files import shown

__all__ = ["dpdd", "gopro", "hide", "reds"]


def gopro(root: Path, variant: str = "blur", *, split: str = "test") -> Dataset:
    """GoPro, the archive GOPRO_Large: 1,111 test pairs of 1280 x 720 pixels in 11 sequences.

    ```
    [GOPRO_Large/]test/GOPR0384_11_00/blur/000001.png
                                      blur_gamma/000001.png
                                      sharp/000001.png
    ```

    Args:
        root: the folder of the archive, or the one that holds it.
        variant: "blur", means of frames as they are stored, or "blur_gamma", means in linear light.
        split: "test" or "train".

    Raises:
        InputError: A folder is missing, or frames have no counterpart.

    Source:
        Nah, Kim & Lee 2017.
    """
    check_variant("gopro", variant, ("blur", "blur_gamma"))
    folder = find_folder("gopro", root, split, f"GOPRO_Large/{split}")
    counts = {"test": 1111, "train": 2103}
    listing = partial(_sequences, "gopro", subfolders("gopro", folder), variant, "sharp")
    return Dataset("gopro", variant, root, listing, counts.get(split))


def _sequences(dataset: str, folders: list[Path], blurred: str, sharp: str) -> Iterator[Pair]:
    for folder in folders:
        for kind in (blurred, sharp):
            find_folder(dataset, folder, kind)
        frames = matched(
            dataset, pictures(dataset, folder / blurred), pictures(dataset, folder / sharp)
        )
        for name, first, second in frames:
            yield Pair(f"{folder.name}/{name}", first, second, folder.name)


def hide(root: Path, variant: str = "all", *, split: str = "test") -> Dataset:
    """HIDE, 2,025 test pairs of people, close and far.

    ```
    [HIDE_dataset/]test/test-close-ups/1fromGOPR0950.png
                        test-long-shot/102fromGOPR1096.png
                   train/...
                   GT/...      the truth of all of them, by the same names
    ```

    Args:
        root: the folder of the archive, or the one that holds it.
        variant: "all", "close-ups" or "long-shot".
        split: "test" or "train" (which has "all" only).

    Raises:
        InputError: A folder is missing, or pictures have no truth.

    Source:
        Shen et al. 2019.
    """
    kinds = {"close-ups": ["test-close-ups"], "long-shot": ["test-long-shot"]}
    kinds["all"] = ["test-close-ups", "test-long-shot"]
    check_variant("hide", variant, tuple(kinds) if split == "test" else ("all",))
    truth = find_folder("hide", root, "GT", "HIDE_dataset/GT")
    names = kinds[variant] if split == "test" else [""]
    folders = [find_folder("hide", truth.parent, f"{split}/{name}".rstrip("/")) for name in names]
    count = {("test", "all"): 2025, ("train", "all"): 6397}.get((split, variant))
    return Dataset("hide", variant, root, partial(_hide, folders, truth), count)


def _hide(folders: list[Path], truth: Path) -> Iterator[Pair]:
    sharp = pictures("hide", truth)
    for folder in folders:
        for name, first, second in matched("hide", pictures("hide", folder), sharp, spare=True):
            yield Pair(f"{folder.name}/{name}", first, second, folder.name)


def reds(root: Path, variant: str = "blur", *, split: str = "val") -> Dataset:
    """REDS, 30 sequences of 100 frames of 1280 x 720 pixels to be validated on.

    ```
    [REDS/][val/]val_blur/000/00000000.png
                 val_blur_jpeg/000/00000000.jpg
                 val_sharp/000/00000000.png
    ```

    Args:
        root: the folder of the archives, or the one that holds it.
        variant: "blur" or "blur_jpeg".
        split: "val" or "train".

    Raises:
        InputError: A folder is missing, or frames have no counterpart.

    Source:
        Nah et al. 2019 (NTIRE).
    """
    check_variant("reds", variant, ("blur", "blur_jpeg"))
    places = ("", f"{split}/", "REDS/", f"REDS/{split}/")
    blurred, sharp = (
        find_folder("reds", root, *(f"{place}{split}_{kind}" for place in places))
        for kind in (variant, "sharp")
    )
    count = {"val": 3000, "train": 24000}.get(split)
    return Dataset("reds", variant, root, partial(_reds, blurred, sharp), count)


def _reds(blurred: Path, sharp: Path) -> Iterator[Pair]:
    first, second = (
        {folder.name: folder for folder in subfolders("reds", kind)} for kind in (blurred, sharp)
    )
    for sequence, one, other in matched("reds", first, second):
        for name, a, b in matched("reds", pictures("reds", one), pictures("reds", other)):
            yield Pair(f"{sequence}/{name}", a, b, sequence)


def dpdd(root: Path, variant: str = "", *, split: str = "test") -> Dataset:
    """DPDD, 76 test pairs of defocus by a Canon camera, 1680 x 1120 pixels, 16 bit.

    ```
    [dd_dp_dataset_canon/ or dd_dp_dataset_png/]test_c/source/1P0A0917.png
                                                       target/1P0A0916.png
    ```

    Blurred and sharp pictures bear the numbers of two shots, so that they are paired by their
    order. (The archive's `test_l` and `test_r`, the two views of the sensor, are not used.)

    Args:
        root: the folder of the archive, or the one that holds it.
        variant: there is none.
        split: "test", "val" or "train".

    Raises:
        InputError: A folder is missing, or the two hold different numbers of pictures.

    Source:
        Abuolaim & Brown 2020.
    """
    check_variant("dpdd", variant, ("",))
    tops = ("", "dd_dp_dataset_canon/", "dd_dp_dataset_png/")
    folder = find_folder("dpdd", root, *(f"{top}{split}_c" for top in tops))
    for kind in ("source", "target"):
        find_folder("dpdd", folder, kind)
    counts = {"test": 76, "val": 74, "train": 350}
    return Dataset("dpdd", variant, root, partial(_dpdd, folder), counts.get(split))


def _dpdd(folder: Path) -> Iterator[Pair]:
    source, target = (
        list(pictures("dpdd", folder / kind).items()) for kind in ("source", "target")
    )
    if len(source) != len(target):
        raise InputError(
            f"dpdd: {len(source)} pictures in {shown(folder)}/source, but {len(target)} in target; "
            "they are paired by their order, so that none may be missing"
        )
    for (name, blurred), (_, sharp) in zip(source, target, strict=True):
        yield Pair(name, blurred, sharp)
