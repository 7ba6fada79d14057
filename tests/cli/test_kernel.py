import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import unblur

Command = Callable[..., Any]


@pytest.fixture
def blurred(tmp_path: Path) -> Path:
    from skimage import data

    sharp = data.camera()[100:260, 150:350]
    path = tmp_path / "blurred.png"
    Image.fromarray(unblur.blur(sharp, unblur.kernels.motion(length=9, angle=20))).save(path)
    return path


@pytest.mark.parametrize("words", [["kernel"], ["kernel", "estimate"]])
def test_estimating(command: Command, blurred: Path, words: list[str]) -> None:
    answer = command(*words, blurred)
    target = blurred.with_name("blurred.kernel.tif")
    assert answer.code == 0
    assert answer.out.startswith(f"{blurred} -> {target} (kernel ")
    kernel = unblur.Kernel.load(target)
    assert kernel.record.method == "l0"
    assert torch.equal(kernel.pixels, unblur.estimate_kernel(str(blurred)).pixels)


def test_estimating_with_options_first(command: Command, blurred: Path) -> None:
    answer = command("kernel", "--size", "13", "--roi=0,0,160,120", "--json", blurred, "--gamma=20")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["ok"] is True
    assert max(record["height"], record["width"]) <= 13


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gama", "20"], "no such option: --gama; did you mean --gamma"),
        (["--size", "abc"], "'kernel_size' must be a whole number"),
        (["--roi", "0,0,9999,9999"], "roi"),
        (["-o", "kernel.jpg"], "kernel.jpg"),
    ],
)
def test_wrong_usage(command: Command, blurred: Path, words: list[str], message: str) -> None:
    answer = command("kernel", blurred, *words)
    assert answer.code in (1, 2)
    assert message in answer.err
    assert answer.out == ""


def test_standard_input_has_no_name_for_a_kernel(command: Command) -> None:
    answer = command("kernel", "-")
    assert answer.code == 2
    assert "give -o a file" in answer.err


def test_showing(command: Command, kernel_file: Path) -> None:
    answer = command("kernel", "show", kernel_file, "-o", kernel_file.with_suffix(".png"))
    assert answer.code == 0
    drawing, summary, record = answer.out.split("\n", 2)
    assert drawing == "@@" * 5
    assert summary == "kernel 1 x 5"
    assert json.loads(record)["method"] == "motion"
    assert kernel_file.with_suffix(".png").is_file()


def test_cleaning(command: Command, tmp_path: Path) -> None:
    dirty = torch.zeros(9, 9)
    dirty[4, 2:7] = 1.0
    dirty[0, 0] = 0.3
    unblur.Kernel.from_array(dirty).save(tmp_path / "k.tif")
    assert command("kernel", "clean", tmp_path / "k.tif").code == 0
    cleaned = unblur.Kernel.load(tmp_path / "k.clean.tif").pixels
    assert int((cleaned > 0).sum()) == 5


def test_converting(command: Command, kernel_file: Path) -> None:
    target = kernel_file.with_suffix(".npy")
    assert command("kernel", "convert", kernel_file, target).code == 0
    before, after = unblur.Kernel.load(kernel_file), unblur.Kernel.load(target)
    assert torch.equal(before.pixels, after.pixels)
    assert after.record == before.record
    assert command("kernel", "convert", kernel_file, target).code == 1
    words = ("--rotate", 90, "--crop", 7, "--overwrite")
    assert command("kernel", "convert", kernel_file, target, *words).code == 0
    turned = unblur.Kernel.load(target)
    assert turned.size == (7, 7)
    assert torch.allclose(turned.pixels[1:6, 3], torch.full((5,), 0.2))


def test_a_picture_of_a_kernel_is_one(command: Command, tmp_path: Path) -> None:
    Image.new("L", (5, 3), 255).save(tmp_path / "k.png")
    assert command("kernel", "convert", tmp_path / "k.png", tmp_path / "k.tif").code == 0
    assert unblur.Kernel.load(tmp_path / "k.tif").size == (3, 5)
