"""Inputs that tend to go wrong, through networks, by their rows in the edge table."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import safetensors.torch
import torch
from PIL import Image

import unblur
from unblur.nets.nafnet import NAFNet

Command = Callable[..., Any]
NETWORKS = ["mprnet", "nafnet", "dpanet", "autoencoder"]

pytestmark = pytest.mark.usefixtures("tiny_weights")
each_network = pytest.mark.parametrize("method", NETWORKS)


@each_network
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (2, 2), (3, 5)], ids=str)
def test_row_13_tiny_pictures(
    command: Command, tmp_path: Path, method: str, size: tuple[int, int]
) -> None:
    picture = np.random.default_rng(13).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "tiny.png")
    answer = command("fix", tmp_path / "tiny.png", "-m", method)
    assert answer.code == 0, answer.err
    assert unblur.read(tmp_path / "tiny.unblur.png").size == size


@each_network
def test_row_14_prime_sides(command: Command, tmp_path: Path, method: str) -> None:
    picture = np.random.default_rng(14).integers(0, 256, (307, 401), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "prime.png")
    answer = command("fix", tmp_path / "prime.png", "-m", method)
    assert answer.code == 0, answer.err
    assert unblur.read(tmp_path / "prime.unblur.png").size == (307, 401)


@pytest.mark.parametrize("method", ["nafnet", "autoencoder"])
def test_row_17_what_is_larger_than_the_memory_runs_in_tiles(
    tmp_path: Path, photograph: np.ndarray, method: str
) -> None:
    """Memory for a fraction of the whole, which is half a megapixel in a row."""
    wide = np.tile(photograph, (1, 40, 1))
    held = psutil.Process().memory_info().rss
    found = unblur.deblur(
        wide, method, max_memory=held + 40 * 10**6, backend="torch", precision="float32"
    )
    whole = unblur.deblur(wide, method, max_memory="64GB", backend="torch", precision="float32")
    assert found.report.measured["tiles"] > 1
    assert whole.report.measured["tiles"] == 1
    assert np.abs(found.image.astype(int) - whole.image).max() <= 1


@each_network
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_rows_28_and_29_16_bits_stay(
    command: Command, tmp_path: Path, method: str, mode: str
) -> None:
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64)
    picture = np.stack([ramp] * 3, -1) if mode == "RGB" else ramp
    unblur.write(
        tmp_path / "deep.png",
        unblur.Photo.from_tensor(
            torch.from_numpy(np.atleast_3d(picture) / 65535).permute(2, 0, 1).float(), depth=16
        ),
    )
    answer = command("fix", tmp_path / "deep.png", "-m", method)
    assert answer.code == 0, answer.err
    found = unblur.read(tmp_path / "deep.unblur.png")
    assert found.depth == 16
    assert found.samples.shape[1] == (3 if mode == "RGB" else 1)


@each_network
def test_row_34_transparency_stays(
    command: Command, tmp_path: Path, photograph: np.ndarray, method: str
) -> None:
    alpha = np.full((*photograph.shape[:2], 1), 255, np.uint8)
    alpha[:30], alpha[30:50] = 0, 120
    Image.fromarray(np.concatenate([photograph, alpha], -1)).save(tmp_path / "a.png")
    answer = command("fix", tmp_path / "a.png", "-m", method)
    assert answer.code == 0, answer.err
    found = np.asarray(Image.open(tmp_path / "a.unblur.png"))
    np.testing.assert_array_equal(found[..., 3:], alpha)
    np.testing.assert_array_equal(found[:30, :, :3], photograph[:30])


@each_network
@pytest.mark.parametrize("level", [0, 128, 255])
def test_row_47_flat_pictures_come_back(
    command: Command, tmp_path: Path, method: str, level: int
) -> None:
    picture = np.full((40, 50, 3), level, np.uint8)
    Image.fromarray(picture).save(tmp_path / "flat.png")
    answer = command("fix", tmp_path / "flat.png", "-m", method)
    assert answer.code == 0, answer.err
    assert "unchanged: flat" in answer.out
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "flat.unblur.png")), picture)


@each_network
def test_row_50_no_kernel(command: Command, png: Path, kernel_file: Path, method: str) -> None:
    answer = command("fix", png, "-m", method, "--kernel", kernel_file)
    assert answer.code == 2
    assert answer.err.endswith("leave out --kernel\n")
    assert sorted(os.listdir(png.parent)) == ["motion.tif", "photo.png"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--batch", "0"], "batch"),
        (["--batch", "65"], "batch"),
        (["--batch", "abc"], "batch"),
        (["--batch", "nan"], "batch"),
        (["--backend", "abacus"], "backend"),
        (["--precision", "float8"], "precision"),
        (["--local-statistics=perhaps"], "local_statistics"),
        (["--set", "local_statistics=2"], "local_statistics"),
        (["--weight", "x"], "weight"),
        (["--kernel-size", "15"], "leave out --kernel-size"),
        (["--tile", "1"], "tile"),
        (["--max-memory", "lots"], "max_memory"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_row_51_parameters(command: Command, png: Path, words: list[str], name: str) -> None:
    answer = command("fix", png, "-m", "nafnet", *words)
    assert answer.code == 2
    assert name in answer.err
    assert os.listdir(png.parent) == [png.name]


@pytest.mark.parametrize("tile", [16, 100, 700, 5000])
def test_row_51_tiles_of_any_size(command: Command, png: Path, tile: int) -> None:
    answer = command("fix", png, "-m", "autoencoder", "--tile", tile)
    assert answer.code == 0, answer.err


class Malicious:
    """A pickle that makes a file when it is opened by an unpickler that runs what it names."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def state(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    network = NAFNet(4, encoder=[1, 1], middle=1, decoder=[1, 1])
    return {**network.state_dict(), **changes}


