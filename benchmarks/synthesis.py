"""How fast training pairs are made: patches a second, in batches of 16 of 256 x 256 pixels."""

import statistics
import time

import torch

from benchmarks.table import table
from unblur.blur.synthesis import DEFAULT_SHARES, Synthesis, synthesise
from unblur.blur.synthesis.trajectories import bank

__all__ = ["run"]

BATCH, SIDE = 16, 320
BATCHES, ROUNDS = 4, 3
TRAJECTORIES = 256
WANTED = 40


def run() -> str:
    """The table."""
    bank(TRAJECTORIES)  # simulated once in a process
    generator = torch.Generator().manual_seed(0)
    still = torch.randint(0, 256, (BATCH, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    moving = torch.randint(0, 256, (BATCH, 7, 3, SIDE, SIDE), dtype=torch.uint8)
    rows: list[tuple[object, ...]] = [("all, in their shares", _rate(Synthesis(), still), WANTED)]
    for kind in DEFAULT_SHARES:
        crops = moving if kind == "frames" else still
        rows.append((kind, _rate(Synthesis(shares={kind: 1.0}), crops), None))
    return table(("blur", "patches/s", "wanted"), rows)


def _rate(config: Synthesis, crops: torch.Tensor) -> float:
    generator = torch.Generator().manual_seed(1)
    synthesise(crops, config, generator)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(BATCHES):
            synthesise(crops, config, generator)
        seconds.append(time.perf_counter() - started)
    return BATCHES * BATCH / statistics.median(seconds)
