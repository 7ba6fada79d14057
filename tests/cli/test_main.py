"""The program as a whole: help, version, wrong usage, being stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unblur

COMMANDS = ("fix", "kernel", "blur", "methods", "networks", "weights", "demo", "version")


def test_help_names_every_command(command: Callable[..., Any]) -> None:
    answer = command("--help")
    assert answer.code == 0
    assert all(name in answer.out for name in COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, "kernel show", "kernel clean", "kernel convert"])
def test_every_command_has_help(command: Callable[..., Any], name: str) -> None:
    answer = command(*name.split(), "-h")
    assert answer.code == 0
    assert "Usage: unblur " + name.split(maxsplit=1)[0] in answer.out


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(command: Callable[..., Any], arguments: list[str]) -> None:
    assert command(*arguments) == (0, f"unblur {unblur.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fixx"], "fixx"),
        (["fix"], "IN"),
        (["blur", "a.png"], "--output"),
        (["version", "--loud"], "--loud"),
        (["fix", "a.png", "--quality", "abc"], "--quality"),
        (["fix", "a.png", "--seed", "-1"], "--seed"),
        (["kernel", "show"], "KERNEL"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    command: Callable[..., Any], arguments: list[str], message: str
) -> None:
    answer = command(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    first, second = answer.err.splitlines()
    assert first.startswith("unblur: ")
    assert message in first
    assert second.startswith("Try 'unblur")


def test_no_arguments_show_the_help(command: Callable[..., Any]) -> None:
    answer = command()
    assert answer.code == 2
    assert "Usage: unblur" in answer.out + answer.err


@pytest.mark.parametrize("where", [0, 1, 2])
def test_debug_adds_where_it_came_from(command: Callable[..., Any], where: int) -> None:
    arguments = ["kernel", "show", "absent.tif"]
    assert "Traceback" not in command(*arguments).err
    arguments.insert(where, "--debug")
    answer = command(*arguments)
    assert answer.code == 1
    assert answer.err.startswith("unblur: absent.tif: ")
    assert "Traceback (most recent call last)" in answer.err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_being_stopped(tmp_path: Path, photograph: Any, number: signal.Signals, code: int) -> None:
    """Row 58: nothing half-written, and the exit code says what happened."""
    from PIL import Image

    large = Image.fromarray(photograph).resize((1600, 1200))
    large.save(tmp_path / "large.png")
    source = Path(unblur.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, "large.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        began = process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert began == "working\n", errors
    assert process.returncode == code
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == ["large.png"]


# The program itself, that says on standard output when the work has begun and then takes its time.
WAITING = """
import sys, time
from unblur.jobs.warm import Warm
from unblur.cli.main import main

def slow(*arguments, progress, **options):
    progress("kernel", 0.1)
    print("working", flush=True)
    while True:
        time.sleep(0.01)

Warm.restorer = lambda *_: slow
sys.exit(main(["fix", sys.argv[1]]))
"""


def test_a_reader_that_has_seen_enough(program: Callable[..., Any]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "unblur", "version"],
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(unblur.__file__).parents[1])},
    )
    os.close(writing)
    assert b"Traceback" not in done.stderr
