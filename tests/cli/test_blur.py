import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import unblur
from unblur.blur import Defocus, lens_field, random_camera_shake, random_depth
from unblur.blur.synthesis import DEFAULT_SHARES

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
        (["--kind", "mothion"], "--kind must be one of motion, disk, gaussian, shake, homography"),
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
        (["--kind", "lens"], "--kind lens needs --stretch"),
        (["--kind", "lens", "--stretch", 3], "scales"),
        (["--kind", "depth", "--radius", 3, "--focus", 2], "focus"),
        (["--kind", "homography", "--size", 9, "--radius", 2], "takes no --radius"),
        (["--kind", "homography", "--size", 9, "--degrees", 400], "degrees"),
        (["--length", 5, "--saturation", 0.5], "saturation"),
        (["--length", 5, "--photons", 0], "photons"),
        (["--length", 5, "--contrast", 0], "contrast"),
        (["--length", 5, "--jpeg", 0], "--jpeg"),
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


@pytest.mark.parametrize(
    ("words", "blur"),
    [
        (
            ["--kind=lens", "--stretch=1.1", "--stretch_y=0.95", "--angle=30"],
            lambda: lens_field(30, (1.1, 0.95), (96, 128), (4, 5)),
        ),
        (
            ["--kind=homography", "--size=9", "--degrees=2", "--seed=4"],
            lambda: random_camera_shake(9, 2, (96, 128), (4, 5), seed=4),
        ),
        (
            ["--kind=depth", "--radius=6", "--focus=0.2", "--blades=6", "--seed=4"],
            lambda: Defocus.of(random_depth(torch.Generator().manual_seed(4)), 6, 0.2, 6),
        ),
    ],
)
def test_blurs_that_vary_over_the_frame(
    command: Command, png: Path, words: list[str], blur: Callable[[], Any]
) -> None:
    answer = command("blur", png, "-o", png.with_name("out.png"), *words)
    assert answer.code == 0, answer.err
    expected = unblur.blur(str(png), blur()).samples
    assert torch.equal(unblur.read(png.with_name("out.png")).samples, expected)
    assert not torch.equal(expected, unblur.read(png).samples)


def test_the_camera_is_that_of_the_library(command: Command, png: Path) -> None:
    out = png.with_name("out.png")
    words = ["--saturation=4", "--photons=500", "--contrast=1.3", "--jpeg=60", "--seed=2"]
    answer = command("blur", png, "-o", out, "--kind=disk", "--radius=2", *words, "--json")
    expected = unblur.blur(
        str(png),
        unblur.kernels.disk(2),
        saturation=4,
        photons=500,
        contrast=1.3,
        compression=60,
        seed=2,
    )
    assert torch.equal(unblur.read(out).samples, expected.samples)
    record = json.loads(answer.out)
    assert [record[name] for name in ("saturation", "photons", "contrast", "compression")] == [
        4, 500, 1.3, 60,
    ]  # fmt: skip


def test_a_field_is_kept_and_taken(command: Command, png: Path) -> None:
    kept, first, second = (png.with_name(name) for name in ("f.safetensors", "a.png", "b.png"))
    lens = ["--kind", "lens", "--stretch", 1.1]
    assert command("blur", png, "-o", first, *lens, "--save-kernel", kept).code == 0
    answer = command("blur", png, "-o", second, "--kernel", kept)
    assert "field of 4 x 5 kernels" in answer.out
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "depth", "--radius", 3], "not --kind depth"),
        (["--kind", "lens", "--stretch", 1.1], "must end in .safetensors"),
    ],
)
def test_what_cannot_be_kept_is_told_before_the_work(
    command: Command, png: Path, words: list[object], message: str
) -> None:
    target, kept = png.with_name("out.png"), png.with_name("k.tif")
    answer = command("blur", png, "-o", target, *words, "--save-kernel", kept)
    assert answer.code == 2
    assert message in answer.err
    assert not target.exists()
    assert not kept.exists()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photograph large enough for the crops of a contact sheet."""
    from PIL import Image
    from skimage import data

    path = tmp_path / "large.png"
    Image.fromarray(data.astronaut()[:240, :260]).save(path)
    return path


def test_a_contact_sheet_follows_its_seed(command: Command, large: Path) -> None:
    sheets = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        target = large.with_name(f"{name}.png")
        answer = command("blur", large, "-o", target, "--sheet", "--seed", seed, "--json")
        assert answer.code == 0, answer.err
        kinds = json.loads(answer.out)["kinds"]
        assert len(kinds) == 24
        assert set(kinds) <= set(DEFAULT_SHARES)
        sheets.append(unblur.read(target).samples)
    assert torch.equal(sheets[0], sheets[1])
    assert not torch.equal(sheets[0], sheets[2])
    # Four columns of three panels of 144 pixels, six rows.
    assert sheets[0].shape == (1, 3, 6 * 172 + 10, 4 * 444 + 10)
    # The first panel is a crop of the photograph, but for highlights that were expanded.
    panel, photo = sheets[0][0, :, 10:154, 10:154], unblur.read(large).samples[0]
    windows = photo[0].unfold(0, 144, 1).unfold(1, 144, 1)
    same = (windows == panel[0]).float().mean((2, 3))
    assert float(same.max()) > 0.7


def test_grey_pictures_make_a_sheet_too(command: Command, large: Path) -> None:
    from PIL import Image

    grey, target = large.with_name("grey.png"), large.with_name("sheet.jpg")
    Image.open(large).convert("L").save(grey)
    assert command("blur", grey, large, "-o", target, "--sheet").out == f"wrote {target}\n"
    assert target.exists()


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("-", 2, "--output must be a file"),
        ("sheet.xyz", 1, "must end in .png"),
        ("none/sheet.png", 1, "does not exist"),
        ("large.png", 2, "would replace the input"),
    ],
)
def test_a_sheet_that_cannot_be_written(
    command: Command, large: Path, name: str, code: int, message: str
) -> None:
    target = name if name == "-" else large.parent / name
    answer = command("blur", large, "-o", target, "--sheet", "--overwrite")
    assert answer.code == code
    assert message in answer.err


def test_a_sheet_needs_pictures_of_some_size(command: Command, png: Path) -> None:
    answer = command("blur", png, "-o", png.with_name("sheet.png"), "--sheet")
    assert answer.code == 1
    assert "208 x 208 pixels or more" in answer.err


def test_one_picture_at_a_time(command: Command, png: Path) -> None:
    answer = command("blur", png, png, "-o", png.with_name("out.png"), "--length", 5)
    assert answer.code == 2
    assert "one picture at a time" in answer.err
