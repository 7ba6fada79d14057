"""The leader, with workers whose fate is in hand."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unblur.errors import OutputError
from unblur.jobs.batch.ledger import CLAIMED, DONE, FAILED, NEW, Ledger
from unblur.jobs.batch.listing import Entry
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.batch.run import Leader, News
from unblur.jobs.batch.task import Answer, Task
from unblur.jobs.job import Job

Fate = Callable[[Task], Answer | None]


def done(task: Task) -> Answer:
    return Answer(task.id, "done", {"seconds": 0.0}, f"sha256 {task.job.source}")


def failed(task: Task, **more: Any) -> Answer:
    return Answer(task.id, "failed", error={"type": "CorruptImage", "message": "bad"}, **more)


class Batch:
    """A ledger of pictures named by numbers, and the leader's way through it."""

    def __init__(self, ledger: Ledger, crew: Callable[..., Any], folder: Path, count: int) -> None:
        self.ledger, self.crew, self.folder = ledger, crew, folder
        self.names = [f"{number}.png" for number in range(count)]
        ledger.enlist(Entry(name, "1 1", name) for name in self.names)

    def lead(
        self, fate: Fate, *, check: bool = True, whole: bool = False, **options: Any
    ) -> tuple[Any, list[News]]:
        told: list[News] = []
        crew = self.crew(fate, whole=whole)
        recipe = Recipe(str(self.folder / "in"), str(self.folder / "out"), Job("", ""))
        leader = Leader(self.ledger, recipe, crew, tell=told.append, **options)
        leader.run(check=check)
        return crew, told

    def states(self) -> dict[str, int]:
        return {
            item.name: state
            for state in (NEW, CLAIMED, DONE, FAILED)
            for item in self.ledger.items(state)
        }


@pytest.fixture
def batch(ledger: Ledger, fake: Callable[..., Any], tmp_path: Path) -> Batch:
    (tmp_path / "out").mkdir()
    return Batch(ledger, fake, tmp_path, 7)


def test_every_picture_is_done_once(batch: Batch) -> None:
    crew, told = batch.lead(done)
    assert sorted(news.name for news in told) == batch.names
    assert sorted(number for shard in crew.given for number in shard) == list(range(1, 8))
    assert set(batch.states().values()) == {DONE}


def test_no_more_is_out_than_the_crew_asks_for(batch: Batch) -> None:
    """Back-pressure: two workers with two pictures each."""
    crew, _ = batch.lead(done)
    assert crew.most == 4


def test_a_failure_stops_nobody(batch: Batch) -> None:
    _, told = batch.lead(lambda task: failed(task) if task.id == 3 else done(task))
    assert Counter(news.state for news in told) == {"done": 6, "failed": 1}
    (item,) = batch.ledger.items(FAILED)
    assert (item.name, item.error) == ("2.png", {"type": "CorruptImage", "message": "bad"})


def test_what_is_done_is_checked_and_what_failed_is_tried_again(batch: Batch) -> None:
    batch.lead(lambda task: failed(task) if task.id == 3 else done(task))
    batch.ledger.enlist(Entry(name, "1 1", name) for name in batch.names)
    tasks: list[Task] = []

    def keep(task: Task) -> Answer:
        tasks.append(task)
        return done(task) if task.expected is None else Answer(task.id, "kept")

    _, told = batch.lead(keep)
    assert Counter(news.state for news in told) == {"kept": 6, "done": 1}
    assert [task.expected for task in tasks if task.id == 1] == [f"sha256 {batch.folder}/in/0.png"]
    assert batch.ledger.counts()[DONE] == 7


def test_without_a_check_only_new_ones_are_given_out(batch: Batch) -> None:
    batch.lead(done)
    batch.ledger.enlist(Entry(name, "1 1", name) for name in [*batch.names, "new.png"])
    crew, _ = batch.lead(done, check=False)
    assert crew.given == [(8,)]


def test_a_worker_that_dies_costs_nothing_but_time(batch: Batch) -> None:
    deaths = {3, 4}

    def fate(task: Task) -> Answer | None:
        if task.id in deaths:
            deaths.remove(task.id)
            return None
        return done(task)

    _, told = batch.lead(fate)
    assert Counter(news.state for news in told) == {"done": 7}


def test_a_picture_that_kills_is_given_up(batch: Batch) -> None:
    tried: Counter[int] = Counter()

    def fate(task: Task) -> Answer | None:
        tried[task.id] += 1
        return None if task.id == 3 else done(task)

    _, told = batch.lead(fate)
    assert Counter(news.state for news in told) == {"done": 6, "failed": 1}
    assert tried[3] == 3
    assert max(tried[number] for number in tried if number != 3) == 1
    (item,) = batch.ledger.items(FAILED)
    assert "the worker died 3 times" in item.error["message"]


