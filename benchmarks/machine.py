"""What the figures were measured on, and where the reference pictures are."""

import os
import platform
from pathlib import Path

import torch

__all__ = ["describe", "reference_folder"]


def describe() -> str:
    """One line: processor, cores that may be used, threads, versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{_processor()}, {cores} cores, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def reference_folder(name: str) -> Path | None:
    """A folder of $UNBLUR_SHARED/data/dev, or of ../shared/data/dev; None where it is absent."""
    named = os.environ.get("UNBLUR_SHARED")
    shared = Path(named) if named else Path(__file__).parents[2] / "shared"
    folder = shared / "data" / "dev" / name
    return folder if folder.is_dir() else None
