"""`unblur evaluate`: tables, records, going on, and mistakes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

QUICK = "dpanet:backend=torch,precision=float32"

pytestmark = pytest.mark.usefixtures("tiny_weights")


@pytest.fixture
def gopro(tmp_path: Path, photograph: np.ndarray) -> Path:
    """A miniature of the archive: two sequences of one frame."""
    for number, sequence in enumerate(("GOPR0384_11_00", "GOPR0396_11_00")):
        sharp = photograph[:64, number * 64 : number * 64 + 64]
        for kind, shift in (("sharp", 0), ("blur", 1), ("blur_gamma", 2)):
            folder = tmp_path / "GOPRO_Large" / "test" / sequence / kind
            folder.mkdir(parents=True)
            mean = (sharp.astype(int) + np.roll(sharp, shift, 1)) // 2
            Image.fromarray(mean.astype(np.uint8)).save(folder / "000001.png")
    return tmp_path


def expected(root: Path, kind: str) -> float:
    folders = sorted((root / "GOPRO_Large/test").iterdir())
    values = [
        peak_signal_noise_ratio(*(
            np.asarray(Image.open(folder / name / "000001.png")) for name in ("sharp", kind)
        ))
        for folder in folders
    ]  # fmt: skip
    return float(np.mean(values))


def test_the_protocols_are_listed(command: Callable[..., Any]) -> None:
    answer = command("evaluate")
    assert answer.code == 0
    for name in ("gopro", "realblur-j", "levin", "blur-dataset", "folder"):
        assert name in answer.out


@pytest.mark.parametrize("variant", ["blur", "blur_gamma"])
def test_a_table_with_the_input_first(
    command: Callable[..., Any], gopro: Path, variant: str
) -> None:
    answer = command("evaluate", "gopro", "--data", gopro, "--variant", variant, "-m", QUICK)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].startswith("| method | psnr [1] | ssim [2] | ssim-matlab3d [3] |")
    assert lines[2].startswith(f"| input | {expected(gopro, variant):.2f} |")
    assert lines[3].startswith(f"| {QUICK} | ")
    assert f"mean over 2 of 1111 pictures of gopro ({variant})" in answer.out
    assert "all channels, rounded to the depth of the file" in answer.out


def test_records_tables_and_a_page(
    command: Callable[..., Any], gopro: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = command("evaluate", "gopro", "--data", gopro, "-m", QUICK, "-o", out, "--limit", "1")
    assert first.code == 0
    assert "wrote " in first.err
    assert len(list((out / "records").rglob("*.json"))) == 2
    refused = command("evaluate", "gopro", "--data", gopro, "-m", QUICK, "-o", out)
    assert refused.code == 1
    assert "go on with it (--resume)" in refused.err
    before = {path: path.stat().st_mtime_ns for path in (out / "records").rglob("*.json")}
    second = command(
        "evaluate", "gopro", "--data", gopro, "-m", QUICK, "-o", out, "--resume", "--json", "-q"
    )
    assert second.code == 0
    assert not second.err
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert len(list((out / "records").rglob("*.json"))) == 4
    record = json.loads(second.out)
    assert record == json.loads((out / "run.json").read_text(encoding="utf-8"))
    own, network = record["scores"]
    assert own["values"]["psnr"] == pytest.approx(expected(gopro, "blur"), abs=1e-4)
    assert (network["pictures"], network["of"], network["protocol"]) == (2, 1111, "gopro")
    assert network["variant"] == "blur"
    assert len(network["weights_sha256"]) == 64
    assert network["parameters"]["precision"] == "float32"
    assert network["versions"]["unblur"]
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "## Pictures, the worst first: psnr" in report
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2 * 3


def test_table_1(command: Callable[..., Any], gopro: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unblur import evaluate

    framed = evaluate.frame
    monkeypatch.setattr(evaluate, "frame", lambda photo: framed(photo, (64, 96)))
    answer = command("evaluate", "gopro", "--data", gopro, "-m", QUICK, "--table")
    assert answer.code == 0
    assert "| DPA-Net |  | 32.05 |  | 26 |" in answer.out
    assert f"| unblur {QUICK} | " in answer.out
    assert "96 x 64 pixels, median of synchronised runs" in answer.out
    assert " threads | time, ms, Titan X, printed |" in answer.out


def test_a_failure_is_told_and_the_rest_is_scored(command: Callable[..., Any], gopro: Path) -> None:
    broken = gopro / "GOPRO_Large/test/GOPR0396_11_00/blur/000001.png"
    broken.write_bytes(b"")
    answer = command("evaluate", "gopro", "--data", gopro, "-m", "input")
    assert answer.code == 1
    assert "unblur: gopro: GOPR0396_11_00/000001: " in answer.err
    assert "mean over 1 of 1111 pictures" in answer.out
    assert "Traceback" not in answer.err


def test_where_nothing_can_be_scored_there_is_no_table(
    command: Callable[..., Any], gopro: Path
) -> None:
    for broken in gopro.rglob("blur/*.png"):
        broken.write_bytes(b"")
    answer = command("evaluate", "gopro", "--data", gopro, "-m", "input")
    assert answer.code == 1
    assert answer.out == ""


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["gopr"], 2, "did you mean gopro"),
        (["gopro"], 2, "--data DIR is missing"),
        (["gopro", "--data", "nowhere", "-m", "input"], 1, "nowhere is no folder"),
        (["gopro", "--data", "."], 2, "method is missing"),
        (["gopro", "--data", ".", "-m", "wiener"], 1, "no folder test or GOPRO_Large/test"),
        (["gopro", "--data", ".", "-m", "input", "--variant", "x"], 2, "there are blur, blur_gamm"),
        (["gopro", "--data", ".", "-m", "input", "--align"], 2, "takes neither --align"),
        (["blur-dataset", "--data", ".", "-m", "input"], 2, "are not aligned to the pixel"),
        (["hide", "--data", ".", "-m", "input", "--table"], 2, "--table is of protocol gopro"),
        (["gopro", "--data", ".", "-m", "input", "--resume"], 2, "name it with --output"),
        (["gopro", "--data", ".", "-m", "input", "--set", "x=1"], 2, "has a parameter 'x'"),
        (["gopro", "--data", ".", "-m", "input", "--set", "x"], 2, "must be NAME=VALUE"),
    ],
)
def test_mistakes(
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command("evaluate", *words)
    assert answer.code == code
    assert message in answer.err
    assert len(answer.err.splitlines()) == 1


def test_killed_and_gone_on_with(tmp_path: Path, photograph: np.ndarray) -> None:
    """Whatever a kill leaves behind is whole, and a second run ends as an undisturbed one."""
    root, out = tmp_path / "set", tmp_path / "out"
    for kind in ("input", "target"):
        (root / kind).mkdir(parents=True)
        for number in range(40):
            Image.fromarray(photograph[: 40 + number, :60]).save(root / kind / f"{number}.png")
    words = [sys.executable, "-m", "unblur", "evaluate", "folder", "--data", root, "-m", "input"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen([*words, "-o", out, "-q"], env=environment)
    records = out / "records" / "input"
    while running.poll() is None and len(list(records.glob("*.json"))) < 3:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    left = {path: path.read_bytes() for path in records.glob("*.json")}
    assert len(left) >= 3
    assert all(json.loads(content)["values"] for content in left.values())
    subprocess.run([*words, "-o", out, "-q", "--resume"], env=environment, check=True)
    assert all(path.read_bytes() == content for path, content in left.items())
    assert len(list(records.glob("*.json"))) == 40
    assert len(json.loads((out / "run.json").read_text(encoding="utf-8"))["scores"]) == 1
