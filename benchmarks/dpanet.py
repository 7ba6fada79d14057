"""`dpanet` with the weights that come along, on pictures that it has not seen; PSNR in dB.

Photographs blurred by each kind of the synthesis, of the sizes that the network was trained with:
on encoded values with 1 % noise, and through a camera with linear light, shot noise, a tone curve,
clipped lights and JPEG. With the guard, as the method works by itself, and without. Beside `l0`:
who gains more where the blur is one for the whole picture. Then published pairs of averaged frames
and of defocus, sharp pictures as they are, and the time for 1280 x 720 pixels in colour.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

import unblur
from benchmarks.machine import reference_folder
from benchmarks.pictures import aligned, read
from benchmarks.speed import scene
from benchmarks.table import table
from unblur.blur.synthesis import Synthesis, synthesise

__all__ = ["run"]

Range = tuple[float, float]

RANGES: dict[str, Range] = {
    "shake": (5.0, 41.0),
    "motion": (3.0, 30.0),
    "disk": (1.0, 10.0),
    "gaussian": (0.6, 4.0),
    "homography": (5.0, 31.0),
    "lens": (3.0, 24.0),
    "depth": (2.0, 10.0),
}
KINDS = (*RANGES, "none")
ENCODED = {"linear": False, "tone": 0, "highlights": 0, "jpeg": 0, "noise": 1}
NOISE = {"gain": (1e-8, 1e-8), "read_std": (0.01, 0.01)}
CAMERA = {"highlights": 0.35, "gain": (1e-5, 2e-3), "jpeg": 0.3, "quality": (75, 98)}
ROUNDS = 5
# Of the photographs every third, through a camera every sixth, beside a rival so many.
EVERY, CAMERA_EVERY, RIVAL_COUNT = 3, 6, 8
RIVALS: dict[str, tuple[str, Range]] = {
    "shake 15": ("shake", (15.0, 15.0)),
    "shake 25": ("shake", (25.0, 25.0)),
    "shake 41": ("shake", (41.0, 41.0)),
    "disk 2 to 8": ("disk", (2.0, 8.0)),
    "gaussian 1 to 3": ("gaussian", (1.0, 3.0)),
}

Rows = list[tuple[str | float | int, ...]]
Measure = Callable[[np.ndarray, np.ndarray], float]


def run() -> str:
    """The tables, or why there is none."""
    folder = reference_folder("cid22")
    parts = [_seconds()]
    if folder is None:
        return "\n\n".join(("pictures: passed over, they are absent (set UNBLUR_SHARED)", *parts))
    paths = sorted(folder.glob("*.jpg"))
    parts += [
        _kinds("1 % noise", paths[::EVERY], {**ENCODED, **NOISE}),
        _kinds("camera", paths[::CAMERA_EVERY], CAMERA),
        _rivals(paths[:RIVAL_COUNT]),
        _sharp(paths),
    ]
    for name, measure in (("gopro", _psnr), ("pixel4", aligned)):
        found = reference_folder(name)
        if found is not None:
            parts.append(_pairs(name, found, measure))
    return "\n\n".join(parts)


def _kinds(title: str, paths: Sequence[Path], settings: dict[str, object]) -> str:
    rows: Rows = []
    for kind in KINDS:
        drawn = Synthesis(shares={kind: 1}, **RANGES, **settings)  # type: ignore[arg-type, dict-item]
        found = np.array([_gains(*each) for each in _blurred(paths, drawn)])
        rows.append((kind, *_summary(found)))
    head = (title, "input", "dpanet", "least", "lost", "no guard", "least", "lost")
    return _with_means(head, rows)


def _rivals(paths: Sequence[Path]) -> str:
    """`l0` and `dpanet` on blurs that are one for the whole picture."""
    rows: Rows = []
    for name, (kind, extent) in RIVALS.items():
        ranges = {**RANGES, kind: extent}
        drawn = Synthesis(shares={kind: 1}, **ranges, **ENCODED, **NOISE)  # type: ignore[arg-type, dict-item]
        found = np.array([_both(*each) for each in _blurred(paths, drawn)])
        more = found[:, 1] > found[:, 2]
        rows.append((name, *(float(each) for each in found.mean(0)), int(more.sum())))
    head = (f"{len(paths)} photographs, 1 % noise", "input", "dpanet", "l0", "dpanet ahead")
    return table(head, rows)


def _both(blurred: np.ndarray, sharp: np.ndarray) -> tuple[float, float, float]:
    """The input's PSNR, and what each method gains."""
    before = _psnr(blurred, sharp)
    first, second = (
        _psnr(unblur.deblur(blurred, method).image, sharp) - before for method in ("dpanet", "l0")
    )
    return before, first, second


