"""Runs over miniature sets: what is scored, kept, gone on with, and refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from unblur import evaluate
from unblur.errors import Cancelled, InputError, OutputError, ParameterError, UnblurError
from unblur.evaluate import Run, Store
from unblur.evaluate.contender import INPUT, Contender
from unblur.photo import Photo, write

QUICK = "dpanet:backend=torch,precision=float32,guard=false"
Make = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("tiny_weights")


def go(root: Path, *methods: str, protocol: str = "folder", **options: Any) -> Run:
    said = {name: options.pop(name) for name in ("align", "as_published") if name in options}
    chosen, variant = evaluate.settle(evaluate.find(protocol), options.pop("variant", None), **said)
    dataset = chosen.reader(root, variant)
    entrants = options.pop("entrants", None) or evaluate.contenders(methods or [INPUT], {})
    return evaluate.run(chosen, variant, dataset, entrants, **options)


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_the_input_is_scored_as_scikit_image_does(pairs: Make) -> None:
    root = pairs()
    done = go(root)
    assert [record.picture for record in done.records[INPUT]] == ["0", "1", "2"]
    for record in done.records[INPUT]:
        truth, blurred = (
            picture(root / kind / f"{record.picture}.png") for kind in ("target", "input")
        )
        assert record.values["psnr"] == pytest.approx(
            peak_signal_noise_ratio(truth, blurred), abs=1e-4
        )
    (score,) = evaluate.scores(done)
    values = [record.values["psnr"] for record in done.records[INPUT]]
    assert score.values["psnr"] == pytest.approx(np.mean(values))
    assert (score.pictures, score.of, score.complete, score.seconds) == (3, None, False, None)


def test_a_network_is_recorded_with_its_weights(pairs: Make) -> None:
    done = go(pairs(2), QUICK)
    own, network = evaluate.scores(done)
    assert own.contender == INPUT
    assert network.method == "dpanet"
    assert network.weights_sha256 is not None
    assert len(network.weights_sha256) == 64
    assert network.parameters["precision"] == "float32"
    assert set(network.versions) >= {"unblur", "torch"}
    assert network.device == "cpu"
    assert network.values["psnr"] != own.values["psnr"]
    assert network.seconds is not None


def test_a_limit_makes_another_column(pairs: Make) -> None:
    root = pairs()
    (part,) = evaluate.scores(go(root, limit=2))
    (whole,) = evaluate.scores(go(root))
    assert part.pictures == 2
    assert part.column("psnr") != whole.column("psnr")
    with pytest.raises(ParameterError, match="limit must be at least 1, not 0"):
        go(root, limit=0)


def counting(asked: list[tuple[int, ...]]) -> tuple[Contender, ...]:
    def warm(photo: Any, progress: Any = None) -> Any:
        asked.append(photo.size)
        return evaluate.contenders([QUICK], {})[1].warm(photo)  # type: ignore[misc]

    first, second = evaluate.contenders([QUICK], {})
    return first, replace(second, warm=warm)


def test_what_is_kept_is_not_computed_again(pairs: Make, tmp_path: Path) -> None:
    root, folder = pairs(), tmp_path / "out"
    asked: list[tuple[int, ...]] = []

    def stop(stage: str, fraction: float) -> None:
        if len(asked) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        go(root, entrants=counting(asked), store=Store(folder), progress=stop)
    kept = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    assert 2 <= len(kept) < 6
    assert not list(folder.rglob("*.part"))
    before = len(asked)
    done = go(root, entrants=counting(asked), store=Store(folder, resume=True))
    assert len(done.records[QUICK]) == 3
    assert len(asked) == before + 3 - sum(1 for path in kept if "dpanet" in str(path))
    again = go(root, entrants=counting(asked), store=Store(folder, resume=True))
    assert again.records == done.records
    assert len(asked) == before + 3 - sum(1 for path in kept if "dpanet" in str(path))
    # An uninterrupted run measures the same.
    straight = go(root, entrants=counting(asked))
    assert [record.values for record in straight.records[QUICK]] == [
        record.values for record in done.records[QUICK]
    ]


def test_records_of_another_run_are_refused(pairs: Make, tmp_path: Path) -> None:
    root, folder = pairs(1), tmp_path / "out"
    go(root, store=Store(folder))
    with pytest.raises(OutputError, match="holds the records of another run: go on with it"):
        Store(folder)
    with pytest.raises(ParameterError, match="exclude each other"):
        Store(folder, resume=True, overwrite=True)
    with pytest.raises(OutputError, match=r"0\.json was made with other settings or versions"):
        go(root, protocol="folder", as_published=True, store=Store(folder, resume=True))
    Image.open(root / "target/0.png").transpose(Image.Transpose.ROTATE_90).save(
        root / "target/0.png"
    )
    with pytest.raises(OutputError, match=r"0\.json was made with other pictures"):
        go(root, store=Store(folder, resume=True))
    (folder / "records/input/0.json").write_text('{"plan": 1', encoding="utf-8")
    with pytest.raises(OutputError, match=r"0\.json is damaged .*: delete it"):
        go(root, store=Store(folder, resume=True))
    done = go(root, as_published=True, store=Store(folder, overwrite=True))
    stored = json.loads((folder / "records/input/0.json").read_text(encoding="utf-8"))
    assert stored["values"] == dict(done.records[INPUT][0].values)


def test_crops_are_kept_for_each_contender_and_the_truth(pairs: Make, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    go(pairs(1), QUICK, store=store)
    for label in (INPUT, "truth", QUICK):
        content = store.crop(label, "0")
        assert content is not None
        assert content.startswith(b"\x89PNG")
    assert store.crop("nobody", "0") is None


def test_a_fault_in_one_picture_leaves_the_others(pairs: Make) -> None:
    root = pairs()
    (root / "input/1.png").write_bytes(b"nonsense")
    told: dict[str, UnblurError] = {}
    done = go(root, QUICK, failed=told.__setitem__)
    assert list(told) == ["1"]
    assert list(done.failures) == ["1"]
    assert [record.picture for record in done.records[QUICK]] == ["0", "2"]
    assert evaluate.scores(done)[0].pictures == 2


def save(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: save(root / "input/0.png", np.zeros((48, 40, 3), np.uint8)),
            "0: the blurred picture is 40 x 48 pixels, 3 channels and the sharp one 48 x 48 pixels",
        ),
        (
            lambda root: save(root / "target/0.png", np.zeros((48, 48), np.uint8)),
            "the sharp one 48 x 48 pixels, 1 channels; they must be equal",
        ),
        (
            lambda root: save(root / "target/0.png", np.zeros((48, 48), np.uint16)),
            "0: the sharp picture has 16 bits, and protocol folder takes 8: was it converted",
        ),
    ],
)
def test_pairs_that_do_not_fit_are_refused(
    pairs: Make, change: Callable[[Path], None], message: str
) -> None:
    root = pairs(1)
    change(root)
    done = go(root)
    assert message in done.failures["0"]
    assert evaluate.scores(done) == ()


def test_pairs_that_are_not_aligned_are_refused(pairs: Make) -> None:
    root = pairs(1, 96, shift=4)
    done = go(root)
    assert "0: the pair is not aligned: moving the blurred picture by a few" in done.failures["0"]
    lying = go(root, as_published=True).records[INPUT][0]
    aligned = go(root, align=True).records[INPUT][0]
    assert lying.values["psnr"] < 22
    assert aligned.values["psnr"] > lying.values["psnr"] + 8
    straight = go(pairs(1, 96, name="straight")).records[INPUT][0]
    assert aligned.values["psnr"] == pytest.approx(straight.values["psnr"], abs=3)


def test_depths_of_a_protocol_are_insisted_on(tmp_path: Path) -> None:
    for kind, name in (("source", "2.png"), ("target", "1.png")):
        folder = tmp_path / "test_c" / kind
        folder.mkdir(parents=True)
        save(folder / name, np.zeros((20, 20, 3), np.uint8))
    done = go(tmp_path, protocol="dpdd")
    assert "2: the blurred picture has 8 bits, and protocol dpdd takes 16" in done.failures["2"]


def test_sixteen_bits_are_scored_as_sixteen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(1000, 60000, (3, 24, 24)).astype(np.int32)
    blurred = truth + rng.integers(-3, 4, truth.shape)
    for kind, values in (("source", blurred), ("target", truth)):
        folder = tmp_path / "test_c" / kind
        folder.mkdir(parents=True)
        samples = torch.from_numpy(values.astype(np.uint16))[None]
        write(folder / "1.png", Photo(samples))
    (record,) = go(tmp_path, protocol="dpdd").records[INPUT]
    wanted = peak_signal_noise_ratio(truth, blurred, data_range=65535)
    assert wanted > 80
    assert record.values["psnr"] == pytest.approx(wanted, abs=1e-2)


def test_a_set_without_truth_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "Blurry1_1.png", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r"1 of 1 pictures have no truth, Blurry1_1 .*Image1/Kern"):
        go(tmp_path, protocol="kohler")
    save(tmp_path / "text_01_kernel_01.png", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match=r"no truth, text_01_kernel_01 .*ground_truth/manmade_01"):
        go(tmp_path, protocol="lai")


def test_kohler_is_scored_against_its_frames(tmp_path: Path, photograph: np.ndarray) -> None:
    picture = np.ascontiguousarray(photograph[:64, :64])
    save(tmp_path / "Blurry1_1.png", picture)
    frames = tmp_path / "Image1/Kernel1"
    frames.mkdir(parents=True)
    for number, frame in enumerate((picture[::-1], np.roll(picture, 2, 0)), 1):
        save(frames / f"GroundTruth1_1_{number}.png", np.ascontiguousarray(frame))
    store = Store(tmp_path / "out")
    (record,) = go(tmp_path, protocol="kohler", store=store).records[INPUT]
    assert set(record.values) == {"psnr"}
    assert record.values["psnr"] > 25
    assert store.crop("truth", "Blurry1_1") is not None


def test_a_method_that_needs_a_kernel_needs_a_set_that_has_them(pairs: Make) -> None:
    with pytest.raises(ParameterError, match="wiener needs the blur, and protocol folder has no"):
        go(pairs(1), "wiener")


def test_sharp_pictures_left_alone_have_no_error(pairs: Make) -> None:
    done = go(pairs(1) / "target", protocol="sharp")
    assert done.records[INPUT][0].values["psnr"] == float("inf")


def test_variants_are_named_in_the_score(tmp_path: Path) -> None:
    for kind, grey in (("blur", 10), ("blur_gamma", 20), ("sharp", 0)):
        folder = tmp_path / "test/GOPR0384_11_00" / kind
        folder.mkdir(parents=True)
        save(folder / "000001.png", np.full((16, 16, 3), grey, np.uint8))
    found = {}
    for variant in ("blur", "blur_gamma"):
        (score,) = evaluate.scores(go(tmp_path, protocol="gopro", variant=variant))
        found[variant] = score
    assert found["blur"].values["psnr"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-4)
    assert found["blur_gamma"].values["psnr"] == pytest.approx(20 * np.log10(255 / 20), abs=1e-4)
    assert found["blur"].column("psnr") != found["blur_gamma"].column("psnr")
    assert "1 of 1111 pictures of gopro (blur)" in found["blur"].column("psnr")[1]


@pytest.mark.shared
def test_levin_with_the_true_kernel(shared: Path) -> None:
    root = shared / "data" / "dev" / "levin"
    done = go(root, "tv", protocol="levin", limit=2)
    own, solved = evaluate.scores(done)
    # Measured with other programs on the same captures.
    assert [round(record.values["psnr"], 2) for record in done.records[INPUT]] == [23.77, 26.16]
    assert own.values["psnr"] == pytest.approx((23.77 + 26.16) / 2, abs=0.01)
    assert solved.values["psnr"] > 34
    assert "error-ratio" not in solved.values


@pytest.mark.shared
def test_real_pairs_are_aligned_and_those_of_many_cameras_are_not(shared: Path) -> None:
    dev = shared / "data" / "dev"
    assert not go(dev / "gopro", limit=1).failures
    assert not go(dev / "pixel4", limit=1).failures
    assert go(dev / "kwentar", protocol="blur-dataset", variant="defocus", as_published=True,
              limit=1).records[INPUT][0].values["psnr"] == pytest.approx(16.9, abs=0.5)  # fmt: skip
