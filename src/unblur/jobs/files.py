"""Files before and after the work: an input stays itself, an output can be written."""

import os
import shutil
import stat
import sys
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from unblur.errors import InputError, OutputError
from unblur.files import replacing, why_not_opened, write_whole
from unblur.jobs import storage
from unblur.jobs.job import STREAM

if TYPE_CHECKING:
    from unblur.photo import Photo

__all__ = [
    "Source",
    "check_target",
    "format_for",
    "open_source",
    "rehearse",
    "save_text",
    "store",
    "store_copy",
]

# Camera raw and HEIC are read only: what is written holds all of their depth.
_INSTEAD = {"heif": "png", "raw": "tiff"}


class Source(NamedTuple):
    """An input: its name, what `photo.read` takes for it, and the state in which it was found."""

    name: str
    content: str | bytes
    found: tuple[int, ...] | str | None

    def check_unchanged(self) -> None:
        """Refuse a file or an object that another program wrote during the work.

        Raises:
            InputError: Size, time or identity of the file is no longer what it was.
        """
        if self.found is not None and _state(self.name) != self.found:
            raise InputError(f"{self.name} changed while it was being worked on: try again")


def open_source(name: str, stdin: BinaryIO | None = None) -> Source:
    """Look at the file `name`, download it if it is a URL, or take standard input for `STREAM`.

    Raises:
        InputError: There is no such file, or it is a folder, a pipe or a device; or it did not
            arrive whole.
        ImageTooLarge: Standard input does not end.

    Example:
        >>> open_source(".")
        Traceback (most recent call last):
        unblur.errors.InputError: . is a folder; give a file
    """
    if name == STREAM:
        from unblur.photo.content import drain

        return Source(name, drain(stdin or sys.stdin.buffer), None)
    if storage.is_remote(name):
        return Source(name, *storage.fetch(name))
    return Source(name, name, _state(name))


def _state(name: str) -> tuple[int, ...] | str:
    if storage.is_remote(name):
        return storage.stamp(name)
    try:
        found = os.stat(name)
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be opened: {why_not_opened(error)}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise InputError(f"{name} is {kind}; give a file")
    return found.st_size, found.st_mtime_ns, found.st_ino


def check_target(name: str, *, overwrite: bool = False) -> None:
    """Find out before the work what would stop a result from being written.

    Raises:
        OutputError: The file exists and `overwrite` is not set, or its folder cannot take it.

    Example:
        >>> check_target("no/such/folder/a.png")
        Traceback (most recent call last):
        unblur.errors.OutputError: the folder ...folder does not exist: make it first
    """
    if name == STREAM:
        return
    exists = f"{name} exists: choose another name, or allow overwriting (--overwrite)"
    if storage.is_remote(name):
        if not overwrite and storage.exists(name):
            raise OutputError(exists)
        return
    folder = os.path.dirname(os.path.abspath(name))
    if os.path.isdir(name):
        raise OutputError(f"{name} is a folder: give the name of a file in it")
    if os.path.lexists(name) and not overwrite:
        raise OutputError(exists)
    if not os.path.isdir(folder):
        raise OutputError(f"the folder {folder} does not exist: make it first")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the folder {folder} is read-only: choose another")


def rehearse(
    target: str,
    photo: "Photo",
    *,
    format: str | None = None,  # noqa: A002 - the name that `photo.write` has
    **options: Any,
) -> None:
    """Write one pixel to nowhere, so that what cannot be written is found before the work.

    Raises:
        OutputError: The format holds no picture of that size, or no transparency or pages.
        UnsupportedFormat: The format is none that is written.
    """
    from unblur.photo import write
    from unblur.photo.formats import check_fit

    kind = format_for(target, photo, format)
    check_fit(kind, photo.size, photo.pages)
    alpha = None if photo.alpha is None else photo.alpha[:1, :, :1, :1]
    pixel = replace(photo, samples=photo.samples[:1, :, :1, :1], alpha=alpha)
    write(BytesIO(), pixel, format=kind, **options)


def store(
    target: str,
    photo: "Photo",
    *,
    stdout: BinaryIO | None = None,
    format: str | None = None,  # noqa: A002 - the name that `photo.write` has
    **options: Any,
) -> tuple[str, ...]:
    """Write a picture to the file `target`, or to standard output in the format that came.

    Returns:
        What had to be changed for the format, in words.

    Raises:
        OutputError: As `photo.write`, which also explains the options.
    """
    from unblur.photo import write

    kind = format_for(target, photo, format)
    if storage.is_remote(target):
        overwrite = bool(options.pop("overwrite", False))
        whole = BytesIO()
        warnings = write(whole, photo, format=kind, **options)
        storage.put(target, whole.getvalue(), overwrite=overwrite)
        return warnings
    if target != STREAM:
        return write(target, photo, format=kind, **options)
    stream = stdout or sys.stdout.buffer
    warnings = write(stream, photo, format=kind, **options)
    stream.flush()
    return warnings


def store_copy(
    target: str, source: Source, *, stdout: BinaryIO | None = None, overwrite: bool = False
) -> None:
    """Put the bytes of a source at the file `target`, or on standard output.

    Raises:
        InputError: The source changed meanwhile.
        OutputError: As `store`.
    """
    from unblur.photo.content import opened

    with opened(source.content) as content, content.stream() as whole:
        if storage.is_remote(target):
            copy = whole.read()
            source.check_unchanged()
            storage.put(target, copy, overwrite=overwrite)
        elif target == STREAM:
            stream = stdout or sys.stdout.buffer
            try:
                shutil.copyfileobj(whole, stream)
                stream.flush()
            except OSError as error:
                reason = error.strerror or error
                raise OutputError(f"the stream cannot be written: {reason}") from error
        else:
            with (
                replacing(target, overwrite=overwrite) as descriptor,
                open(descriptor, "wb", closefd=False) as file,
            ):
                shutil.copyfileobj(whole, file)
                source.check_unchanged()


def format_for(target: str, photo: "Photo", given: str | None) -> str:
    """Give the format that is written: the given one, else the name's, else that which came.

    Raises:
        UnsupportedFormat: It is none that is written.
    """
    from unblur.photo.formats import format_of

    if given is None and target == STREAM:
        given = _INSTEAD.get(photo.carried.format)
        return given or format_of(None, None, photo.carried)
    return format_of(target, given, photo.carried)


def save_text(name: str, text: str, *, overwrite: bool = False) -> None:
    """Write a text whole or not at all.

    Raises:
        OutputError: As `check_target`, or the disk is full.
    """
    write_whole(name, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)
