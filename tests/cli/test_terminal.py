import io
import os
import subprocess
import sys
from typing import Any

import pytest
import typer

from unblur.cli.terminal import Bar, Failures, clean
from unblur.errors import CorruptImage, ParameterError


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.jpg", "plain.jpg"),
        ("é 漢 😀.jpg", "é 漢 😀.jpg"),
        ("two\nlines\x1b[31m", r"two\nlines\x1b[31m"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
    ],
)
def test_a_name_is_one_line(name: str, shown: str) -> None:
    assert clean(name) == shown


def test_failures_are_told_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    failures = Failures()
    for error in (
        CorruptImage("a.png is damaged"),
        MemoryError(),
        PermissionError(13, "Permission denied"),
        RuntimeError("odd\nthing"),
    ):
        with failures.about("a.png"):
            raise error
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "unblur: a.png: is damaged",
        "unblur: a.png: out of memory: a lower --max-memory or --tile 512 needs less",
        "unblur: a.png: Permission denied",
        r"unblur: a.png: unexpected RuntimeError: odd\nthing (--debug shows where)",
    ]
    with pytest.raises(typer.Exit) as caught:
        failures.finish()
    assert caught.value.exit_code == 1


def test_wrong_usage_outweighs_failed_inputs() -> None:
    failures = Failures()
    for error in (ParameterError("no"), CorruptImage("no")):
        with failures.about("a.png"):
            raise error
    assert failures.code == 2


def test_stopping_is_not_a_failure() -> None:
    failures = Failures()
    with pytest.raises(KeyboardInterrupt), failures.about("a.png"):
        raise KeyboardInterrupt
    assert failures.code == 0
    failures.finish()


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "patience", "shown"),
    [
        (Terminal(), False, 0.0, True),
        (Terminal(), True, 0.0, False),
        (Terminal(), False, 3600.0, False),
        (io.StringIO(), False, 0.0, False),
    ],
)
def test_a_bar_is_for_a_person_who_waits(
    monkeypatch: pytest.MonkeyPatch, stream: Any, quiet: bool, patience: float, shown: bool
) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    with Bar("[red]photo.png", quiet=quiet, patience=patience) as bar:
        bar("kernel", 0.5)
        assert (bar.bar is not None) is shown
        bar.stop()
        bar("restore", 0.9)
    assert ("[red]photo.png" in stream.getvalue()) is shown


def test_time_left_is_told_where_steps_take_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: clock[0])
    monkeypatch.setattr("sys.stderr", Terminal())
    with Bar("large.tif", quiet=False, patience=0.0) as bar:
        for step in range(5):
            clock[0] = 900.0 * step
            bar("network", 0.1 * step)
        assert bar.bar is not None
        assert bar.bar.tasks[0].time_remaining == pytest.approx(5400, abs=900)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "unblur", "methods", "wiener"]
    done = subprocess.run(
        words, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 1
