"""Who does the work of a batch: what the leader asks of workers, wherever they run."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from unblur.jobs.batch.task import Answer, Task

__all__ = ["Crew", "Lost"]


class Lost(NamedTuple):
    """A worker that died.

    Attributes:
        suspects: the tasks of which one was in its hands.
        spared: those that it had not begun.
    """

    suspects: tuple[Task, ...]
    spared: tuple[Task, ...] = ()


class Crew(Protocol):
    """Workers that take shards of tasks when they are free, and give back answers.

    The leader holds no more tasks than the crew asks for, so that the number of pictures does not
    matter to its memory.
    """

    @property
    def shard(self) -> int:
        """How many tasks are best given at once."""
        ...

    def wants(self) -> int:
        """Say how many shards may be given now."""
        ...

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand over a shard."""
        ...

    def wait(self, seconds: float) -> list[Answer | Lost]:
        """Give what came back, after at most so many seconds."""
        ...

    def close(self) -> None:
        """Send the workers home; what they are at is dropped cleanly."""
        ...
