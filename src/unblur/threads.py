"""Pieces of work side by side, each on one core: small transforms gain little from more."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["side_by_side"]

T = TypeVar("T")


def side_by_side(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """Call functions in threads of their own, in which PyTorch uses one core.

    There are as many threads as PyTorch may use cores. One piece alone is called as it is, with all
    of them; on one core all are called one after the other.

    Raises:
        Exception: What one of them raised, when those that began have ended.

    Example:
        >>> side_by_side([lambda: 1, lambda: 2])
        [1, 2]
    """
    cores = torch.get_num_threads()
    if min(cores, len(pieces)) < 2:
        return [piece() for piece in pieces]
    try:
        with ThreadPoolExecutor(
            min(cores, len(pieces)), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return [each.result() for each in [pool.submit(piece) for piece in pieces]]
    finally:
        # The caller's own count has not changed, only that of threads to come.
        torch.set_num_threads(cores)
