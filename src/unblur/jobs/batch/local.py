"""Workers that are processes of this machine."""

import os
import signal
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from threading import Thread, current_thread, main_thread
from typing import NoReturn

from unblur.errors import UnblurError
from unblur.jobs.batch.crew import Lost
from unblur.jobs.batch.task import Answer, Stopped, Task, Worker, limit_threads, stop_on_term

__all__ = ["Processes"]

# One shard at work and one at hand: a worker never waits for the leader.
_AHEAD = 2
_GRACE = 10.0  # seconds, for what must not be interrupted


@dataclass
class _Member:
    process: SpawnProcess
    pipe: Connection
    shards: deque[deque[Task]] = field(default_factory=deque)


class Processes:
    """A crew of processes, each with its method ready, its threads and its GPU.

    A process that dies, be it killed by the system for its memory, is replaced, and the leader is
    told which task it had.

    Args:
        jobs: number of processes.
        threads: of each.
        memory: that each may hold, in bytes.
        gpus: numbers of the GPUs to share out, as CUDA_VISIBLE_DEVICES has them.
        shard: how many tasks are given at once.
    """

    def __init__(
        self,
        jobs: int,
        threads: int = 1,
        *,
        memory: int | None = None,
        gpus: Sequence[str] = (),
        shard: int = 1,
    ) -> None:
        self.shard = shard
        self._threads = threads
        self._memory = memory
        self._gpus = gpus
        self._members: list[_Member] = []
        self._stillborn = 0
        for place in range(jobs):
            self._members.append(self._start(place))

    def _start(self, place: int) -> _Member:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        gpu = self._gpus[place % len(self._gpus)] if self._gpus else None
        process = context.Process(
            target=_serve,
            args=(theirs, self._threads, self._memory, gpu),
            name=f"unblur worker {place}",
        )
        with _deaf():
            process.start()
        theirs.close()  # so that the pipe ends with the process
        return _Member(process, ours)

    def wants(self) -> int:
        """Say how many shards may be given now."""
        return sum(_AHEAD - len(member.shards) for member in self._members)

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand a shard to the worker that has the least."""
        member = min(self._members, key=lambda each: len(each.shards))
        member.shards.append(deque(tasks))
        try:
            member.pipe.send(tuple(tasks))
        except OSError:
            return  # it died; `wait` will find out

    def wait(self, seconds: float) -> list[Answer | Lost]:
        """Give the answers that came, and the workers that were lost."""
        pipes = {member.pipe: place for place, member in enumerate(self._members)}
        found: list[Answer | Lost] = []
        for pipe in wait(list(pipes), seconds):
            place = pipes[pipe]  # type: ignore[index] # they are those that were asked about
            try:
                answer = self._members[place].pipe.recv()
            except (EOFError, OSError):
                found.append(self._replace(place))
            else:
                self._stillborn = 0
                found.append(answer)
                self._settle(self._members[place], answer)
        return found

    def _settle(self, member: _Member, answer: Answer) -> None:
        shard = member.shards[0]
        if shard and shard[0].id == answer.id:
            shard.popleft()
        if not shard:
            member.shards.popleft()

    def _replace(self, place: int) -> Lost:
        member = self._members[place]
        member.process.join()
        member.pipe.close()
        # A worker that cannot even start would be replaced for ever.
        self._stillborn += 1
        if self._stillborn > 3 * len(self._members) + 9:
            raise UnblurError(
                f"the workers die one after the other (the last with {member.process.exitcode}): "
                "is there memory enough?"
            )
        self._members[place] = self._start(place)
        first = next(iter(member.shards), deque())
        rest = [task for shard in list(member.shards)[1:] for task in shard]
        return Lost(tuple(first), tuple(rest))

    def close(self) -> None:
        """Ask all to stop, and stop those that do not."""
        for member in self._members:
            member.pipe.close()
            member.process.terminate()
        for member in self._members:
            member.process.join(_GRACE)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            member.process.close()
        self._members.clear()


@contextmanager
def _deaf() -> Iterator[None]:
    """Let a process begin deaf to Ctrl-C, which is for the leader alone."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(pipe: Connection, threads: int, memory: int | None, gpu: str | None) -> NoReturn:
    """Be a worker, until the leader closes the pipe or is gone."""
    try:
        stop_on_term()
        Thread(target=_follow, daemon=True).start()
        if gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        limit_threads(threads)
        worker = Worker(memory)
        while True:
            for answer in worker.do(pipe.recv()):
                pipe.send(answer)
    except (EOFError, OSError, Stopped):
        # Nobody is left to work for, and nothing is half done: there is no need to take the
        # libraries down one by one.
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the last that this process says
        traceback.print_exc()
        os._exit(1)


def _follow() -> None:
    """End with the leader: an orphan would go on writing beside those who come after it."""
    leader = parent_process()
    if leader is not None:
        leader.join()
        os._exit(1)
