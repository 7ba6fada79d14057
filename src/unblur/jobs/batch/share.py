"""How one machine is shared among workers."""

import os
from typing import NamedTuple

from unblur.errors import OutOfMemory
from unblur.jobs.job import Job
from unblur.restore.checks import check_device
from unblur.restore.memory import budget, parse_bytes

__all__ = ["Share", "cores", "share"]

# What a process with PyTorch holds before any picture.
_BARE = 300_000_000


class Share(NamedTuple):
    """What each worker gets.

    Attributes:
        jobs: number of workers.
        threads: of each.
        memory: of each, in bytes.
        gpus: numbers of the GPUs, none for the CPU.
    """

    jobs: int
    threads: int
    memory: int
    gpus: tuple[str, ...]


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(job: Job, jobs: int | None, pictures: int) -> Share:
    """Divide cores, memory and GPUs: together the workers hold no more than one would alone.

    Args:
        job: of any picture.
        jobs: number of workers; otherwise one for each core, or each GPU.
        pictures: how many there are.

    Raises:
        OutOfMemory: The memory is not enough for so many workers.

    Example:
        >>> share(Job("", ""), 2, 10).jobs
        2
    """
    gpus = _gpus() if check_device(job.options.device).type == "cuda" else ()
    count = jobs or max(1, min(len(gpus) or cores(), pictures))
    wanted = job.options.max_memory
    whole = budget(None) if wanted is None else parse_bytes(wanted)
    if jobs is None:
        count = max(1, min(count, whole // (2 * _BARE)))
    if whole // count < _BARE:
        raise OutOfMemory(
            f"max_memory leaves {whole / count / 1e6:.0f} MB for each of {count} workers, which is "
            f"less than a worker needs before any picture: fewer --jobs, or at least "
            f"{count * _BARE / 1e6:.0f} MB"
        )
    return Share(count, _threads(count), whole // count, gpus)


def _threads(workers: int) -> int:
    """Give each worker its part of the cores, and no more threads than OMP_NUM_THREADS allows."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    most = int(named) if named.isdecimal() and int(named) else cores()
    return max(1, min(cores() // workers, most))


def _gpus() -> tuple[str, ...]:
    """Give the numbers of the GPUs that this process may use."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named:
        return tuple(named.split(","))
    return tuple(map(str, range(torch.cuda.device_count())))
