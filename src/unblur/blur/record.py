"""How a kernel came to be, kept with its pixels."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from unblur.errors import KernelError

__all__ = ["Record"]


@dataclass(frozen=True)
class Record:
    """Where a kernel comes from; every value can be written as JSON.

    Attributes:
        method: what made the kernel, for example `motion`, `l0` or `file`.
        parameters: every parameter of that method, by name.
        region: the (x, y, width, height) of the picture that it was estimated on, in pixels.
        confidence: how far to trust it, in [0, 1].
        source: SHA-256 of the picture that it was estimated from, as hexadecimal digits.
        note: anything else, in words.

    Example:
        >>> Record("motion", {"length": 9.0}).to_json()
        '{"method": "motion", "parameters": {"length": 9.0}}'
    """

    method: str = "given"
    parameters: Mapping[str, object] = field(default_factory=dict)
    region: tuple[int, int, int, int] | None = None
    confidence: float | None = None
    source: str | None = None
    note: str = ""

    def as_dict(self) -> dict[str, object]:
        """The attributes that say something, ready for JSON."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name in ("method", "parameters") or value not in (None, "")
        }

    def to_json(self) -> str:
        """The record as one line of JSON.

        Raises:
            KernelError: a parameter is of a kind that JSON cannot hold.
        """
        try:
            return json.dumps(self.as_dict(), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise KernelError(f"the kernel's record cannot be written as JSON: {error}") from error

    @staticmethod
    def from_json(text: str) -> "Record | None":
        """The record in `text`, or None where `text` is something else.

        Files from other programs carry other text in the same place, so what does not fit is not an
        error.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("method"), str):
            return None
        parameters: object = found.get("parameters")
        region: object = found.get("region")
        confidence: object = found.get("confidence")
        source: object = found.get("source")
        note: object = found.get("note")
        return Record(
            method=found["method"],
            parameters=parameters if isinstance(parameters, dict) else {},
            region=_four(region),
            confidence=float(confidence) if isinstance(confidence, int | float) else None,
            source=source if isinstance(source, str) else None,
            note=note if isinstance(note, str) else "",
        )


def _four(value: object) -> tuple[int, int, int, int] | None:
    """A list of four whole numbers as a tuple; None for anything else."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(number, int) for number in value):
        return None
    x, y, width, height = value
    return x, y, width, height
