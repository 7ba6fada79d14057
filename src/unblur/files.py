"""Files, with care: only regular ones are read, and what is written appears whole or not at all."""

import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from unblur.errors import InputError, OutputError
from unblur.failpoints import failpoint

__all__ = [
    "AnyPath",
    "open_regular",
    "replacing",
    "shown",
    "sweep",
    "why_not_opened",
    "write_whole",
]

AnyPath = str | os.PathLike[str] | os.PathLike[bytes]

_LONGEST_NAME = 255
_TEMPORARY = re.compile(r"\..*\.(\d+)\.[0-9a-f]{8}\.part", re.DOTALL)


def shown(path: AnyPath) -> str:
    r"""Return a path as one printable line, whatever bytes it is made of.

    Example:
        >>> print(shown(b"a\nb"))
        a\nb
    """
    text = os.fsdecode(path)
    if text.isprintable() and text.isascii():
        return text
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def open_regular(path: AnyPath) -> int:
    """Open a regular file for reading and give its descriptor.

    Raises:
        InputError: `path` is missing, unreadable, or not a regular file (a directory, a pipe, a
            device, a dangling or circular link).

    Example:
        >>> open_regular("/")
        Traceback (most recent call last):
        unblur.errors.InputError: / is a directory; give a regular file
    """
    label = shown(path)
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOCTTY"):
        flags |= getattr(os, name, 0)
    try:
        # Looked at before it is opened, because opening alone can wake a device or a pipe; and
        # once more afterwards, because the name may mean something else by then.
        _require_regular(os.stat(path).st_mode, label)
        descriptor = os.open(path, flags)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{label} cannot be opened: {why_not_opened(error)}") from error
    try:
        _require_regular(os.fstat(descriptor).st_mode, label)
    except InputError:
        os.close(descriptor)
        raise
    return descriptor


def why_not_opened(error: Exception) -> str:
    """Say what the system said, and what to look at where a file is missing.

    Example:
        >>> why_not_opened(PermissionError(13, "Permission denied"))
        'Permission denied'
    """
    reason = str(getattr(error, "strerror", None) or error)
    hint = "; check the name and the folder" if isinstance(error, FileNotFoundError) else ""
    return reason + hint


def _require_regular(mode: int, label: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    kind = next((name for test, name in kinds if test(mode)), "not a file")
    raise InputError(f"{label} is {kind}; give a regular file")


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[int]:
    """Give a descriptor to write and read; what was written takes the name `path` at the end.

    The work happens under `.name.<pid>.<random>.part` in the same directory, is synced, and then
    gets its name in one step, so that a reader or a power cut meets the old file or the new one.
    On any error the temporary file goes, and what stood at `path` still stands.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, or the system refuses.
    """
    label, target = shown(path), os.path.realpath(path) if overwrite else os.fspath(path)
    if not overwrite and os.path.lexists(target):
        raise _exists(label)
    if os.path.isdir(target):
        raise OutputError(f"{label} is a directory; give the name of a file in it")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, _temporary_name(name))
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        for flag in ("O_CLOEXEC", "O_BINARY"):
            flags |= getattr(os, flag, 0)
        descriptor = os.open(temporary, flags, 0o666)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{label} cannot be written: {reason}") from error
    try:
        try:
            yield descriptor
            failpoint("mid-write")
            _keep_mode(descriptor, target)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        failpoint("before-rename")
        _publish(temporary, target, label, overwrite=overwrite)
        _sync_folder(folder or ".")
    except OSError as error:
        raise OutputError(f"{label} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def write_whole(path: str | os.PathLike[str], content: bytes, *, overwrite: bool) -> None:
    """Put all of `content` at `path`, or raise and change nothing.

    Raises:
        OutputError: As `replacing`.
    """
    with (
        replacing(path, overwrite=overwrite) as descriptor,
        open(descriptor, "wb", closefd=False) as file,
    ):
        file.write(content)


def sweep(folder: str) -> int:
    """Remove the temporary files that processes left behind when they died, in all folders below.

    Those of a process that still runs stay.

    Returns:
        How many there were.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     pathlib.Path(name, ".a.png.4194305.0123abcd.part").touch()
        ...     sweep(name)
        1
    """
    count, folders = 0, [folder]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif (match := _TEMPORARY.fullmatch(entry.name)) and _is_orphan(entry, match):
                    with suppress(FileNotFoundError):
                        os.unlink(entry.path)
                        count += 1
    return count


def _is_orphan(entry: "os.DirEntry[str]", match: re.Match[str]) -> bool:
    """Say whether the process that wrote a temporary file is gone, or another has its number."""
    import psutil

    try:
        started = psutil.Process(int(match[1])).create_time()
    except (psutil.Error, OverflowError):
        return True
    return bool(started > entry.stat(follow_symlinks=False).st_mtime)


def _exists(label: str) -> OutputError:
    return OutputError(
        f"{label} exists already; choose another name or allow overwriting (--overwrite)"
    )


def _temporary_name(name: str) -> str:
    tail = f".{os.getpid()}.{secrets.token_hex(4)}.part"
    # Cut by bytes, since that is what file systems count; a cut character cannot be taken apart
    # again by those that demand UTF-8, so that it goes whole.
    stem = os.fsencode(name)[: _LONGEST_NAME - len(tail) - 1]
    while (
        stem
        and (stem[-1] & 0xC0 == 0x80 or stem[-1] >= 0xC0)
        and len(stem) < len(os.fsencode(name))
    ):
        stem = stem[:-1]
    return "." + os.fsdecode(stem) + tail


def _keep_mode(descriptor: int, target: str) -> None:
    """Give a file that replaces another one the permissions of the old."""
    if hasattr(os, "fchmod"):
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))


def _publish(temporary: str, target: str, label: str, *, overwrite: bool) -> None:
    if not overwrite:
        # A link refuses to take a name that somebody else took meanwhile; a rename would not.
        try:
            os.link(temporary, target)
            return
        except FileExistsError as error:
            raise _exists(label) from error
        except OSError:
            if os.path.lexists(target):
                raise _exists(label) from None
    for attempt in range(5):
        try:
            os.replace(temporary, target)
            return
        except PermissionError:
            # On Windows a scanner may hold the old file open for a moment.
            if os.name != "nt" or attempt == 4:
                raise
            time.sleep(0.05)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
