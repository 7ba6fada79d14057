"""The leader of a batch: from the ledger to the workers, and back into the ledger."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from unblur.errors import OutputError
from unblur.failpoints import failpoint
from unblur.jobs.batch.crew import Crew, Lost
from unblur.jobs.batch.ledger import DONE, Item, Ledger
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.batch.task import Answer, Task
from unblur.jobs.storage import is_remote

__all__ = ["ATTEMPTS", "Leader", "News", "Tally"]

ATTEMPTS = 3
"""How often a picture is given to a worker that does not survive it."""

_SECONDS = 0.5


@dataclass(frozen=True)
class News:
    """What became of one picture: `state` is "done", "kept" or "failed"."""

    name: str
    source: str
    target: str
    state: str
    record: dict[str, Any]


@dataclass
class Tally:
    """How many pictures there were, of each kind."""

    done: int = 0
    kept: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        """Their number."""
        return self.done + self.kept + self.failed


@dataclass
class _Out:
    """A task that is with a worker."""

    item: Item
    task: Task
    owned: bool  # before the claim


@dataclass
class Leader:
    """Leads a crew through the ledger.

    What a worker did is written down once it is durable, and only then are further pictures given
    out. A picture whose worker died is tried again alone, at most `ATTEMPTS` times.

    Attributes:
        ledger: with the pictures listed.
        recipe: what to do with each.
        crew: who does it.
        overwrite: whether results may replace what is not ours.
        tell: called with what became of each picture.
        most_failures: stop after that many.
    """

    ledger: Ledger
    recipe: Recipe
    crew: Crew
    overwrite: bool = False
    tell: Callable[[News], None] = lambda _: None
    most_failures: int | None = None
    tally: Tally = field(default_factory=Tally)
    _out: dict[int, _Out] = field(default_factory=dict)
    _again: deque[Item] = field(default_factory=deque)
    _full: str | None = None

    def run(self, *, check: bool = True) -> None:
        """Work until every listed picture was done, kept or failed.

        Args:
            check: whether to look at the results of earlier runs, and to make those again that are
                no longer what was recorded.

        Raises:
            OutputError: The place of the results is full or read-only, or the ledger is; pictures
                that were not done stay to be done.
        """
        more = True
        while True:
            given: list[list[Task]] = []
            if self._full is None and (more or self._again):
                with self.ledger.transaction():
                    given, more = self._claim(check=check)
                for shard in given:
                    self.crew.give(shard)
            if not self._out:
                if self._full is not None:
                    raise OutputError(f"{self._full}; --resume goes on from here")
                if not more and not self._again:
                    return
            self._hear(self.crew.wait(_SECONDS))

    def _claim(self, *, check: bool) -> tuple[list[list[Task]], bool]:
        """Take shards for all workers that are free; say whether there may be more."""
        shards: list[list[Task]] = []
        wanted, more = self.crew.wants(), True
        while wanted > len(shards) and (self._again or more):
            if self._again:
                items = [self._again.popleft()]
            else:
                items = self.ledger.claim(self.crew.shard, done=check)
                more = len(items) == self.crew.shard
            shard = [task for item in items if (task := self._task(item)) is not None]
            if shard:
                shards.append(shard)
        return shards, more

    def _task(self, item: Item) -> Task | None:
        """Claim a picture; None where its target is taken by something that is not ours."""
        job = self.recipe.job(item.name, item.target, overwrite=self.overwrite)
        local = not is_remote(job.target)
        if local and not item.owned and not self.overwrite and os.path.lexists(job.target):
            self._fail(
                item, "OutputError", f"{job.target} exists: --overwrite replaces it", owned=False
            )
            return None
        expected = item.digest if item.state == DONE else None
        task = Task(item.id, job, again=item.owned, expected=expected)
        self._out[item.id] = _Out(item, task, item.owned)
        if expected is None:
            self.ledger.started(item)
        return task

    def _hear(self, heard: Iterable[Answer | Lost]) -> None:
        """Write down what came back, and tell it."""
        told: list[News] = []
        failpoint("before-record")
        with self.ledger.transaction():
            for each in heard:
                if isinstance(each, Lost):
                    told += self._lost(each)
                elif each.id in self._out:
                    told += self._answered(self._out.pop(each.id), each)
        for news in told:
            self._count(news)

    def _answered(self, out: _Out, answer: Answer) -> list[News]:
        item = out.item
        if answer.state == "failed":
            if answer.fatal:
                self._full = answer.error["message"]
                self.ledger.released(item, owned=out.owned)
                return []
            self.ledger.failed(item, answer.error, owned=out.owned)
            return [self._news(item, "failed", {"ok": False, "error": dict(answer.error)})]
        if answer.state == "moved" and answer.target is not None:
            return self._moved(out, answer.target)
        if answer.state == "done" and answer.digest is not None:
            self.ledger.finished(item, answer.digest)
        return [self._news(item, answer.state, {**answer.record, "digest": answer.digest})]

    def _moved(self, out: _Out, target: str) -> list[News]:
        """Let the content decide about the extension, unless that name is another's."""
        base, _, _ = out.item.target.rpartition("/")
        last = target.replace(os.sep, "/").rpartition("/")[2]
        name = f"{base}/{last}" if base else last
        self.ledger.released(out.item, owned=out.owned)
        if self.ledger.move(out.item, name):
            self._again.append(out.item._replace(target=name, owned=False, state=0))
            return []
        message = (
            f"the content belongs under the name {name}, which is that of another result: rename "
            "the input, or choose one --format"
        )
        return self._fail(out.item, "ParameterError", message, owned=out.owned, tell=False)

    def _lost(self, lost: Lost) -> list[News]:
        told: list[News] = []
        alone = len(lost.suspects) == 1
        for task in (*lost.suspects, *lost.spared):
            out = self._out.pop(task.id, None)
            if out is None:
                continue
            suspect = task in lost.suspects
            attempts = out.item.attempts + int(suspect and alone)
            item = out.item._replace(attempts=attempts)
            if item.attempts >= ATTEMPTS:
                message = (
                    f"the worker died {item.attempts} times at this picture; the system may have "
                    "taken it for its memory: a lower --max-memory or fewer --jobs may help"
                )
                told += self._fail(item, "OutOfMemory", message, owned=True, tell=False)
            else:
                self._again.append(item._replace(owned=out.owned or suspect))
        return told

    def _fail(
        self, item: Item, kind: str, message: str, *, owned: bool, tell: bool = True
    ) -> list[News]:
        error = {"type": kind, "message": message}
        self.ledger.failed(item, error, owned=owned)
        news = self._news(item, "failed", {"ok": False, "error": error})
        if tell:
            self._count(news)
        return [news]

    def _news(self, item: Item, state: str, record: dict[str, Any]) -> News:
        job = self.recipe.job(item.name, item.target, overwrite=False)
        names = {"source": job.source, "target": job.target, "ok": True, "state": state}
        return News(item.name, job.source, job.target, state, {**names, **record})

    def _count(self, news: News) -> None:
        setattr(self.tally, news.state, getattr(self.tally, news.state) + 1)
        self.tell(news)
        if self.most_failures is not None and self.tally.failed >= self.most_failures:
            noun = "picture" if self.most_failures == 1 else "pictures"
            self._full = f"{self.most_failures} {noun} failed, as many as --max-failures allows"
