"""Workers that are Ray actors, on the machines of a cluster.

That each picture is done, and once, is the matter of the ledger, as it is on one machine.
"""

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unblur.errors import UnblurError
from unblur.jobs.batch.crew import Lost
from unblur.jobs.batch.task import Answer, Task, Worker, limit_threads
from unblur.jobs.cluster import Cluster

__all__ = ["Actors"]

# One shard at work and one on its way: then the way to another machine costs nothing, and a shard
# may be a single picture, which the last machine at work need not be waited for in vain.
_AHEAD = 2


class Member:
    """What runs on a machine of the cluster: a worker that keeps its method ready.

    Args:
        threads: for it.
        memory: that the machine's workers may hold together, in bytes; otherwise half of what it
            has free. This one takes as large a part of it as of the cores.
    """

    def __init__(self, threads: int, memory: int | None) -> None:
        import psutil

        limit_threads(threads)
        whole = psutil.virtual_memory().available // 2 if memory is None else memory
        self._worker = Worker(int(whole * min(1.0, threads / (os.cpu_count() or 1))))

    def ready(self) -> bool:
        """Say that it is there."""
        return True

    def do(self, tasks: Sequence[Task]) -> list[Answer]:
        """Do a shard."""
        return list(self._worker.do(tasks))


@dataclass
class _Seat:
    actor: Any
    ready: Any  # a reference, until it is there
    shards: deque[tuple[Any, tuple[Task, ...]]] = field(default_factory=deque)


class Actors:
    """A crew of Ray actors: one for each GPU of the cluster, or each core.

    An actor that is lost is replaced wherever there is room. More than the cluster has room for now
    wait for machines to join, so that a cluster that grows by demand does.

    Args:
        address: of the cluster; "auto" finds the one that this machine belongs to.
        jobs: number of actors; otherwise one for each GPU or core there is.
        device: "cpu" leaves GPUs alone.
        memory: that each machine may use, in bytes; otherwise half of what it has free.

    Raises:
        MissingDependency: Ray is not installed.
        ParameterError: There is no such cluster.
    """

    def __init__(
        self,
        address: str,
        jobs: int | None = None,
        *,
        device: str = "auto",
        memory: int | None = None,
    ) -> None:
        self.shard = 1
        self._cluster = Cluster(address, jobs, device=device)
        self._ray = self._cluster.ray
        self._memory = memory
        self._stillborn = 0
        self._seats = [self._seat() for _ in range(self._cluster.count)]

    def _seat(self) -> _Seat:
        actor = self._cluster.actor(Member, self._cluster.threads, self._memory)
        return _Seat(actor, actor.ready.remote())

    def wants(self) -> int:
        """Say how many shards may be given now."""
        return sum(_AHEAD - len(seat.shards) for seat in self._seats if seat.ready is None)

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand a shard to the actor that has the least."""
        there = [seat for seat in self._seats if seat.ready is None]
        seat = min(there, key=lambda each: len(each.shards))
        seat.shards.append((seat.actor.do.remote(tuple(tasks)), tuple(tasks)))

    def wait(self, seconds: float) -> list[Answer | Lost]:
        """Give the answers that came, and the actors that were lost."""
        refs = {seat.shards[0][0]: seat for seat in self._seats if seat.shards}
        refs |= {seat.ready: seat for seat in self._seats if seat.ready is not None}
        found: list[Answer | Lost] = []
        self._ray.wait(list(refs), num_returns=1, timeout=seconds)
        for ref in self._ray.wait(list(refs), num_returns=len(refs), timeout=0)[0]:
            seat = refs[ref]
            try:
                value = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                found.append(self._replace(seat, error))
                continue
            self._stillborn = 0
            if seat.ready is not None:
                seat.ready = None
            else:
                seat.shards.popleft()
                found += value
        return found

    def _replace(self, seat: _Seat, error: Exception) -> Lost:
        # An actor that cannot even start would be replaced for ever.
        self._stillborn += 1
        if self._stillborn > 3 * len(self._seats) + 9:
            raise UnblurError(
                f"the workers of the cluster die one after the other; the last said: {error}"
            ) from error
        self._seats[self._seats.index(seat)] = self._seat()
        shards = [tasks for _, tasks in seat.shards]
        rest = [task for tasks in shards[1:] for task in tasks]
        return Lost(shards[0] if shards else (), tuple(rest))

    def close(self) -> None:
        """Give the machines back."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats.clear()
