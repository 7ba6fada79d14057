"""What a run looks like from outside: lines, a table of figures, and its curves."""

import csv
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from typing_extensions import override

from unblur.files import replacing

__all__ = ["Curves", "draw", "read_rows"]

_TABLE, _PICTURE = "curves.csv", "curves.png"
_PATIENCE = 10.0  # seconds between two lines at least

Row = Mapping[str, float]


class Curves(Callback):
    """Note loss, learning rate, speed and validation; the curves are drawn at each validation.

    Columns: step, loss (the mean since the row before), lr, pairs_per_second, waiting (the share of
    the time in which the step waited for its pairs, so that 1 - waiting is the speed beside that of
    the computation alone), and all that validation measures.

    Args:
        folder: of the run.
        every: steps from one row to the next.
        batch: pairs in a step, from the number of the step.
        say: prints a line, now and then; None prints none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every: int,
        batch: Callable[[int], int],
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.folder, self.every, self.batch, self.say = folder, every, batch, say
        self.rows: list[Row] = []
        self._columns: list[str] = []
        self._sum: Any = 0.0
        self._steps, self._pairs = 0, 0
        self._waited, self._since, self._mark, self._said = 0.0, 0.0, 0.0, 0.0

    @override
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Take up the table where the checkpoint was written."""
        step = trainer.global_step
        self._columns = ["step", "loss", "lr", "pairs_per_second", "waiting", *pl_module.meters]
        if trainer.is_global_zero:
            self.rows = [row for row in read_rows(self.folder / _TABLE) if row["step"] <= step]
            with (
                replacing(self.folder / _TABLE, overwrite=True) as descriptor,
                open(descriptor, "w", closefd=False, newline="", encoding="utf-8") as file,
            ):
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(self.rows)
        self._begin()

    def _begin(self) -> None:
        self._sum, self._steps, self._pairs, self._waited = 0.0, 0, 0, 0.0
        self._since = self._mark = time.perf_counter()

    @override
    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note how long the batch was waited for."""
        self._waited += time.perf_counter() - self._mark

    @override
    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a row if one is due."""
        self._sum = self._sum + outputs["loss"].detach()
        self._steps += 1
        step = trainer.global_step
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._pairs += self.batch(step - 1)
            if step % self.every == 0 or step == trainer.max_steps:
                self._row(trainer, step)
        self._mark = time.perf_counter()

    def _row(self, trainer: Any, step: int) -> None:
        loss = float(
            trainer.strategy.reduce(torch.as_tensor(self._sum) / self._steps, reduce_op="mean")
        )
        seconds = time.perf_counter() - self._since
        row = {
            "step": step,
            # Lightning divides the loss by the parts of an accumulated gradient.
            "loss": loss * trainer.accumulate_grad_batches,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "pairs_per_second": self._pairs / seconds,
            "waiting": self._waited / seconds,
        }
        self._write(trainer, row)
        left = (trainer.max_steps - step) * seconds / max(self._steps, 1)
        self._line(trainer, row, left * trainer.accumulate_grad_batches)
        self._begin()

    def _line(self, trainer: Any, row: Row, left: float) -> None:
        now = time.monotonic()
        if self.say is None or not trainer.is_global_zero:
            return
        if now - self._said < _PATIENCE and row["step"] < trainer.max_steps:
            return
        self._said = now
        self.say(
            f"step {row['step']} of {trainer.max_steps}, loss {row['loss']:.4g}, "
            f"lr {row['lr']:.2g}, {row['pairs_per_second']:.3g} pairs/s "
            f"({1 - row['waiting']:.0%} of the computation alone), {_time(left)} left"
        )

    @override
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Write what validation measured, and draw the curves."""
        if trainer.sanity_checking or not self._columns:
            return
        validated: dict[str, float] = pl_module.validated
        self._write(trainer, {"step": trainer.global_step, **validated})
        if trainer.is_global_zero:
            draw(self.rows, self.folder / _PICTURE)
            if self.say is not None:
                self.say(
                    f"step {trainer.global_step}, validation: "
                    + ", ".join(f"{_words(name)} {value:.4g}" for name, value in validated.items())
                )
        # Validation is no part of the speed of training.
        self._begin()

    @override
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Draw the curves of the whole run."""
        if trainer.is_global_zero:
            draw(self.rows, self.folder / _PICTURE)

    def _write(self, trainer: Any, row: Row) -> None:
        if not trainer.is_global_zero:
            return
        self.rows.append(row)
        with (self.folder / _TABLE).open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        for logger in trainer.loggers:
            figures = {name: value for name, value in row.items() if name != "step"}
            logger.log_metrics(figures, step=int(row["step"]))


def read_rows(path: Path) -> list[Row]:
    """The rows of a table of curves, without the empty cells; none where there is no file.

    Example:
        >>> read_rows(Path("no/such/table.csv"))
        []
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {name: float(text) for name, text in row.items() if name and text}
            for row in csv.DictReader(file)
        ]
    return [row for row in rows if "step" in row]


def draw(rows: Iterable[Row], path: Path) -> None:
    """Draw loss and scores over steps as a PNG; what blurred inputs score is dashed."""
    from matplotlib.figure import Figure

    rows = list(rows)
    scores = sorted({name for row in rows for name in row if name.startswith("val_")})
    scores = [name for name in scores if name != "val_loss" and not name.endswith("_input")]
    figure = Figure(figsize=(4.5 * (1 + len(scores)), 3.4), dpi=100, layout="constrained")
    panels = figure.subplots(1, 1 + len(scores), squeeze=False)[0]
    _plot(panels[0], rows, {"loss": "training", "val_loss": "validation"})
    panels[0].set_title("loss")
    for panel, name in zip(panels[1:], scores, strict=True):
        _plot(panel, rows, {name: "restored", f"{name}_input": "blurred"})
        panel.set_title(_words(name))
    with replacing(path, overwrite=True) as descriptor, open(descriptor, "wb", closefd=False) as f:
        figure.savefig(f, format="png")


def _plot(panel: Any, rows: list[Row], lines: Mapping[str, str]) -> None:
    for name, label in lines.items():
        found = [(row["step"], row[name]) for row in rows if name in row]
        if found:
            panel.plot(*zip(*found, strict=True), "--" if "input" in name else "-", label=label)
    if panel.lines:
        panel.legend(frameon=False)
    panel.set_xlabel("step")
    panel.grid(alpha=0.3)


def _words(name: str) -> str:
    words = name.removeprefix("val_").replace("-", " ").replace("_", " of the ")
    return words.replace("psnr", "PSNR").replace("ssim", "SSIM")


def _time(seconds: float) -> str:
    """A length of time for people.

    Example:
        >>> _time(59), _time(600), _time(36000), _time(864000)
        ('59 s', '10 min', '10.0 h', '10.0 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
