"""Scores as Markdown: one column a definition, so that nothing unlike stands in one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from unblur.evaluate.published import TABLE_1, Published
from unblur.evaluate.run import Run
from unblur.evaluate.score import Score
from unblur.evaluate.timing import Timing

__all__ = ["Summary", "markdown", "number", "report", "summary", "table_1", "worst_first"]

_SHARES = ("success",)
_TWO_DECIMALS = ("psnr", "error-ratio")


def number(metric: str, value: float | None) -> str:
    """A value as it is printed: PSNR with two decimals, shares in per cent, others with four.

    Example:
        >>> number("psnr", 30), number("success", 0.875), number("ssim", None)
        ('30.00', '88 %', '–')
    """
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if metric in _SHARES:
        return f"{value:.0%}".replace("%", " %")
    return f"{value:.2f}" if metric in _TWO_DECIMALS else f"{value:.4f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table; `|` in cells is escaped.

    Example:
        >>> print(markdown(["a", "b"], [["1", "x|y"]]))
        | a | b |
        |---|---|
        | 1 | x\|y |
    """
    lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    text = ["| " + " | ".join(line) + " |" for line in cells]
    text[1] = "|" + "---|" * len(head)
    return "\n".join(text)


class Summary(NamedTuple):
    """A table and what its columns mean."""

    head: list[str]
    rows: list[list[str]]
    legend: list[str]

    def __str__(self) -> str:
        legend = "\n".join(f"- {line}" for line in self.legend)
        return f"{markdown(self.head, self.rows)}\n\n{legend}"


def summary(scores: Sequence[Score], others: Sequence[Published] = ()) -> Summary:
    """Scores in rows; each definition of a metric has a column, and each column its legend.

    Published figures stand in a column only where it is over all pictures of their set.
    """
    columns = list(
        dict.fromkeys(score.column(metric) for score in scores for metric in score.values)
    )
    rows = [_row(score, columns) for score in scores]
    comparable = _comparable(others, scores)
    rows += [_published_row(entry, scores, columns) for entry in comparable]
    head = ["method", *(f"{name} [{n}]" for n, (name, _) in enumerate(columns, 1)), "seconds"]
    legend = [f"[{n}] {name}: {text}" for n, (name, text) in enumerate(columns, 1)]
    if others and not comparable:
        legend.append("Published figures are over all pictures, and not shown beside a part.")
    return Summary(head, rows, legend)


def _row(score: Score, columns: Sequence[tuple[str, str]]) -> list[str]:
    own = {score.column(metric): (metric, value) for metric, value in score.values.items()}
    cells = [number(*own[column]) if column in own else "" for column in columns]
    seconds = "" if score.seconds is None else f"{score.seconds:.2f}"
    return [score.contender, *cells, seconds]


def _comparable(others: Sequence[Published], scores: Sequence[Score]) -> list[Published]:
    complete = {(score.protocol, score.variant) for score in scores if score.complete}
    return [entry for entry in others if (entry.protocol, entry.variant) in complete]


def _published_row(
    entry: Published, scores: Sequence[Score], columns: Sequence[tuple[str, str]]
) -> list[str]:
    cells = {}
    for score in scores:
        if (score.protocol, score.variant) != (entry.protocol, entry.variant):
            continue
        for metric, value in entry.values.items():
            if score.complete and score.definitions.get(metric) == entry.definitions[metric]:
                cells[score.column(metric)] = number(metric, value)
    shown = [cells.get(column, "") for column in columns]
    return [f"{entry.method}, published ({entry.source})", *shown, ""]


def worst_first(done: Run) -> list[str]:
    """The pictures that were scored, by the worst that a method made of each."""
    leading = next(iter(done.protocol.comparison.metrics))
    labels = [each.label for each in done.contenders[1:]] or [
        each.label for each in done.contenders
    ]
    worst: dict[str, float] = {}
    for label in labels:
        for record in done.records[label]:
            value = record.values.get(leading, math.inf)
            worst[record.picture] = min(worst.get(record.picture, math.inf), value)
    return sorted(worst, key=lambda name: worst[name])


def report(done: Run, scores: Sequence[Score], others: Sequence[Published] = ()) -> str:
    """The whole report: the summary, what failed, and every picture, the worst first."""
    leading = next(iter(done.protocol.comparison.metrics))
    cells: dict[str, Mapping[str, float]] = {
        f"{label}/{record.picture}": record.values
        for label, records in done.records.items()
        for record in records
    }
    labels = [contender.label for contender in done.contenders]
    rows = [
        [
            name,
            *(number(leading, cells.get(f"{label}/{name}", {}).get(leading)) for label in labels),
        ]
        for name in worst_first(done)
    ]
    variant = f" ({done.variant})" if done.variant else ""
    parts = [f"# {done.protocol.name}{variant}", str(summary(scores, others))]
    if done.failures:
        failed = "\n".join(f"- {name}: {message}" for name, message in done.failures.items())
        parts.append(f"## Failed, and left out\n\n{failed}")
    parts.append(
        f"## Pictures, the worst first: {leading}\n\n{markdown(['picture', *labels], rows)}"
    )
    return "\n\n".join(parts) + "\n"


def table_1(scores: Sequence[Score], timings: Sequence[Timing]) -> Summary:
    """Table 1 of the paper on the distortion prior, with our rows; PSNR and milliseconds.

    The paper does not say which input of GoPro it scored, and timed on another device: its figures
    have columns of their own.
    """
    timed = {timing.contender: timing for timing in timings}
    devices = list(dict.fromkeys(timing.device for timing in timings))
    columns = list(dict.fromkeys(score.column("psnr") for score in scores))
    head = ["method", *(f"PSNR, dB [{n}]" for n, _ in enumerate(columns, 1)), "PSNR, dB, printed"]
    head += [f"time, ms, {device}" for device in devices] + ["time, ms, Titan X, printed"]
    blank = [""] * len(columns)
    rows = [
        [row.method, *blank, f"{row.psnr:.2f}", *([""] * len(devices)), f"{row.milliseconds:,.0f}"]
        for row in TABLE_1
    ]
    for score in scores:
        quality = [
            number("psnr", score.values["psnr"]) if score.column("psnr") == column else ""
            for column in columns
        ]
        timing = timed.get(score.contender)
        spent = [
            f"{timing.milliseconds:,.0f}" if timing is not None and timing.device == device else ""
            for device in devices
        ]
        rows.append([f"unblur {score.contender}", *quality, "", *spent, ""])
    legend = [f"[{n}] {text}" for n, (_, text) in enumerate(columns, 1)]
    runs = ", ".join(f"{each.contender} {each.runs}" for each in timings)
    legend.append(
        "printed: table 1 of the paper, which does not say which input of GoPro was scored"
    )
    if timings:
        height, width = timings[0].size
        legend.append(f"time: {width} x {height} pixels, median of synchronised runs ({runs})")
    return Summary(head, rows, legend)