def test_in_a_shard_that_is_lost_whole_each_is_tried_alone(batch: Batch) -> None:
    """Where nobody knows which picture it was, none is blamed before it was alone."""

    def fate(task: Task) -> Answer | None:
        return None if task.id == 2 else done(task)

    crew, told = batch.lead(fate, whole=True)
    assert [shard for shard in crew.given if 2 in shard] == [(1, 2), (2,), (2,), (2,)]
    assert {news.name for news in told if news.state == "failed"} == {"1.png"}
    assert (1,) in crew.given


def test_a_full_disk_stops_the_batch_and_fails_no_picture(batch: Batch) -> None:
    """Row 56: --resume goes on where there is room again."""
    fate: Fate = lambda task: failed(task, fatal=True) if task.id > 3 else done(task)  # noqa: E731
    with pytest.raises(OutputError, match=r"bad; --resume goes on"):
        batch.lead(fate)
    assert Counter(batch.states().values()) == {DONE: 3, NEW: 4}
    batch.ledger.enlist(Entry(name, "1 1", name) for name in batch.names)
    _, told = batch.lead(lambda task: Answer(task.id, "kept") if task.expected else done(task))
    assert Counter(news.state for news in told) == {"kept": 3, "done": 4}


def test_it_stops_after_so_many_failures(batch: Batch) -> None:
    with pytest.raises(OutputError, match="2 pictures failed"):
        batch.lead(failed, most_failures=2)
    assert batch.ledger.counts()[DONE] == 0
    assert 2 <= batch.ledger.counts()[FAILED] <= 5


def test_what_is_not_ours_is_not_replaced(batch: Batch) -> None:
    mine = batch.folder / "out" / "4.png"
    mine.write_text("mine")
    crew, told = batch.lead(done)
    assert {news.name for news in told if news.state == "failed"} == {"4.png"}
    assert 5 not in {number for shard in crew.given for number in shard}
    batch.ledger.enlist(Entry(name, "1 1", name) for name in batch.names)
    _, told = batch.lead(lambda task: Answer(task.id, "kept") if task.expected else done(task))
    assert {news.name for news in told if news.state == "failed"} == {"4.png"}


def test_it_is_replaced_if_allowed(batch: Batch) -> None:
    (batch.folder / "out" / "4.png").write_text("mine")
    _, told = batch.lead(done, overwrite=True)
    assert {news.state for news in told} == {"done"}


def test_what_an_attempt_left_behind_is_ours(batch: Batch) -> None:
    """A crash between the file and the ledger: the file is there, and nobody wrote it down."""

    def crash(task: Task) -> Answer:
        (batch.folder / "out" / "0.png").write_text("a result")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.lead(crash)
    batch.ledger.enlist(Entry(name, "1 1", name) for name in batch.names)
    again: dict[int, bool] = {}

    def fate(task: Task) -> Answer:
        again[task.id] = task.again
        return done(task)

    _, told = batch.lead(fate)
    assert {news.state for news in told} == {"done"}
    assert again[1]
    assert not again[7]


def test_the_extension_follows_the_content(batch: Batch) -> None:
    def fate(task: Task) -> Answer:
        if task.id == 1 and task.job.target.endswith(".png"):
            return Answer(task.id, "moved", target=task.job.target.replace(".png", ".jpg"))
        return done(task)

    _, told = batch.lead(fate)
    assert {news.target for news in told if news.name == "0.png"} == {f"{batch.folder}/out/0.jpg"}


def test_unless_the_name_is_taken(batch: Batch) -> None:
    def fate(task: Task) -> Answer:
        if task.id == 1:
            return Answer(task.id, "moved", target=task.job.target.replace("0.png", "1.png"))
        return done(task)

    _, told = batch.lead(fate)
    assert {news.name for news in told if news.state == "failed"} == {"0.png"}
    assert "that of another result" in next(batch.ledger.items(FAILED)).error["message"]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_every_picture_comes_to_an_end(batch: Batch, seed: int) -> None:
    """Any mixture of deaths, failures and interruptions: nothing is lost, nothing done twice."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    successes: Counter[int] = Counter()

    def fate(task: Task) -> Answer | None:
        if task.expected is not None:
            return Answer(task.id, "kept")
        roll = chance.random()
        if roll < 0.15:
            return None
        if roll < 0.25:
            return failed(task)
        if roll < 0.35:
            raise KeyboardInterrupt
        successes[task.id] += 1
        return done(task)

    for _ in range(100):
        batch.ledger.enlist(Entry(name, "1 1", name) for name in batch.names)
        try:
            batch.lead(fate)
        except KeyboardInterrupt:
            continue
        assert set(batch.states().values()) <= {DONE, FAILED}
        if set(batch.states().values()) == {DONE}:
            break
    assert set(batch.states().values()) == {DONE}
    assert set(successes) == set(range(1, 8))
