"""Miniature archives of the published layouts, and what is said where something is missing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.signal
from PIL import Image

from unblur import datasets
from unblur.datasets import Dataset
from unblur.errors import InputError, ParameterError

Reader = Callable[..., Dataset]


def put(root: Path, *names: str, size: tuple[int, int] = (6, 8)) -> None:
    """Small pictures, each of a grey of its own."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (size[1], size[0]), (number, number, number)).save(path)


def names(dataset: Dataset) -> list[str]:
    return [pair.name for pair in dataset]


def test_gopro_has_two_inputs_a_truth(tmp_path: Path) -> None:
    for sequence, frames in (("GOPR0384_11_00", 2), ("GOPR0396_11_00", 1)):
        for kind in ("blur", "blur_gamma", "sharp"):
            put(
                tmp_path / "GOPRO_Large/test" / sequence / kind,
                *(f"{n:06}.png" for n in range(frames)),
            )
    linear, gamma = datasets.gopro(tmp_path), datasets.gopro(tmp_path / "GOPRO_Large", "blur_gamma")
    wanted = ["GOPR0384_11_00/000000", "GOPR0384_11_00/000001", "GOPR0396_11_00/000000"]
    assert names(linear) == names(gamma) == wanted
    assert names(linear) == wanted  # listed anew
    assert linear.count == 1111
    first, other = next(iter(linear)), next(iter(gamma))
    assert first.group == "GOPR0384_11_00"
    assert first.blurred.parent.name == "blur"
    assert other.blurred.parent.name == "blur_gamma"
    assert first.sharp == other.sharp
    assert first.read_blurred().size == (6, 8)
    assert first.kernel() is None
    assert first.frames == ()


def test_gopro_says_what_is_missing(tmp_path: Path) -> None:
    sequence = tmp_path / "test" / "GOPR0384_11_00"
    with pytest.raises(InputError, match="no folder test or GOPRO_Large/test in "):
        datasets.gopro(tmp_path)
    with pytest.raises(InputError, match="nowhere is no folder; give that of the unpacked archive"):
        datasets.gopro(tmp_path / "nowhere")
    (tmp_path / "test").mkdir()
    with pytest.raises(InputError, match="holds no folders; expected one a sequence"):
        datasets.gopro(tmp_path)
    put(sequence / "sharp", "000001.png", "000002.png")
    with pytest.raises(InputError, match=r"no folder blur in .*GOPR0384_11_00"):
        names(datasets.gopro(tmp_path))
    put(sequence / "blur", *(f"{n:06}.png" for n in (2, 3, 4, 5, 6)))
    message = (
        r"4 blurred without a sharp one: 000003, 000004, 000005 and 1 more; "
        r"1 sharp without a blurred one: 000001"
    )
    with pytest.raises(InputError, match=message):
        names(datasets.gopro(tmp_path))
    with pytest.raises(ParameterError, match="must be one of blur, blur_gamma, not 'gamma'"):
        datasets.gopro(tmp_path, "gamma")


def test_hide_finds_the_truth_of_both_kinds_in_one_folder(tmp_path: Path) -> None:
    put(tmp_path / "HIDE_dataset", "test/test-close-ups/1fromGOPR0950.png", "GT/1fromGOPR0950.png")
    put(tmp_path / "HIDE_dataset", "test/test-long-shot/9fromGOPR1096.png", "GT/9fromGOPR1096.png")
    put(tmp_path / "HIDE_dataset", "GT/of-training.png")
    close, far = "test-close-ups/1fromGOPR0950", "test-long-shot/9fromGOPR1096"
    assert names(datasets.hide(tmp_path)) == [close, far]
    assert names(datasets.hide(tmp_path / "HIDE_dataset", "long-shot")) == [far]
    assert datasets.hide(tmp_path).count == 2025
    assert datasets.hide(tmp_path, "close-ups").count is None
    for pair in datasets.hide(tmp_path):
        assert pair.sharp is not None
        assert pair.sharp.parent.name == "GT"
        assert pair.sharp.name == pair.blurred.name
    (tmp_path / "HIDE_dataset/GT/9fromGOPR1096.png").unlink()
    with pytest.raises(InputError, match="1 blurred without a sharp one: 9fromGOPR1096"):
        names(datasets.hide(tmp_path))


