import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import unblur

Command = Callable[..., Any]


@pytest.fixture
def fix(command: Command, kernel_file: Path) -> Command:
    """`unblur fix` with a known blur and one linear filter, which is quick."""

    def run(*arguments: object) -> Any:
        return command("fix", "-m", "wiener", "--kernel", kernel_file, *arguments)

    return run


def test_a_picture_is_fixed_beside_itself(fix: Command, png: Path) -> None:
    answer = fix(png)
    target = png.with_name("photo.unblur.png")
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.startswith(f"{png} -> {target} (wiener, ")
    assert unblur.read(target).size == (96, 128)


def test_the_bytes_are_those_of_the_library(fix: Command, png: Path, kernel_file: Path) -> None:
    fix(png, "--noise-std", "0.02", "-o", png.with_name("cli.png"))
    result = unblur.deblur(
        str(png), "wiener", kernel=unblur.Kernel.load(kernel_file), noise_std=0.02
    )
    unblur.write(png.with_name("lib.png"), result.image, note="unblur wiener")
    assert png.with_name("cli.png").read_bytes() == png.with_name("lib.png").read_bytes()


def test_unknown_blur_needs_no_parameter(command: Command, tmp_path: Path) -> None:
    from skimage import data

    sharp = data.camera()[100:260, 150:350]
    blurred = unblur.blur(sharp, unblur.kernels.motion(length=9, angle=20))
    Image.fromarray(blurred).save(tmp_path / "a.png")
    answer = command("fix", tmp_path / "a.png", "--save-kernel", tmp_path / "k.tif", "--json")
    assert answer.code == 0
    record = json.loads(answer.out)
    assert record["method"] == "l0"
    assert record["unchanged"] is None
    assert unblur.Kernel.load(tmp_path / "k.tif").size == tuple(record["kernel"]["size"])


@pytest.mark.parametrize(
    "words",
    [
        ["--noise-std", "0.02"],
        ["--noise_std", "0.02"],
        ["--noise_std=0.02"],
        ["--set", "noise_std=0.02"],
        ["--set=noise-std=2e-2"],
    ],
)
def test_a_parameter_of_the_method_by_any_spelling(
    fix: Command, png: Path, words: list[str]
) -> None:
    answer = fix(png, "--json", *words)
    assert answer.code == 0
    assert json.loads(answer.out)["parameters"]["noise_std"] == 0.02


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--stop-at-noise"], True),
        (["--stop-at-noise", "false"], False),
        (["--stop-at-noise=no"], False),
        (["--no-stop-at-noise"], False),
    ],
)
def test_a_switch_of_the_method_by_any_spelling(
    command: Command, kernel_file: Path, png: Path, words: list[str], wanted: bool
) -> None:
    answer = command("fix", "-m", "richardson-lucy", "--kernel", kernel_file, *words, png, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["parameters"]["stop_at_noise"] is wanted


def test_underscores_in_options_are_hyphens(fix: Command, png: Path) -> None:
    assert fix(png, "--max_memory", "2GB", "--strip_metadata", "--in_place").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--noise-sdt", "1"], "no such option: --noise-sdt; did you mean --noise-std"),
        (["--stregth=0.5"], "no such option: --stregth; did you mean --strength"),
        (
            ["--lambda-min", "1e-4"],
            "no such option: --lambda-min with -m wiener; -m l0 would take it",
        ),
        (["--set", "lamda=1"], "unknown parameter 'lamda'"),
        (["--set", "noise_std"], "--set must be NAME=VALUE"),
        (["--set", "noise_std=1", "--noise-std", "1"], "'noise_std' is given twice"),
        (["-m", "weiner"], "method 'weiner' is unknown: did you mean wiener?"),
        (["-m", "weiner", "--noise-std", "1"], "method 'weiner' is unknown: did you mean wiener?"),
        (["--kernel-size", "5"], "unknown parameter 'kernel_size'"),
        (["--report", "r.pdf"], "--report must end in .html or .json"),
        (["--report", "absent/r.json"], "its folder does not exist"),
        (["--roi", "1,2,3"], "--roi must be X,Y,W,H"),
        (["--roi", "0,0,0,9"], "--roi must start inside"),
        (["--background", "red"], "--background must be"),
        (["--encoding", "gamma"], "--encoding must be one of auto, srgb, linear"),
        (["--nonfinite", "ignore"], "--nonfinite must be one of raise, fill"),
        (["--device", "tpu"], "device must be one of auto, cpu, cuda, mps"),
        (["--max-memory", "lots"], "max_memory must be"),
        (["--strength", "2"], "strength must be a number from 0 to 1"),
        (["--strength", "abc"], "--strength"),
        (["--tile", "1.5"], "--tile"),
        (["-o", "-", "--json"], "both want standard output"),
        (["--noise-std"], "parameter 'noise_std' must be"),
    ],
)
def test_wrong_usage_names_what_is_wrong(
    fix: Command, png: Path, words: list[str], message: str
) -> None:
    answer = fix(png, *words)
    assert answer.code == 2
    assert answer.out == ""
    assert message in answer.err
    assert answer.err.startswith("unblur: ")
    assert os.listdir(png.parent).count("photo.unblur.png") == 0


