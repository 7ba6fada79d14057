"""Changes of jobs, for all who wait for them: one look at the table serves everybody."""

import asyncio
import time
from collections import Counter
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from unblur.service.job_table import JobTable
from unblur.service.order import Job

__all__ = ["Board", "Crowded"]

# Changes made by this process are seen at once, those of others when the table is looked at.
_POLL = 0.4
_LEAST = 0.02


class Crowded(Exception):
    """As many wait as may."""


class Board:
    """Looks at the jobs that somebody waits for.

    Args:
        table: of the jobs.
        seats: how many may wait at once.
    """

    def __init__(self, table: JobTable, seats: int) -> None:
        self.table, self.seats = table, seats
        self._wanted: Counter[str] = Counter()
        self._seen: dict[str, Job] = {}
        self._turned = asyncio.Event()  # a new one after each look: no lock that could be kept
        self._something = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def changed(self) -> None:
        """Tell, from any thread, that some job has changed."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._something.set)

    async def run(self) -> None:
        """Look until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._something.wait()
            self._something.clear()
            if not self._wanted:
                continue
            start = time.monotonic()
            try:
                jobs = await asyncio.to_thread(self.table.get_all, list(self._wanted))
            except SQLAlchemyError:
                await asyncio.sleep(1.0)
                continue
            self._seen = {job.id: job for job in jobs}
            turned, self._turned = self._turned, asyncio.Event()
            turned.set()
            await asyncio.sleep(max(_LEAST, time.monotonic() - start))

    async def wait(self, job: Job, seconds: float) -> Job:
        """Wait until `job` is no longer as it was, or for so many seconds; give what it is now.

        Raises:
            Crowded: There is no seat left.
        """
        if sum(self._wanted.values()) >= self.seats:
            raise Crowded
        self._wanted[job.id] += 1
        self._something.set()
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                try:
                    async with asyncio.timeout(left):
                        await self._turned.wait()
                except TimeoutError:
                    break
                now = self._seen.get(job.id)
                if now is not None and now != job:
                    return now
            return self._seen.get(job.id, job)
        finally:
            self._wanted[job.id] -= 1
            self._wanted = +self._wanted
