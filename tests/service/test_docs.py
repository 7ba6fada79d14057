"""What the documentation tells people to type."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import unblur

TEXT = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path, picture: bytes) -> Path:
    Image.open(io.BytesIO(picture)).save(tmp_path / "shaken.jpg")
    return tmp_path


def test_the_client_in_python(service: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(code.strip().splitlines()) <= 12
    code = code.replace("http://127.0.0.1:7860", service.address)
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=150
    ).stdout
    assert said.startswith("done\n")
    assert unblur.read(folder / "sharp.jpg").size == (96, 128)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_for_curl(service: Any, folder: Path, wait_for: Any) -> None:
    (block,) = re.findall(r"```sh\n(curl .*?)```", TEXT, re.DOTALL)
    lines = block.replace("http://127.0.0.1:7860", service.address).strip().splitlines()
    environment = dict(os.environ)
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line.replace("curl ", "curl -sS --fail-with-body ", 1)],
            check=False, capture_output=True, text=True, timeout=150, cwd=folder, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, line + done.stdout + done.stderr
        if line is lines[0]:
            environment["JOB"] = json.loads(done.stdout)["id"]
            assert wait_for(environment["JOB"])["links"].get("kernel"), "no blur was found"
    for name in ("sharp.jpg", "again.jpg"):
        assert unblur.read(folder / name).size == (96, 128)
