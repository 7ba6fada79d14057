"""Checkpoints of a run: on a schedule, and when somebody asks it to stop."""

import math
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning import Callback
from typing_extensions import override

from unblur.errors import Cancelled

__all__ = ["Checkpoints", "Stopped", "latest", "step_of"]

_NAME = "step-{:09d}.ckpt"


class Stopped(Cancelled):
    """A signal asked to stop, and a checkpoint was written.

    Attributes:
        signal: its number.
    """

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(f"stopped by signal {number}; {path} has all that was learned")
        self.signal = number


def latest(folder: Path, *, before: float = math.inf) -> Path | None:
    """The checkpoint with the most steps, fewer than `before`, in a folder; None if there is none.

    Example:
        >>> latest(Path("no/such/folder"))
    """
    found = (path for path in folder.glob("step-*.ckpt") if step_of(path) < before)
    return max(found, default=None)


def step_of(checkpoint: Path) -> int:
    """How many steps were taken when a checkpoint was written.

    Example:
        >>> step_of(Path("step-000000120.ckpt"))
        120
    """
    return int(checkpoint.stem.removeprefix("step-"))


class Checkpoints(Callback):
    """Write a checkpoint between two steps: every so many, on SIGTERM or SIGINT, and at the end.

    A step is over, its validation and its schedules included, when the next one begins. A run that
    goes on from there takes the same steps as one that never stopped. (Lightning's own callback
    writes before the validation of the step, whose verdict a schedule may have wanted.)

    Args:
        folder: for the checkpoints.
        every: steps from one to the next; 0 writes only when stopped, and at the end.
        keep: how many to keep; 0 keeps all.
    """

    def __init__(self, folder: Path, *, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep
        self.signal = 0
        self._written = -1
        self._handlers: dict[int, Any] = {}

    @override
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen to signals, in the place of Lightning, which would stop inside a step."""
        self._written = trainer.global_step
        # The batch that was there when the checkpoint was written counts only now.
        batches = trainer.fit_loop.epoch_loop.batch_progress.total
        batches.ready = batches.completed
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._heard)

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        """Stop after the step; at once, when asked again."""
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

    @override
    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a checkpoint if one is due.

        Raises:
            Stopped: After it, if a signal came to any of the processes.
        """
        stop = self.signal
        if trainer.world_size > 1:
            stop = int(trainer.strategy.reduce_boolean_decision(bool(stop), all=False)) and (
                stop or signal.SIGTERM
            )
        step = trainer.global_step
        if stop or (self.every > 0 and step % self.every == 0):
            self._write(trainer)
        if stop:
            raise Stopped(stop, self.folder / _NAME.format(step))

    @override
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the last step's, from which a longer run can go on."""
        self._write(trainer)

    def _write(self, trainer: Any) -> None:
        step = trainer.global_step
        if step == self._written:
            return
        trainer.save_checkpoint(self.folder / _NAME.format(step))
        self._written = step
        if trainer.is_global_zero and self.keep:
            for old in sorted(self.folder.glob("step-*.ckpt"))[: -self.keep]:
                old.unlink()

    @override
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())
