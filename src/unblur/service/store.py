"""The files of jobs: a folder for each, on a disk or in an object store that machines share.

What was sent lies in the job's folder, what an attempt made in a folder of that attempt. Names are
the program's own: nothing that came from outside becomes a part of a path.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from unblur.errors import InputError, MissingDependency, OutputError, ParameterError
from unblur.files import replacing
from unblur.jobs.storage import stamp
from unblur.service.order import Job

__all__ = ["Store"]

_ID = re.compile(r"[A-Za-z0-9_-]{16,32}")
_NAME = re.compile(r"[a-z]{1,20}(\.[a-z0-9]{1,12})?")
_CHUNK = 1 << 20


class Store:
    """Files by job and name.

    Args:
        url: a folder, or what fsspec takes, such as "s3://bucket/prefix".

    Raises:
        ParameterError: Nothing is known of such a URL, the folder cannot be made, or the bucket
            cannot be reached.
        MissingDependency: It needs an extra.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # type: ignore[import-untyped]

        try:
            self.system, self.root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise MissingDependency(f"the store {url} needs an extra: {error}") from error
        except ValueError as error:
            raise ParameterError(f"the store must be a folder or a URL: {error}") from error
        protocol = self.system.protocol
        self.is_local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
        if self.is_local:
            try:
                os.makedirs(self.root, mode=0o700, exist_ok=True)
            except OSError as error:
                reason = error.strerror or error
                raise ParameterError(
                    f"the store {url} cannot be made: {reason}; choose another with --store"
                ) from error
        else:
            _check_bucket(url)

    def _path(self, job_id: str, *names: str) -> str:
        if not _ID.fullmatch(job_id) or not all(
            name.isdecimal() or _NAME.fullmatch(name) for name in names
        ):
            raise ParameterError(f"no job and file are named {(job_id, *names)!r}")
        return "/".join((self.root, job_id, *names))

    def save(self, job_id: str, name: str, source: BinaryIO) -> None:
        """Keep what was sent under `name`, whole or not at all.

        Raises:
            OutputError: The disk is full, or the object store refuses.
        """
        path = self._path(job_id, name)
        if self.is_local:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with (
                replacing(path, overwrite=True) as descriptor,
                open(descriptor, "wb", closefd=False) as file,
            ):
                shutil.copyfileobj(source, file, _CHUNK)
            return
        try:
            with self.system.open(path, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
        except OSError as error:
            raise OutputError(f"the store cannot take {name}: {error}") from error

    def read(self, job_id: str, *names: str) -> tuple[BinaryIO, int]:
        """Open a file and tell its size.

        Raises:
            FileNotFoundError: There is none.
        """
        path = self._path(job_id, *names)
        size = int(self.system.size(path) or 0)
        return self.system.open(path, "rb", block_size=_CHUNK), size

    @contextmanager
    def at_hand(self, job: Job) -> Iterator[tuple[Path, Path]]:
        """Give two folders of this machine: the job's files, and an empty one for this attempt.

        On a disk they are those of the store; otherwise copies, for as long as the work takes.
        """
        given = job.order.of or job.id
        if self.is_local:
            made = Path(self._path(job.id, str(job.attempt)))
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True, mode=0o700)
            yield Path(self._path(given)), made
            return
        with tempfile.TemporaryDirectory(prefix="unblur-") as folder:
            files, made = Path(folder, "given"), Path(folder, "made")
            made.mkdir()
            self.system.get(self._path(given) + "/", f"{files}/", recursive=True)
            yield files, made

    def publish(self, job: Job, made: Path) -> None:
        """Put what the attempt made where readers look for it, before the job is called done."""
        if self.is_local:
            return
        for file in sorted(made.iterdir()):
            self.system.put_file(str(file), self._path(job.id, str(job.attempt), file.name))

    def drop(self, job_id: str, *names: str) -> None:
        """Remove a job's folder, or one attempt's; what is not there is no error."""
        with suppress(FileNotFoundError):
            self.system.rm(self._path(job_id, *names), recursive=True)

    def strays(self, age: float = 3600.0) -> list[str]:
        """List the folders of jobs that are older than `age` seconds, a thousand at most."""
        if not self.is_local:
            return []  # an object store has rules of its own for what is old
        limit = time.time() - age
        old = (
            entry.name
            for entry in os.scandir(self.root)
            if _ID.fullmatch(entry.name) and entry.stat().st_mtime < limit
        )
        return list(islice(old, 1000))


def _check_bucket(url: str) -> None:
    """Ask for the bucket: what lies in it need not be there yet."""
    scheme, _, rest = url.partition("://")
    try:
        stamp(f"{scheme}://{rest.partition('/')[0]}")
    except InputError as error:
        raise ParameterError(
            f"the store {url} cannot be used: {error}; make the bucket first, or choose another "
            "with --store"
        ) from error
