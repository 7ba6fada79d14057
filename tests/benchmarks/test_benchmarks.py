"""The benchmarks' own parts, on toys."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import unblur

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmarks() -> ModuleType:
    """The folder beside `src`, which is not installed."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module("benchmarks.__main__")
    finally:
        sys.path.remove(str(ROOT))


def test_a_table_aligns_names_and_figures(benchmarks: ModuleType) -> None:
    from benchmarks.table import table

    text = table(("image", "PSNR"), [("one", 31.256), ("another", None), ("three", 7)])
    assert text.splitlines() == [
        "image     PSNR",
        "-------  -----",
        "one      31.26",
        "another      -",
        "three        7",
    ]


def test_every_name_is_a_benchmark(
    benchmarks: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in benchmarks.NAMES:
        monkeypatch.setattr(f"benchmarks.{name}.run", lambda name=name: f"ran {name}")
    assert benchmarks.main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name}\nran {name}\n" in out for name in benchmarks.NAMES)
    assert "torch" in out.splitlines()[0]
    assert benchmarks.main(["levin"]) == 0
    assert "ran speed" not in capsys.readouterr().out


def test_an_unknown_name_is_refused(
    benchmarks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmarks.main(["lewin"]) == 2
    captured = capsys.readouterr()
    assert "lewin; there are levin" in captured.err
    assert not captured.out
    assert all(name in captured.err for name in benchmarks.NAMES)


@pytest.mark.parametrize(
    "name", ["levin", "deconvolution", "shakes", "confidence", "homography", "noharm", "lenses"]
)
def test_absent_pictures_are_passed_over(
    benchmarks: ModuleType, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_SHARED", str(tmp_path))
    run = importlib.import_module(f"benchmarks.{name}").run
    text = run()
    assert text.startswith(f"{name}: passed over")
    assert "\n" not in text


def test_the_area_under_the_roc_curve_by_hand(benchmarks: ModuleType) -> None:
    from benchmarks.confidence import area

    # Of the six pairs (success, failure) four are in order, one is not, one is a tie.
    assert area([0.9, 0.4, 0.6, 0.4, 0.5], [True, True, True, False, False]) == pytest.approx(
        (2 + 0.5 + 2) / 6
    )
    assert area([0.1, 0.2, 0.8, 0.9], [False, False, True, True]) == 1.0
    assert area([0.1, 0.2, 0.8, 0.9], [True, True, False, False]) == 0.0
    assert area([0.5, 0.5], [True, False]) == 0.5
    assert area([0.5, 0.7], [True, True]) is None
    assert area([], []) is None


def test_bins_hold_every_confidence_once(benchmarks: ModuleType) -> None:
    from benchmarks.confidence import bins

    rows = bins([0.0, 0.1, 0.2, 1.0, 0.9], [False, True, True, True, False])
    assert [row[1] for row in rows] == [2, 1, 0, 0, 2]
    assert rows[0] == ("0.0 to 0.2", 2, pytest.approx(0.05), 0.5)
    assert rows[4] == ("0.8 to 1.0", 2, pytest.approx(0.95), 0.5)
    assert rows[2][2:] == (None, None)


def test_blurs_of_all_kinds_and_noises_come_from_their_number(benchmarks: ModuleType) -> None:
    from benchmarks.confidence import KINDS, NOISES, blur_of
    from benchmarks.pictures import MARGIN

    blurs = [blur_of(index) for index in range(200)]
    assert {(kind, noise) for kind, _, noise in blurs} == {(k, n) for k in KINDS for n in NOISES}
    assert max(max(kernel.size) for _, kernel, _ in blurs) // 2 <= MARGIN
    again = blur_of(4)
    assert again[1].pixels.equal(blurs[4][1].pixels)


def test_unchanged_pictures_are_counted_but_not_judged(benchmarks: ModuleType) -> None:
    from benchmarks.confidence import Found, _text

    found = [
        Found("shake", 0.003, success=True, changed=True, confidence=0.9),
        Found("motion", 0.01, success=False, changed=True, confidence=0.3),
        Found("disk", 0.02, success=False, changed=False, confidence=None),
    ]
    text = _text(found)
    assert "1 successes and 1 failures with a confidence, 1 pictures without one" in text
    assert text.endswith("area under the ROC curve 1.000")


def test_a_capture_does_not_know_what_lay_beyond(benchmarks: ModuleType) -> None:
    from benchmarks.pictures import MARGIN, aligned, capture

    scene = np.random.default_rng(0).integers(0, 256, (128, 130, 3), np.uint8)
    kernel = unblur.kernels.motion(length=21)
    blurred, sharp = capture(scene, kernel, 0.0, 0)
    inside = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    assert blurred.dtype == sharp.dtype == np.uint8
    assert (sharp == scene[inside]).all()
    # The first pixel is the mean of what lies around it, beyond the cut as well.
    around = scene[MARGIN, MARGIN - 10 : MARGIN + 11].mean(0)
    assert np.abs(blurred[0, 0] - around).max() <= 0.5 + 1e-3
    assert aligned(blurred, sharp) < 20


def test_a_tiled_picture_has_the_same_content_at_every_size(
    benchmarks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.pictures import tiled

    monkeypatch.setenv("UNBLUR_SHARED", str(tmp_path))
    kernel = unblur.kernels.disk(radius=2)
    small, large = tiled(kernel, 64, 96), tiled(kernel, 1100, 1200)
    assert small.shape == (64, 96, 3)
    assert large.shape == (1100, 1200, 3)
    assert (large[:64, :96] == small).all()
    assert (large[1024:1088, 1024:1120] == small[:64, :96]).all()


def test_the_list_of_sizes_can_be_cut_short(
    benchmarks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import scaling

    monkeypatch.delenv("UNBLUR_MEGAPIXELS", raising=False)
    assert scaling.sizes() == (1, 4, 16, 64)
    monkeypatch.setenv("UNBLUR_MEGAPIXELS", "1,0.5")
    assert scaling.sizes() == (1, 0.5)
    costs = {1.0: ("small", 2.0, 1.0), 4.0: ("middle", 4.0, 1.0)}
    assert [row[3:5] for row in scaling._rows("tv", costs)] == [(2.0, 2.0), (1.0, 1.0)]
    assert scaling._rows("tv", {1.0: ("small", 2.0, 1.0)})[0][4] is None


def test_a_sheet_shows_every_crop(benchmarks: ModuleType) -> None:
    from benchmarks.sheet import COLUMNS, CROP, GAP, LINE, compose

    rows = [
        [
            (np.full((CROP, CROP, 3), 30 * (row + 1) + 60 * column, np.uint8), None)
            for column in range(len(COLUMNS))
        ]
        for row in range(2)
    ]
    sheet = np.asarray(compose(rows))
    for row in range(2):
        for column in range(len(COLUMNS)):
            y = GAP + LINE + row * (CROP + LINE + GAP) + CROP // 2
            x = GAP + column * (CROP + GAP) + CROP // 2
            assert abs(int(sheet[y, x, 0]) - (30 * (row + 1) + 60 * column)) <= 1


def test_a_file_is_fixed_by_a_process_of_its_own(benchmarks: ModuleType, tmp_path: Path) -> None:
    from benchmarks.speed import fix

    source, target = tmp_path / "flat.png", tmp_path / "out.png"
    Image.new("RGB", (40, 30), "gray").save(source)
    assert fix(source, target) > 20e6
    with Image.open(target) as image:
        assert image.size == (40, 30)
    with pytest.raises(RuntimeError, match="absent"):
        fix(tmp_path / "absent.png", target)
