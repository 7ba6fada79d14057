"""One SQLite file that one process holds: locked until it ends, durable, its faults in words."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from unblur.errors import OutputError

__all__ = ["Base"]

_FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"


class Base:
    """An open file, with a table of facts by name; use it as a context manager.

    Args:
        path: of the file; its folder is made. None keeps everything in memory.
        place: what is locked, in words for an error.
        schema: further tables.
        version: of the schema.

    Raises:
        OutputError: Another process holds it (says which), or it cannot be written.

    Example:
        >>> with Base(None, "nowhere", "", 1) as base:
        ...     base.set_fact("colour", "blue")
        ...     base.fact("colour")
        'blue'
    """

    def __init__(self, path: Path | None, place: str, schema: str, version: int) -> None:
        self.path = path
        self._place = place
        with self._explained():
            if path is not None:
                _make_folder(path.parent)
            self._base = sqlite3.connect(path or ":memory:", timeout=0, isolation_level=None)
            # Locked from the first access until the process ends, however it does.
            self._base.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;")
            self._base.executescript(
                f"PRAGMA synchronous = FULL; BEGIN IMMEDIATE; {_FACTS} {schema} COMMIT;"
            )
        if path is not None:
            with suppress(OSError):
                self._holder.write_text(_myself(), encoding="utf-8")
        known = self.fact("version")
        if known is None:
            self.set_fact("version", str(version))
        elif known != str(version):
            raise OutputError(
                f"{path} was written by another version of unblur: finish that batch with it, or "
                "choose another folder"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()
        if self.path is not None:
            with suppress(OSError):
                self._holder.unlink()

    @property
    def _holder(self) -> Path:
        return (self.path or Path()).with_suffix(".holder")

    @contextmanager
    def _explained(self, path: Path | None = None) -> Iterator[None]:
        path = path or self.path
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                holder = ""
                with suppress(OSError):
                    holder = f" ({self._holder.read_text(encoding='utf-8')})"
                raise OutputError(
                    f"another run is writing to {self._place}{holder}: wait for it, or stop it"
                ) from error
            # SQLite says "disk I/O error" of a disk that is read-only, or "unable to open".
            reason = "its folder is read-only" if _is_read_only(path) else str(error)
            raise OutputError(f"the ledger {path} cannot be written: {reason}") from error
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"{path} is damaged, or no ledger: remove it and start anew ({error})"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written inside, durably, or nothing of it.

        Raises:
            OutputError: The disk is full, or the file cannot be written.
        """
        with self._explained():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def copy(self, path: Path) -> None:
        """Take over what another file holds, without touching it.

        Raises:
            OutputError: Another process holds it.
        """
        with self._explained(path), closing(sqlite3.connect(path, timeout=0)) as other:
            other.backup(self._base)

    def fact(self, name: str) -> str | None:
        """Give what is remembered under a name."""
        row = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Remember a text."""
        with self._explained():
            self._base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def _is_read_only(path: Path | None) -> bool:
    return path is not None and path.parent.is_dir() and not os.access(path.parent, os.W_OK)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}") from error


def _myself() -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()}, since {now} UTC"
