"""The table of jobs: each is claimed by one worker at a time, and is finished once.

A claim is a lease: the worker renews it while it works, and another takes the job over when it
runs out. Each claim counts `attempt` up, and only the latest attempt may finish the job, so that a
worker that was taken for dead and is not cannot deliver a second time.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from unblur.errors import UnblurError
from unblur.service.database import JOBS, Database
from unblur.service.order import Job, Order, job_of
from unblur.service.roster import alive

__all__ = ["JobTable", "KeyTaken", "QueueFull"]

_SUBMITTING = 7_303_217_502


class QueueFull(UnblurError):
    """As many jobs wait as may."""


class KeyTaken(UnblurError):
    """The idempotency key belongs to another request."""


class JobTable:
    """All that may happen to jobs; each method is one transaction.

    Args:
        database: where the table is.
        changed: called after each change made here.
    """

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self.database = database
        self.changed = changed

    def submit(
        self,
        job_id: str,
        order: Order,
        *,
        owner: str,
        fingerprint: str,
        key: str | None = None,
        queue: int | None = None,
    ) -> Job:
        """Accept a job whose files are in the store.

        Args:
            job_id: as `new_id` makes them.
            order: what to do.
            owner: who may see it.
            fingerprint: of everything that was sent.
            key: makes a repeated request harmless: the job that has it is returned.
            queue: how many may wait; None: twice the workers that are alive.

        Raises:
            QueueFull: So many wait already.
            KeyTaken: `key` came with other content before.
        """
        with self.database.write() as connection:
            self.database.alone(connection, _SUBMITTING)  # or two could take the last place
            now = self.database.now(connection)
            if key is not None:
                mine = and_(JOBS.c.owner == owner, JOBS.c.key == key)
                known = connection.execute(select(JOBS).where(mine)).first()
                if known is not None:
                    return _same(job_of(known), fingerprint)
            waiting = _count(connection, "queued")
            if waiting >= _places(connection, now, queue):
                raise QueueFull("as many jobs wait as may: try again in a moment")
            values = dict(vars(order))
            connection.execute(
                insert(JOBS).values(
                    id=job_id, owner=owner, key=key, fingerprint=fingerprint, order=values,
                    state="queued", created=now,
                )
            )  # fmt: skip
            job = job_of(connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one())
        self.changed()
        return job

    def is_full(self, queue: int | None = None) -> bool:
        """Whether `submit` would refuse, as far as a glance tells."""
        with self.database.read() as connection:
            places = _places(connection, self.database.now(connection), queue)
            return _count(connection, "queued") >= places

    def claim(self, worker: str, lease: float, *, attempts: int = 10) -> Job | None:
        """Take the oldest job that waits, or whose worker died; None if there is none.

        A job that was begun `attempts` times is given up.
        """
        with self.database.write() as connection:
            while True:
                now = self.database.now(connection)
                orphaned = and_(JOBS.c.state == "running", JOBS.c.lease_until < now)
                row = connection.execute(
                    select(JOBS)
                    .where(or_(JOBS.c.state == "queued", orphaned))
                    .order_by(JOBS.c.created)
                    .limit(1)
                    .with_for_update(skip_locked=True)
                ).first()
                if row is None:
                    return None
                job = job_of(row)
                if job.cancelling:
                    _end(connection, job.id, now, state="cancelled", code="cancelled")
                elif job.attempt >= attempts:
                    detail = f"the job was begun {job.attempt} times, and never came to an end"
                    _end(connection, job.id, now, state="failed", code="crashed", detail=detail)
                else:
                    break
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == job.id)
                .values(
                    state="running", attempt=job.attempt + 1, worker=worker, started=now,
                    lease_until=now + lease, stage="", progress=0.0,
                )
            )  # fmt: skip
            row = connection.execute(select(JOBS).where(JOBS.c.id == job.id)).one()
        self.changed()
        return job_of(row)

    def beat(self, job: Job, lease: float, stage: str, progress: float) -> str:
        """Renew the lease and tell how far the work is.

        Returns:
            "go on", "cancel", or "lost" where the job is no longer this attempt's.
        """
        with self.database.write() as connection:
            row = connection.execute(
                update(JOBS)
                .where(_attempt(job))
                .values(
                    lease_until=self.database.now(connection) + lease,
                    stage=stage[:64],
                    progress=progress,
                )
                .returning(JOBS.c.cancelling)
            ).first()
        self.changed()
        if row is None:
            return "lost"
        return "cancel" if row.cancelling else "go on"

    def finish(
        self,
        job: Job,
        state: str,
        *,
        result: Mapping[str, Any] | None = None,
        code: str | None = None,
        detail: str | None = None,
        keep: float = 86_400.0,
    ) -> bool:
        """End this attempt, and the job with it; False where the job is no longer this attempt's.

        `result` and the state become visible together, and only once.
        """
        with self.database.write() as connection:
            now = self.database.now(connection)
            done = connection.execute(
                update(JOBS)
                .where(_attempt(job))
                .values(
                    state=state, result=result, code=code, detail=detail, finished=now,
                    expires=now + keep, lease_until=None, worker=None,
                    progress=1.0 if state == "done" else JOBS.c.progress,
                )
            )  # fmt: skip
        self.changed()
        return done.rowcount == 1

    def give_back(self, job: Job, *, crashed: bool) -> bool:
        """Put the job back in the queue: its process died, or this worker stops."""
        with self.database.write() as connection:
            done = connection.execute(
                update(JOBS)
                .where(_attempt(job))
                .values(
                    state="queued", lease_until=None, worker=None, stage="", progress=0.0,
                    crashes=JOBS.c.crashes + int(crashed),
                )
            )  # fmt: skip
        self.changed()
        return done.rowcount == 1

    def recover(self, dead: Callable[[str], bool]) -> int:
        """Put back what workers were doing of which `dead` says that they are, and count it."""
        with self.database.write() as connection:
            running = JOBS.c.state == "running"
            rows = connection.execute(select(JOBS.c.id, JOBS.c.worker).where(running)).all()
            lost = [row.id for row in rows if row.worker and dead(row.worker)]
            if lost:
                connection.execute(
                    update(JOBS)
                    .where(JOBS.c.id.in_(lost), running)
                    .values(state="queued", lease_until=None, worker=None)
                )
        return len(lost)

    def cancel(self, job_id: str, *, keep: float = 86_400.0) -> str:
        """Ask for an end: what waits ends at once, what runs as soon as its worker hears of it.

        Returns:
            The state in which the job was met.
        """
        with self.database.write() as connection:
            found = connection.execute(
                select(JOBS.c.state).where(JOBS.c.id == job_id).with_for_update()
            ).scalar_one()
            if found == "queued":
                now = self.database.now(connection)
                _end(connection, job_id, now, state="cancelled", code="cancelled", keep=keep)
            elif found == "running":
                connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(cancelling=True))
        self.changed()
        return str(found)

    def get(self, job_id: str) -> Job | None:
        """Look a job up."""
        found = self.get_all([job_id])
        return found[0] if found else None

    def get_all(self, ids: Iterable[str]) -> list[Job]:
        """Look up several; those that do not exist are left out."""
        with self.database.read() as connection:
            rows = connection.execute(select(JOBS).where(JOBS.c.id.in_(list(ids)))).all()
        return [job_of(row) for row in rows]

    def position(self, job: Job) -> int:
        """How many jobs wait before this one."""
        with self.database.read() as connection:
            ahead = and_(JOBS.c.state == "queued", JOBS.c.created < job.created)
            return int(connection.execute(select(func.count()).where(ahead)).scalar_one())

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self.database.read() as connection:
            rows = connection.execute(select(JOBS.c.state, func.count()).group_by(JOBS.c.state))
            return {state: int(count) for state, count in rows}


def _attempt(job: Job) -> Any:
    return and_(JOBS.c.id == job.id, JOBS.c.attempt == job.attempt, JOBS.c.state == "running")


def _count(connection: Connection, state: str) -> int:
    chosen = select(func.count()).select_from(JOBS).where(JOBS.c.state == state)
    return int(connection.execute(chosen).scalar_one())


def _places(connection: Connection, now: float, queue: int | None) -> int:
    return 2 * alive(connection, now) if queue is None else queue


def _same(job: Job, fingerprint: str) -> Job:
    if job.fingerprint != fingerprint:
        raise KeyTaken("this Idempotency-Key came with another request before: use a new one")
    return job


def _end(connection: Connection, job_id: str, now: float, **values: Any) -> None:
    expires = now + values.pop("keep", 86_400.0)
    connection.execute(
        update(JOBS)
        .where(JOBS.c.id == job_id)
        .values(finished=now, expires=expires, lease_until=None, worker=None, **values)
    )
