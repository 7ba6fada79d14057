"""Methods that stay ready from one job to the next."""

from collections.abc import Callable
from typing import Any

from unblur.blur import Field, Kernel
from unblur.jobs.job import Job
from unblur.restore.api import Result, load

__all__ = ["Warm"]


class Warm:
    """Keeps the method of the latest job, so that a network is loaded once for many pictures.

    Example:
        >>> warm, job = Warm(), Job("a.png", "b.png", "l0")
        >>> warm.restorer(job) == warm.restorer(job)
        True
    """

    def __init__(self) -> None:
        self._kept: tuple[Any, Callable[..., Result[Any]]] | None = None

    def restorer(self, job: Job) -> Callable[..., Result[Any]]:
        """Give what `unblur.load` gives for the job: a function that restores pictures.

        Raises:
            UnblurError: The method, its parameters, weights or kernel cannot be used.
        """
        kernel, device = job.options.kernel, job.options.device
        lens = job.options.lens
        wanted = (job.method, dict(job.parameters), kernel, lens, device)
        if self._kept is None or self._kept[0] != wanted:
            self._kept = None  # what it holds is free before the next is loaded
            blur = None if kernel is None else _load_kernel(kernel)
            restore = load(job.method, device, kernel=blur, lens=lens, **job.parameters)
            self._kept = wanted, restore
        return self._kept[1]


def _load_kernel(name: str) -> Kernel | Field:
    return Field.load(name) if name.lower().endswith(".safetensors") else Kernel.load(name)
