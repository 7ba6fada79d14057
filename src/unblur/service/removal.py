"""The end of what jobs made: asked for by their owner, or when their time is over.

That a job was there is remembered for a while, and no more than that: what it was about is gone.
"""

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from unblur.service.database import JOBS, Database
from unblur.service.order import FINAL, Order

__all__ = ["blend_key", "remove", "sweep"]


def blend_key(job_id: str, strength: float | None = None) -> str:
    """Give the key of a mixture made of a job; without a strength, how they all begin."""
    return f"blend {job_id} " + ("" if strength is None else f"{strength:.3f}")


def remove(database: Database, job_id: str) -> list[str]:
    """Bury a job, with the mixtures that were made of it.

    A worker that is at one of them loses it, as if another had taken it over.

    Returns:
        The jobs whose files are no longer needed.
    """
    with database.write() as connection:
        made_of_it = JOBS.c.key.startswith(blend_key(job_id), autoescape=True)
        chosen = select(JOBS.c.id).where(or_(JOBS.c.id == job_id, made_of_it))
        ids = [row.id for row in connection.execute(chosen)]
        return _bury(connection, ids, database.now(connection))


def sweep(database: Database, keep: float) -> list[str]:
    """Bury what expired, and forget what was buried `keep` seconds ago.

    Returns:
        The jobs whose files are no longer needed.
    """
    with database.write() as connection:
        now = database.now(connection)
        forgotten = and_(JOBS.c.state == "gone", JOBS.c.expires < now - keep)
        connection.execute(delete(JOBS).where(forgotten))
        expired = select(JOBS.c.id).where(JOBS.c.state.in_(FINAL), JOBS.c.expires < now)
        return _bury(connection, [row.id for row in connection.execute(expired)], now)


def _bury(connection: Connection, ids: list[str], now: float) -> list[str]:
    empty = dict(vars(Order("", "", {}, {}, "")))
    connection.execute(
        update(JOBS)
        .where(JOBS.c.id.in_(ids))
        .values(
            state="gone", key=None, order=empty, result=None, code=None, detail=None, worker=None,
            lease_until=None, expires=func.coalesce(JOBS.c.expires, now),
        )
    )  # fmt: skip
    return ids
