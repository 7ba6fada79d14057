"""Waiting for a folder to change."""

import os
import time
from collections.abc import Iterator
from importlib.util import find_spec

from unblur.jobs.storage import is_remote

__all__ = ["changes"]

# A copy in progress touches its file again and again; after this time without a change, it is taken
# for whole.
_SETTLE = 2.5
_SECONDS = 5.0


def changes(folder: str) -> Iterator[None]:
    """Yield whenever the files below a folder may have changed, until the program is stopped.

    With the package watchfiles the system tells; without it, and for URLs, it is every few seconds.
    """
    yield  # what came since the folder was listed
    time.sleep(_SETTLE)
    yield  # what was still being written then
    if is_remote(folder) or find_spec("watchfiles") is None:
        while True:
            time.sleep(_SECONDS)
            yield
    from watchfiles import watch

    # Once more when it has been quiet: what had just changed the last time was left for later.
    for _ in watch(os.fspath(folder), rust_timeout=60_000, yield_on_timeout=True):
        yield
        time.sleep(_SETTLE)
        yield