@pytest.mark.parametrize("top", ["", "val", "REDS/val"])
def test_reds_pairs_png_and_jpeg_inputs_with_one_truth(tmp_path: Path, top: str) -> None:
    root = tmp_path / top
    put(root, "val_blur/000/00000000.png", "val_blur/001/00000000.png")
    put(root, "val_blur_jpeg/000/00000000.jpg", "val_blur_jpeg/001/00000000.jpg")
    put(root, "val_sharp/000/00000000.png", "val_sharp/001/00000000.png")
    assert names(datasets.reds(tmp_path)) == ["000/00000000", "001/00000000"]
    assert [pair.blurred.suffix for pair in datasets.reds(tmp_path, "blur_jpeg")] == [".jpg"] * 2
    shutil.rmtree(root / "val_sharp" / "001")
    with pytest.raises(InputError, match="1 blurred without a sharp one: 001"):
        names(datasets.reds(tmp_path))


def test_dpdd_pairs_by_order(tmp_path: Path) -> None:
    root = tmp_path / "dd_dp_dataset_canon" / "test_c"
    put(
        root,
        "source/1P0A0917.png",
        "source/1P0A0920.png",
        "target/1P0A0916.png",
        "target/1P0A0919.png",
    )
    pairs = list(datasets.dpdd(tmp_path))
    assert [(pair.blurred.name, pair.sharp and pair.sharp.name) for pair in pairs] == [
        ("1P0A0917.png", "1P0A0916.png"),
        ("1P0A0920.png", "1P0A0919.png"),
    ]
    (root / "target/1P0A0916.png").unlink()
    with pytest.raises(InputError, match=r"2 pictures in .*source, but 1 in target"):
        names(datasets.dpdd(tmp_path))


@pytest.mark.parametrize(
    ("variant", "folder"),
    [
        ("j", "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"),
        ("r", "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"),
    ],
)
def test_realblur_follows_its_list(tmp_path: Path, variant: str, folder: str) -> None:
    root = tmp_path / "RealBlur"
    scene = f"{folder}/scene048"
    put(root, f"{scene}/gt/gt_1.png", f"{scene}/blur/blur_1.png", f"{scene}/blur/blur_2.png")
    file = root / f"RealBlur_{variant.upper()}_test_list.txt"
    with pytest.raises(InputError, match=r"there is no file RealBlur_._test_list.txt or RealBlur/"):
        datasets.realblur(tmp_path, variant)
    file.write_text(f"{scene}/gt/gt_1.png {scene}/blur/blur_1.png\n\n", encoding="utf-8")
    (pair,) = datasets.realblur(tmp_path, variant)
    assert (pair.name, pair.group) == ("scene048/blur_1", "scene048")
    assert pair.sharp == root / scene / "gt" / "gt_1.png"
    (root / scene / "gt" / "gt_1.png").unlink()
    with pytest.raises(InputError, match=r"1 files of the list .* are missing: .*gt_1.png"):
        names(datasets.realblur(root, variant))


@pytest.mark.parametrize("line", ["a.png", "a.png b.png c.png", "../a.png b.png", "/a.png b.png"])
def test_a_list_names_two_files_inside_the_archive(tmp_path: Path, line: str) -> None:
    (tmp_path / "RealBlur_J_test_list.txt").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1 of .* must be SHARP BLURRED, two names inside"):
        names(datasets.realblur(tmp_path))


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "RealBlur_J_test_list.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="is empty"):
        names(datasets.realblur(tmp_path))


@pytest.mark.parametrize("place", ["", "RSBlur", "datalist/RSBlur"])
def test_rsblur_follows_its_list(tmp_path: Path, place: str) -> None:
    files = ("RSBlur/0014/000017/gt/gt_sharp.png", "RSBlur/0014/000017/real_blur/real_blur.png")
    put(tmp_path, *files)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "RSBlur_real_test.txt").write_text(" ".join(files), encoding="utf-8")
    dataset = datasets.rsblur(tmp_path)
    (pair,) = dataset
    assert (pair.name, pair.group, dataset.count) == ("0014/000017", "0014", 3360)
    assert pair.blurred == tmp_path / files[1]


