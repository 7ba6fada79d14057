"""How long a contender takes for one picture of 1280 x 720."""

import time
from dataclasses import dataclass
from pathlib import Path
from platform import machine, processor
from statistics import median

import torch
from torch.nn.functional import pad

from unblur.evaluate.contender import Contender
from unblur.photo import Photo
from unblur.progress import Progress, report

__all__ = ["FRAME", "Timing", "device_name", "frame", "measure"]

FRAME = (720, 1280)
_RUNS, _ENOUGH = 5, 60.0


@dataclass(frozen=True)
class Timing:
    """How long one picture took.

    Attributes:
        contender: label.
        milliseconds: the median of the runs, each waited for until the device was idle.
        runs: how many, after one that does not count.
        device: its name.
        size: (height, width).
    """

    contender: str
    milliseconds: float
    runs: int
    device: str
    size: tuple[int, int]


def frame(photo: Photo, size: tuple[int, int] = FRAME) -> Photo:
    """Cut a picture to a size; one that is smaller is repeated by its mirror first.

    Example:
        >>> frame(Photo.from_tensor(torch.rand(3, 500, 2000))).size
        (720, 1280)
    """
    image = photo.encoded()[:1]
    while image.shape[-2] < size[0] or image.shape[-1] < size[1]:
        down = min(max(size[0] - image.shape[-2], 0), image.shape[-2] - 1)
        across = min(max(size[1] - image.shape[-1], 0), image.shape[-1] - 1)
        # A row or a column of one pixel has no mirror.
        mode = "reflect" if min(image.shape[-2:]) > 1 else "replicate"
        if mode == "replicate":
            down, across = size[0] - image.shape[-2], size[1] - image.shape[-1]
        image = pad(image, (0, max(across, 0), 0, max(down, 0)), mode=mode)
    return Photo.from_tensor(image[..., : size[0], : size[1]])


def measure(contender: Contender, photo: Photo, progress: Progress | None = None) -> Timing:
    """Time a restoration: one run to warm up, then up to five, within about a minute.

    The device is synchronised before the clock is read.
    """
    seconds: list[float] = []
    started = time.perf_counter()
    device = ""
    for index in range(_RUNS + 1):
        report(progress, f"{contender.label}: time", index / (_RUNS + 1))
        _synchronise()
        before = time.perf_counter()
        outcome = contender.restore(photo)
        _synchronise()
        seconds.append(time.perf_counter() - before)
        device = str(outcome.report.get("device", ""))
        if index > 0 and time.perf_counter() - started > _ENOUGH:
            break
    counted = seconds[1:]
    return Timing(
        contender.label, 1000 * median(counted), len(counted), device_name(device), photo.size
    )


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    if torch.backends.mps.is_available():
        torch.mps.synchronize()


def device_name(device: str) -> str:
    """What a device is called by its maker.

    Example:
        >>> device_name("cpu").endswith("threads")
        True
    """
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    if device == "mps":
        return f"{machine()}, Metal"
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else processor() or machine()
