"""The tables, and transactions that survive a power cut."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from unblur.errors import MissingDependency, ParameterError

__all__ = ["JOBS", "WORKERS", "Database"]

_META = MetaData()

JOBS = Table(
    "unblur_jobs",
    _META,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("key", String(255)),
    Column("fingerprint", String(64), nullable=False),
    Column("order", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("crashes", Integer, nullable=False, default=0),
    Column("worker", String(128)),
    Column("lease_until", Float),
    Column("cancelling", Boolean, nullable=False, default=False),
    Column("stage", String(64), nullable=False, default=""),
    Column("progress", Float, nullable=False, default=0.0),
    Column("result", JSON),
    Column("code", String(64)),
    Column("detail", String),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("expires", Float),
    UniqueConstraint("owner", "key"),
    Index("unblur_jobs_by_state", "state", "created"),
)

WORKERS = Table(
    "unblur_workers",
    _META,
    Column("id", String(128), primary_key=True),
    Column("seen", Float, nullable=False),
    Column("proven", Float, nullable=False, default=0.0),
)

_CREATING = 7_303_217_501  # any number that no other program locks


class Database:
    """SQLite or PostgreSQL by URL, with the tables made where they are missing.

    Args:
        url: as SQLAlchemy takes it.
        clock: in the place of the machine's, or PostgreSQL's.

    Raises:
        ParameterError: The URL is not one of SQLite or PostgreSQL.
        MissingDependency: PostgreSQL without its extra.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] | None = None) -> None:
        self.engine = _engine(url)
        self._clock = clock
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        with self.write() as connection:
            self.alone(connection, _CREATING)
            _META.create_all(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that only looks."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a transaction: all of it happens and is on the disk, or nothing of it."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def now(self, connection: Connection) -> float:
        """Seconds since 1970, by a clock that all who share the database share."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return time.time()
        clock = text("SELECT extract(epoch FROM clock_timestamp())")
        return float(connection.execute(clock).scalar_one())

    def alone(self, connection: Connection, what: int) -> None:
        """Let nobody else do `what` until the transaction ends; SQLite has one writer anyway."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:what)"), {"what": what})

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ParameterError(
            f"the database must be a URL such as sqlite:////srv/jobs.sqlite, not {url!r}"
        ) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 30.0}, pool_size=20)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if kind not in ("postgresql", "postgres"):
        raise ParameterError(f"the database must be SQLite or PostgreSQL, not {kind}")
    try:
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=20
        )
    except (ImportError, NoSuchModuleError) as error:
        raise MissingDependency(
            "PostgreSQL needs psycopg; pip install 'unblur[postgres]'"
        ) from error


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock for writing at once: a transaction that reads first could not get it later."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
