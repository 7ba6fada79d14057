"""How much memory the work may take."""

import math
import re

import torch

from unblur.errors import ParameterError

__all__ = ["budget", "held_bytes", "parse_bytes", "peak_bytes"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("kmgt", start=1)}


def parse_bytes(value: int | float | str) -> int:
    """Read an amount of memory: a number of bytes, or a text such as "4GB", "500 MiB", "2g".

    Raises:
        ParameterError: It is not an amount, or not positive.

    Example:
        >>> parse_bytes("4GB"), parse_bytes("1 KiB")
        (4000000000, 1024)
    """
    text = str(value).strip().lower()
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?i?)b?", text)
    amount = float(match[1]) * _UNITS.get(match[2], math.nan) if match else math.nan
    if not (math.isfinite(amount) and amount >= 1):
        raise ParameterError(
            f"max_memory must be a number of bytes or a text such as '4GB', got {value!r}"
        )
    return int(amount)


def budget(limit: int | float | str | None, device: torch.device | None = None) -> int:
    """Give the bytes that the work may still take: the limit less what the process holds already.

    Negative where it holds more.

    Without a limit: half of what the machine has free. On a GPU it is the GPU's memory that counts:
    the limit, and at most nine tenths of what is free there.
    """
    import psutil

    if device is not None and device.type == "cuda":
        free = 0.9 * _free_on_gpu(device)
        return int(free if limit is None else min(free, parse_bytes(limit)))
    if limit is None:
        return int(psutil.virtual_memory().available) // 2
    return parse_bytes(limit) - held_bytes()


def held_bytes(device: torch.device | None = None) -> int:
    """Give what the process holds of the memory that `budget` counts; none of a GPU's."""
    import psutil

    if device is not None and device.type == "cuda":
        return 0
    return int(psutil.Process().memory_info().rss)


def _free_on_gpu(device: torch.device) -> int:
    """What the GPU has free, with what PyTorch keeps for later."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + int(kept)


def peak_bytes() -> int:
    """Give the most memory that this process has held so far."""
    import psutil

    info = psutil.Process().memory_info()
    try:
        import resource
        import sys
    except ImportError:
        return int(getattr(info, "peak_wset", info.rss))
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
