"""A lens calibrated from one pair, and other pictures corrected with its profile.

The lens is a real one: kernels of 25 x 25 pixels on a grid of 9 x 12, for red, green and blue, with
lateral colour. The pair is 4000 x 3000 (UNBLUR_LENS_SIZE=WxH for less): photographs side by side,
1 % of noise in both pictures, the sharp one shifted by 3.3 pixels, turned by 0.4 degrees, and 10 %
darker. Other pictures are photographs of another source. The periphery is what lies outside the
middle half of each side.

Times and memory are those of processes of their own, from file to file: `unblur calibrate` on two
TIFFs of 16 bits, `unblur fix` on a JPEG. Y is the yardstick of `speed`, timed beside the work.

Last come real pairs, a telephone's camera focused and out of focus: calibrated on one scene, then
another scene with the same depths is corrected. What is told is the PSNR after alignment.

UNBLUR_LENS_ROWS names the parts that are run (`calibrate`, `speed`, `correct`, `pixel4`), and
UNBLUR_LENS_KEEP a folder that keeps the profile, the figures and pictures between runs; then the
figures of all parts that are there are told.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import map_coordinates
from skimage import data, restoration, transform

import unblur
from benchmarks.machine import reference_folder
from benchmarks.pictures import aligned, photographs, read
from benchmarks.speed import SIDE, kernel
from benchmarks.table import table
from unblur.blur import Field
from unblur.metrics import kernel_similarity
from unblur.photo import Carried, Photo, write

__all__ = ["run"]

NOISE, SHIFT, DEGREES, EXPOSURE = 0.01, (2.33, -2.33), 0.4, 1.1
METHOD = "local-wiener"
TRUSTED = 0.5
BORDER = 24
# Calibrated on, corrected, and where the depths of the two scenes agree: top, bottom, left, right.
REAL = ((1, 2, (160, 900, 880, 1320)), (3, 4, (480, 1000, 440, 820)))
Rows = list[list[str | float | None]]


def run() -> str:
    """The tables, or why there are none."""
    psf, pairs, files = (reference_folder("psf"), reference_folder("pixel4"), photographs())
    if psf is None or pairs is None or files is None:
        return "lenses: passed over, the kernels are absent (set UNBLUR_SHARED)"
    true = lens(psf / "lens63762_9x12x25x25x3.npy")
    width, height = map(int, os.environ.get("UNBLUR_LENS_SIZE", "4000x3000").split("x"))
    parts: dict[str, Callable[[Path], Rows]] = {
        "calibrate": lambda keep: calibrated(files, true, (height, width), keep),
        "speed": lambda keep: timed(true, (height, width), keep),
        "correct": lambda keep: corrected(true, (height, width), keep),
        "pixel4": lambda keep: real(pairs, keep),
    }
    wanted = os.environ.get("UNBLUR_LENS_ROWS", ",".join(parts)).split(",")
    with tempfile.TemporaryDirectory() as passing:
        keep = Path(os.environ.get("UNBLUR_LENS_KEEP", passing))
        keep.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            (keep / f"{name}.json").write_text(json.dumps(parts[name](keep)))
        kept = [keep / f"{name}.json" for name in parts]
        rows: Rows = [row for path in kept if path.exists() for row in json.loads(path.read_text())]
    return table(("lenses", "found", "wanted"), rows)


def calibrated(files: list[Path], true: Field, size: tuple[int, int], keep: Path) -> Rows:
    """The kernels of the measured lens, found again."""
    names = ("sharp", "blurred")
    if not all((keep / f"{name}.tif").exists() for name in names):
        for name, image in zip(names, pair(mosaic(files, *size), true), strict=True):
            stored(image, keep / f"{name}.tif")
    profile = keep / "lens.safetensors"
    grid = "x".join(map(str, true.grid))
    words = ["calibrate", "--grid", grid, "--kernel-size", "25", "--encoding", "linear"]
    words += ["--overwrite", "-q", "-o", str(profile)]
    words += [word for name in names for word in (f"--{name}", str(keep / f"{name}.tif"))]
    seconds, busy, peak = program(*words)
    found = unblur.LensProfile.load(profile)
    mean, worst = similarities(found, true)
    trusted = float((found.confidence >= TRUSTED).float().mean())
    rows: Rows = [
        ["similarity of kernels, mean of textured cells", mean, 0.95],
        ["the same, worst cell and channel", worst, None],
        ["cells that are textured, share", trusted, None],
        ["exposure (1.1)", float(found.measured["gain"][1]), None],
        ["lateral colour at the corners, share cut", lateral(found.field, true), 0.8],
        ["unblur calibrate, seconds", seconds, 180.0],
        ["the same, seconds of processors", busy, None],
        ["unblur calibrate, peak GB", peak / 1e9, 3.0],
    ]
    return rows


def timed(true: Field, size: tuple[int, int], keep: Path) -> Rows:
    """Another picture from JPEG to JPEG."""
    source = keep / "other.jpg"
    if not source.exists():
        image = taken(mosaic(None, *size), true, seed=5)
        Image.fromarray((image * 255).round().astype(np.uint8)).save(source, quality=95)
    profile, target = str(keep / "lens.safetensors"), str(keep / "other-corrected.jpg")
    unit = yardstick()
    words = ("fix", str(source), "--lens", profile, "-m", METHOD, "-o", target, "--overwrite", "-q")
    seconds, busy, peak = program(*words)
    unit = (unit + yardstick()) / 2
    return [
        ["unblur fix --lens, seconds", seconds, None],
        ["the same, seconds of processors", busy, None],
        ["unblur fix --lens, Y", seconds / unit, 25.0],
        ["unblur fix --lens, peak GB", peak / 1e9, None],
    ]


def corrected(true: Field, size: tuple[int, int], keep: Path) -> Rows:
    """Another picture: with the true kernels, with those found, with one for the whole frame."""
    scene = mosaic(None, *size)
    blurred = taken(scene, true, seed=5)
    found = unblur.LensProfile.load(keep / "lens.safetensors").field
    everywhere = found.kernels.mean((0, 1), keepdim=True)
    ring = torch.ones(found.grid, dtype=torch.bool)
    ring[2:-2, 3:-3] = False
    outside = found.kernels[ring].mean(0)[None, None]
    rows: Rows = []

    def told(name: str, image: np.ndarray) -> tuple[float, float]:
        whole, periphery = qualities(image, scene)
        rows.extend([[name, whole, None], [f"{name}, periphery", periphery, None]])
        return whole, periphery

    told("blurred, PSNR", blurred)
    blurs = {
        "true kernels": true,
        "profile": found,
        "one kernel, the mean": replace(found, kernels=everywhere),
        "one kernel, the mean outside": replace(found, kernels=outside),
    }
    results = []
    for name, blur in blurs.items():
        restored = unblur.deblur(blurred, METHOD, kernel=blur).image
        results.append(told(name, restored))
        show(scene, blurred, restored, keep / f"corner-{len(results)}.png")
    exact, mine, *single = results
    best = max(periphery for _, periphery in single)
    rows.append(["profile below true kernels, dB", exact[0] - mine[0], 1.0])
    rows.append(["profile above one kernel at the periphery, dB", mine[1] - best, 2.0])
    return rows


def real(folder: Path, keep: Path) -> Rows:
    """Scenes of two depths, focused and not, by a telephone."""
    rows: Rows = []
    for known, other, box in REAL:
        paths = [str(folder / f"{known:03d}_{kind}.png") for kind in ("sharp", "blur")]
        profile = unblur.calibrate(*paths)
        profile.save(keep / f"pixel4-{known}.safetensors", overwrite=True)
        write(keep / f"pixel4-{known}.png", Photo(profile.show()[None]), overwrite=True)
        sharp, blurred = (read(folder / f"{other:03d}_{kind}.png") for kind in ("sharp", "blur"))
        restored = unblur.deblur(blurred[..., 0], METHOD, lens=profile).image
        restored = restored.reshape(restored.shape[:2])[..., None].repeat(3, -1)
        top, bottom, left, right = box
        part = (slice(top, bottom), slice(left, right))
        name = f"pixel4, {known} corrects {other}"
        for words, where in (("same depth", part), ("frame", (slice(None), slice(None)))):
            before, after = (aligned(each[where], sharp[where]) for each in (blurred, restored))
            rows += [[f"{name}, {words}, blurred", before, None], [f"{name}, {words}", after, None]]
        whole = np.hstack([blurred[part], restored[part], sharp[part]])
        Image.fromarray(whole).save(keep / f"pixel4-{known}-{other}.png")
        Image.fromarray(np.hstack([blurred, restored])).save(keep / f"pixel4-{other}-frame.png")
    return rows


def program(*words: str) -> tuple[float, float, float]:
    """Seconds of `unblur` as a process of its own, those of all processors, the most bytes held.

    Raises:
        RuntimeError: It failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-m", "unblur", *words]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"unblur {words[0]} ended with {process.returncode}")
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def stored(image: np.ndarray, path: Path) -> None:
    """An image (H, W, 3) in linear light as a TIFF of 16 bits."""
    samples = torch.from_numpy((image * 65535).round().astype(np.uint16)).permute(2, 0, 1)[None]
    photo = Photo(samples.contiguous(), carried=Carried(bits=16, encoding="linear"))
    write(path, photo, overwrite=True)


