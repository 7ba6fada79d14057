"""Folders and lists as archives have them, and what is said where something is missing."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from unblur.errors import InputError, ParameterError
from unblur.files import shown

__all__ = [
    "check_variant",
    "find_file",
    "find_folder",
    "listed_pairs",
    "matched",
    "natural",
    "picture_files",
    "pictures",
    "subfolders",
]

_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".heic"}
_NAMED = 3


def check_variant(dataset: str, variant: str, known: tuple[str, ...]) -> str:
    """Give `variant` back if the set has it.

    Raises:
        ParameterError: It has not.

    Example:
        >>> check_variant("gopro", "blurr", ("blur", "blur_gamma"))
        Traceback (most recent call last):
        unblur.errors.ParameterError: variant of gopro must be one of blur, blur_gamma, not 'blurr'
    """
    if variant not in known:
        raise ParameterError(
            f"variant of {dataset} must be one of {', '.join(known)}, not {variant!r}"
        )
    return variant


def natural(text: str) -> list[tuple[int, int | str]]:
    """A key that sorts numbers inside names by their value.

    Example:
        >>> sorted(["a10", "a9"], key=natural)
        ['a9', 'a10']
    """
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text)]


def find_folder(dataset: str, root: Path, *names: str) -> Path:
    """Give the first of the folders `names` that is there, seen from `root`.

    Raises:
        InputError: None of them is; the message names where it was looked for.
    """
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise InputError(_absent(dataset, root, "folder", names))


def find_file(dataset: str, root: Path, *names: str) -> Path:
    """Give the first of the files `names` that is there, seen from `root`.

    Raises:
        InputError: None of them is; the message names where it was looked for.
    """
    for name in names:
        if (root / name).is_file():
            return root / name
    raise InputError(_absent(dataset, root, "file", names))


def _absent(dataset: str, root: Path, kind: str, names: tuple[str, ...]) -> str:
    if not root.is_dir():
        return f"{dataset}: {shown(root)} is no folder; give that of the unpacked archive"
    return f"{dataset}: there is no {kind} {' or '.join(names)} in {shown(root)}"


def subfolders(dataset: str, folder: Path) -> list[Path]:
    """The folders inside a folder, by name.

    Raises:
        InputError: There are none.
    """
    found = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if not found:
        raise InputError(f"{dataset}: {shown(folder)} holds no folders; expected one a sequence")
    return found


def picture_files(folder: Path) -> list[Path]:
    """The files of a folder that are named like pictures, in natural order."""
    return [
        path
        for path in sorted(folder.iterdir(), key=lambda entry: natural(entry.name))
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    ]


def pictures(dataset: str, folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without extension, in natural order.

    Raises:
        InputError: The folder is missing, holds no picture, or two of one name.
    """
    if not folder.is_dir():
        raise InputError(f"{dataset}: the folder {shown(folder)} is missing")
    found: dict[str, Path] = {}
    for path in picture_files(folder):
        if path.stem in found:
            raise InputError(
                f"{dataset}: {shown(path)} and {shown(found[path.stem].name)} have one name"
            )
        found[path.stem] = path
    if not found:
        raise InputError(f"{dataset}: there are no pictures in {shown(folder)}")
    return found


def matched(
    dataset: str, blurred: Mapping[str, Path], sharp: Mapping[str, Path], *, spare: bool = False
) -> list[tuple[str, Path, Path]]:
    """Pair pictures by name; `spare` truths may be left over.

    Raises:
        InputError: A picture has no counterpart; the message counts and names them.

    Example:
        >>> matched("folder", {"a": Path("a.png")}, {"b": Path("b.png")})
        Traceback (most recent call last):
        unblur.errors.InputError: folder: 1 blurred without a sharp one: a; 1 sharp ... one: b
    """
    faults = [_unpaired(blurred.keys() - sharp.keys(), "blurred", "a sharp")]
    if not spare:
        faults.append(_unpaired(sharp.keys() - blurred.keys(), "sharp", "a blurred"))
    if any(faults):
        raise InputError(f"{dataset}: {'; '.join(filter(None, faults))}")
    return [(name, path, sharp[name]) for name, path in blurred.items()]


def _unpaired(names: Iterable[str], kind: str, counterpart: str) -> str:
    ordered = sorted(names, key=natural)
    if not ordered:
        return ""
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    named = ", ".join(shown(name) for name in ordered[:_NAMED])
    return f"{len(ordered)} {kind} without {counterpart} one: {named}{more}"


def listed_pairs(dataset: str, file: Path, root: Path) -> list[tuple[Path, Path]]:
    """Read a list of `SHARP BLURRED` lines, relative to `root`: (sharp, blurred) files.

    Raises:
        InputError: A line is not two names inside `root`, the list is empty, or files are missing.
    """
    pairs = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        words = [PurePosixPath(word) for word in line.split()]
        if len(words) != 2 or any(word.is_absolute() or ".." in word.parts for word in words):
            raise InputError(
                f"{dataset}: line {number} of {shown(file)} must be SHARP BLURRED, two names "
                f"inside the archive, not {line.strip()!r:.120}"
            )
        pairs.append((root / words[0], root / words[1]))
    if not pairs:
        raise InputError(f"{dataset}: the list {shown(file)} is empty")
    absent = [str(path.relative_to(root)) for pair in pairs for path in pair if not path.is_file()]
    if absent:
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        raise InputError(
            f"{dataset}: {len(absent)} files of the list {shown(file)} are missing: "
            f"{', '.join(map(shown, absent[:_NAMED]))}{more}"
        )
    return pairs
