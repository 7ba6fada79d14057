"""A claimed job as a task for a child process: ready for JSON."""

from pathlib import Path
from typing import Any

from unblur.service.order import Job, Order
from unblur.service.settings import Settings

__all__ = ["task_of"]


def task_of(job: Job, files: Path, made: Path, settings: Settings) -> dict[str, Any]:
    """Say to the child what is to be done, with the paths of this machine.

    Args:
        job: that was claimed.
        files: folder of what was sent.
        made: folder for what this attempt makes.
        settings: of the service.
    """
    order = job.order
    source = str(files / "input")
    task: dict[str, Any] = {
        "do": order.do,
        "source": source,
        "made": str(made),
        "files": str(files),
        "name": order.name,
        "names": {source: order.name},
        "options": dict(order.options),
    }
    if order.do == "blend":
        return {
            **task,
            "result": str(files / str(order.options["attempt"]) / order.options["result"]),
        }
    return {
        **task,
        "method": order.method,
        "parameters": dict(order.parameters),
        "keeps_kernel": order.kernel != "kernel.safetensors" and order.lens is None,
        "previews": order.previews,
        "options": {**order.options, **_paths(order, files), **_limits(order, settings)},
    }


def _paths(order: Order, files: Path) -> dict[str, str]:
    given = {"kernel": order.kernel, "mask": order.mask, "lens": order.lens}
    return {kind: str(files / name) for kind, name in given.items() if name is not None}


def _limits(order: Order, settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    return {
        "device": settings.device,
        # The rest is for the interpreter, the libraries and the files' own buffers.
        "max_memory": int(0.8 * limits.job_memory),
        "max_pixels": limits.quick_pixels if order.quick else limits.pixels,
        "max_pages": limits.frames,
    }
