"""`unblur batch` as a user meets it."""

import json
import os
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

from unblur.jobs.job import Job, Options
from unblur.jobs.run import run

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def inputs(tmp_path: Path, photograph: np.ndarray) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    picture = Image.fromarray(photograph)
    picture.crop((0, 0, 70, 50)).save(folder / "a.png")
    picture.crop((5, 5, 70, 50)).save(folder / "sub" / "a.png")
    (folder / "bad.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("nobody asks for this")
    return folder


@pytest.fixture
def words(kernel_file: Path) -> list[object]:
    return ["-m", "wiener", "--noise-std", "0.01", "--kernel", kernel_file, "--device", "cpu"]


def test_a_folder_goes_through_and_is_not_done_twice(
    program: Program, inputs: Path, words: list[object], kernel_file: Path
) -> None:
    results = inputs.parent / "out"
    first = program("batch", inputs, results, *words, "--jobs", 1)
    assert first.returncode == 1
    told = first.stdout.decode().splitlines()
    assert [line.partition(" (")[0] for line in sorted(told)] == [
        f"{inputs}/a.png -> {results}/a.png",
        f"{inputs}/sub/a.png -> {results}/sub/a.png",
    ]
    end = first.stderr.decode().splitlines()[-3:]
    assert end[0] == "unblur: these failed:"
    assert end[1].startswith(f"  {inputs}/bad.jpg: is no picture in a known format")
    assert end[2] == "unblur: 2 done, 1 failed"
    for name in ("a.png", "sub/a.png"):
        job = Job(
            str(inputs / name), str(inputs.parent / "alone.png"), "wiener", {"noise_std": "0.01"},
            Options(kernel=str(kernel_file), overwrite=True, device="cpu"),
        )  # fmt: skip
        run(job)
        assert (results / name).read_bytes() == (inputs.parent / "alone.png").read_bytes()

    (inputs / "bad.jpg").unlink()
    again = program("batch", inputs, results, *words, "--resume", "--json", "--jobs", 1)
    assert again.returncode == 0, again.stderr
    records = [json.loads(line) for line in again.stdout.splitlines()]
    assert {record["source"]: record["state"] for record in records} == {
        f"{inputs}/a.png": "kept",
        f"{inputs}/sub/a.png": "kept",
    }
    assert sorted(path.name for path in results.rglob("*")) == [
        ".unblur", "a.png", "a.png", "ledger.sqlite", "sub",
    ]  # fmt: skip


def test_a_killed_worker_is_replaced(
    program: Program, inputs: Path, words: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every worker dies at its second picture: all get done, and none is given up."""
    monkeypatch.setenv("UNBLUR_FAILPOINT", "before-rename:2")
    for name in "bcd":
        (inputs / f"{name}.png").write_bytes((inputs / "a.png").read_bytes())
    (inputs / "bad.jpg").unlink()
    results = inputs.parent / "out"
    words += ["--jobs", 1]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "unblur", "batch", *map(str, [inputs, results, *words])],
        check=False, capture_output=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {path.relative_to(results).as_posix() for path in results.rglob("*.png")}
    assert found == {"a.png", "b.png", "c.png", "d.png", "sub/a.png"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_stops_at_once_and_leaves_nothing_half_done(
    inputs: Path, words: list[object], number: int, code: int
) -> None:
    results = inputs.parent / "out"
    for place in range(200):
        (inputs / f"{place}.png").write_bytes((inputs / "a.png").read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    words = ["batch", inputs, results, *words, "--jobs", 1]
    with subprocess.Popen(
        [sys.executable, "-m", "unblur", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # something is done
        os.killpg(process.pid, number)  # as a terminal does: to the workers too
        _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert b"Traceback" not in err
    names = [path.name for path in results.rglob("*")]
    assert not [name for name in names if name.endswith(".part")]
    assert 2 <= len(names) < 200
    assert _ends(process.pid)


def _ends(group: int) -> bool:
    """Whether all processes of a group are soon gone."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_a_rehearsal_says_what_would_be_done(
    command: Callable[..., Any], inputs: Path, words: list[object]
) -> None:
    results = inputs.parent / "out"
    words += ["--dry-run", "--exclude", "bad*", "--format", "tiff"]
    answer = command("batch", inputs, results, *words)
    assert answer.code == 0
    assert sorted(answer.out.splitlines()) == [
        f"{inputs}/a.png -> {results}/a.tiff",
        f"{inputs}/sub/a.png -> {results}/sub/a.tiff",
    ]
    assert answer.err == "unblur: 2 pictures would be restored, 0 done before\n"
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{in}", "{in}"], 2, "the results would replace the inputs"),
        (["{in}/absent", "out"], 1, "is no folder"),
        (["{in}", "out", "--include", "*.webp"], 2, "holds no pictures"),
        (["{in}", "out", "--suffix", "/x"], 2, "--suffix must be"),
        (["{in}", "out", "--noise-std", "-1"], 2, "noise_std"),
        (["{in}", "out", "--jobs", "0"], 2, "--jobs"),
        (["{in}", "out", "--max-memory", "1MB"], 1, "leaves 1 MB for each of 1 workers"),
        (["{in}", "out", "--watch", "--cluster", "auto"], 2, "--watch is for one machine"),
    ],
)
def test_wrong_usage_is_found_before_any_work(
    command: Callable[..., Any], inputs: Path, words: list[object], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(inputs.parent)
    places = [word.replace("{in}", str(inputs)) for word in arguments]
    answer = command("batch", *places, *words, *(["--jobs", 1] if "--jobs" not in places else []))
    assert answer.code == code
    assert message in answer.err
    assert not list(inputs.parent.glob("out/*.png"))


def test_results_with_one_name_are_refused(
    command: Callable[..., Any], inputs: Path, words: list[object]
) -> None:
    """Row 53."""
    (inputs / "A.PNG").write_bytes(b"")
    answer = command("batch", inputs, inputs.parent / "out", *words)
    assert answer.code == 2
    assert "results would have one name" in answer.err
    assert "a.png" in answer.err
    assert "A.PNG" in answer.err


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (["--include", "*.webp"], "holds no pictures"),
        (["--format", "png", "--exclude", "sub/*"], "results would have one name"),
        (["--kernel", "absent.tif"], "absent.tif cannot be read"),
        (["--max-memory", "1MB"], "leaves 1 MB for each"),
    ],
)
def test_a_run_that_was_refused_is_no_earlier_batch(
    command: Callable[..., Any], inputs: Path, words: list[object], refused: list[str], message: str
) -> None:
    """Nothing was done: another recipe mixes with nothing."""
    (inputs / "a.tif").write_bytes((inputs / "a.png").read_bytes())
    words = ["batch", inputs, inputs.parent / "out", *words, "--jobs", 1]
    first = command(*words, *refused)
    assert first.code in (1, 2)
    assert message in first.err
    again = command(*words, "--strength", "0.5", "--include", "a.png", "--quiet")
    assert (again.code, again.err) == (0, "")
    assert (inputs.parent / "out" / "sub" / "a.png").exists()


