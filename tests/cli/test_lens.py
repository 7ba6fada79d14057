"""`unblur calibrate`, `unblur lens`, `unblur chart`, and `fix --lens`."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import unblur
from unblur.blur import Field, kernels
from unblur.lens import LensProfile
from unblur.lens.prior import StoredPrior

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair of pictures."""
    folder = tmp_path_factory.mktemp("pair")
    scene = data.astronaut()[:200, 80:280]
    rng = np.random.default_rng(0)
    blurred = unblur.blur(scene, kernels.gaussian(1.3), noise=0.004, encoding="srgb")
    sharp = np.clip(scene + rng.normal(scale=1, size=scene.shape), 0, 255).astype(np.uint8)
    Image.fromarray(sharp).save(folder / "sharp.png")
    Image.fromarray(blurred).save(folder / "blurred.png")
    return folder


@pytest.fixture(scope="module")
def lens(files: Path) -> Path:
    profile = unblur.calibrate(
        files / "sharp.png", files / "blurred.png", grid=(1, 2), kernel_size=11, camera="Box 1"
    )
    profile.save(files / "lens.safetensors")
    return files / "lens.safetensors"


def test_a_pair_becomes_a_profile_and_a_picture(
    files: Path, lens: Path, tmp_path: Path, command: Command
) -> None:
    target = tmp_path / "new.safetensors"
    answer = command(
        "calibrate", "--sharp", files / "sharp.png", "--blurred", files / "blurred.png",
        "--grid", "1x2", "--kernel-size", "11", "--camera", "Box 1", "-o", target, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert (told["grid"], told["kernel_size"], told["camera"]) == ([1, 2], 11, "Box 1")
    # The library gives the same.
    found, wanted = LensProfile.load(target), LensProfile.load(lens)
    assert found.field.kernels.equal(wanted.field.kernels)
    with Image.open(tmp_path / "new.png") as drawn:
        assert drawn.size[0] > drawn.size[1] > 0


def test_a_small_pair_is_told_that_it_has_one_cell(
    files: Path, tmp_path: Path, command: Command
) -> None:
    target = tmp_path / "small.safetensors"
    answer = command(
        "calibrate", "--sharp", files / "sharp.png", "--blurred", files / "blurred.png",
        "--kernel-size", "11", "-o", target,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "warning: pictures of 200 x 200 pixels give only one cell" in answer.err
    assert "give only one cell" in command("lens", "show", target).out


def test_a_hopeless_pair_leaves_nothing(files: Path, tmp_path: Path, command: Command) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(data.coffee()[100:300, 100:300]).save(other)
    answer = command(
        "calibrate", "--sharp", other, "--blurred", files / "blurred.png",
        "-o", tmp_path / "no.safetensors",
    )  # fmt: skip
    assert answer.code == 1
    assert "same scene" in answer.err
    assert [each.name for each in tmp_path.iterdir()] == ["other.png"]


def test_wrong_words_are_found_before_the_work(
    files: Path, tmp_path: Path, command: Command
) -> None:
    pair = ("calibrate", "--sharp", files / "sharp.png", "--blurred", files / "blurred.png")
    for words, reason in (
        (("-o", tmp_path / "a.tif"), "safetensors"),
        (("-o", tmp_path / "a.safetensors", "--grid", "9"), "ROWSxCOLUMNS"),
        (("-o", files / "sharp.png"), "safetensors"),
        (("-o", tmp_path / "a.safetensors", "--sharp", files / "sharp.png"), "as many"),
    ):
        answer = command(*pair, *words)
        assert answer.code == 2, answer.err
        assert reason in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_corrected_by_its_lens(
    files: Path, lens: Path, tmp_path: Path, command: Command
) -> None:
    answer = command(
        "fix", files / "blurred.png", "--lens", lens, "-m", "wiener", "-o", tmp_path / "out.png"
    )
    assert answer.code == 0, answer.err
    assert "varying over 2 x 1 cells" in answer.out
    sharp, blurred, fixed = (
        np.asarray(Image.open(path), np.float64)[16:-16, 16:-16]
        for path in (files / "sharp.png", files / "blurred.png", tmp_path / "out.png")
    )
    before, after = (((each - sharp) ** 2).mean() for each in (blurred, fixed))
    assert after < 0.7 * before
    result = unblur.deblur(files / "blurred.png", "wiener", lens=lens)
    assert (
        np.asarray(Image.open(tmp_path / "out.png"))
        == result.image.samples[0].permute(1, 2, 0).numpy()
    ).all()
    assert result.field is not None


def test_auto_finds_the_lens_by_its_name(
    files: Path, lens: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    assert "no profiles" in command("lens", "list").out
    assert command("lens", "add", lens).code == 0
    listed = command("lens", "list").out
    assert listed.startswith("box-1: Box 1; frame 200 x 200")
    assert str(tmp_path) not in listed
    (entry,) = json.loads(command("lens", "list", "--json").out)
    assert entry["name"] == "box-1"
    assert Path(entry["path"]).is_file()
    named = tmp_path / "named.jpg"
    tags = Image.Exif()
    tags[272] = "Box 1"
    Image.open(files / "blurred.png").save(named, quality=95, exif=tags)
    answer = command("fix", named, "--lens", "auto", "-m", "wiener", "-o", tmp_path / "a.png")
    assert answer.code == 0, answer.err
    answer = command("fix", files / "blurred.png", "--lens", "auto", "-o", tmp_path / "b.png")
    assert answer.code == 1
    assert "metadata" in answer.err


def test_the_report_says_what_restored_the_picture_and_for_which_lens(
    files: Path, lens: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    assert command("lens", "add", lens).code == 0
    named = tmp_path / "named.jpg"
    tags = Image.Exif()
    tags[272] = "Box 1"
    Image.open(files / "blurred.png").save(named, quality=95, exif=tags)
    kept = next((tmp_path / "home").rglob("*.safetensors"))
    for given, file in ((lens, lens), ("auto", kept)):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        answer = command(
            "fix", named, "--lens", given, "-o", tmp_path / "a.png", "--overwrite",
            "--report", tmp_path / "a.json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        assert f"(local-wiener, lens Box 1 / {file.name} {digest[:8]}, kernel" in answer.out
        record = json.loads((tmp_path / "a.json").read_text())
        assert record["method"] == "local-wiener"
        assert "kernel_size" not in record["parameters"]
        wanted = {"camera": "Box 1", "file": file.name, "sha256": digest}
        assert wanted.items() <= record["lens"].items()
    page = tmp_path / "a.html"
    assert (
        command("fix", named, "--lens", lens, "-o", tmp_path / "b.png", "--report", page).code == 0
    )
    text = page.read_text()
    assert "<th>lens.camera</th><td>Box 1</td>" in text
    assert "<td>local-wiener</td>" in text


def test_show_says_what_a_profile_is_for(lens: Path, tmp_path: Path, command: Command) -> None:
    answer = command("lens", "show", lens, "-o", tmp_path / "kernels.png")
    assert answer.code == 0
    assert answer.out.startswith("Box 1; frame 200 x 200, 2 x 1 cells, kernels 11 x 11")
    assert (tmp_path / "kernels.png").exists()
    assert json.loads(command("lens", "show", lens, "--json").out)["frame"] == [200, 200]
    assert command("lens", "show", tmp_path / "kernels.png").code == 1


def test_show_prints_words_and_says_plainly_what_is_no_profile(
    lens: Path, tmp_path: Path, command: Command
) -> None:
    lines = command("lens", "show", lens).out.splitlines()
    assert lines[-1] == "cells that can be trusted: 100 %"
    assert any(line.startswith("pair 1: turned by ") for line in lines)
    assert not any("{" in line for line in lines)
    (tmp_path / "no.safetensors").write_text("words")
    answer = command("lens", "show", tmp_path / "no.safetensors")
    assert "is not a lens profile, or is damaged" in answer.err
    assert "header" not in answer.err
    assert "does not exist" in command("lens", "show", tmp_path / "none").err


def test_messages_name_the_options(
    files: Path, lens: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ("calibrate", "--sharp", files / "sharp.png", "--blurred", files / "blurred.png")
    for words, reason in (
        (("--kernel-size", "12"), "--kernel-size must be odd"),
        (("--grid", "9x12", "--kernel-size", "25"), "as --grid, a smaller --kernel-size"),
        (("--grid", "0x3"), "--grid must be ROWSxCOLUMNS"),
    ):
        answer = command(*pair, *words, "-o", tmp_path / "a.safetensors")
        assert answer.code == 2
        assert reason in answer.err
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    assert command("lens", "add", lens).code == 0
    assert "allow overwriting (--overwrite)" in command("lens", "add", lens).err
    answer = command("lens", "show", lens, "-o", files / "sharp.png")
    assert answer.code == 1
    assert "allow overwriting (--overwrite)" in answer.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--kernel", "{lens}"), "lens and kernel both"),
        (("-m", "nafnet"), "lens is not for method 'nafnet'"),
    ],
)
def test_what_a_lens_does_not_go_with(
    words: tuple[str, ...], reason: str, files: Path, lens: Path, tmp_path: Path, command: Command
) -> None:
    given = [word.format(lens=lens) for word in words]
    answer = command("fix", files / "blurred.png", "--lens", lens, *given, "-o", tmp_path / "x.png")
    assert answer.code == 2
    assert reason in answer.err


def test_another_shape_is_refused(lens: Path, tmp_path: Path, command: Command) -> None:
    cut = tmp_path / "cut.png"
    Image.fromarray(data.coffee()[:100, :180]).save(cut)
    answer = command("fix", cut, "--lens", lens, "-m", "wiener", "-o", tmp_path / "o.png")
    assert answer.code == 1
    assert "uncut frame" in answer.err


def test_a_chart_is_drawn(tmp_path: Path, command: Command) -> None:
    answer = command("chart", "-o", tmp_path / "chart.pdf", "--paper", "a4", "--dpi", "60")
    assert answer.code == 0
    assert "702 x 496" in answer.out
    assert (tmp_path / "chart.pdf").read_bytes().startswith(b"%PDF")


def test_dpanet_restores_with_the_prior(files: Path, tmp_path: Path) -> None:
    from unblur.nets.dpanet import DPANet

    generator = torch.Generator().manual_seed(0)
    state = DPANet(width=2, blocks=1, prior_blocks=1, blind=False).state_dict()
    for name, entry in state.items():
        # What training leaves: nothing is zero.
        fan = entry[0].numel() if entry.ndim > 1 else 100
        state[name] = torch.randn(entry.shape, generator=generator) * (3 * fan) ** -0.5
    torch.save(state, tmp_path / "net.pth")
    weights = str(tmp_path / "net.pth")
    profile = unblur.calibrate(
        files / "sharp.png", files / "blurred.png", grid=(1, 1), kernel_size=11, prior=weights
    )
    assert profile.prior is not None
    picture = files / "blurred.png"
    told = {"weights": weights, "lens": profile}
    whole = unblur.deblur(picture, "dpanet", **told).image.samples.float()
    tiled = unblur.deblur(picture, "dpanet", tile=176, **told).image.samples.float()
    assert float((whole - tiled).abs().max()) <= 1
    # Another prior, another picture.
    levels = tuple(level + 3 for level in profile.prior.levels)
    other = LensProfile(
        profile.field, profile.confidence, profile.frame,
        prior=StoredPrior(levels, profile.prior.weights),  # type: ignore[arg-type]
    )  # fmt: skip
    changed = unblur.deblur(picture, "dpanet", weights=weights, lens=other).image.samples.float()
    assert float((changed - whole).abs().mean()) > 0.5
    foreign = LensProfile(
        Field.uniform(kernels.gaussian(1)), torch.ones(1, 1), profile.frame,
        prior=StoredPrior(profile.prior.levels, "another"),
    )  # fmt: skip
    with pytest.raises(unblur.errors.WeightsError, match="other weights"):
        unblur.deblur(picture, "dpanet", weights=weights, lens=foreign)
    without = LensProfile(profile.field, profile.confidence, profile.frame)
    with pytest.raises(unblur.errors.ParameterError, match="no distortion prior"):
        unblur.deblur(picture, "dpanet", weights=weights, lens=without)
