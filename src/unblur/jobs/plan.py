"""Where each result goes, decided for all inputs before any work, so that none is lost."""

import os
from collections.abc import Sequence

from unblur.errors import ParameterError
from unblur.jobs.job import STREAM
from unblur.jobs.names import keep_apart, key
from unblur.jobs.storage import is_remote
from unblur.photo.formats import EXTENSIONS
from unblur.photo.sniff import sniff

__all__ = ["plan"]

_LONGEST_NAME = 255
_HEAD = 4096
# HEIC and camera raw cannot be written: PNG and TIFF hold all of their depth.
_EXTENSIONS = {
    "avif": (".avif",),
    "gif": (".gif",),
    "heif": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "raw": (".tif",),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
}


def plan(
    sources: Sequence[str],
    output: str | None = None,
    *,
    suffix: str = ".unblur",
    extension: str | None = None,
    in_place: bool = False,
) -> tuple[str, ...]:
    """Give the target of each source.

    Args:
        sources: Names of files, or `STREAM`.
        output: A file if there is one source; a folder that exists, or a name that ends in a
            separator, for any number; `STREAM`; or nothing: beside the source.
        suffix: What stands between the stem and the extension of a name that is made here.
        extension: Of a name that is made here; otherwise the content of the source decides.
        in_place: Each result replaces its source.

    Raises:
        ParameterError: Two results would have one name (also where a file system ignores case, or
            compares accents in another normal form), a result would replace an input, or one file
            is to hold several results.

    Example:
        >>> plan(["holiday/shaken.jpg"], "sharp.png")
        ('sharp.png',)
        >>> plan(["a/shaken.jpg", "b/Shaken.jpg"], "sharp/")
        Traceback (most recent call last):
        unblur.errors.ParameterError: a/shaken.jpg and b/Shaken.jpg would both be written to ...
    """
    if in_place and (output is not None or extension is not None):
        raise ParameterError("--in-place replaces the input: it goes with neither -o nor --format")
    if not suffix.isprintable() or any(mark in suffix for mark in "/\\"):
        raise ParameterError(f"--suffix must be a part of a file's name, not {suffix!r}")
    if output is not None and extension is not None:
        _check_agreement(output, extension)
    targets = tuple(
        _target(source, output, suffix, extension, in_place, alone=len(sources) == 1)
        for source in sources
    )
    _check_distinct(sources, targets)
    if not in_place:
        keep_apart(sources, targets)
    return targets


def _target(
    source: str,
    output: str | None,
    suffix: str,
    extension: str | None,
    in_place: bool,
    *,
    alone: bool,
) -> str:
    if in_place:
        if source == STREAM:
            raise ParameterError("--in-place needs a file, not standard input")
        return source if is_remote(source) else os.path.realpath(source)
    if output is not None and not _is_folder(output):
        if not alone:
            raise ParameterError(f"several inputs need a folder for -o, and {output!r} is none")
        return output
    if source == STREAM:
        if output is not None:
            raise ParameterError("a picture from standard input has no name: -o must be a file")
        return STREAM
    folder = os.path.dirname(source) if output is None else output
    return os.path.join(folder, _name(source, suffix, extension))


def _check_agreement(output: str, extension: str) -> None:
    named = EXTENSIONS.get(os.path.splitext(output)[1].lower())
    if named is not None and named != EXTENSIONS.get(f".{extension.lower().lstrip('.')}"):
        raise ParameterError(f"-o {output} and --format {extension} contradict each other")


def _is_folder(output: str) -> bool:
    separators = tuple(mark for mark in (os.sep, os.altsep) if mark)
    return output.endswith(separators) or os.path.isdir(output)


def _name(source: str, suffix: str, extension: str | None) -> str:
    """Make `shaken.unblur.jpg` of `shaken.jpg`, in the 255 bytes that file systems allow."""
    stem, found = os.path.splitext(os.path.basename(source))
    ending = suffix + (f".{extension.lstrip('.')}" if extension else _honest(source, found))
    room = _LONGEST_NAME - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + ending


def _honest(source: str, extension: str) -> str:
    """Give the extension that the content of `source` deserves; a matching one is kept as it is."""
    if not os.path.isfile(source):  # opening a pipe would wait for its other end
        return extension
    try:
        with open(source, "rb") as file:
            proper = _EXTENSIONS[sniff(file.read(_HEAD), source)]
    except (OSError, ValueError):
        return extension  # reading the picture will say what is wrong with it
    return extension if extension.lower() in proper else proper[0]


def _check_distinct(sources: Sequence[str], targets: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for source, target in zip(sources, targets, strict=True):
        mark = target if target == STREAM else key(target)
        if mark in seen:
            raise ParameterError(
                f"{seen[mark]} and {source} would both be written to {target}: run them apart, or"
                " with another -o"
            )
        seen[mark] = source
