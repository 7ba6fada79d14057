"""Who works at the jobs: workers sign in, and tell when they last restored a picture."""

from collections.abc import Callable

from sqlalchemy import Connection, delete, func, insert, select, update

from unblur.service.database import WORKERS, Database

__all__ = ["Roster", "alive"]

# A worker that was not seen for so many seconds no longer counts.
_ALIVE = 30.0
_FORGOTTEN = 20 * _ALIVE


def alive(connection: Connection, now: float) -> int:
    """Count the workers that were seen lately; at least 1, for one that is just starting."""
    seen = select(func.count()).select_from(WORKERS).where(WORKERS.c.seen > now - _ALIVE)
    return max(1, int(connection.execute(seen).scalar_one()))


class Roster:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def show(self, worker: str, *, proven: bool) -> None:
        """Tell that `worker` lives, and whether it has just restored a picture."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            values = {"seen": now, "proven": now} if proven else {"seen": now}
            known = connection.execute(
                update(WORKERS).where(WORKERS.c.id == worker).values(**values)
            )
            if known.rowcount == 0:
                connection.execute(insert(WORKERS).values({"id": worker, "proven": 0.0, **values}))

    def leave(self, worker: str) -> None:
        """Tell that `worker` has stopped."""
        with self.database.write() as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def sweep(self, dead: Callable[[str], bool] = lambda _: False) -> None:
        """Forget workers that were not seen for long, or of which `dead` says that they are."""
        with self.database.write() as connection:
            limit = self.database.now(connection) - _FORGOTTEN
            rows = connection.execute(select(WORKERS.c.id, WORKERS.c.seen)).all()
            gone = [row.id for row in rows if row.seen < limit or dead(row.id)]
            connection.execute(delete(WORKERS).where(WORKERS.c.id.in_(gone)))

    def proven(self) -> float | None:
        """Seconds since a living worker last restored a picture; None: none ever did."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            latest = connection.execute(
                select(func.max(WORKERS.c.proven)).where(WORKERS.c.seen > now - _ALIVE)
            ).scalar_one()
        return now - float(latest) if latest else None
