"""What a restoration gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from unblur.blur import Field, Kernel

__all__ = ["Report", "Result"]

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What was done and what was found; `as_dict` is ready for JSON.

    Attributes:
        method: name in the catalogue of what restored the picture: where "l0" was given the blur,
            the solver that it chose.
        parameters: all of its, with the defaults that were used.
        unchanged: why the picture came back as it was, or None.
        kernel: size, confidence and how it came to be, or None.
        measured: numbers of the method: noise, scores, tiles.
        seconds: wall clock.
        peak_memory_bytes: the most that the process has held so far.
        device: where it was computed.
        versions: of what computed it.
        warnings: sentences.
        pages: the same for each page, where there are several.
        lens: names, settings, file and sha256 of the lens profile that was used, or None.
    """

    method: str
    parameters: Mapping[str, Any]
    unchanged: str | None
    kernel: Mapping[str, Any] | None
    measured: Mapping[str, Any]
    seconds: float
    peak_memory_bytes: int
    device: str
    versions: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    pages: tuple[Mapping[str, Any], ...] = ()
    lens: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        record = {**vars(self), "warnings": list(self.warnings), "pages": list(self.pages)}
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in record.items()
        }


@dataclass(frozen=True)
class Result(Generic[T]):
    """What a restoration gives.

    Attributes:
        image: of the type, dtype and size that was given; a Photo for a path.
        kernel: the uniform blur that was undone (of the first page), if there is one; beside a
            field that was found, the one kernel nearest to it.
        field: the varying blur, if there is one.
        report: what was done.
    """

    image: T
    kernel: Kernel | None
    field: Field | None
    report: Report
