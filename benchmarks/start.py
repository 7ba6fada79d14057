"""What it takes to start: the import, and the help of the command line."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.table import table

__all__ = ["run"]

ROUNDS = 5
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import unblur": ["-c", "import unblur"],
    "unblur --help": ["-m", "unblur", "--help"],
    "unblur methods": ["-m", "unblur", "methods"],
}
WANTED = {"unblur --help": 0.4}


def run() -> str:
    """The table."""
    rows = [
        (name, statistics.median(_seconds(words) for _ in range(ROUNDS)), WANTED.get(name))
        for name, words in COMMANDS.items()
    ]
    return table(("command", "seconds", "wanted"), rows)


def _seconds(words: list[str]) -> float:
    source = str(Path(__file__).parents[1] / "src")
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - this Python, with words of this file
        [sys.executable, *words],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    return time.perf_counter() - started
