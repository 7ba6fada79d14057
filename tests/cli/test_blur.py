import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import unblur

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "kernel"),
    [
        (["--length", 9, "--angle", 30], lambda: unblur.kernels.motion(9, 30)),
        (["--kind", "disk", "--radius", 2.5], lambda: unblur.kernels.disk(2.5)),
        (
            ["--kind", "gaussian", "--sigma", 1.5, "--sigma_y", 0.5],
            lambda: unblur.kernels.gaussian(1.5, 0.5),
        ),
        (["--kind=shake", "--size=15", "--seed=3"], lambda: unblur.kernels.shake(15, seed=3)),
    ],
)
def test_the_file_holds_what_the_library_gives(
    command: Command, png: Path, words: list[object], kernel: Callable[[], unblur.Kernel]
) -> None:
    answer = command("blur", png, "-o", png.with_name("out.png"), *words)
    assert answer.code == 0, answer.err
    expected = unblur.blur(str(png), kernel()).samples
    assert torch.equal(unblur.read(png.with_name("out.png")).samples, expected)


def test_the_seed_decides_the_noise(command: Command, png: Path) -> None:
    pictures = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        target = png.with_name(f"{name}.png")
        command("blur", png, "-o", target, "--length", 3, "--noise", 0.05, "--seed", seed)
        pictures.append(target.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_the_kernel_is_kept_and_taken(command: Command, png: Path) -> None:
    kept, first, second = (png.with_name(name) for name in ("k.tif", "a.png", "b.png"))
    command("blur", png, "-o", first, "--kind", "disk", "--radius", 3, "--save-kernel", kept)
    answer = command("blur", png, "-o", second, "--kernel", kept, "--json")
    assert json.loads(answer.out)["kernel"]["method"] == "disk"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--kind motion needs --length"),
        (["--kind", "mothion"], "--kind must be one of motion, disk, gaussian, shake"),
        (["--length", 5, "--radius", 3], "--kind motion takes no --radius; it takes --length"),
        (["--kind", "gaussian", "--sigma_y", 3], "--kind gaussian needs --sigma"),
        (["--length", "nan"], "length"),
        (["--length", -1], "length"),
        (["--length", 1e308], "length"),
        (["--length", "abc"], "--length"),
        (["--length", 5, "--noise", -1], "noise"),
        (["--length", 5, "--noise", "nan"], "noise"),
        (["--length", 5, "--kernel", "k.tif"], "--length and --kernel exclude each other"),
        (["--length", 5, "--seed", -1], "--seed"),
    ],
)
def test_wrong_usage(command: Command, png: Path, words: list[object], message: str) -> None:
    answer = command("blur", png, "-o", png.with_name("out.png"), *words)
    assert answer.code == 2
    assert message in answer.err
    assert not png.with_name("out.png").exists()


def test_the_input_is_never_replaced(command: Command, png: Path) -> None:
    answer = command("blur", png, "-o", png, "--length", 5, "--overwrite")
    assert answer.code == 2
    assert "would replace the input" in answer.err


def test_what_exists_is_kept(command: Command, png: Path) -> None:
    png.with_name("out.png").write_text("mine")
    assert command("blur", png, "-o", png.with_name("out.png"), "--length", 5).code == 1
    assert png.with_name("out.png").read_text() == "mine"
