"""Which pictures a folder holds, and the name that each result will have.

A million names are looked at one after the other and none is kept. The files are not opened: where
the content turns out to belong under another extension, the worker that reads it says so.
"""

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from unblur.errors import InputError, OutputError, ParameterError
from unblur.files import shown
from unblur.jobs import storage
from unblur.jobs.names import folded

__all__ = ["HOME", "Entry", "check_folders", "entries", "fold", "honest", "wanted"]

HOME = ".unblur"
"""The folder, in that of the results, in which the ledger is."""

# HEIC and camera raw cannot be written: PNG and TIFF hold all of their depth.
_RAW = "3fr arw cr2 cr3 crw dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 sr2 srf srw x3f"
_WRITTEN = dict.fromkeys(("heic", "heif", "hif"), "png") | dict.fromkeys(_RAW.split(), "tif")
_NAMED = {
    "avif": ("avif",),
    "gif": ("gif",),
    "jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "png": ("png",),
    "tiff": ("tif", "tiff"),
    "webp": ("webp",),
}
_PICTURES = {*_WRITTEN, *(ending for endings in _NAMED.values() for ending in endings)}


class Entry(NamedTuple):
    """A picture: its name below the folder of inputs, its state, the name of its result."""

    name: str
    stamp: str
    target: str


def fold(name: str) -> bytes:
    """Give what the most forgetful file system would compare: without case, accents in one form.

    Example:
        >>> fold("CAFE\N{COMBINING ACUTE ACCENT}.jpg") == fold("café.JPG")
        True
    """
    return folded(name).encode("utf-8", "surrogateescape")


def wanted(include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Callable[[str], bool]:
    """Make the test of names that `--include` and `--exclude` ask for.

    A pattern is matched, without regard to case, against the name below the folder of inputs and
    against its last part. Without `include`, all names with the extension of a picture are wanted.

    Example:
        >>> test = wanted(exclude=["drafts/*"])
        >>> test("a.JPG"), test("drafts/a.jpg"), test("notes.txt")
        (True, False, False)
    """
    inside, outside = _pattern(include), _pattern(exclude)

    def test(name: str) -> bool:
        last = name.rpartition("/")[2]
        if inside is None:
            if last.rpartition(".")[2].lower() not in _PICTURES:
                return False
        elif not (inside.match(name) or inside.match(last)):
            return False
        return outside is None or not (outside.match(name) or outside.match(last))

    return test


def _pattern(globs: Sequence[str]) -> re.Pattern[str] | None:
    if not globs:
        return None
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs), re.IGNORECASE)


def check_folders(source: str, target: str) -> None:
    """Refuse folders of which one would be written while it is read.

    Raises:
        InputError: There is no folder `source`.
        OutputError: `target` is no folder.
        ParameterError: Both are one folder, or `target` holds `source`.

    Example:
        >>> check_folders(".", ".")
        Traceback (most recent call last):
        unblur.errors.ParameterError: the results would replace the inputs: choose ...
    """
    if storage.is_remote(source) or storage.is_remote(target):
        below, above = source.rstrip("/") + "/", target.rstrip("/") + "/"
    else:
        below, above = (os.path.join(os.path.realpath(name), "") for name in (source, target))
    if not storage.is_remote(source) and not os.path.isdir(source):
        if os.path.isfile(source):
            raise InputError(
                f"{shown(source)} is a file: give the folder that holds the pictures, or restore "
                "single files with `unblur fix`"
            )
        raise InputError(f"{shown(source)} is no folder: give one that holds pictures")
    if not storage.is_remote(target) and os.path.lexists(target) and not os.path.isdir(target):
        raise OutputError(
            f"{shown(target)} is a file: the results go into a folder, which is made where there "
            "is none"
        )
    if below.startswith(above):
        raise ParameterError(
            "the results would replace the inputs: choose a folder for the results that does not "
            "hold the inputs"
        )


def entries(
    source: str,
    target: str,
    test: Callable[[str], bool],
    *,
    recursive: bool = True,
    suffix: str = "",
    extension: str | None = None,
    settle: float = 0.0,
) -> Iterator[Entry]:
    """Go through the pictures of a folder, in no order.

    Hidden names are left out, links to folders are not followed, and the folder of results is not
    looked into where it lies among the inputs.

    Args:
        source: the folder of inputs, or a URL.
        target: the folder of results, or a URL.
        test: whether a name is wanted.
        recursive: whether to look into the folders inside.
        suffix: goes before the extension of results.
        extension: of the results; otherwise that of the inputs, where it can be written.
        settle: files that changed in the last so many seconds are left for later.

    Raises:
        InputError: A folder cannot be listed.
    """
    found = (
        storage.walk(source, recursive=recursive)
        if storage.is_remote(source)
        else _walk(source, target, recursive=recursive, settle=settle)
    )
    for name, stamp in found:
        if test(name):
            yield Entry(name, stamp, _result(name, suffix, extension))


def _walk(source: str, target: str, *, recursive: bool, settle: float) -> Iterator[tuple[str, str]]:
    """Give names relative to `source`, with slashes, and what tells one state from another."""
    avoided = os.path.realpath(target)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(source, folder)) as scan:
                for entry in scan:
                    if entry.name.startswith("."):
                        continue
                    name = f"{folder}{entry.name}"
                    if not entry.is_dir(follow_symlinks=False):
                        stamp = _stamp(entry)
                        if not (settle and _fresh(stamp, settle)):
                            yield name, stamp
                    elif recursive and os.path.realpath(entry.path) != avoided:
                        folders.append(f"{name}/")
        except OSError as error:
            where = shown(os.path.join(source, folder))
            raise InputError(
                f"{where} cannot be listed: {error.strerror or error}; --exclude leaves pictures "
                "out, not folders: move it away, or make it readable"
            ) from error


def _stamp(entry: os.DirEntry[str]) -> str:
    """Give size and time; what is no file has none, and will be refused when it is its turn."""
    try:
        found = entry.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _fresh(stamp: str, settle: float) -> bool:
    return bool(stamp) and time.time_ns() - int(stamp.split()[1]) < settle * 1e9


def _result(name: str, suffix: str, extension: str | None) -> str:
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    if not stem:
        stem, dot, ending = last, "", ""
    if extension is not None:
        dot, ending = ".", extension.lstrip(".")
    else:
        ending = _WRITTEN.get(ending.lower(), ending)
    return f"{folder}{slash}{stem}{suffix}{dot}{ending}"


def honest(target: str, kind: str) -> str:
    """Give the name of a result the extension that its content deserves.

    Args:
        target: the name.
        kind: the format of the input; HEIC becomes PNG, and camera raw TIFF.

    Example:
        >>> honest("lies.jpg", "png"), honest("true.JPEG", "jpeg")
        ('lies.png', 'true.JPEG')
    """
    kind = {"heif": "png", "raw": "tiff"}.get(kind, kind)
    stem, dot, ending = target.rpartition(".")
    if not dot or "/" in ending or not stem.rpartition("/")[2]:
        stem, ending = target, ""
    proper = _NAMED[kind]
    return target if ending.lower() in proper else f"{stem}.{proper[0]}"
