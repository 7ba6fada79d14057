"""Kill it anywhere: after a resume, everything is as if nothing had happened."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from unblur.errors import OutputError, ParameterError
from unblur.failpoints import FAILPOINTS
from unblur.jobs.batch.run import News

SCRIPT = Path(__file__).with_name("crash.py")
Work = Callable[[Path, Path, Path], list[News]]


@pytest.fixture(scope="module")
def work(crash: Any) -> Work:
    return crash.work  # type: ignore[no-any-return]


def start(*arguments: object, failpoint: str = "", **options: Any) -> int:
    """Run the batch as a program of its own session, and give its exit code."""
    source = Path(__file__).parents[3] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "UNBLUR_FAILPOINT": failpoint}
    words = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        words, check=False, env=environment, timeout=120, start_new_session=True, **options
    ).returncode


def hashes(folder: Path) -> dict[str, str]:
    """Everything that a user finds in the folder of results."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".unblur" not in path.parts
    }


@pytest.fixture
def whole(work: Work, folder: Path, kernel_file: Path) -> dict[str, str]:
    """The results of a run that nobody interrupts."""
    work(folder, folder.parent / "whole", kernel_file)
    return hashes(folder.parent / "whole")


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_and_resumed_is_as_good_as_uninterrupted(
    work: Work, whole: dict[str, str], folder: Path, kernel_file: Path, failpoint: str
) -> None:
    target = folder.parent / "out"
    code = start(folder, target, kernel_file, failpoint=f"{failpoint}:3:group")
    assert code == -signal.SIGKILL
    before = hashes(target)
    assert any(name.endswith(".part") for name in before) == (
        failpoint in {"mid-write", "before-rename"}
    )
    told = work(folder, target, kernel_file)
    assert hashes(target) == whole
    assert set(whole) == {"a.png", "b.jpg", "c.tif", "sub/a.png", "sub/d.jpg", "lies.png"}
    counts = Counter(news.state for news in told)
    assert counts["kept"] + counts["done"] == 6
    assert counts["failed"] == 1  # bad.jpg
    assert counts["kept"] >= 1
    # And then there is nothing left to do.
    assert {news.state for news in work(folder, target, kernel_file)} == {"kept", "failed"}


def test_results_that_are_gone_or_changed_are_made_again(
    work: Work, whole: dict[str, str], folder: Path, kernel_file: Path
) -> None:
    target = folder.parent / "whole"
    (target / "a.png").unlink()
    (target / "b.jpg").write_bytes(b"something else")
    told = work(folder, target, kernel_file)
    assert {news.name for news in told if news.state == "done"} == {"a.png", "b.jpg"}
    assert hashes(target) == whole


def test_inputs_that_changed_are_done_again(
    work: Work, whole: dict[str, str], folder: Path, kernel_file: Path
) -> None:
    target = folder.parent / "whole"
    (folder / "a.png").write_bytes((folder / "sub" / "a.png").read_bytes())
    told = work(folder, target, kernel_file)
    assert {news.name for news in told if news.state == "done"} == {"a.png"}
    assert hashes(target) == {**whole, "a.png": whole["sub/a.png"]}


def test_inputs_are_never_touched(work: Work, folder: Path, kernel_file: Path) -> None:
    def state() -> dict[str, tuple[str, int]]:
        return {
            name: (value, (folder / name).stat().st_mtime_ns)
            for name, value in hashes(folder).items()
        }

    before = state()
    work(folder, folder / "out", kernel_file)
    assert {name: value for name, value in state().items() if not name.startswith("out/")} == before


def test_another_recipe_is_not_gone_on_with(
    work: Work, whole: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    """The plan counts the content of the kernel, not its name."""
    from unblur.blur import kernels

    kernels.motion(7, 20).save(tmp_path / "motion.tif", overwrite=True)
    with pytest.raises(ParameterError, match=r"another recipe \(option kernel: "):
        work(folder, folder.parent / "whole", tmp_path / "motion.tif")


def test_an_input_that_changes_during_the_work_fails_and_is_done_later(
    work: Work, folder: Path, kernel_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 57."""
    from unblur.jobs import run as module

    rehearse = module.rehearse

    def touching(target: str, *arguments: Any, **options: Any) -> None:
        if target.endswith("c.tif"):
            os.utime(folder / "c.tif", ns=(1, 1))
        rehearse(target, *arguments, **options)

    monkeypatch.setattr(module, "rehearse", touching)
    target = folder.parent / "out"
    told = work(folder, target, kernel_file)
    (news,) = [news for news in told if news.name == "c.tif"]
    assert "changed while it was being worked on" in news.record["error"]["message"]
    assert not (target / "c.tif").exists()
    monkeypatch.undo()
    told = work(folder, target, kernel_file)
    assert {news.name for news in told if news.state == "done"} == {"c.tif"}


def test_a_full_disk_stops_the_batch_without_a_trace(
    work: Work, whole: dict[str, str], folder: Path, kernel_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Row 56."""
    fsync, target = os.fsync, folder.parent / "out"
    room = [3]

    def full(descriptor: int) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; --resume goes on from here"):
        work(folder, target, kernel_file)
    assert 1 <= len(hashes(target)) < len(whole)
    assert not any(name.endswith(".part") for name in hashes(target))
    monkeypatch.undo()
    work(folder, target, kernel_file)
    assert hashes(target) == whole


def test_a_limit_on_files_is_an_error_without_a_trace(folder: Path, kernel_file: Path) -> None:
    target = folder.parent / "out"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    assert start(folder, target, kernel_file, preexec_fn=limit, stderr=subprocess.DEVNULL) == 1
    assert hashes(target) == {}
