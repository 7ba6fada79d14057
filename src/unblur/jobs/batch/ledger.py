"""What a batch has to do and has done, in one SQLite file that survives any crash.

One process writes it, and holds its lock for as long as it runs. A picture goes from `NEW` over
`CLAIMED` to `DONE` or `FAILED`; only what is `DONE` is ever skipped. The list may be far larger
than the memory: nothing here keeps more than a handful of rows.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unblur.errors import ParameterError
from unblur.files import shown
from unblur.jobs.batch.database import Base
from unblur.jobs.batch.listing import Entry, fold

__all__ = ["CLAIMED", "DONE", "FAILED", "NEW", "Item", "Ledger"]

NEW, CLAIMED, DONE, FAILED = range(4)

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL,              -- relative to the folder of inputs, as the system spells it
    stamp TEXT NOT NULL,             -- size and time, or what an object store says of its content
    target BLOB NOT NULL,            -- relative to the folder of results
    fold BLOB NOT NULL UNIQUE,       -- the target as the most forgetful file system compares it
    moved BLOB UNIQUE,               -- the same of a target whose extension followed the content
    seen INTEGER NOT NULL,           -- the listing in which the input was there last
    state INTEGER NOT NULL DEFAULT 0,
    owned INTEGER NOT NULL DEFAULT 0,  -- whether a file at the target can only be ours
    attempts INTEGER NOT NULL DEFAULT 0,
    digest TEXT,                     -- of the result
    error TEXT,                      -- JSON
    rival BLOB                       -- another input with the same target
);
"""
# A new input, one that is as it was, one that changed, and one whose target another claims: one
# statement, because a million of them must not take a minute.
_LIST = f"""
INSERT INTO items (name, stamp, target, fold, seen) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (fold) DO UPDATE SET
    rival = CASE WHEN name <> excluded.name AND seen = excluded.seen THEN excluded.name END,
    state = CASE WHEN name = excluded.name AND stamp = excluded.stamp AND state = {DONE}
        THEN {DONE} ELSE {NEW} END,
    attempts = 0, error = NULL,
    target = CASE WHEN name = excluded.name AND stamp = excluded.stamp AND moved IS NOT NULL
        THEN target ELSE excluded.target END,
    moved = CASE WHEN name = excluded.name AND stamp = excluded.stamp THEN moved END,
    stamp = excluded.stamp, name = CASE WHEN seen = excluded.seen THEN name ELSE excluded.name END,
    seen = excluded.seen
"""  # noqa: S608 - constants of this module
_CLASHES = """
SELECT name, rival FROM items WHERE rival IS NOT NULL AND seen = :seen
UNION ALL
SELECT a.name, b.name FROM items a JOIN items b ON a.fold = b.moved
WHERE a.seen = :seen AND b.seen = :seen AND a.id <> b.id
LIMIT 10
"""


class Item(NamedTuple):
    """A row of the ledger; names are relative, and may hold bytes that are no valid UTF-8."""

    id: int
    name: str
    target: str
    state: int
    owned: bool
    attempts: int
    digest: str | None
    error: Mapping[str, Any] | None