def _sharp(paths: Sequence[Path]) -> str:
    """How near sharp pictures stay to themselves."""
    found = [unblur.deblur(read(path), "dpanet") for path in paths]
    stays = [_psnr(each.image, read(path)) for each, path in zip(found, paths, strict=True)]
    kept = sum(each.report.unchanged is not None for each in found)
    head = ("sharp photographs", "bit for bit", "least PSNR", "wanted")
    return table(head, [(len(paths), kept, float(min(stays)), 45)])


def _blurred(paths: Sequence[Path], settings: Synthesis) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for index, path in enumerate(paths):
        crop = torch.tensor(read(path)).permute(2, 0, 1)[None]
        sample = synthesise(crop, settings, torch.Generator().manual_seed(index))
        pair = ((each[0] * 255).round().byte() for each in (sample.blurred, sample.sharp))
        blurred, sharp = (each.permute(1, 2, 0).numpy() for each in pair)
        yield blurred, sharp


def _psnr(image: np.ndarray, target: np.ndarray) -> float:
    error = np.square(image.astype(np.float64) - target).mean()
    return float(20 * np.log10(255) - 10 * np.log10(max(error, 1e-6)))


def _gains(
    blurred: np.ndarray, sharp: np.ndarray, measure: Measure = _psnr
) -> tuple[float, float, float]:
    """The input's PSNR, and what is gained with the guard and without."""
    before = measure(blurred, sharp)
    found = unblur.deblur(blurred, "dpanet")
    guarded = measure(found.image, sharp) - before
    if found.report.measured.get("share") == 1.0:
        return before, guarded, guarded
    insisted = unblur.deblur(blurred, "dpanet", guard=False)
    return before, guarded, measure(insisted.image, sharp) - before


def _summary(found: np.ndarray) -> list[float | int]:
    """Mean, least and how many lost, with the guard and without."""
    values: list[float | int] = [float(found[:, 0].mean())]
    for gains in found[:, 1:].T:
        values += [float(gains.mean()), float(gains.min()), int((gains < 0).sum())]
    return values


def _pairs(name: str, folder: Path, measure: Measure) -> str:
    rows: Rows = []
    for path in sorted(folder.glob("*_blur.png")):
        sharp = read(path.with_name(path.name.replace("_blur", "_sharp")))
        rows.append((path.stem.removesuffix("_blur"), *_gains(read(path), sharp, measure)))
    return _with_means((name, "input", "dpanet", "no guard"), rows)


def _with_means(head: Sequence[str], rows: Rows) -> str:
    means = (float(np.mean(column)) for column in list(zip(*rows, strict=True))[1:])
    return table(head, [*rows, ("mean", *means)])


def _seconds() -> str:
    """The time for a frame in colour, loaded before."""
    image = np.concatenate([scene(), scene()], axis=1)[:720, :1280]
    restorer = unblur.load("dpanet", guard=False)
    restorer(image)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        restorer(image)
        times.append(time.perf_counter() - started)
    return table(("1280 x 720, RGB", "seconds", "wanted"), [("dpanet", float(np.median(times)), 2)])
