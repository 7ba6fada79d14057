"""Crews and ledgers for tests: a batch without processes, with every worker's fate in hand."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from unblur.jobs.batch.crew import Lost
from unblur.jobs.batch.ledger import Ledger
from unblur.jobs.batch.task import Answer, Task


class Fake:
    """A crew that answers as it is told; where `fate` is None, a worker dies.

    `whole` loses all answers of its shard with it, as a worker on another machine does.
    """

    shard = 2

    def __init__(self, fate: Callable[[Task], Answer | None], *, whole: bool = False) -> None:
        self.fate = fate
        self.whole = whole
        self.workers = 2
        self.given: list[tuple[int, ...]] = []
        self.held: list[Sequence[Task]] = []
        self.most = 0

    def wants(self) -> int:
        return self.workers - len(self.held)

    def give(self, tasks: Sequence[Task]) -> None:
        self.given.append(tuple(task.id for task in tasks))
        self.held.append(tasks)
        self.most = max(self.most, sum(map(len, self.held)))

    def wait(self, seconds: float) -> list[Answer | Lost]:
        tasks = list(self.held.pop(0))
        answers: list[Answer | Lost] = []
        for place, task in enumerate(tasks):
            answer = self.fate(task)
            if answer is None and self.whole:
                return [Lost(tuple(tasks))]
            if answer is None:
                return [*answers, Lost((task,), tuple(tasks[place + 1 :]))]
            answers.append(answer)
        return answers

    def close(self) -> None:
        self.held.clear()


@pytest.fixture
def fake() -> type[Fake]:
    """How a fake crew is made."""
    return Fake


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of its own."""
    with Ledger(tmp_path / "results" / "ledger.sqlite", "results") as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, photograph: object) -> Path:
    """Six pictures, two of them in a folder inside; one that is none; one under a wrong name."""
    inputs = tmp_path / "in"
    (inputs / "sub").mkdir(parents=True)
    picture = Image.fromarray(photograph)
    for place, name in enumerate(("a.png", "b.jpg", "c.tif", "sub/a.png", "sub/d.jpg")):
        picture.crop((place, 0, 64 + place, 48)).save(inputs / name)
    picture.crop((9, 9, 60, 60)).save(inputs / "lies.jpg", "PNG")
    (inputs / "bad.jpg").write_text("no picture")
    (inputs / "notes.txt").write_text("nobody asks for this")
    return inputs