def show(scene: np.ndarray, blurred: np.ndarray, restored: np.ndarray, path: Path) -> None:
    """A piece of the corner, blurred, restored and as it was."""
    part = (slice(0, 400), slice(0, 400))
    sheet = np.hstack([each[part] for each in (blurred, restored, scene)]).clip(0, 1)
    Image.fromarray((sheet * 255).round().astype(np.uint8)).save(path)


def lens(path: Path) -> Field:
    """The measured kernels as a field."""
    kernels = torch.from_numpy(np.load(path, allow_pickle=False).astype(np.float32))
    return Field.of(kernels.permute(0, 1, 4, 2, 3).contiguous())


def mosaic(files: list[Path] | None, height: int, width: int) -> np.ndarray:
    """Photographs side by side, float32 (H, W, 3) in [0, 0.85]: room for noise and exposure."""
    if files is None:
        names = (data.astronaut, data.coffee, data.chelsea, data.rocket)
        tiles = [transform.resize(each(), (512, 512), anti_aliasing=True) for each in names]
    else:
        tiles = [read(path)[:512, :512] / 255 for path in files]
    across, down = -(-width // 512), -(-height // 512)
    rows = [
        np.hstack([tiles[(row * across + column) % len(tiles)] for column in range(across)])
        for row in range(down)
    ]
    return np.ascontiguousarray(0.85 * np.vstack(rows)[:height, :width]).astype(np.float32)


def taken(scene: np.ndarray, true: Field, seed: int) -> np.ndarray:
    """What the lens makes of a scene, with noise."""
    return unblur.blur(scene, true, noise=NOISE, seed=seed).clip(0, 1)


def pair(scene: np.ndarray, true: Field) -> tuple[np.ndarray, np.ndarray]:
    """The sharp picture, moved and darker, and the blurred one."""
    height, width = scene.shape[:2]
    angle = np.radians(DEGREES)
    y = np.arange(height)[:, None] - (height - 1) / 2
    x = np.arange(width)[None, :] - (width - 1) / 2
    rows = np.cos(angle) * y - np.sin(angle) * x + (height - 1) / 2 + SHIFT[0]
    columns = np.sin(angle) * y + np.cos(angle) * x + (width - 1) / 2 + SHIFT[1]
    rng = np.random.default_rng(1)
    sharp = np.empty_like(scene)
    for channel in range(3):
        moved = map_coordinates(scene[..., channel], [rows, columns], order=5, mode="mirror")
        noise = NOISE * rng.standard_normal(moved.shape, np.float32)
        sharp[..., channel] = (moved / EXPOSURE + noise).clip(0, 1)
    return sharp, taken(scene, true, seed=2)


def similarities(profile: unblur.LensProfile, true: Field) -> tuple[float, float]:
    """Mean and worst over the cells that are trusted, all channels."""
    found = [
        kernel_similarity(a, b)
        for mine, theirs, sure in zip(
            profile.field.kernels.flatten(0, 1),
            true.kernels.flatten(0, 1),
            profile.confidence.flatten() >= TRUSTED,
            strict=True,
        )
        if bool(sure)
        for a, b in zip(mine, theirs, strict=True)
    ]
    return float(np.mean(found)), float(np.min(found))


def lateral(found: Field, true: Field) -> float:
    """By which share the shift of red against blue in the corners shrinks when it is undone."""
    before = _colour_shift(true)
    left = before - _colour_shift(found)
    return 1 - float(left.norm(dim=-1).mean() / before.norm(dim=-1).mean())


def _colour_shift(field: Field) -> torch.Tensor:
    """(4, 2): centre of mass of red minus that of blue in the corner cells."""
    kernels = field.kernels[[0, 0, -1, -1], [0, -1, 0, -1]]
    steps = torch.arange(kernels.shape[-1]) - kernels.shape[-1] // 2.0
    centres = torch.stack([kernels.sum(-1) @ steps, kernels.sum(-2) @ steps], -1)
    return centres[:, 0] - centres[:, 2]


def qualities(image: np.ndarray, scene: np.ndarray) -> tuple[float, float]:
    """PSNR over the picture, and over its periphery."""
    error = ((image - scene) ** 2).mean(-1)
    height, width = error.shape
    outside = np.ones(error.shape, bool)
    outside[height // 4 : -height // 4, width // 4 : -width // 4] = False
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    means = error[inside].mean(), error[inside][outside[inside]].mean()
    return tuple(float(-10 * np.log10(mean)) for mean in means)


def yardstick() -> float:
    """Y in seconds."""
    grey = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    blur = kernel().pixels.numpy()
    started = time.perf_counter()
    restoration.richardson_lucy(grey, blur, num_iter=30)
    return time.perf_counter() - started
