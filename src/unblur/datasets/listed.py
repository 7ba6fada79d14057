"""Sets whose archives come with lists of pairs: RealBlur, RSBlur."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from unblur.datasets.layout import check_variant, find_file, listed_pairs
from unblur.datasets.pair import Dataset, Pair

__all__ = ["realblur", "rsblur"]


def realblur(root: Path, variant: str = "j", *, split: str = "test") -> Dataset:
    """RealBlur, 980 test pairs of a real camera, as JPEG (J) or from raw (R).

    ```
    [RealBlur/]RealBlur_J_test_list.txt
               RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene001/blur/blur_1.png
                                                                    gt/gt_1.png
               RealBlur_R_test_list.txt
               RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref/...
    ```

    A line of a list is `GT BLUR`, relative to the folder of the list.

    Args:
        root: the folder of the archive, or the one that holds it.
        variant: "j" or "r".
        split: "test" or "train".

    Raises:
        InputError: The list is missing or damaged, or files that it names are missing.

    Source:
        Rim, Lee, Won & Cho 2020.
    """
    check_variant("realblur", variant, ("j", "r"))
    name = f"RealBlur_{variant.upper()}_{split}_list.txt"
    file = find_file("realblur", root, name, f"RealBlur/{name}")
    count = 980 if split == "test" else 3758
    return Dataset("realblur", variant, root, partial(_realblur, file), count)


def _realblur(file: Path) -> Iterator[Pair]:
    for sharp, blurred in listed_pairs("realblur", file, file.parent):
        scene = blurred.parent.parent.name
        yield Pair(f"{scene}/{blurred.stem}", blurred, sharp, scene)


def rsblur(root: Path, variant: str = "", *, split: str = "test") -> Dataset:
    """RSBlur, 3,360 test pairs of a real camera with two sensors.

    ```
    RSBlur_real_test.txt          or datalist/RSBlur/RSBlur_real_test.txt
    RSBlur/0014/000017/real_blur/real_blur.png
                       gt/gt_sharp.png
    ```

    A line of the list is `GT BLUR`, and its names begin with `RSBlur/`.

    Args:
        root: the folder that holds `RSBlur`, with the list in it or in RSBlur.
        variant: there is none.
        split: "test", "val" or "train".

    Raises:
        InputError: The list is missing or damaged, or files that it names are missing.

    Source:
        Rim et al. 2022.
    """
    check_variant("rsblur", variant, ("",))
    name = f"RSBlur_real_{split}.txt"
    file = find_file("rsblur", root, name, f"RSBlur/{name}", f"datalist/RSBlur/{name}")
    count = 3360 if split == "test" else None
    return Dataset("rsblur", variant, root, partial(_rsblur, file, root), count)


def _rsblur(file: Path, root: Path) -> Iterator[Pair]:
    for sharp, blurred in listed_pairs("rsblur", file, root):
        day, scene = blurred.parts[-4:-2]
        yield Pair(f"{day}/{scene}", blurred, sharp, day)