def test_levin_reads_matrices(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, f = rng.random((20, 24)), rng.random((3, 5))
    f /= f.sum()
    y = scipy.signal.correlate2d(x, f, mode="same")
    scipy.io.savemat(tmp_path / "im05_flit02.mat", {"x": x, "y": y, "f": f})
    (tmp_path / "readme.txt").write_text("not a capture")
    (pair,) = datasets.levin(tmp_path)
    assert (pair.name, pair.group) == ("im05_flit02", "kernel 2")
    blurred, truth, kernel = pair.read_blurred(), pair.read_sharp(), pair.kernel()
    assert truth is not None
    assert kernel is not None
    assert blurred.depth == 32
    np.testing.assert_allclose(truth.encoded()[0, 0], x, rtol=1e-6)
    # The kernel is that of a true convolution.
    again = scipy.signal.convolve2d(x, kernel.pixels.numpy(), mode="same")
    np.testing.assert_allclose(blurred.encoded()[0, 0], again, atol=1e-6)


def test_levin_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file like im05_flit01.mat"):
        datasets.levin(tmp_path)
    file = tmp_path / "im05_flit01.mat"
    file.write_bytes(b"nonsense" * 40)
    (pair,) = datasets.levin(tmp_path)
    with pytest.raises(InputError, match=r"im05_flit01.mat is not a MATLAB file"):
        pair.read_blurred()
    scipy.io.savemat(file, {"x": np.ones((4, 4))})
    with pytest.raises(InputError, match="must hold a matrix of numbers named y"):
        pair.read_blurred()


@pytest.mark.parametrize("top", ["", "GroundTruth_pngs_Image1/"])
def test_kohler_lists_the_frames_of_the_way(tmp_path: Path, top: str) -> None:
    put(tmp_path, "BlurryImages/Blurry1_2.png", "BlurryImages/Blurry1_10.png")
    put(tmp_path / top, *(f"Image1/Kernel2/GroundTruth1_2_{n}.png" for n in range(1, 11)))
    near, far = datasets.kohler(tmp_path)
    assert (near.name, near.group, near.sharp) == ("Blurry1_2", "image 1", None)
    wanted = [f"GroundTruth1_2_{n}" for n in range(1, 11)]
    assert [frame.stem for frame in near.frames] == wanted
    assert (far.name, far.frames) == ("Blurry1_10", ())
    near.frames[3].unlink()
    with pytest.raises(InputError, match="must be numbered from 1 without a gap"):
        names(datasets.kohler(tmp_path))


def test_lai_finds_the_truth_by_the_name(tmp_path: Path) -> None:
    put(tmp_path, "uniform/manmade_01_kernel_01.png", "uniform/text_02_kernel_04.png")
    put(tmp_path, "nonuniform/people_01_gyro_03.png", "ground_truth/manmade_01.png")
    uniform = list(datasets.lai(tmp_path))
    assert [(pair.name, pair.group, pair.sharp) for pair in uniform] == [
        ("manmade_01_kernel_01", "manmade", tmp_path / "ground_truth" / "manmade_01.png"),
        ("text_02_kernel_04", "text", None),
    ]
    assert names(datasets.lai(tmp_path, "nonuniform")) == ["people_01_gyro_03"]
    with pytest.raises(InputError, match=r"no picture like manmade_01_gyro_01.png"):
        datasets.lai(tmp_path / "uniform", "nonuniform")


def test_the_blur_dataset_is_paired_by_number(tmp_path: Path) -> None:
    put(tmp_path, "sharp/0_A_S.JPG", "sharp/10_B_S.jpg", "sharp/9_C_S.png")
    put(
        tmp_path,
        "motion_blurred/0_A_M.JPG",
        "motion_blurred/10_B_M.jpg",
        "motion_blurred/9_C_M.png",
    )
    put(tmp_path, "defocused_blurred/0_A_F.JPG")
    dataset = datasets.blur_dataset(tmp_path)
    assert names(dataset) == ["0", "9", "10"]
    assert dataset.count == 350
    assert [pair.sharp and pair.sharp.name for pair in dataset] == [
        "0_A_S.JPG",
        "9_C_S.png",
        "10_B_S.jpg",
    ]
    with pytest.raises(InputError, match="2 sharp without a blurred one: 9, 10"):
        names(datasets.blur_dataset(tmp_path, "defocus"))
    put(tmp_path, "sharp/9_D_S.png")
    with pytest.raises(InputError, match=r"number 9 is there twice in .*: 9_C_S.png and 9_D_S.png"):
        names(dataset)


def test_folders_are_paired_by_name(tmp_path: Path) -> None:
    put(tmp_path, "input/b.png", "input/a.jpg", "target/a.png", "target/b.png")
    (tmp_path / "input" / ".hidden.png").write_text("")
    (tmp_path / "input" / "notes.txt").write_text("")
    assert names(datasets.folder(tmp_path)) == ["a", "b"]
    assert datasets.folder(tmp_path).count is None
    put(tmp_path, "input/a.png")
    with pytest.raises(InputError, match=r"a\.png and a\.jpg have one name"):
        names(datasets.folder(tmp_path))
    shutil.rmtree(tmp_path / "target")
    with pytest.raises(InputError, match="no folder target in"):
        datasets.folder(tmp_path)


def test_a_flat_folder_is_paired_by_its_endings(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither the folders input and target nor pictures named"):
        datasets.folder(tmp_path)
    put(tmp_path, "1_blur.png", "1_sharp.png", "2_sharp.png", "other.png")
    with pytest.raises(InputError, match="1 sharp without a blurred one: 2"):
        names(datasets.folder(tmp_path))
    put(tmp_path, "2_blur.png")
    assert names(datasets.folder(tmp_path)) == ["1", "2"]


def test_sharp_pictures_are_their_own_truth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no pictures in"):
        names(datasets.sharp(tmp_path))
    put(tmp_path, "a.png", "a.jpg", "deep/er/c.png")
    assert names(datasets.sharp(tmp_path)) == ["a.jpg", "a.png", "deep/er/c.png"]
    assert all(pair.sharp == pair.blurred for pair in datasets.sharp(tmp_path))


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path, "input/a.png", "target/a.png")
    (tmp_path / "input/a.png").write_bytes(b"")
    (pair,) = datasets.folder(tmp_path)
    with pytest.raises(InputError, match=r"a\.png"):
        pair.read_blurred()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("reader", "folder", "count", "truths"),
    [
        (datasets.folder, "gopro", 3, 3),
        (datasets.folder, "pixel4", 8, 8),
        (datasets.blur_dataset, "kwentar", 8, 8),
        (datasets.levin, "levin", 8, 8),
        (datasets.kohler, "kohler", 6, 0),
        (datasets.lai, "lai", 5, 0),
        (datasets.sharp, "cid22", 41, 41),
    ],
)
def test_pieces_of_the_real_sets(
    shared: Path, reader: Reader, folder: str, count: int, truths: int
) -> None:
    pairs = list(reader(shared / "data" / "dev" / folder))
    assert len(pairs) == count
    assert len({pair.name for pair in pairs}) == count
    assert sum(pair.sharp is not None for pair in pairs) == truths
    first = pairs[0]
    blurred, truth = first.read_blurred(), first.read_sharp()
    if truth is not None:
        assert blurred.size == truth.size


@pytest.mark.shared
def test_a_real_capture_is_the_truth_under_its_kernel(shared: Path) -> None:
    pair = next(iter(datasets.levin(shared / "data" / "dev" / "levin")))
    truth, kernel = pair.read_sharp(), pair.kernel()
    assert truth is not None
    assert kernel is not None
    again = scipy.signal.convolve2d(truth.encoded()[0, 0], kernel.pixels, mode="same")
    blurred = pair.read_blurred().encoded()[0, 0].numpy()
    # Captures are the convolution up to a whole shift.
    errors = [
        np.mean((np.roll(again, (dy, dx), (0, 1)) - blurred)[30:-30, 30:-30] ** 2)
        for dy in range(-4, 5)
        for dx in range(-4, 5)
    ]
    assert -10 * np.log10(min(errors)) > 38
