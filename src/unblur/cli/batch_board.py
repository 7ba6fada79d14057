"""What is seen while a batch works: a line a picture, and a bar below them for a person."""

import json
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from unblur.cli.terminal import clean, left_alone, say, tell

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from unblur.jobs.batch.run import News

__all__ = ["Board", "fault"]


def fault(source: str, error: Mapping[str, str]) -> str:
    """Give what was wrong with a picture, on one line."""
    return clean(error.get("message", "")).removeprefix(f"{clean(source)} ")


class Board:
    """Shows what becomes of each picture, and how many are left."""

    def __init__(self, total: int, *, quiet: bool, as_json: bool) -> None:
        self.total, self.quiet, self.as_json = total, quiet, as_json
        self.seen = self.failed = 0
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        if sys.stderr.isatty() and not quiet:
            self.bar, self.task = _bar(total)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __call__(self, news: "News") -> None:
        """Show what became of a picture."""
        self.seen += 1
        self.failed += news.state == "failed"
        if self.bar is not None and self.task is not None:
            self.bar.update(
                self.task, completed=self.seen, total=max(self.total, self.seen),
                failed=f"{self.failed} failed" if self.failed else "",
            )  # fmt: skip
        if self.as_json:
            say(json.dumps(news.record, allow_nan=False))
        elif news.state == "failed":
            tell(f"unblur: {clean(news.source)}: {fault(news.source, news.record['error'])}")
        elif news.state == "done" and not self.quiet:
            for warning in news.record.get("warnings", ()):
                tell(f"unblur: {clean(news.source)}: warning: {clean(warning)}")
            say(f"{clean(news.source)} -> {clean(news.target)} ({_done(news.record)})")

    def stop(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()


def _done(record: dict[str, Any]) -> str:
    return clean(left_alone(record) or f"{record['method']}, {record['seconds']:.1f} s")


def _bar(total: int) -> "tuple[Progress, TaskID]":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[failed]}"),
        console=Console(stderr=True),
        transient=True,
        # Lines for a person go above the bar; those for a program stay where they belong.
        redirect_stdout=sys.stdout.isatty(),
        speed_estimate_period=300.0,
    )
    bar.start()
    return bar, bar.add_task("", total=total, failed="")