def damaged(content: bytes) -> bytes:
    return content[: len(content) // 2]


def oversized(_: bytes) -> bytes:
    return (2**62).to_bytes(8, "little") + b"{}"


BAD_WEIGHTS: dict[str, Callable[[Path], Any]] = {
    "pickle": lambda path: path.write_bytes(pickle.dumps(Malicious(path.with_name("ran")))),
    "pickle in a zip": lambda path: torch.save({"a": Malicious(path.with_name("ran"))}, path),
    "truncated": lambda path: path.write_bytes(damaged(safetensors.torch.save(state()))),
    "oversized header": lambda path: path.write_bytes(oversized(b"")),
    "empty": lambda path: path.write_bytes(b""),
    "wrong shapes": lambda path: torch.save(state(**{"intro.bias": torch.zeros(5)}), path),
    "nan": lambda path: torch.save(state(**{"intro.bias": torch.full((4,), torch.nan)}), path),
    "a picture": lambda path: Image.new("RGB", (4, 4)).save(path, "PNG"),
    "a folder": Path.mkdir,
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_row_66_bad_weights(command: Command, png: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "weights" / "bad.pth"
    file.parent.mkdir()
    BAD_WEIGHTS[kind](file)
    answer = command("fix", png, "-m", "nafnet", "--weights", file, "--json")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert answer.err.count("\n") == 1
    for line in filter(None, answer.out.splitlines()):
        assert json.loads(line)["error"]["type"] == "WeightsError"
    assert not (file.parent / "ran").exists()
    assert not png.with_name("photo.unblur.png").exists()


def test_row_66_half_precision_weights_are_taken(
    command: Command, png: Path, tmp_path: Path
) -> None:
    halves = {name: entry.half() for name, entry in state().items()}
    safetensors.torch.save_file(halves, tmp_path / "half.safetensors")
    answer = command("fix", png, "-m", "nafnet", "--weights", tmp_path / "half.safetensors")
    assert answer.code == 0, answer.err


def test_row_66_weights_that_changed_since_they_were_added(
    command: Command, png: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    content = bytearray((tiny_weights / "weights" / "nafnet-gopro-32.safetensors").read_bytes())
    content[-3] ^= 64
    (tmp_path / "changed.safetensors").write_bytes(content)
    answer = command("fix", png, "-m", "nafnet", "--weights", tmp_path / "changed.safetensors")
    assert answer.code == 1
    assert "damaged" in answer.err