def test_the_count_comes_last_even_after_too_many_failures(
    command: Callable[..., Any], inputs: Path, words: list[object]
) -> None:
    words = ["batch", inputs, inputs.parent / "out", *words, "--jobs", 1]
    answer = command(*words, "--include", "bad.jpg", "--max-failures", 1)
    assert answer.code == 1
    *_, stop, title, failure, count = answer.err.splitlines()
    assert stop.startswith("unblur: batch: 1 picture failed, as many as --max-failures allows")
    assert title == "unblur: these failed:"
    assert failure.startswith(f"  {inputs}/bad.jpg: is no picture")
    assert count == "unblur: 0 done, 1 failed"


def test_an_earlier_batch_is_not_run_over(
    command: Callable[..., Any], inputs: Path, words: list[object], tmp_path: Path
) -> None:
    from unblur.jobs.batch.ledger import Ledger
    from unblur.jobs.batch.listing import Entry

    with Ledger(tmp_path / "out" / ".unblur" / "ledger.sqlite", "out") as ledger:
        ledger.set_fact("recipe", '{"method": "tv"}')
        ledger.enlist([Entry("a.png", "1 1", "a.png")])
        ledger.started(*ledger.claim(1, done=True))
        locked = command("batch", inputs, tmp_path / "out", *words, "--resume")
    assert locked.code == 1
    assert f"another run is writing to {tmp_path}/out (process {os.getpid()}" in locked.err
    plain = command("batch", inputs, tmp_path / "out", *words)
    assert plain.code == 2
    assert "holds an earlier batch: --resume goes on with it" in plain.err
    other = command("batch", inputs, tmp_path / "out", *words, "--resume")
    assert other.code == 2
    assert "method: tv and now wiener" in other.err


def test_it_waits_for_new_pictures(inputs: Path, words: list[object]) -> None:
    results = inputs.parent / "out"
    (inputs / "bad.jpg").unlink()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    words = ["batch", inputs, results, *words, "--jobs", 1, "--watch"]
    with subprocess.Popen(
        [sys.executable, "-m", "unblur", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = {process.stdout.readline(), process.stdout.readline()}
        (inputs / "new.png").write_bytes((inputs / "a.png").read_bytes())
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert len(first) == 2
    assert line.startswith(f"{inputs}/new.png -> ".encode())
    assert (results / "new.png").read_bytes() == (results / "a.png").read_bytes()
    assert process.returncode == 130


def test_fix_never_loads_ray(program: Program, inputs: Path, kernel_file: Path) -> None:
    """Nor what object storage needs: neither costs those who do without."""
    code = (
        "import sys\nfrom unblur.cli.main import main\n"
        f"main(['fix', {str(inputs / 'a.png')!r}, '-mwiener', '--kernel', {str(kernel_file)!r}])\n"
        "print(sorted({'ray', 's3fs', 'botocore', 'sqlite3', 'watchfiles'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, timeout=120, env=environment
    )
    assert done.stdout.splitlines()[-1] == b"[]"
    assert (inputs / "a.unblur.png").exists()
