"""What a worker does for one picture: see whether its result still stands, or make it.

Heavy libraries are loaded when the first task is done, not before: a worker says first how many
threads they may have.
"""

import errno
import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from unblur.errors import OutputError, UnblurError
from unblur.failpoints import failpoint
from unblur.files import shown
from unblur.jobs.batch.listing import honest
from unblur.jobs.job import Job
from unblur.jobs.storage import digest as remote_digest
from unblur.jobs.storage import is_remote, nearby

if TYPE_CHECKING:
    from unblur.jobs.warm import Warm
    from unblur.photo import Photo

__all__ = ["Answer", "Stopped", "Task", "Worker", "limit_threads", "stop_on_term", "together"]

# Faults of the place where results go: they will meet every other picture too.
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# Seconds until a signal that came at a bad moment comes again.
_AGAIN = 0.01


@dataclass(frozen=True)
class Task:
    """A picture for a worker.

    Attributes:
        id: in the ledger.
        job: what to do.
        again: whether an earlier attempt may have left its result.
        expected: the hash of a result that was recorded; where it still stands, nothing is done.
    """

    id: int
    job: Job
    again: bool = False
    expected: str | None = None


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    Attributes:
        id: of the task.
        state: "kept" is a result that was there and still is what was recorded; "moved" is a
            picture whose content belongs under another extension, and nothing was done.
        record: all that the report knows.
        digest: hash of the result.
        error: "type" and "message" of a failure.
        target: where "moved" should go.
        fatal: whether the other pictures would fail in the same way.
    """

    id: int
    state: Literal["done", "kept", "failed", "moved"]
    record: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None
    error: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    fatal: bool = False


class _Moved(Exception):
    """The content belongs under another extension."""


class Worker:
    """Keeps the method ready, and does one task after the other.

    Args:
        memory: that its process may hold, in bytes, whatever the tasks say.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory
        self._warm: Warm | None = None
        self._lock = Lock()

    def do(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Give one answer for each task, in their order; no picture stops the others.

        Small pictures go through a network together where its parameter `batch` allows several.
        """
        left = list(tasks)
        while left:
            most = together(left[0].job)
            group, left = left[:most], left[most:]
            for _ in group:
                failpoint("after-claim")
            yield from self._gathered(group) if len(group) > 1 else map(self._answer, group)

    def _gathered(self, tasks: list[Task]) -> list[Answer]:
        """Do tasks in threads that meet at the network, and share the memory."""
        from unblur.restore.gathering import Gathering

        gathering = Gathering(len(tasks), together(tasks[0].job))

        def answer(place: int, task: Task) -> Answer:
            with gathering.member(place):
                return self._answer(task, share=len(tasks))

        with ThreadPoolExecutor(len(tasks)) as threads:
            return list(threads.map(answer, range(len(tasks)), tasks))

    def _answer(self, task: Task, share: int = 1) -> Answer:
        try:
            if task.expected is not None and _stands(task.job.target, task.expected):
                return Answer(task.id, "kept", digest=task.expected)
            return self._made(task, share)
        except _Moved as error:
            return Answer(task.id, "moved", target=str(error))
        except MemoryError as error:
            return _failure(task, error, "out of memory: a lower --max-memory or --tile needs less")
        except Exception as error:  # noqa: BLE001 - the boundary: no picture stops the others
            return _failure(task, error, None)

    def _made(self, task: Task, share: int) -> Answer:
        from unblur.jobs.run import run
        from unblur.jobs.warm import Warm
        from unblur.restore.memory import held_bytes

        with self._lock:  # whoever is first loads the network
            self._warm = self._warm or Warm()
            self._warm.restorer(nearby(task.job))
        job = task.job
        if self._memory is not None:
            # What the process holds, it holds once; the rest is shared.
            held = held_bytes()
            limit = max(held + (self._memory - held) // share, 0)
            job = replace(job, options=replace(job.options, max_memory=limit))
        if not is_remote(job.target):
            _make_room(job)

        def look(photo: "Photo") -> None:
            proper = honest(job.target, photo.carried.format)
            if job.options.format is None and proper != job.target:
                raise _Moved(proper)

        outcome = run(job, warm=self._warm, look=look, again=task.again)
        failpoint("after-rename")
        return Answer(task.id, "done", dict(outcome.record), _digest(job.target))


def together(job: Job) -> int:
    """Say how many pictures the job allows to go through its network at once.

    Example:
        >>> together(Job("", "", "nafnet", {"batch": "4"})), together(Job("", "", "wiener"))
        (4, 1)
    """
    try:
        return max(1, int(job.parameters.get("batch", 1)))
    except ValueError:
        return 1  # the method will say what is wrong with it


def _make_room(job: Job) -> None:
    """Make the folder of the result, which must not be that of an input, be it through a link."""
    folder = os.path.dirname(job.target)
    try:
        os.makedirs(folder, exist_ok=True)
        if os.path.lexists(job.target) and os.path.samefile(job.source, job.target):
            raise OutputError(f"{shown(job.target)} is the input itself: results go elsewhere")
    except FileNotFoundError:
        return  # what is missing is said when it is opened
    except OSError as error:
        raise OutputError(
            f"the folder {shown(folder)} cannot be made: {error.strerror or error}"
        ) from error


def _failure(task: Task, error: Exception, message: str | None) -> Answer:
    known = isinstance(error, UnblurError)
    text = message or (str(error) if known else f"unexpected {type(error).__name__}: {error}")
    fault = {"type": type(error).__name__, "message": text}
    return Answer(task.id, "failed", error=fault, fatal=_is_fatal(error))


def _is_fatal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FATAL:
            return True
        error = error.__cause__
    return False


def _stands(target: str, expected: str) -> bool:
    """Say whether what is at the target has that hash."""
    try:
        return _digest(target) == expected
    except (OSError, UnblurError):
        return False


def _digest(target: str) -> str:
    if is_remote(target):
        return remote_digest(target)
    with open(target, "rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"


def limit_threads(threads: int) -> None:
    """Let the libraries of this process compute with so many threads; called before they load."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)


class Stopped(BaseException):
    """The leader asked this worker to go."""


def stop_on_term() -> None:
    """Leave cleanly on SIGTERM, without half a file; Ctrl-C is for the leader alone."""

    def stop(_number: int, frame: FrameType | None) -> None:
        if _within_pyvips(frame):
            threading.Timer(_AGAIN, signal.raise_signal, (signal.SIGTERM,)).start()
        else:
            raise Stopped

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)


def _within_pyvips(frame: FrameType | None) -> bool:
    """Say whether libvips has called back: an exception would be printed and lost there."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == "pyvips":
            return True
        frame = frame.f_back
    return False
