"""What a run leaves behind: a record for each picture and contender, and where they are kept."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unblur.datasets import Pair
from unblur.errors import InputError, OutputError, ParameterError
from unblur.files import shown, write_whole

__all__ = ["Record", "Store", "digest", "fingerprint", "from_json", "to_json"]


@dataclass(frozen=True)
class Record:
    """One picture by one contender.

    Attributes:
        plan: digest of everything that the values depend on besides the picture.
        source: digest of the picture's files.
        protocol: its name.
        variant: of the protocol.
        picture: name in the data set.
        group: of the picture.
        contender: label.
        method: name in the catalogue, or "input".
        values: of the metrics by name.
        seconds: wall clock of the restoration.
        unchanged: why the picture came back as it was, or None.
        report: of the method.
    """

    plan: str
    source: str
    protocol: str
    variant: str
    picture: str
    group: str
    contender: str
    method: str
    values: Mapping[str, float]
    seconds: float
    unchanged: str | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def digest(facts: object) -> str:
    """The SHA-256 of facts as JSON.

    Example:
        >>> digest({"a": 1})[:8]
        'f9d86028'
    """
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def fingerprint(pair: Pair) -> str:
    """The SHA-256 of the files of a pair.

    Raises:
        InputError: A file cannot be read.
    """
    total = hashlib.sha256()
    for path in (pair.blurred, pair.sharp, *pair.frames):
        if path is None:
            continue
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    return total.hexdigest()


def to_json(value: object) -> str:
    """JSON in which infinity and NaN are texts, since JSON has no numbers for them.

    Example:
        >>> to_json({"psnr": float("inf")})
        '{"psnr": "inf"}'
    """
    return json.dumps(_plain(value), indent=None, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def from_json(text: str) -> Record:
    """The record of `to_json`.

    Raises:
        InputError: The text is no such record.
    """
    try:
        fields = json.loads(text)
        values = {str(name): float(value) for name, value in fields.pop("values").items()}
        return Record(values=values, **fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"this is no record of an evaluation: {error}") from error


class Store:
    """A folder of records and crops, each written whole or not at all.

    `records/CONTENDER/PICTURE.json`, and `crops/CONTENDER/PICTURE.png`.

    Args:
        folder: made where it is missing.
        resume: keep the records that are there.
        overwrite: replace them.

    Raises:
        OutputError: The folder cannot be made, or has records and neither was asked for.
    """

    def __init__(self, folder: Path, *, resume: bool = False, overwrite: bool = False) -> None:
        if resume and overwrite:
            raise ParameterError("--resume and --overwrite exclude each other")
        self.folder = folder
        self.resume = resume
        records = folder / "records"
        if not resume and not overwrite and records.is_dir() and any(records.iterdir()):
            raise OutputError(
                f"{shown(folder)} holds the records of another run: go on with it (--resume), "
                "replace it (--overwrite), or choose another folder"
            )
        try:
            records.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{shown(folder)} cannot be made: {error.strerror or error}"
            ) from error

    def find(self, contender: str, picture: str, plan: str, source: str) -> Record | None:
        """The record of an earlier part of this run; None where there is none to go on from.

        Raises:
            OutputError: The record is damaged, or was made with other settings or other files.
        """
        path = self._path("records", contender, picture, ".json")
        if not self.resume or not path.is_file():
            return None
        try:
            record = from_json(path.read_text(encoding="utf-8"))
        except (InputError, UnicodeDecodeError) as error:
            raise OutputError(f"{shown(path)} is damaged ({error}): delete it") from error
        for name, before, now in (
            ("settings or versions", record.plan, plan),
            ("pictures", record.source, source),
        ):
            if before != now:
                raise OutputError(
                    f"{shown(path)} was made with other {name}: choose another folder, or "
                    "--overwrite"
                )
        return record

    def keep(self, record: Record, crops: Mapping[str, bytes]) -> None:
        """Write the crops, by contender, and then the record, which says that all is there."""
        for contender, content in crops.items():
            self._write(self._path("crops", contender, record.picture, ".png"), content)
        path = self._path("records", record.contender, record.picture, ".json")
        self._write(path, to_json(asdict(record)).encode("utf-8"))

    def crop(self, contender: str, picture: str) -> bytes | None:
        """The crop that was kept, as PNG."""
        path = self._path("crops", contender, picture, ".png")
        return path.read_bytes() if path.is_file() else None

    def publish(self, name: str, text: str) -> Path:
        """Write a table or a page beside the records."""
        self._write(self.folder / name, text.encode("utf-8"))
        return self.folder / name

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{shown(path.parent)} cannot be made: {error.strerror or error}"
            ) from error
        write_whole(path, content, overwrite=True)

    def _path(self, kind: str, contender: str, picture: str, ending: str) -> Path:
        return self.folder / kind / _file_name(contender) / (_file_name(picture) + ending)


def _file_name(name: str) -> str:
    """A name that any file system takes; names that had to be changed stay apart by a digest."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100].strip(".")
    return safe if safe == name else f"{safe}-{digest(name)[:8]}"
