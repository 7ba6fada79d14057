import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from unblur.errors import ParameterError
from unblur.service.database import Database
from unblur.service.job_table import JobTable, KeyTaken, QueueFull
from unblur.service.order import Job, Order, new_id
from unblur.service.removal import blend_key, remove, sweep
from unblur.service.roster import Roster

ORDER = Order("deblur", "wiener", {"noise_std": 0.01}, {"strength": 1.0}, "a.png")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def table(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[JobTable]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    else:
        url = request.getfixturevalue("postgres")
    database = Database(url, clock=clock)
    with database.write() as connection:
        connection.execute(text("DELETE FROM unblur_jobs"))
        connection.execute(text("DELETE FROM unblur_workers"))
    yield JobTable(database)
    database.close()


def submit(table: JobTable, key: str | None = None, fingerprint: str = "f", queue: int = 9) -> Job:
    return table.submit(new_id(), ORDER, owner="me", fingerprint=fingerprint, key=key, queue=queue)


def claim(table: JobTable, worker: str = "w") -> Job:
    job = table.claim(worker, 20.0)
    assert job is not None
    return job


def state(table: JobTable, job: Job) -> str:
    found = table.get(job.id)
    assert found is not None
    return found.state


def test_a_job_from_its_beginning_to_its_end(table: JobTable, clock: Clock) -> None:
    job = submit(table)
    assert (job.state, job.created, job.attempt) == ("queued", 1000.0, 0)
    mine = claim(table)
    assert (mine.id, mine.attempt, mine.order) == (job.id, 1, ORDER)
    assert table.claim("other", 20.0) is None
    clock.now = 1010.0
    assert table.beat(mine, 20.0, "kernel", 0.25) == "go on"
    assert table.finish(mine, "done", result={"files": {}}, keep=100.0)
    done = table.get(job.id)
    assert done is not None
    assert (done.state, done.progress, done.result) == ("done", 1.0, {"files": {}})
    assert (done.started, done.finished, done.expires) == (1000.0, 1010.0, 1110.0)


def test_the_oldest_comes_first(table: JobTable, clock: Clock) -> None:
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(submit(table).id)
    assert [table.position(job) for job in table.get_all([ids[2]])] == [2]
    assert [claim(table).id for _ in ids] == ids


def test_a_worker_taken_for_dead_delivers_nothing(table: JobTable, clock: Clock) -> None:
    submit(table)
    slow = claim(table, "slow")
    clock.now += 21.0
    quick = claim(table, "quick")
    assert (quick.id, quick.attempt) == (slow.id, 2)
    assert table.beat(slow, 20.0, "", 0.0) == "lost"
    assert not table.finish(slow, "done", result={"by": "slow"})
    assert not table.give_back(slow, crashed=True)
    assert table.finish(quick, "done", result={"by": "quick"})
    assert not table.finish(quick, "done", result={"by": "quick, again"})
    done = table.get(quick.id)
    assert done is not None
    assert done.result == {"by": "quick"}


def test_a_lease_that_is_renewed_holds(table: JobTable, clock: Clock) -> None:
    submit(table)
    mine = claim(table)
    for _ in range(5):
        clock.now += 15.0
        assert table.claim("other", 20.0) is None
        assert table.beat(mine, 20.0, "", 0.5) == "go on"


def test_a_job_that_never_ends_is_given_up(table: JobTable, clock: Clock) -> None:
    job = submit(table)
    for attempt in range(1, 4):
        found = table.claim("w", 20.0, attempts=3)
        assert found is not None
        assert found.attempt == attempt
        clock.now += 21.0
    assert table.claim("w", 20.0, attempts=3) is None
    ended = table.get(job.id)
    assert ended is not None
    assert (ended.state, ended.code) == ("failed", "crashed")
    assert "3 times" in (ended.detail or "")


def test_what_is_put_back_waits_again_and_counts_crashes(table: JobTable) -> None:
    submit(table)
    assert table.give_back(claim(table), crashed=True)
    again = claim(table)
    assert (again.attempt, again.crashes, again.progress) == (2, 1, 0.0)
    assert table.give_back(again, crashed=False)
    assert claim(table).crashes == 1


def test_a_repeated_request_is_one_job(table: JobTable) -> None:
    first = submit(table, key="k")
    assert submit(table, key="k").id == first.id
    assert submit(table, key="other").id != first.id
    with pytest.raises(KeyTaken, match="another request"):
        submit(table, key="k", fingerprint="g")
    other = table.submit(new_id(), ORDER, owner="you", fingerprint="g", key="k", queue=9)
    assert other.id != first.id


def test_the_queue_has_an_end(table: JobTable) -> None:
    submit(table, queue=2)
    kept = submit(table, key="k", queue=2)
    assert table.is_full(2)
    with pytest.raises(QueueFull, match="as many jobs wait"):
        submit(table, queue=2)
    assert submit(table, key="k", queue=2).id == kept.id
    claim(table)
    assert not table.is_full(2)
    submit(table, queue=2)


def test_twice_the_living_workers_may_wait(table: JobTable, clock: Clock) -> None:
    roster = Roster(table.database)
    for name in ("a", "b"):
        roster.show(name, proven=False)
    for _ in range(4):
        table.submit(new_id(), ORDER, owner="me", fingerprint="f")
    with pytest.raises(QueueFull):
        table.submit(new_id(), ORDER, owner="me", fingerprint="f")
    clock.now += 31.0
    assert table.is_full()


def test_cancelling(table: JobTable, clock: Clock) -> None:
    waiting, running = submit(table), None
    clock.now += 1
    other = submit(table)
    assert table.cancel(waiting.id) == "queued"
    assert state(table, waiting) == "cancelled"
    running = claim(table)
    assert running.id == other.id
    assert table.cancel(running.id) == "running"
    assert table.beat(running, 20.0, "", 0.0) == "cancel"
    assert table.finish(running, "cancelled", code="cancelled")
    assert table.cancel(running.id) == "cancelled"


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(
    table: JobTable, clock: Clock
) -> None:
    job = submit(table)
    claim(table)
    table.cancel(job.id)
    clock.now += 21.0
    assert table.claim("other", 20.0) is None
    assert state(table, job) == "cancelled"


def test_what_dead_workers_did_is_taken_up_at_once(table: JobTable, clock: Clock) -> None:
    first, second = submit(table), None
    clock.now += 1
    second = submit(table)
    claim(table, "dead")
    claim(table, "living")
    assert table.recover(lambda name: name == "dead") == 1
    assert (state(table, first), state(table, second)) == ("queued", "running")
    assert claim(table, "next").attempt == 2


def test_results_go_after_their_time(table: JobTable, clock: Clock) -> None:
    job = submit(table, key="k")
    table.finish(claim(table), "done", result={"secret": 1}, keep=100.0)
    clock.now += 99.0
    assert sweep(table.database, 50.0) == []
    clock.now += 2.0
    assert sweep(table.database, 50.0) == [job.id]
    buried = table.get(job.id)
    assert buried is not None
    assert (buried.state, buried.result, buried.order.name) == ("gone", None, "")
    assert submit(table, key="k").id != job.id
    clock.now += 51.0
    sweep(table.database, 50.0)
    assert table.get(job.id) is None


def test_what_is_removed_goes_with_what_was_made_of_it(table: JobTable, clock: Clock) -> None:
    job, other = submit(table), submit(table)
    mixed = submit(table, key=blend_key(job.id, 0.5))
    theirs = submit(table, key=blend_key(other.id, 0.5))
    assert set(remove(table.database, job.id)) == {job.id, mixed.id}
    assert (state(table, job), state(table, mixed)) == ("gone", "gone")
    assert (state(table, other), state(table, theirs)) == ("queued", "queued")


def test_many_workers_share_the_jobs(table: JobTable) -> None:
    wanted = {submit(table, queue=99).id for _ in range(40)}
    taken: list[str] = []

    def work(name: str) -> None:
        while (job := table.claim(name, 60.0)) is not None:
            taken.append(job.id)
            table.finish(job, "done")

    workers = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(taken) == sorted(wanted)
    assert table.counts() == {"done": 40}


def test_what_is_in_the_table_is_there_for_the_next_program(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    first = Database(url)
    job = submit(JobTable(first))
    second = Database(url)
    assert state(JobTable(second), job) == "queued"
    with second.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
    first.close()
    second.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "redis://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ParameterError, match="database must be"):
        Database(url)


class Life(RuleBasedStateMachine):
    """Whatever happens in whatever order, a job ends once and stays ended."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.database = Database("sqlite://", clock=self.clock)
        self.table = JobTable(self.database)
        self.claims: list[Job] = []
        self.ended: dict[str, tuple[str, object]] = {}
        self.accepted: list[str] = []

    @initialize()
    def begin(self) -> None:
        self.submit()

    @rule()
    def submit(self) -> None:
        self.clock.now += 0.001
        self.accepted.append(submit(self.table, queue=99).id)

    @rule()
    def claim(self) -> None:
        job = self.table.claim("w", 20.0, attempts=4)
        if job is not None:
            assert job.id not in self.ended
            self.claims.append(job)

    @rule(seconds=st.sampled_from([1.0, 21.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "beat", "back", "crash"]))
    def act(self, data: st.DataObject, how: str) -> None:
        if not self.claims:
            return
        job = data.draw(st.sampled_from(self.claims))
        if how == "beat":
            self.table.beat(job, 20.0, "", 0.5)
        elif how in ("back", "crash"):
            self.table.give_back(job, crashed=how == "crash")
        elif self.table.finish(job, how, result={"attempt": job.attempt}):
            assert job.id not in self.ended
            self.ended[job.id] = (how, {"attempt": job.attempt})

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.table.cancel(data.draw(st.sampled_from(self.accepted)))

    @invariant()
    def none_is_lost_and_none_comes_twice(self) -> None:
        found = {job.id: job for job in self.table.get_all(self.accepted)}
        assert set(found) == set(self.accepted)
        for job_id, (state, result) in self.ended.items():
            assert (found[job_id].state, found[job_id].result) == (state, result)

    def teardown(self) -> None:
        self.database.close()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
