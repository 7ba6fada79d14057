"""What the child process does for each kind of task: restore, blend, or prove that it can."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from unblur.blur import Kernel, kernels
from unblur.jobs.job import Job, Options
from unblur.jobs.plan import plan
from unblur.jobs.run import NO_KERNEL, run
from unblur.jobs.warm import Warm
from unblur.photo import Photo, read, write
from unblur.photo.sniff import sniff
from unblur.progress import Progress, report
from unblur.restore.api import deblur
from unblur.restore.synthesis import blur
from unblur.service.words import in_words

__all__ = ["DOING"]

# What browsers show by themselves.
_SHOWN = ("jpeg", "png", "webp", "avif", "gif")


def _deblur(task: Mapping[str, Any], progress: Progress, warm: Warm) -> dict[str, Any]:
    """Restore the picture `source` into the folder `made`."""
    source, made = task["source"], Path(task["made"])
    given = dict(task["options"])
    for name in ("roi", "background"):
        given[name] = tuple(given[name]) if given.get(name) is not None else None
    kernel = made / "kernel.tif" if task["keeps_kernel"] else None
    options = Options(**given, save_kernel=None if kernel is None else str(kernel))
    (target,) = plan([source], f"{made}{os.sep}", suffix="", extension=options.format)
    # The source is called "input" whatever it is: its extension comes from what it holds.
    target = str(made / f"result{Path(target).suffix}")
    job = Job(source, target, task["method"], task["parameters"], options)
    outcome = run(job, progress, warm=warm)
    name = Path(task["name"]).stem + ".unblur" + Path(target).suffix
    # The kernel is asked for here, whatever it is, and not by those who handed the job in.
    warnings = [warning for warning in outcome.warnings if warning != NO_KERNEL]
    record = {**outcome.record, "source": task["name"], "target": name, "warnings": warnings}
    files = {"result": Path(target).name}
    if kernel is not None and kernel.exists():
        Kernel.load(kernel).save(kernel.with_suffix(".png"))
        files["kernel"] = kernel.name
    if task["previews"]:
        files |= _previews(source, target, made)
    return {"files": files, "record": record, "words": in_words(record)}


def _previews(source: str, target: str, made: Path) -> dict[str, str]:
    """Make what browsers can show of files that they cannot."""
    files = {}
    for name, path in (("before", source), ("after", target)):
        with open(path, "rb") as file:
            kind = sniff(file.read(4096), name)
        if kind not in _SHOWN:
            shown = read(path)
            encoded = shown.encoded()[:1].clamp(0.0, 1.0)
            write(made / f"{name}.png", Photo.from_tensor(encoded))
            files[name] = f"{name}.png"
    return files


def _blend(task: Mapping[str, Any], progress: Progress, _: Warm) -> dict[str, Any]:
    """Mix a result with its input: s restored + (1 - s) input, in the values of the file."""
    strength = float(task["options"]["strength"])
    report(progress, "read", 0.0)
    before, after = read(task["source"]), read(task["result"])
    report(progress, "blend", 0.3)
    mixed = after.with_encoded(torch.lerp(before.encoded(), after.encoded(), strength))
    target = Path(task["made"]) / f"result{Path(task['result']).suffix}"
    report(progress, "write", 0.8)
    write(target, mixed, note="unblur")
    return {"files": {"result": target.name}, "record": {}, "words": []}


def _prove(_task: Mapping[str, Any], progress: Progress, _: Warm) -> dict[str, Any]:
    """Blur and restore a square of 16 x 16 pixels, and look whether that brought it nearer."""
    sharp = torch.zeros(1, 32, 32)
    sharp[:, 8:24, 8:24] = 1.0
    kernel = kernels.gaussian(sigma=1.0)
    soft = blur(sharp, kernel)
    restored = deblur(soft, "wiener", kernel=kernel, noise_std=1e-3, device="cpu").image
    left, before = (float((image - sharp).square().mean()) for image in (restored, soft))
    if not left < before:
        raise ArithmeticError(f"the self-test left an error of {left:.2g} of {before:.2g}")
    report(progress, "done", 1.0)
    return {"files": {}, "record": {"error": left}, "words": []}


DOING: Mapping[str, Callable[[Mapping[str, Any], Progress, Warm], dict[str, Any]]] = {
    "deblur": _deblur,
    "blend": _blend,
    "prove": _prove,
}
