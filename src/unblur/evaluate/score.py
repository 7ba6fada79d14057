"""The score of a contender on a data set: a record of what was measured, how, and with what."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from unblur.errors import InputError
from unblur.evaluate.contender import Contender
from unblur.evaluate.records import Record
from unblur.evaluate.run import Run

__all__ = ["Score", "scores"]


@dataclass(frozen=True)
class Score:
    """Means over pictures. Scores whose `column` of a metric differs are not to be compared.

    Attributes:
        protocol: its name.
        variant: of the protocol.
        contender: label.
        method: name in the catalogue, or "input".
        parameters: all of them, with the defaults that were used.
        weights_sha256: of the network, or None.
        versions: of what computed it.
        device: where.
        pictures: how many were scored.
        of: how many the published set has, or None.
        definitions: of the metrics.
        values: means by metric.
        seconds: the median of a restoration, wall clock; None where nothing was restored.
    """

    protocol: str
    variant: str
    contender: str
    method: str
    parameters: Mapping[str, Any]
    weights_sha256: str | None
    versions: Mapping[str, str]
    device: str
    pictures: int
    of: int | None
    definitions: Mapping[str, str]
    values: Mapping[str, float]
    seconds: float | None

    @property
    def complete(self) -> bool:
        """Whether these are the pictures of the published set, all of them."""
        return self.pictures == self.of

    def column(self, metric: str) -> tuple[str, str]:
        """The metric, and everything that makes its values comparable, in words."""
        variant = f" ({self.variant})" if self.variant else ""
        share = f"{self.pictures}"
        if self.of is not None:
            share = f"all {self.of}" if self.complete else f"{self.pictures} of {self.of}"
        where = f"mean over {share} pictures of {self.protocol}{variant}"
        return metric, f"{self.definitions[metric]}; {where}"


def scores(done: Run) -> tuple[Score, ...]:
    """The score of each contender of a run; none where no picture could be scored.

    Raises:
        InputError: Records of one contender were made with different weights or versions.
    """
    return tuple(
        _score(done, contender, done.records[contender.label])
        for contender in done.contenders
        if done.records[contender.label]
    )


def _score(done: Run, contender: Contender, records: tuple[Record, ...]) -> Score:
    first = records[0].report
    for record in records:
        for name in ("versions", "device"):
            if record.report.get(name) != first.get(name):
                raise _mixed(contender.label, name)
        if _weights(record) != _weights(records[0]):
            raise _mixed(contender.label, "weights")
    parameters = {
        # What was chosen for each picture has no one value.
        name: value
        for name, value in first.get("parameters", {}).items()
        if all(record.report["parameters"].get(name) == value for record in records)
    }
    values = {}
    for metric in done.definitions:
        known = [record.values[metric] for record in records if metric in record.values]
        # A metric that has a meaning for some pictures only has no mean over all of them.
        if len(known) == len(records):
            values[metric] = fmean(known)
    return Score(
        protocol=done.protocol.name,
        variant=done.variant,
        contender=contender.label,
        method=contender.method,
        parameters=parameters,
        weights_sha256=_weights(records[0]),
        versions=first.get("versions", {}),
        device=str(first.get("device", "")),
        pictures=len(records),
        of=done.count,
        definitions=done.definitions,
        values=values,
        seconds=median(record.seconds for record in records) if first else None,
    )


def _weights(record: Record) -> str | None:
    found = record.report.get("measured", {}).get("weights_sha256")
    return None if found is None else str(found)


def _mixed(label: str, what: str) -> InputError:
    return InputError(
        f"the records of {label} were made with different {what}, and have no common mean: "
        "start again (--overwrite)"
    )
