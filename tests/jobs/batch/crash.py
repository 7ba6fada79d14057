"""A whole batch in one process, for tests to kill: `python crash.py INDIR OUTDIR KERNEL`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from unblur.files import sweep
from unblur.jobs.batch.ledger import Ledger
from unblur.jobs.batch.listing import entries, wanted
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.batch.run import Leader, News
from unblur.jobs.batch.task import Answer, Task, Worker
from unblur.jobs.job import Job, Options


class Here:
    """A crew without processes: the leader does the work when it waits for it."""

    shard = 1

    def __init__(self) -> None:
        self.worker = Worker()
        self.tasks: Sequence[Task] = ()

    def wants(self) -> int:
        return int(not self.tasks)

    def give(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks

    def wait(self, seconds: float) -> list[Answer]:
        tasks, self.tasks = self.tasks, ()
        return list(self.worker.do(tasks))

    def close(self) -> None:
        pass


def work(source: Path, target: Path, kernel: Path) -> list[News]:
    """Begin a batch, or go on with it."""
    told: list[News] = []
    options = Options(kernel=str(kernel), device="cpu")
    recipe = Recipe(str(source), str(target), Job("", "", "wiener", {"noise_std": 0.01}, options))
    with Ledger(target / ".unblur" / "ledger.sqlite", str(target)) as ledger:
        recipe.settle(ledger, resume=True, anew=False)
        sweep(str(target))
        ledger.enlist(entries(str(source), str(target), wanted()))
        Leader(ledger, recipe, Here(), tell=told.append).run()
    return told


if __name__ == "__main__":
    work(*map(Path, sys.argv[1:]))
