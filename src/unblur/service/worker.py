"""A worker: claims jobs one after the other, and has a child process do them."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

import psutil
from sqlalchemy.exc import SQLAlchemyError

from unblur.errors import UnblurError
from unblur.service.job_table import JobTable
from unblur.service.order import Job
from unblur.service.process import Answer, Child, Hands
from unblur.service.roster import Roster
from unblur.service.settings import Settings
from unblur.service.store import Store
from unblur.service.task import task_of

__all__ = ["Worker", "is_dead", "worker_name"]

log = logging.getLogger("unblur.service")

# How often the queue is looked at where nobody says that something has come.
_POLL = 0.5
_BEAT = 1.0
_SIGN = 5.0
# A worker that did nothing for so long tests itself.
_PROVE = 60.0


def worker_name(number: int) -> str:
    """Name a worker of this process: machine, process, when it began, number."""
    began = int(psutil.Process().create_time())
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{began}:{number}"


def is_dead(name: str) -> bool:
    """Whether a worker was of this machine, and its process is gone.

    Example:
        >>> is_dead(worker_name(0)), is_dead("elsewhere:1:2:0")
        (False, False)
    """
    host, pid, began, _ = name.split(":")
    if host != socket.gethostname()[:64]:
        return False
    try:
        return int(psutil.Process(int(pid)).create_time()) != int(began)
    except psutil.Error:
        return True


class Worker:
    """Works until `stop`.

    Args:
        table: of the jobs.
        store: of their files.
        settings: of the service.
        number: among the workers of this process.
        told: is called with each job that came to an end, and the seconds that it took.
        hands: that do the jobs; otherwise a process of this machine.
    """

    def __init__(
        self,
        table: JobTable,
        store: Store,
        settings: Settings,
        number: int = 0,
        told: Callable[[Job, str, str | None, float], None] = lambda *_: None,
        *,
        hands: Hands | None = None,
    ) -> None:
        self.table, self.store, self.settings, self.told = table, store, settings, told
        self.roster = Roster(table.database)
        self.name = worker_name(number)
        self.hands = _child(settings) if hands is None else hands
        self.busy = False
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._signed = self._proven = -_PROVE
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that something waits."""
        self._woken.set()

    def stop(self, *, hurry: bool = False) -> None:
        """Claim nothing more; with `hurry`, put back what is being done too."""
        self._stopping.set()
        if hurry:
            self._hurry.set()
        self._woken.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end; True if it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                worked = self._once()
            except (SQLAlchemyError, OSError, UnblurError):
                # The database or the disk is away: what is claimed comes back with its lease.
                log.exception("the worker cannot go on for now")
                worked = False
                self._stopping.wait(_BEAT)
            if not worked:
                self._woken.wait(_POLL)
            self._woken.clear()
        self.hands.end()
        try:
            self.roster.leave(self.name)
        except SQLAlchemyError:
            log.warning("the worker could not sign out")

    def _once(self) -> bool:
        """Do one job; False where none waits."""
        if not self.hands.warm_up():  # before the claim, whose lease does not wait for it
            return False
        now = time.monotonic()
        if now - self._proven > _PROVE:
            self._prove()
        elif now - self._signed > _SIGN:
            self._sign(proven=False)
        job = self.table.claim(
            self.name, self.settings.lease, attempts=self.settings.limits.attempts
        )
        if job is None:
            return False
        self.busy = True
        try:
            self._do(job)
        finally:
            self.busy = False
        return True

    def _sign(self, *, proven: bool) -> None:
        self._signed = time.monotonic()
        if proven:
            self._proven = self._signed
        self.roster.show(self.name, proven=proven)

    def _prove(self) -> None:
        """Restore a small picture, so that "ready" means that pictures are restored."""
        answer = self.hands.run(
            {"do": "prove"},
            seconds=60.0,
            decode_seconds=60.0,
            told=lambda *_: not self._hurry.is_set(),
        )
        if answer.made is None:
            log.error("the self-test failed: %s", answer.detail)
            self._proven = time.monotonic() - _PROVE + _SIGN
        self._sign(proven=answer.made is not None)

    def _do(self, job: Job) -> None:
        start = time.monotonic()
        pulse = _Pulse(self, job)
        try:
            with self.store.at_hand(job) as (files, made):
                task = task_of(job, files, made, self.settings)
                answer = self.hands.run(
                    task,
                    seconds=self.settings.limits.job_seconds,
                    decode_seconds=self.settings.limits.decode_seconds,
                    told=pulse,
                )
                if answer.made is not None and not pulse.lost:
                    self.store.publish(job, made)
        except FileNotFoundError:
            answer = Answer(code="gone", detail="the files of the job are no longer there")
        self._settle(job, answer, pulse, time.monotonic() - start)

    def _settle(self, job: Job, answer: Answer, pulse: "_Pulse", seconds: float) -> None:
        table, keep = self.table, self.settings.keep
        crashed = answer.code == "crashed"
        if pulse.lost:
            state, mine = "lost", False
        elif answer.made is not None:
            state = "done"
            mine = table.finish(job, state, result=answer.made, keep=keep)
            if mine:
                self._sign(proven=True)
        elif not pulse.cancelled and (
            answer.code == "lost" or (self._hurry.is_set() and answer.stopped)
        ):
            state, mine = "put back", table.give_back(job, crashed=False)
        elif crashed and job.crashes + 1 < self.settings.limits.crashes:
            state, mine = "put back", table.give_back(job, crashed=True)
        else:
            state = "cancelled" if pulse.cancelled else "failed"
            code = "cancelled" if pulse.cancelled else answer.code
            detail = answer.detail
            if crashed:
                detail += f", {job.crashes + 1} times: the picture may be made to harm its readers"
            mine = table.finish(job, state, code=code, detail=detail, keep=keep)
        if state != "done" or not mine:
            self.store.drop(job.id, str(job.attempt))
        if not mine and _is_removed(table.get(job.id)):
            self.store.drop(job.id)  # what was removed meanwhile may have come back by this work
        log.info(
            "job %s", state,
            extra={"job": job.id, "attempt": job.attempt, "method": job.order.method,
                   "code": answer.code, "seconds": round(seconds, 3)},
        )  # fmt: skip
        if mine:
            self.told(job, state, answer.code, seconds)


