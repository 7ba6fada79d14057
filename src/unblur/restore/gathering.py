"""Pictures that go through a network together, each as if it were alone.

On a GPU a small picture costs nearly as much as several. Threads that restore pictures at the same
time, each in its own way, meet where the network is called: what is of one size goes through at
once. Who goes with whom depends on the pictures alone, and never on which thread was first, because
a call waits until every other thread has called too, or is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Condition

import torch
from torch import Tensor

__all__ = ["Gathering", "through"]

Run = Callable[[Tensor], Tensor]


class _Call:
    """What a thread wants from the network, and what came of it."""

    def __init__(self, place: int, run: Run, image: Tensor) -> None:
        self.place, self.run, self.image = place, run, image
        self.result: Tensor | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None


class Gathering:
    """Threads that call a network together.

    Args:
        members: how many there are; each must enter `member` once.
        most: pieces that go through at once.
    """

    def __init__(self, members: int, most: int) -> None:
        self._left = members
        self._most = most
        self._calls: list[_Call] = []
        self._changed = Condition()

    @contextmanager
    def member(self, place: int) -> Iterator[None]:
        """Let this thread's calls of networks be gathered; `place` orders it among the others."""
        token = _HERE.set((self, place))
        try:
            yield
        finally:
            _HERE.reset(token)
            with self._changed:
                self._left -= 1
                self._changed.notify_all()

    def call(self, place: int, run: Run, image: Tensor) -> Tensor:
        """Give `run(image)`, which may be worked out with what other threads ask for."""
        call = _Call(place, run, image)
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()
            # The others sleep while one works: nobody else can complete the circle meanwhile.
            while not call.done:
                if len(self._calls) == self._left:
                    calls, self._calls = self._calls, []
                    _work_out(sorted(calls, key=lambda each: each.place), self._most)
                    self._changed.notify_all()
                else:
                    self._changed.wait()
        if call.error is not None:
            raise call.error
        if call.result is None:
            raise RuntimeError("a call came to nothing")
        return call.result


_HERE: ContextVar[tuple[Gathering, int] | None] = ContextVar("_HERE", default=None)


def through(run: Run, image: Tensor) -> Tensor:
    """Give `run(image)`, together with what the other threads of a gathering ask for.

    Example:
        >>> through(lambda image: 2 * image, torch.ones(1)).item()
        2.0
    """
    here = _HERE.get()
    return run(image) if here is None else here[0].call(here[1], run, image)


def _work_out(calls: list[_Call], most: int) -> None:
    groups: dict[tuple[object, ...], list[_Call]] = {}
    for call in calls:
        kind = (call.run, call.image.shape[1:], call.image.dtype, call.image.device)
        groups.setdefault(kind, []).append(call)
    for group in groups.values():
        for part in _parts(group, most):
            _run_part(part)


def _parts(group: list[_Call], most: int) -> Iterator[list[_Call]]:
    part: list[_Call] = []
    for call in group:
        if part and sum(len(each.image) for each in part) + len(call.image) > most:
            yield part
            part = []
        part.append(call)
    yield part


def _run_part(part: list[_Call]) -> None:
    """Run some calls at once; where that fails, each by itself, so that each has its own error."""
    try:
        together = part[0].run(torch.cat([call.image for call in part]))
        sizes = [len(call.image) for call in part]
        for call, result in zip(part, together.split(sizes), strict=True):
            call.result = result
    except Exception as error:  # noqa: BLE001 - handed to the thread that asked
        if len(part) == 1:
            part[0].error = error
            return
        for call in part:
            _run_part([call])
