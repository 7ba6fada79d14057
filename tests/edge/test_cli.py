"""Inputs that tend to go wrong, through the command line, by their rows in the edge table."""

import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import unblur

Command = Callable[..., Any]
ROOT = getattr(os, "geteuid", lambda: 1)() == 0


@pytest.fixture
def fix(command: Command, kernel_file: Path) -> Command:
    """`unblur fix` with a known blur and one linear filter, which is quick."""

    def run(*arguments: object) -> Any:
        answer = command("fix", "-m", "wiener", "--kernel", kernel_file, *arguments)
        assert "Traceback" not in answer.err
        return answer

    return run


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return len(content).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")


def huge_png() -> bytes:
    header = (60000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rest = png_chunk(b"IDAT", zlib.compress(b"\0")) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + rest


def encoded(picture: np.ndarray, format_: str) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, format_)
    return buffer.getvalue()


REFUSED = {
    "1-empty": ("a.jpg", lambda _: b"", "empty"),
    "2-one-byte": ("a.jpg", lambda _: b"\xff", "no picture in a known format"),
    "2-random": ("a.jpg", lambda _: bytes(range(7, 200)), "no picture in a known format"),
    "3-html": ("a.png", lambda _: b"<!doctype html><html>", "HTML"),
    "3-svg": ("a.png", lambda _: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "3-pdf": ("a.png", lambda _: b"%PDF-1.7\n", "PDF"),
    "3-postscript": ("a.png", lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "3-text": ("a.png", lambda _: b"hello", "no picture in a known format"),
    "5-truncated": ("a.jpg", lambda p: encoded(p, "JPEG")[:1500], "truncated"),
    "6-no-end": ("a.png", lambda p: encoded(p, "PNG")[:2000], "truncated"),
    "8-header-of-60000": ("a.png", lambda _: huge_png(), "max_pixels"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_refused(fix: Command, tmp_path: Path, photograph: np.ndarray, row: str) -> None:
    name, make, message = REFUSED[row]
    (tmp_path / name).write_bytes(make(photograph))
    present = sorted(os.listdir(tmp_path))
    answer = fix(tmp_path / name)
    assert answer.code == 1
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith(f"unblur: {tmp_path / name}: ")
    assert message in answer.err
    assert sorted(os.listdir(tmp_path)) == present


def test_row_4_the_content_decides_the_format(
    fix: Command, tmp_path: Path, photograph: np.ndarray
) -> None:
    (tmp_path / "lies.png").write_bytes(encoded(photograph, "JPEG"))
    (tmp_path / "bare").write_bytes(encoded(photograph, "PNG"))
    assert fix(tmp_path / "lies.png", tmp_path / "bare").code == 0
    assert unblur.read(tmp_path / "lies.unblur.jpg").carried.format == "jpeg"
    assert unblur.read(tmp_path / "bare.unblur.png").carried.format == "png"


def test_row_5_salvage_is_asked_for(fix: Command, tmp_path: Path, photograph: np.ndarray) -> None:
    (tmp_path / "half.jpg").write_bytes(encoded(photograph, "JPEG")[:1500])
    answer = fix(tmp_path / "half.jpg", "--salvage")
    assert answer.code == 0
    assert "warning" in answer.err
    assert unblur.read(tmp_path / "half.unblur.jpg").size == (96, 128)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (17, 64)])
@pytest.mark.parametrize("method", ["l0", "wiener"])
def test_row_13_tiny_pictures(
    command: Command, tmp_path: Path, photograph: np.ndarray, size: tuple[int, int], method: str
) -> None:
    Image.fromarray(photograph[: size[0], : size[1]]).save(tmp_path / "tiny.png")
    unblur.Kernel.identity().save(tmp_path / "delta.tif")
    known = [] if method == "l0" else ["--kernel", tmp_path / "delta.tif"]
    answer = command("fix", tmp_path / "tiny.png", "-m", method, *known)
    assert answer.code == 0, answer.err
    assert unblur.read(tmp_path / "tiny.unblur.png").size == size


def test_row_15_jpeg_is_too_small(fix: Command, tmp_path: Path) -> None:
    Image.new("L", (70_000, 8), 9).save(tmp_path / "wide.png")
    answer = fix(tmp_path / "wide.png", "-o", tmp_path / "wide.jpg")
    assert answer.code == 1
    assert "use PNG or TIFF" in answer.err


def test_row_28_16_bits_stay(fix: Command, tmp_path: Path, photograph: np.ndarray) -> None:
    ramp = np.linspace(0, 65535, 96 * 128).astype(np.uint16).reshape(96, 128)
    tifffile.imwrite(tmp_path / "deep.tif", ramp)
    assert fix(tmp_path / "deep.tif", "-o", tmp_path / "deep.png").code == 0
    samples = unblur.read(tmp_path / "deep.png").samples.numpy()
    assert samples.dtype == np.uint16
    assert len(np.unique(samples)) > 1024


def test_row_31_nan(fix: Command, tmp_path: Path, photograph: np.ndarray) -> None:
    picture = photograph.astype(np.float32) / 255
    picture[4, 5, 1] = np.nan
    tifffile.imwrite(tmp_path / "nan.tif", picture, photometric="rgb")
    answer = fix(tmp_path / "nan.tif")
    assert answer.code == 1
    assert "NaN" in answer.err
    assert fix(tmp_path / "nan.tif", "--nonfinite", "fill").code == 0
    assert bool(unblur.read(tmp_path / "nan.unblur.tif").samples.isfinite().all())


def test_row_34_and_35_transparency(fix: Command, tmp_path: Path, photograph: np.ndarray) -> None:
    image = Image.fromarray(photograph).convert("RGBA")
    image.paste((255, 0, 0, 0), (0, 0, 40, 40))
    image.save(tmp_path / "clear.png")
    assert fix(tmp_path / "clear.png").code == 0
    before, after = (unblur.read(tmp_path / name) for name in ("clear.png", "clear.unblur.png"))
    assert before.alpha is not None
    assert after.alpha is not None
    assert bool((before.alpha == after.alpha).all())
    answer = fix(tmp_path / "clear.png", "-o", tmp_path / "clear.jpg")
    assert answer.code == 1
    assert "background" in answer.err
    words = ("-o", tmp_path / "clear.jpg", "--background", "1,1,1")
    assert fix(tmp_path / "clear.png", *words).code == 0


@pytest.mark.parametrize("format_", ["GIF", "TIFF", "WEBP"])
def test_rows_41_and_43_every_page(
    fix: Command, tmp_path: Path, photograph: np.ndarray, format_: str
) -> None:
    source = tmp_path / f"pages.{format_.lower()}"
    pages = [Image.fromarray(np.roll(photograph, 16 * n, 1)) for n in range(3)]
    pages[0].save(source, format_, save_all=True, append_images=pages[1:])
    assert fix(source).code == 0
    (target,) = tmp_path.glob("pages.unblur.*")
    assert unblur.read(target).pages == 3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_row_47_flat_pictures_come_back(command: Command, tmp_path: Path, value: int) -> None:
    Image.new("RGB", (64, 48), (value,) * 3).save(tmp_path / "flat.png")
    answer = command("fix", tmp_path / "flat.png")
    assert answer.code == 0
    assert "unchanged: flat" in answer.out
    assert bool((unblur.read(tmp_path / "flat.unblur.png").samples == value).all())


def test_row_48_noise_and_checkerboards(command: Command, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    board = np.indices((96, 96)).sum(axis=0) % 2 * 255
    for name, picture in (("noise", noise), ("board", board.astype(np.uint8))):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        assert command("fix", tmp_path / f"{name}.png").code == 0
        assert unblur.read(tmp_path / f"{name}.unblur.png").size == (96, 96)


def test_row_49_a_sharp_picture_comes_back(
    command: Command, tmp_path: Path, photograph: np.ndarray
) -> None:
    from skimage import data

    Image.fromarray(data.astronaut()).save(tmp_path / "sharp.png")
    assert command("fix", tmp_path / "sharp.png").code == 0
    before, after = (
        unblur.read(tmp_path / name).encoded() for name in ("sharp.png", "sharp.unblur.png")
    )
    error = float((before - after).square().mean())
    assert error < 10**-4.5


KERNELS = {
    "zeros": (np.zeros((3, 3)), 1),
    "negative": (np.array([[1.0, -1.0, 1.0]]), 1),
    "nan": (np.array([[1.0, np.nan, 1.0]]), 1),
    "infinite": (np.array([[1.0, np.inf, 1.0]]), 1),
    "colour": (np.random.default_rng(0).random((3, 3, 3)), 1),
    "larger-than-the-picture": (np.ones((301, 301)), 1),
    "text": (np.array([["a", "b"]]), 1),
    "sum-7": (np.full((3, 3), 7 / 9), 0),
    "even": (np.ones((2, 4)), 0),
    "delta": (np.ones((1, 1)), 0),
    "not-square": (np.ones((1, 9)), 0),
    "integers": (np.eye(5, dtype=np.uint8), 0),
}


@pytest.mark.parametrize("row", KERNELS)
def test_row_50_kernels(command: Command, png: Path, row: str) -> None:
    array, code = KERNELS[row]
    np.save(png.with_name("k.npy"), array)
    answer = command("fix", png, "-m", "wiener", "--kernel", png.with_name("k.npy"))
    assert answer.code == code, answer.err
    if code:
        assert answer.err.startswith(f"unblur: {png}: ")
        assert len(answer.err.splitlines()) == 1


def test_row_50_a_delta_is_the_identity(command: Command, png: Path) -> None:
    np.save(png.with_name("k.npy"), np.ones((1, 1)))
    known = ["-m", "richardson-lucy", "--kernel", png.with_name("k.npy")]
    assert command("fix", png, *known).code == 0
    before, after = (unblur.read(png.with_name(n)) for n in ("photo.png", "photo.unblur.png"))
    assert int((before.samples.int() - after.samples.int()).abs().max()) <= 1


PARAMETERS = [
    ("--noise-std", "-1", "noise_std"),
    ("--noise-std", "nan", "noise_std"),
    ("--noise-std", "1e308", "noise_std"),
    ("--noise-std", "inf", "noise_std"),
    ("--noise-std", "abc", "noise_std"),
    ("--iterations", "0", "iterations"),
    ("--iterations", "1000000000", "iterations"),
    ("--iterations", "2.5", "iterations"),
    ("--iterations", "-3", "iterations"),
    ("--iterations", "", "iterations"),
    ("--tile", "1", "tile"),
    ("--tile", "-64", "tile"),
    ("--strength", "nan", "strength"),
    ("--strength", "-0.1", "strength"),
    ("--strength", "1e308", "strength"),
    ("--seed", "1e3", "seed"),
    ("--seed", "99999999999999999999999", "seed"),
    ("--quality", "0", "quality"),
    ("--max-memory", "-4GB", "max_memory"),
    ("--max-memory", "nan", "max_memory"),
    ("--roi", "0,0,4,4", "roi"),
    ("--roi", "100,0,500,50", "roi"),
    ("--device", "cuda:99", "device"),
]


@pytest.mark.parametrize(("option", "value", "field"), PARAMETERS)
def test_row_51_parameters(
    command: Command, png: Path, kernel_file: Path, option: str, value: str, field: str
) -> None:
    known = ["-m", "richardson-lucy", "--kernel", kernel_file]
    answer = command("fix", png, *known, f"{option}={value}")
    assert answer.code == 2, answer.err
    assert field in answer.err
    assert answer.out == ""
    assert not png.with_name("photo.unblur.png").exists()


@pytest.mark.parametrize("tile", [0, 64, 100_000])
def test_row_51_tiles_of_any_size(fix: Command, png: Path, tile: int) -> None:
    assert fix(png, "--tile", tile).code == 0
    assert unblur.read(png.with_name("photo.unblur.png")).size == (96, 128)


def test_row_52_output_is_input(fix: Command, png: Path) -> None:
    before = png.read_bytes()
    answer = fix(png, "-o", png, "--overwrite")
    assert answer.code == 2
    assert "would replace the input" in answer.err
    assert png.read_bytes() == before
    assert fix(png, "--in-place").code == 0
    assert png.read_bytes() != before


@pytest.mark.parametrize(
    "names",
    [("a.jpg", "a.png"), ("x/1.png", "y/1.png"), ("x/a.png", "y/A.png"), ("x/\u00e9", "y/e\u0301")],
)
def test_row_53_two_results_of_one_name(
    fix: Command, tmp_path: Path, photograph: np.ndarray, names: tuple[str, str]
) -> None:
    sources = [tmp_path / name for name in names]
    for source in sources:
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(encoded(photograph, "PNG"))
    answer = fix(*sources, "-o", f"{tmp_path}/out/")
    assert answer.code == 2
    assert "would both be written to" in answer.err
    assert answer.out == ""


NAMES = [
    b"two words.png",
    b"100%20.png",
    b"a#b?c=d&e.png",
    "\U0001f600.png".encode(),
    "cafe\u0301.png".encode(),
    b"two\nlines.png",
    b"-leading.png",
    b"--in-place.png",
    b"x" * 251 + b".png",
    b"CON.png",
    b"caf\xe9.png",
    b"page[n=2].png",
    b"[red]bold.png",
    b"a:b.png",
    b"'quoted\".png",
    b"...png",
]


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX has")
@pytest.mark.parametrize("name", NAMES, ids=[repr(name[:20]) for name in NAMES])
def test_row_54_names(
    fix: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    photograph: np.ndarray,
    name: bytes,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path(os.fsdecode(name)).write_bytes(encoded(photograph[:32, :32], "PNG"))
    answer = fix("--", os.fsdecode(name))
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == 1
    (made,) = set(os.listdir(os.fsencode(folder))) - {name}
    assert made.endswith(b".unblur.png")
    assert unblur.read(os.fsdecode(made)).size == (32, 32)


def special(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.jpg"
    if kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)
    elif kind == "zero":
        return Path("/dev/zero")
    return path


@pytest.mark.skipif(os.name != "posix", reason="files that only POSIX has")
@pytest.mark.parametrize(
    "kind",
    [
        "loop",
        "dangling",
        "pipe",
        "folder",
        "zero",
        "absent",
        pytest.param("unreadable", marks=pytest.mark.skipif(ROOT, reason="root reads everything")),
    ],
)
def test_row_55_what_is_no_file(fix: Command, png: Path, kind: str) -> None:
    path = special(png.parent, kind)
    answer = fix(path, png, "-o", f"{png.parent}/out/")
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    assert line.startswith(f"unblur: {path}: ")
    assert os.listdir(png.parent / "out") == ["photo.unblur.png"]


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_row_56_a_full_disk(program: Callable[..., Any], png: Path, kernel_file: Path) -> None:
    def fill() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    present = sorted(os.listdir(png.parent))
    known = ["-m", "wiener", "--kernel", kernel_file]
    done = program("fix", png, *known, preexec_fn=fill)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(b"unblur: ")
    assert sorted(os.listdir(png.parent)) == present


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("folder", ["/proc/self", "absent"])
def test_row_56_a_folder_that_takes_nothing(fix: Command, png: Path, folder: str) -> None:
    answer = fix(png, "-o", f"{folder}/out.png")
    assert answer.code == 1
    assert len(answer.err.splitlines()) == 1


@pytest.mark.skipif(ROOT or os.name != "posix", reason="root writes everywhere")
def test_row_56_a_read_only_folder(fix: Command, png: Path) -> None:
    folder = png.parent / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    answer = fix(png, "-o", folder / "out.png")
    assert answer.code == 1
    assert "read-only" in answer.err


KILLED = """
import os, signal, sys
import unblur.files as files
from unblur.cli.main import main

def die(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)

files.os.fsync = die
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_row_58_killed_while_writing(fix: Command, png: Path, kernel_file: Path) -> None:
    known = ["-m", "wiener", "--kernel", str(kernel_file)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "fix", str(png), *known],
        check=False,
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(unblur.__file__).parents[1])},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not png.with_name("photo.unblur.png").exists()
    assert fix(png).code == 0


def test_row_58_two_at_once(png: Path, kernel_file: Path) -> None:
    words = ["fix", str(png), "-m", "wiener", "--kernel", str(kernel_file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(unblur.__file__).parents[1])}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "unblur", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=120) for process in running]
    codes = sorted(process.returncode for process in running)
    assert codes == [0, 1, 1], answers
    assert unblur.read(png.with_name("photo.unblur.png")).size == (96, 128)
    assert sorted(os.listdir(png.parent)) == ["motion.tif", "photo.png", "photo.unblur.png"]


@pytest.mark.parametrize("method", ["l0", "tv", "richardson-lucy"])
def test_row_14_prime_sides(command: Command, tmp_path: Path, method: str) -> None:
    generator = np.random.default_rng(14)
    picture = generator.integers(0, 256, (307, 401)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "prime.png")
    unblur.kernels.gaussian(sigma=1.0).save(tmp_path / "k.tif")
    known = [] if method == "l0" else ["--kernel", tmp_path / "k.tif"]
    answer = command("fix", tmp_path / "prime.png", "-m", method, *known)
    assert answer.code == 0, answer.err
    assert unblur.read(tmp_path / "prime.unblur.png").size == (307, 401)


def test_row_17_a_panorama_runs_in_tiles(
    command: Command, tmp_path: Path, photograph: np.ndarray
) -> None:
    Image.fromarray(np.tile(photograph, (1, 12, 1))).save(tmp_path / "wide.png")
    unblur.kernels.gaussian(sigma=1.0).save(tmp_path / "k.tif")
    for tile, name in ((0, "whole.png"), (64, "tiled.png")):
        answer = command(
            "fix", tmp_path / "wide.png", "-m", "tv", "--kernel", tmp_path / "k.tif",
            "--tile", str(tile), "-o", tmp_path / name, "--json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        assert (json.loads(answer.out)["measured"]["tiles"] > 1) == (tile > 0)
    whole, tiled = (unblur.read(tmp_path / name).encoded() for name in ("whole.png", "tiled.png"))
    assert float((whole - tiled)[..., 16:-16, 16:-16].abs().max()) <= 1.01 / 255
