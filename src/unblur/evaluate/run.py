"""Every picture of a data set through every contender."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from unblur import __version__
from unblur.datasets import Dataset, Pair
from unblur.errors import Cancelled, InputError, OutputError, ParameterError, UnblurError
from unblur.evaluate import crops
from unblur.evaluate.comparisons import WHOLE, Case
from unblur.evaluate.contender import INPUT, Contender
from unblur.evaluate.iqa import Judge
from unblur.evaluate.protocols import Protocol
from unblur.evaluate.records import Record, Store, digest, fingerprint
from unblur.evaluate.subject import Subject
from unblur.progress import Progress, part, report

__all__ = ["Run", "run"]


@dataclass(frozen=True)
class Run:
    """What was done.

    Attributes:
        protocol: as it was settled.
        variant: as scores name it.
        count: pictures of the published set, or None.
        definitions: of each metric.
        contenders: the input first.
        records: by contender's label, in the order of the data set.
        failures: messages by picture.
    """

    protocol: Protocol
    variant: str
    count: int | None
    definitions: Mapping[str, str]
    contenders: tuple[Contender, ...]
    records: Mapping[str, tuple[Record, ...]]
    failures: Mapping[str, str]


def run(
    protocol: Protocol,
    variant: str,
    dataset: Dataset,
    contenders: Sequence[Contender],
    *,
    judges: Sequence[Judge] = (),
    limit: int | None = None,
    store: Store | None = None,
    failed: Callable[[str, UnblurError], None] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Restore and score pictures, one after another, by every contender.

    A picture that fails is left out for all contenders, told to `failed`, and the work goes on. It
    may be stopped at any time: what `store` has is not computed again.

    Args:
        protocol: with `variant`, from `settle`.
        variant: as scores name it.
        dataset: from the protocol's reader.
        contenders: from `contenders`.
        judges: further metrics.
        limit: only so many pictures, from the first.
        store: keeps records and crops.
        failed: is told the picture and what went wrong.
        progress: may raise `Cancelled`.

    Raises:
        InputError: Pictures have no truth or no counterpart.
        OutputError: A record cannot be written, or the store has those of another run.
        ParameterError: A method needs a kernel, and the set has none.
        Cancelled: Raised by `progress`.
    """
    _check(protocol, contenders, judges, limit)
    pairs = list(islice(dataset, limit))
    _check_truths(dataset, pairs)
    comparison = protocol.comparison
    definitions = {name: comparison.definition(name) for name in comparison.metrics}
    definitions |= {judge.name: judge.definition for judge in judges}
    work = _Work(protocol, variant, definitions, tuple(contenders), tuple(judges), store)
    records: dict[str, list[Record]] = {contender.label: [] for contender in contenders}
    failures: dict[str, str] = {}
    for index, pair in enumerate(pairs):
        span = part(progress, index / len(pairs), (index + 1) / len(pairs))
        try:
            made = work.picture(pair, span)
        except (Cancelled, OutputError):
            raise
        except UnblurError as error:
            failures[pair.name] = str(error)
            if failed is not None:
                failed(pair.name, error)
            continue
        for record in made:
            records[record.contender].append(record)
    report(progress, "done", 1.0)
    kept = {label: tuple(entries) for label, entries in records.items()}
    return Run(protocol, variant, dataset.count, definitions, tuple(contenders), kept, failures)


def _check(
    protocol: Protocol,
    contenders: Sequence[Contender],
    judges: Sequence[Judge],
    limit: int | None,
) -> None:
    if limit is not None and limit < 1:
        raise ParameterError(f"limit must be at least 1, not {limit}")
    for contender in contenders:
        if contender.needs_kernel and not protocol.kernels:
            raise ParameterError(
                f"method {contender.method} needs the blur, and protocol {protocol.name} has no "
                "true kernels: choose a method that finds it, such as l0, or protocol levin"
            )
    for judge in judges:
        if judge.name in protocol.comparison.metrics:
            raise ParameterError(f"metric {judge.name} is a part of protocol {protocol.name}")
        if judge.reference and protocol.comparison is not WHOLE:
            raise ParameterError(
                f"metric {judge.name} compares with the truth pixel by pixel, and pictures of "
                f"{protocol.name} must be aligned first: choose one without reference"
            )


def _check_truths(dataset: Dataset, pairs: Sequence[Pair]) -> None:
    bare = [pair.name for pair in pairs if pair.sharp is None and not pair.frames]
    if bare:
        raise InputError(
            f"{dataset.name}: {len(bare)} of {len(pairs)} pictures have no truth, {bare[0]} being "
            f"the first: there should be {dataset.truth} in {dataset.root}"
        )


@dataclass(frozen=True)
class _Work:
    protocol: Protocol
    variant: str
    definitions: Mapping[str, str]
    contenders: tuple[Contender, ...]
    judges: tuple[Judge, ...]
    store: Store | None

    def picture(self, pair: Pair, progress: Progress | None) -> list[Record]:
        """The records of one picture, those that are kept and those that are missing."""
        source = fingerprint(pair)
        plans = {contender.label: self._plan(contender) for contender in self.contenders}
        found = {
            label: None if self.store is None else self.store.find(label, pair.name, plan, source)
            for label, plan in plans.items()
        }
        missing = [each for each in self.contenders if found[each.label] is None]
        if missing:
            subject = Subject.read(self.protocol, pair)
        for index, contender in enumerate(missing):
            span = part(progress, index / len(missing), (index + 1) / len(missing))
            report(span, f"{contender.label}: {pair.name}", 0.0)
            found[contender.label] = self._judge(
                subject, contender, plans[contender.label], source, span
            )
        return [record for record in found.values() if record is not None]

    def _plan(self, contender: Contender) -> str:
        return digest(
            {
                "protocol": self.protocol.name,
                "variant": self.variant,
                "definitions": dict(self.definitions),
                "method": contender.method,
                "given": dict(contender.given),
                "versions": {"unblur": __version__, "torch": torch.__version__},
            }
        )

    def _judge(
        self,
        subject: Subject,
        contender: Contender,
        plan: str,
        source: str,
        progress: Progress | None,
    ) -> Record:
        pair = subject.pair
        kernel = pair.kernel()
        size = None
        if kernel is not None and self.variant == "size-given":
            size = max(kernel.size)
        outcome = contender.restore(
            subject.blurred, kernel=kernel, kernel_size=size, progress=progress
        )
        restored = outcome.photo.encoded()
        case = Case(
            pair,
            subject.blurred,
            subject.truth,
            restored,
            kernel=outcome.kernel,
            blind=contender.blind,
            unchanged=outcome.unchanged is not None,
            device=contender.device,
        )
        values = self.protocol.comparison.measure(case)
        for judge in self.judges:
            values[judge.name] = judge.measure(restored, subject.truth)
        record = Record(
            plan=plan,
            source=source,
            protocol=self.protocol.name,
            variant=self.variant,
            picture=pair.name,
            group=pair.group,
            contender=contender.label,
            method=contender.method,
            values=values,
            seconds=outcome.seconds,
            unchanged=outcome.unchanged,
            report=outcome.report,
        )
        if self.store is not None:
            self.store.keep(record, self._crops(subject, contender, restored))
        return record

    def _crops(self, subject: Subject, contender: Contender, restored: Tensor) -> dict[str, bytes]:
        made = {contender.label: crops.png(restored, subject.place)}
        if contender.method == INPUT:
            made[crops.TRUTH] = crops.png(subject.shown, subject.place)
        return made