class Ledger(Base):
    """An open ledger; use it as a context manager.

    Args:
        path: of the file; its folder is made. None keeps a ledger in memory, for a rehearsal.
        place: what is locked, in words for an error.

    Raises:
        OutputError: Another run holds it (says which), or it cannot be written.

    Example:
        >>> with Ledger(None, "nowhere") as ledger:
        ...     ledger.enlist([Entry("a.jpg", "1", "a.jpg"), Entry("A.JPG", "1", "A.JPG")])
        Traceback (most recent call last):
        unblur.errors.ParameterError: results would have one name, ...: a.jpg and A.JPG; ...
    """

    def __init__(self, path: Path | None, place: str) -> None:
        super().__init__(path, place, _SCHEMA, _VERSION)
        self._seen = int(self.fact("seen") or 0)
        self._cursor = 0

    def copy(self, path: Path) -> None:
        """Take over what another ledger holds, without touching it.

        Raises:
            OutputError: A run holds it.
        """
        super().copy(path)
        self._seen = int(self.fact("seen") or 0)

    def enlist(self, entries: Iterable[Entry]) -> None:
        """Take stock: add new inputs, do changed ones anew, leave out those that are gone.

        Raises:
            ParameterError: Two results would have one name, here or on another file system; the
                list stays as it was.
        """
        seen = self._seen + 1
        rows = (
            (os.fsencode(e.name), e.stamp, os.fsencode(e.target), fold(e.target), seen)
            for e in entries
        )
        with self.transaction():
            self._base.executemany(_LIST, rows)
            self._refuse_clashes(seen)
            self._base.execute("INSERT OR REPLACE INTO facts VALUES ('seen', ?)", (str(seen),))
        self._seen, self._cursor = seen, 0

    def _refuse_clashes(self, seen: int) -> None:
        found = self._base.execute(_CLASHES, {"seen": seen}).fetchall()
        if found:
            names = [tuple(map(os.fsdecode, row)) for row in found]
            pairs = "; ".join(f"{shown(one)} and {shown(other)}" for one, other in names)
            raise ParameterError(
                f"results would have one name, here or on another file system: {pairs}; rename "
                "some, or leave them out (--exclude)"
            )

    def forget(self) -> None:
        """Make every picture new again; what stands at the targets of earlier successes is ours."""
        with self.transaction():
            self._base.execute("UPDATE items SET state = 0, attempts = 0, digest = NULL")

    def is_begun(self) -> bool:
        """Say whether any picture was ever worked on; a run that is refused before leaves none."""
        row = self._base.execute(
            "SELECT 1 FROM items WHERE state <> ? OR owned LIMIT 1", (NEW,)
        ).fetchone()
        return row is not None

    def claim(self, most: int, *, done: bool) -> list[Item]:
        """Take the next pictures in the order of the list, each once after a listing.

        Args:
            most: how many.
            done: whether to take those that are done too, to be checked.
        """
        states = (NEW, DONE) if done else (NEW, NEW)
        found = self._items(
            "id > ? AND seen = ? AND state IN (?, ?)", (self._cursor, self._seen, *states), most
        )
        if found:
            self._cursor = found[-1].id
        return found

    def started(self, item: Item) -> None:
        """Write down that work begins: from here on, a file at the target can only be ours."""
        self._base.execute("UPDATE items SET state = ?, owned = 1 WHERE id = ?", (CLAIMED, item.id))

    def finished(self, item: Item, digest: str) -> None:
        """Write down a success."""
        self._base.execute(
            "UPDATE items SET state = ?, digest = ?, error = NULL, owned = 1 WHERE id = ?",
            (DONE, digest, item.id),
        )

    def failed(self, item: Item, error: Mapping[str, Any], *, owned: bool) -> None:
        """Write down a failure, and whether something of ours may stand at the target."""
        self._base.execute(
            "UPDATE items SET state = ?, error = ?, attempts = ?, owned = ? WHERE id = ?",
            (FAILED, json.dumps(error), item.attempts, owned, item.id),
        )

    def released(self, item: Item, *, owned: bool) -> None:
        """Give back a picture that was claimed and not worked on."""
        self._base.execute(
            "UPDATE items SET state = ?, attempts = ?, owned = ? WHERE id = ?",
            (NEW, item.attempts, owned, item.id),
        )

    def move(self, item: Item, target: str) -> bool:
        """Give a picture another target; False where that is taken."""
        mark = fold(target)
        taken = self._base.execute(
            "SELECT 1 FROM items WHERE (fold = :mark OR moved = :mark) AND id <> :id",
            {"mark": mark, "id": item.id},
        ).fetchone()
        if taken is None:
            self._base.execute(
                "UPDATE items SET target = ?, moved = ? WHERE id = ?",
                (os.fsencode(target), mark, item.id),
            )
        return taken is None

    def counts(self) -> dict[int, int]:
        """Count the pictures of the latest listing by state."""
        rows = self._base.execute(
            "SELECT state, COUNT(*) FROM items WHERE seen = ? GROUP BY state", (self._seen,)
        )
        return dict.fromkeys(range(4), 0) | dict(rows)

    def items(self, state: int) -> Iterator[Item]:
        """Go through the pictures of one state."""
        last = 0
        while rows := self._items(
            "id > ? AND seen = ? AND state = ?", (last, self._seen, state), 256
        ):
            yield from rows
            last = rows[-1].id

    def _items(self, where: str, values: tuple[object, ...], most: int) -> list[Item]:
        rows = self._base.execute(
            "SELECT id, name, target, state, owned, attempts, digest, error FROM items "  # noqa: S608 - constants
            f"WHERE {where} ORDER BY id LIMIT {most}",
            values,
        )
        return [
            Item(row[0], os.fsdecode(row[1]), os.fsdecode(row[2]), row[3], bool(row[4]), row[5],
                 row[6], None if row[7] is None else json.loads(row[7]))
            for row in rows
        ]  # fmt: skip
