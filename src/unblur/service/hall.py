"""The parts of a running service, and how they start and stop together."""

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from unblur.errors import UnblurError
from unblur.jobs.cluster import Cluster
from unblur.service.board import Board
from unblur.service.counters import Counters
from unblur.service.database import Database
from unblur.service.job_table import JobTable
from unblur.service.process import Hands
from unblur.service.removal import sweep
from unblur.service.roster import Roster
from unblur.service.settings import Settings
from unblur.service.store import Store
from unblur.service.worker import Worker, is_dead

__all__ = ["Hall"]

log = logging.getLogger("unblur.service")

_SWEEP = 60.0
# What a glance at the queue tells stays true for so long.
_GLANCE = 0.1


class Hall:
    """Table, store, workers, and what watches them.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        from unblur import __version__

        self.settings = settings
        self.database = Database(settings.database)
        self.table = JobTable(self.database, self._changed)
        self.roster = Roster(self.database)
        self.store = Store(settings.store)
        self.board = Board(self.table, settings.limits.watchers)
        self.counters = Counters(self.table.counts, __version__)
        address, count = settings.cluster, settings.workers or None
        self._cluster = address and Cluster(address, count, device=settings.device)
        self.draining = False
        self.workers: list[Worker] = []
        self._stopped = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_on, daemon=True)
        self._full = (0.0, False)

    def _changed(self) -> None:
        self.board.changed()

    def start(self) -> None:
        """Take up what a former run left, and begin to work."""
        self.table.recover(is_dead)
        self.roster.sweep(is_dead)
        for number in range(self.settings.workers):
            worker = Worker(
                self.table, self.store, self.settings, number, self.counters.job,
                hands=self._hands(),
            )  # fmt: skip
            self.workers.append(worker)
            worker.start()
        self._sweeper.start()

    def _hands(self) -> Hands | None:
        if not self._cluster:
            return None
        from unblur.service.cluster import Distant

        return Distant(self._cluster, self.settings.limits.job_memory)

    def wake(self) -> None:
        """Tell the workers that something waits."""
        for worker in self.workers:
            worker.wake()

    def is_full(self) -> bool:
        """Whether no further job would be taken."""
        then, full = self._full
        now = time.monotonic()
        if now - then > _GLANCE:
            full = self.table.is_full(self.settings.queue)
            self._full = (now, full)
        return full

    def drain(self) -> None:
        """Take nothing more, and let what runs come to its end within the time of grace."""
        self.draining = True
        for worker in self.workers:
            worker.stop()
        until = time.monotonic() + self.settings.grace
        for worker in self.workers:
            worker.join(max(0.0, until - time.monotonic()))

    def stop(self) -> None:
        """Put back what still runs, and end everything."""
        self.draining = True
        self._stopped.set()
        for worker in self.workers:
            worker.stop(hurry=True)
        for worker in self.workers:
            worker.join(10.0)
        self.database.close()

    def _sweep_on(self) -> None:
        while not self._stopped.wait(_SWEEP):
            self.sweep()

    def sweep(self) -> None:
        """Remove what expired, and files that belong to nothing."""
        try:
            for job_id in sweep(self.database, self.settings.keep):
                self.store.drop(job_id)
            self.roster.sweep(is_dead)
            strays = self.store.strays()
            known = {job.id for job in self.table.get_all(strays) if job.state != "gone"}
            for job_id in set(strays) - known:
                self.store.drop(job_id)
        except (SQLAlchemyError, OSError, UnblurError):
            log.exception("what expired could not be swept")