def _child(settings: Settings) -> Child:
    threads = max(1, (os.cpu_count() or 1) // max(1, settings.workers))
    if "OMP_NUM_THREADS" in os.environ:  # the operator's word, which PyTorch follows by itself
        threads = 0
    return Child(settings.limits.job_memory, threads)


def _is_removed(job: Job | None) -> bool:
    return job is None or job.state == "gone"


class _Pulse:
    """Renews the lease of a job while its child works, and hears whether it should go on."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self.worker, self.job = worker, job
        self.lost = self.cancelled = False
        self._last = time.monotonic()
        self._stage, self._fraction = "", 0.0

    def __call__(self, stage: str, fraction: float) -> bool:
        if self.worker._hurry.is_set():  # noqa: SLF001 - its own helper
            return False
        now = time.monotonic()
        if now - self._last < _BEAT:
            return True
        self._last = now
        settings = self.worker.settings
        try:
            word = self.worker.table.beat(self.job, settings.lease, stage, fraction)
        except SQLAlchemyError:
            log.warning("the lease of %s could not be renewed", self.job.id)
            return True
        self.lost, self.cancelled = word == "lost", word == "cancel"
        if now - self.worker._signed > _SIGN:  # noqa: SLF001
            self.worker._sign(proven=(stage, fraction) != (self._stage, self._fraction))  # noqa: SLF001
            self._stage, self._fraction = stage, fraction
        return word == "go on"
