"""Names that are URLs: `s3://`, `gs://`, `az://` and whatever else fsspec knows.

A download is complete or an error. An upload appears whole, and never takes the place of what
somebody else put there, unless that is asked for. What fails in passing is tried again.
"""

import errno
import hashlib
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, TypeVar

from unblur.errors import InputError, MissingDependency, OutputError, ParameterError, UnblurError
from unblur.jobs.job import Job

__all__ = ["digest", "exists", "fetch", "is_remote", "nearby", "put", "stamp", "walk"]

T = TypeVar("T")

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_EXTRAS |= dict.fromkeys(("az", "abfs", "abfss", "adl"), "az")
# Before each further attempt, in seconds, and up to as much again: what many clients were refused
# at one moment they shall not ask again at one moment. The libraries below have patience of their
# own.
_PAUSES = (0.2, 0.4, 0.8, 1.6)
_FILES = ("kernel", "mask", "lens")


def is_remote(name: str) -> bool:
    """Say whether a name is a URL.

    Example:
        >>> is_remote("s3://bucket/a.jpg"), is_remote("C:/a.jpg")
        (True, False)
    """
    return _URL.match(name) is not None


def fetch(url: str) -> tuple[bytes, str]:
    """Download an object.

    Returns:
        Its content, and the stamp of the state that was downloaded.

    Raises:
        InputError: It does not exist, is refused, or does not arrive whole.
        MissingDependency: The package for this kind of storage is not installed.
    """

    def download(system: Any, path: str) -> tuple[bytes, str]:
        found = system.info(path)
        if found.get("type") == "directory":
            raise InputError(f"{url} is a folder; give an object")
        content: bytes = system.cat_file(path)
        size = found.get("size")
        if size is not None and len(content) != size:
            raise ConnectionError(f"{len(content)} of {size} bytes arrived")
        return content, _stamp(found)

    return _patiently(url, InputError, download)


def stamp(url: str) -> str:
    """Give what changes when the object does: its ETag, or its size and time.

    Raises:
        InputError: As `fetch`.
    """
    return _patiently(url, InputError, lambda system, path: _stamp(system.info(path)))


def exists(url: str) -> bool:
    """Say whether there is an object of that name.

    Raises:
        OutputError: The storage cannot be asked.
    """
    return _patiently(url, OutputError, lambda system, path: bool(system.isfile(path)))


def put(url: str, content: bytes, *, overwrite: bool) -> None:
    """Upload an object, which appears whole or not at all.

    The storage itself refuses a name that is taken (a conditional put), so that of two programs
    only one can win. An object that is there and the same is as good as written.

    Raises:
        OutputError: The name is taken by something else and `overwrite` is not set, or the storage
            refuses.
    """
    mode = "overwrite" if overwrite else "create"

    def upload(system: Any, path: str) -> None:
        try:
            system.pipe_file(path, content, mode=mode)
        except OSError as error:
            if overwrite or not _is_taken(error):
                raise
            if system.cat_file(path) != content:
                raise OutputError(
                    f"{url} exists: choose another name, or allow overwriting (--overwrite)"
                ) from error

    _patiently(url, OutputError, upload)


def _is_taken(error: OSError) -> bool:
    # s3fs makes EINVAL of "412 Precondition Failed" where the server does not name the condition.
    return isinstance(error, FileExistsError) or error.errno == errno.EINVAL


def digest(url: str) -> str:
    """Give a hash of an object's content: the storage's own, where it keeps one.

    Raises:
        InputError: As `fetch`.
    """
    found = stamp(url)
    if found.startswith("etag "):
        return found
    return f"sha256 {hashlib.sha256(fetch(url)[0]).hexdigest()}"


def walk(url: str, *, recursive: bool = True) -> Iterator[tuple[str, str]]:
    """Go through the objects below a URL: names relative to it, and stamps.

    Raises:
        InputError: There is nothing, or the storage refuses.
    """
    root = _open(url)[1].rstrip("/")
    folders = [root]
    while folders:
        folder = folders.pop()
        found = _patiently(url, InputError, partial(_listed, folder))
        for entry in found:
            path = str(entry["name"]).rstrip("/")
            name = path.removeprefix(root).lstrip("/")
            if not name or path == folder or name.rpartition("/")[2].startswith("."):
                continue
            if entry.get("type") != "directory":
                yield name, _stamp(entry)
            elif recursive:
                folders.append(path)


def _listed(folder: str, system: Any, _: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.ls(folder, detail=True)
    return found


def nearby(job: Job) -> Job:
    """Give the job with local copies of the kernel, the mask, the lens and the weights.

    Each is downloaded once in the life of the process, and gone at its end.

    Raises:
        InputError: As `fetch`.
    """
    named = {name: getattr(job.options, name) for name in _FILES}
    near: dict[str, Any] = {
        name: _copy(value) for name, value in named.items() if value and is_remote(value)
    }
    parameters = dict(job.parameters)
    if is_remote(str(parameters.get("weights", ""))):
        parameters["weights"] = _copy(str(parameters["weights"]))
    return replace(job, parameters=parameters, options=replace(job.options, **near))


@lru_cache(maxsize=64)
def _copy(url: str) -> str:
    content, _ = fetch(url)
    name = hashlib.sha256(url.encode()).hexdigest()[:16] + os.path.splitext(url)[1]
    path = os.path.join(_folder().name, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="unblur-")


def _stamp(found: dict[str, Any]) -> str:
    tag = found.get("ETag") or found.get("etag") or found.get("md5Hash")
    if tag:
        return f"etag {str(tag).strip(chr(34))}"
    times = ("LastModified", "last_modified", "mtime", "updated", "created")
    when = next((found[name] for name in times if found.get(name)), "")
    return f"{found.get('size')} {when}"


def _patiently(url: str, kind: type[UnblurError], ask: Callable[[Any, str], T]) -> T:
    """Ask the storage, again after a while where the fault may pass."""
    for pause in (*_PAUSES, None):
        try:
            system, path = _open(url)
            return ask(system, path)
        except UnblurError:
            raise
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise kind(f"{url} does not exist") from error
        except PermissionError as error:
            raise kind(f"{url}: access is refused ({error}); check the credentials") from error
        except Exception as error:
            if pause is None or not _passes(error):
                raise kind(
                    f"{url} cannot be reached: {str(error) or type(error).__name__}"
                ) from error
        time.sleep(pause + random.uniform(0, pause))  # noqa: S311 - no secret
    raise kind(f"{url} cannot be reached")


def _passes(error: Exception) -> bool:
    """Say whether a fault may be gone the next time."""
    if "Credential" in type(error).__name__:
        return False
    libraries = ("aiohttp", "botocore", "google", "gcsfs", "azure")
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in libraries


def _open(url: str) -> tuple[Any, str]:
    """Give fsspec's file system for a URL, and the path in it."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    protocol = url.partition("://")[0].lower()
    try:
        system, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        how = f"pip install 'unblur[{extra}]'" if extra else str(error)
        raise MissingDependency(f"{url} needs a package for {protocol}://; {how}") from error
    except ValueError as error:
        raise ParameterError(f"{url} cannot be used: {error}") from error
    return system, str(path)
