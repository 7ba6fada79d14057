"""Training: seconds of a step beside those of forward, backward and optimiser alone.

The step is that of a whole run: loading, checks, averages of weights, figures and hooks. The
computation alone is a loop over one batch that is there already, in the same process. Both have one
thread, so that a second core is left for the worker that reads and blurs.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback
from PIL import Image
from skimage import data

from benchmarks.table import table
from unblur.train.batch import Batch
from unblur.train.losses import multi_level
from unblur.train.run import train
from unblur.train.settings import parse, parser
from unblur.train.stream import generator_of

__all__ = ["run"]

STEPS, WARM = 11, 3
PATCH, BATCH = 96, 4
HEAD = ("network", "patch", "batch", "alone, s", "step, s", "overhead", "waiting", "pairs/s")


class _Clock(Callback):
    """When each step was over, and how long its batch was waited for."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.waits: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.waits.append(time.perf_counter() - self.ends[-1] if self.ends else 0.0)

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())


def run() -> str:
    """The table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run()
    finally:
        torch.set_num_threads(threads)


def _run() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
            Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{n}.png")
        words = [
            *("--data.root", str(folder), "--data.held_out", "1", "--data.patch", str(PATCH)),
            *("--data.batch", str(BATCH), "--data.progressive", "[]", "--data.workers", "1"),
            *("--trainer.max_steps", str(STEPS), "--trainer.limit_val_batches", "0"),
            *("--trainer.precision", "32-true", "--trainer.accelerator", "cpu"),
            *("--model.warmup", "1"),
        ]
        clock = _Clock()
        train("dpanet-general", words, folder=folder / "run", more=[clock])
        model = parser().instantiate(parse("dpanet-general", words)).model
    alone = _alone(model)
    step = (clock.ends[-1] - clock.ends[WARM - 1]) / (STEPS - WARM)
    waiting = sum(clock.waits[WARM:]) / (STEPS - WARM)
    overhead = f"{(step / alone - 1):.1%}"
    row = (
        "dpanet small",
        PATCH,
        BATCH,
        alone,
        step,
        overhead,
        f"{waiting / step:.1%}",
        BATCH / step,
    )
    return table(HEAD, [row])


def _alone(model: Any) -> float:
    """Seconds of forward, backward, clipping and optimiser for one batch."""
    pictures = torch.rand(2, BATCH, 3, PATCH, PATCH, generator=generator_of(0, 0))
    batch = Batch(pictures[0], pictures[1], ("",) * BATCH)
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=1e-4, betas=(0.9, 0.9))
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        loss = multi_level("charbonnier", model.outputs(batch), batch.sharp)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return float(np.mean(seconds[WARM:]))