def test_a_method_that_needs_the_blur_says_so(command: Command, png: Path) -> None:
    answer = command("fix", png, "-m", "tv")
    assert answer.code == 2
    assert "needs the blur: give --kernel" in answer.err


def test_one_bad_picture_does_not_stop_the_others(fix: Command, png: Path) -> None:
    broken = png.with_name("broken.png")
    broken.write_bytes(png.read_bytes()[:700])
    answer = fix(broken, png, "absent.jpg", "--json")
    assert answer.code == 1
    records = [json.loads(line) for line in answer.out.splitlines()]
    assert [record["ok"] for record in records] == [False, True, False]
    assert records[0]["error"]["type"] == "CorruptImage"
    first, second = answer.err.splitlines()
    assert first.startswith(f"unblur: {broken}: ")
    assert second.startswith("unblur: absent.jpg: cannot be opened")


def test_collisions_are_found_before_any_work(fix: Command, png: Path) -> None:
    """Row 53."""
    other = png.parent / "x" / "PHOTO.png"
    other.parent.mkdir()
    other.write_bytes(png.read_bytes())
    answer = fix(png, other, "-o", f"{png.parent}/out/")
    assert answer.code == 2
    assert "would both be written to" in answer.err
    assert not list(png.parent.glob("out/*"))


def test_a_folder_that_is_asked_for_is_made(fix: Command, png: Path) -> None:
    assert fix(png, "-o", f"{png.parent}/out/").code == 0
    assert (png.parent / "out" / "photo.unblur.png").is_file()


def test_what_exists_is_kept_without_overwrite(fix: Command, png: Path) -> None:
    target = png.with_name("photo.unblur.png")
    target.write_text("mine")
    answer = fix(png)
    assert answer.code == 1
    assert answer.err.startswith(f"unblur: {png}: {target} exists")
    assert target.read_text() == "mine"
    assert fix(png, "--overwrite").code == 0
    assert unblur.read(target).size == (96, 128)


@pytest.mark.parametrize("option", ["--report", "--save-kernel", "-o"])
def test_no_output_replaces_an_input(fix: Command, png: Path, option: str) -> None:
    source = png.rename(png.with_name("picture.html" if option == "--report" else "picture.tif"))
    before = source.read_bytes()
    answer = fix(source, option, source, "--overwrite")
    assert answer.code == 2
    assert "would replace the input" in answer.err
    assert source.read_bytes() == before


def test_quiet_says_nothing_but_errors(fix: Command, png: Path) -> None:
    assert fix(png, "--quiet") == (0, "", "")
    assert fix(png, "-q").err.count("\n") == 1


def test_warnings_are_told(fix: Command, png: Path) -> None:
    trailing = png.with_name("trailing.png")
    Image.open(png).convert("P").save(trailing)
    answer = fix(trailing)
    assert answer.code == 0
    assert f"unblur: {trailing}: warning: " in answer.err


def test_the_strength_blends_with_the_input(fix: Command, png: Path) -> None:
    assert fix(png, "--strength", "0", "-o", png.with_name("same.png")).code == 0
    before, after = unblur.read(png).samples, unblur.read(png.with_name("same.png")).samples
    assert torch.equal(before, after)


def test_the_format_can_be_chosen(fix: Command, png: Path) -> None:
    assert fix(png, "--format", "tiff", "--suffix", "-sharp").code == 0
    assert unblur.read(png.with_name("photo-sharp.tiff")).carried.format == "tiff"


def test_the_report_as_data(fix: Command, png: Path) -> None:
    one, several = png.with_name("one.json"), png.with_name("several.json")
    fix(png, "--report", one)
    assert json.loads(one.read_text())["method"] == "wiener"
    copy = png.with_name("copy.png")
    copy.write_bytes(png.read_bytes())
    fix(png, copy, "--report", several, "--overwrite")
    assert [record["source"] for record in json.loads(several.read_text())] == [
        str(png),
        str(copy),
    ]


def test_the_report_as_a_page(fix: Command, png: Path) -> None:
    fix(png, "--report", png.with_name("r.html"))
    text = png.with_name("r.html").read_text()
    assert text.count('src="data:image/png;base64,') == 3
    assert "<th>method</th><td>wiener</td>" in text


def test_standard_streams(
    program: Callable[..., Any], png: Path, kernel_file: Path, fix: Command
) -> None:
    done = program(
        "fix", "-", "-m", "wiener", "--psf", kernel_file, input=png.read_bytes(), cwd=png.parent
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    fix(png)
    expected = unblur.read(png.with_name("photo.unblur.png")).samples
    assert np.array_equal(unblur.read(done.stdout).samples.numpy(), expected.numpy())
