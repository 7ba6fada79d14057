"""What the command line says: one line a result, one line a failure, a bar while it works."""

import json
import math
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from unblur.errors import ParameterError, UnblurError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["DEBUG", "Bar", "Failures", "clean", "left_alone", "say", "tell", "warn"]

DEBUG: ContextVar[bool] = ContextVar("DEBUG", default=False)


def clean(text: object) -> str:
    r"""Give a text that is one line and can be printed, whatever a file's name holds.

    Example:
        >>> print(clean("a\nb"))
        a\nb
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def left_alone(record: Mapping[str, Any]) -> str | None:
    """Say why a picture came back as it was, and whether the file is a copy; None if it did not.

    Example:
        >>> left_alone({"unchanged": "flat", "copied": True})
        'copied unchanged: flat'
    """
    if not record.get("unchanged"):
        return None
    return f"{'copied ' if record.get('copied') else ''}unchanged: {record['unchanged']}"


def say(text: str) -> None:
    """Print a result on standard output."""
    print(text, flush=True)


def tell(text: str) -> None:
    """Print a remark on standard error."""
    print(text, file=sys.stderr, flush=True)


def warn(name: str, warnings: Iterable[str]) -> None:
    """Print each warning about `name` on standard error."""
    for warning in warnings:
        tell(f"unblur: {clean(name)}: warning: {clean(warning)}")


class Failures:
    """What went wrong so far: prints each failure on one line and knows the exit code."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.code = 0
        self.as_json = as_json

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Report an error of the work on `name`, and go on after it."""
        try:
            yield
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: nobody shall see a traceback unasked
            self.code = max(self.code, 2 if isinstance(error, ParameterError) else 1)
            about = clean(name)
            message = clean(_message(error)).removeprefix(f"{about} ").removeprefix(f"{about}: ")
            tell(f"unblur: {about}: {message}")
            if DEBUG.get():
                traceback.print_exception(error)
            if self.as_json:
                fault = {"type": type(error).__name__, "message": message}
                with suppress(OSError):  # where standard output is what failed
                    say(json.dumps({"source": name, "ok": False, "error": fault}))

    def finish(self) -> None:
        """Leave with the exit code, if there were failures."""
        if self.code:
            raise typer.Exit(self.code)


def _message(error: Exception) -> str:
    if isinstance(error, UnblurError):
        return str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return "out of memory: a lower --max-memory or --tile 512 needs less"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


class Bar:
    """A bar on standard error, from the first second on, if a person is there to see it."""

    def __init__(self, name: str, *, quiet: bool = False, patience: float = 1.0) -> None:
        self.name = clean(name)
        self.shown = sys.stderr.isatty() and not quiet
        self.patience = patience
        self.start = time.monotonic()
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away, so that lines can be printed."""
        if self.bar is not None:
            self.bar.stop()
        self.shown = False

    def __call__(self, stage: str, fraction: float) -> None:
        """Draw that `fraction` of the work is done; `stage` says what is being done."""
        if not self.shown or time.monotonic() - self.start < self.patience:
            return
        if self.bar is None or self.task is None:
            self.bar, self.task = _start(self.name)
        self.bar.update(self.task, completed=fraction, stage=stage)


def _start(name: str) -> "tuple[Progress, TaskID]":
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(escape(name)),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[stage]}"),
        console=Console(stderr=True),
        transient=True,
        # From all that was done so far: between two steps of a large network minutes may pass.
        speed_estimate_period=math.inf,
    )
    bar.start()
    return bar, bar.add_task(name, total=1.0, stage="")
