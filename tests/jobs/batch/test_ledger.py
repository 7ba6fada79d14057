import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from unblur.errors import OutputError, ParameterError
from unblur.jobs.batch.ledger import CLAIMED, DONE, FAILED, NEW, Ledger
from unblur.jobs.batch.listing import Entry


def entry(name: str, stamp: str = "1 1") -> Entry:
    return Entry(name, stamp, name)


def names(ledger: Ledger, *, done: bool = True) -> list[str]:
    return [item.name for item in ledger.claim(100, done=done)]


def finish(ledger: Ledger, *wanted: str) -> None:
    for item in ledger.claim(100, done=True):
        if item.name in wanted:
            ledger.started(item)
            ledger.finished(item, "sha256 1")


def test_each_picture_is_claimed_once_and_in_order(ledger: Ledger) -> None:
    ledger.enlist(entry(name) for name in "cab")
    assert [item.name for item in ledger.claim(2, done=True)] == ["c", "a"]
    assert names(ledger) == ["b"]
    assert names(ledger) == []


def test_only_what_is_done_and_unchanged_is_kept(ledger: Ledger) -> None:
    ledger.enlist(entry(name) for name in "abcd")
    finish(ledger, "a", "b")
    (item,) = [item for item in ledger.items(NEW) if item.name == "c"]
    ledger.failed(item, {"message": "bad"}, owned=False)
    assert ledger.counts() == {NEW: 1, CLAIMED: 0, DONE: 2, FAILED: 1}
    ledger.enlist([entry("a"), entry("b", "2 2"), entry("c"), entry("e")])
    assert {item.name: item.state for item in ledger.claim(9, done=True)} == {
        "a": DONE,
        "b": NEW,
        "c": NEW,
        "e": NEW,
    }


def test_what_was_ours_stays_ours(ledger: Ledger) -> None:
    ledger.enlist([entry("a"), entry("b")])
    finish(ledger, "a")
    ledger.enlist([entry("a", "2 2"), entry("b")])
    assert {item.name: item.owned for item in ledger.claim(9, done=True)} == {"a": True, "b": False}


def test_a_list_is_taken_as_it_comes(ledger: Ledger) -> None:
    ledger.enlist(entry(f"{number}") for number in range(3000))
    assert sum(ledger.counts().values()) == 3000
    assert len(ledger.claim(7, done=True)) == 7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.jpg", "A.JPG"),
        ("x/a.jpg", "X/a.jpg"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("stra\u00dfe.jpg", "STRASSE.jpg"),
        ("\u00c9.png", "e\u0301.png"),
    ],
)
def test_two_names_that_some_system_takes_for_one_clash(
    ledger: Ledger, first: str, second: str
) -> None:
    """Row 53."""
    ledger.enlist([entry(first)])
    finish(ledger, first)
    with pytest.raises(ParameterError, match=r"one name.*: \S+ and \S+; rename"):
        ledger.enlist([entry(first), entry("other.jpg"), entry(second)])
    assert [item.name for item in ledger.items(DONE)] == [first]  # and nothing was forgotten


def test_a_picture_that_was_renamed_is_no_rival_of_its_old_name(ledger: Ledger) -> None:
    ledger.enlist([entry("a.jpg")])
    ledger.enlist([entry("A.JPG")])
    assert names(ledger) == ["A.JPG"]
    with pytest.raises(ParameterError, match=r"A\.JPG and a\.jpg"):
        ledger.enlist([entry("A.JPG"), entry("a.jpg")])


def test_a_target_moves_only_where_nobody_is(ledger: Ledger) -> None:
    ledger.enlist([entry("lies.jpg"), entry("lies.webp"), entry("other.jpg"), entry("Other.png")])
    first, second, third, _ = ledger.claim(9, done=True)
    assert ledger.move(first, "lies.png")
    assert not ledger.move(second, "LIES.png")
    assert not ledger.move(third, "other.png")
    # The next listing knows where it went, and sees who wants to go there.
    ledger.enlist([entry("lies.jpg")])
    assert [item.target for item in ledger.claim(9, done=True)] == ["lies.png"]
    with pytest.raises(ParameterError, match=r"lies\.png and lies\.jpg"):
        ledger.enlist([entry("lies.jpg"), entry("lies.png")])


def test_bytes_that_are_no_text_are_kept(ledger: Ledger) -> None:
    """Row 54."""
    name = os.fsdecode(b"caf\xe9\n.png")
    ledger.enlist([entry(name)])
    assert names(ledger) == [name]


def test_what_was_written_survives(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "results") as ledger:
        ledger.enlist([entry("a"), entry("b")])
        finish(ledger, "a")
        ledger.set_fact("recipe", "text")
    with Ledger(path, "results") as ledger:
        assert ledger.fact("recipe") == "text"
        assert [item.name for item in ledger.items(DONE)] == ["a"]


def test_a_transaction_is_whole_or_nothing(ledger: Ledger) -> None:
    ledger.enlist([entry("a")])
    (item,) = ledger.claim(1, done=True)

    def fail() -> None:
        with ledger.transaction():
            ledger.started(item)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ledger.counts()[CLAIMED] == 0


def test_a_second_run_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    code = (
        "import sys, pathlib\nfrom unblur.jobs.batch.ledger import Ledger\n"
        f"Ledger(pathlib.Path({str(path)!r}), 'x')\nprint('held', flush=True)\nsys.stdin.read()"
    )
    source = Path(__file__).parents[3] / "src"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(source)},
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(
            OutputError, match=f"another run is writing to results .process {other.pid} "
        ):
            Ledger(path, "results")
        other.kill()
    with Ledger(path, "results") as ledger:  # the lock died with its holder
        assert ledger.fact("version") == "1"


def test_a_full_disk_is_a_typed_error_and_loses_nothing(ledger: Ledger) -> None:
    ledger.enlist([entry("a")])
    pages = ledger._base.execute("PRAGMA page_count").fetchone()[0]
    ledger._base.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OutputError, match="cannot be written: database or disk is full"):
        ledger.enlist(entry(f"{'x' * 200}{number}") for number in range(1000))
    assert names(ledger) == ["a"]


def test_what_is_no_ledger_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(OutputError, match="damaged, or no ledger"):
        Ledger(path, "results")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made: File exists"):
        Ledger(tmp_path / "file" / "ledger.sqlite", "results")


@pytest.mark.parametrize("there", ["", "mkdir results", "{run}"])
def test_a_read_only_disk_is_called_so(tmp_path: Path, there: str) -> None:
    """With nothing on it, with a folder, and with an earlier ledger."""
    code = (
        "import pathlib\nfrom unblur.jobs.batch.ledger import Ledger\n"
        "with Ledger(pathlib.Path('results/ledger.sqlite'), 'results'): print('opened')"
    )
    run = f'"{sys.executable}" -c "{code}"'
    mount = f'mount -t tmpfs none "{tmp_path}" && cd "{tmp_path}"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*words, mount], check=False).returncode:
        pytest.skip("this system lets no test mount a disk of its own")
    steps = [mount, there.format(run=run) or "true", f'mount -o remount,ro "{tmp_path}"', run]
    done = subprocess.run(
        [*words, " && ".join(steps)], check=False, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )  # fmt: skip
    assert done.stdout.split() == (["opened"] if "{run}" in there else [])
    error = done.stderr.splitlines()[-1].casefold()
    assert error.startswith("unblur.errors.outputerror: ")
    assert "read-only" in error


def test_a_batch_is_begun_with_its_first_picture(ledger: Ledger) -> None:
    ledger.set_fact("recipe", "text")
    ledger.enlist([entry("a")])
    assert not ledger.is_begun()
    (item,) = ledger.claim(1, done=True)
    ledger.started(item)
    assert ledger.is_begun()
    ledger.finished(item, "sha256 1")
    ledger.forget()
    assert ledger.is_begun()  # what stands at the target is ours
    ledger.enlist([])
    assert ledger.is_begun()


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "results") as ledger:
        ledger.set_fact("version", "999")
    with pytest.raises(OutputError, match="another version"):
        Ledger(path, "results")


def test_a_rehearsal_leaves_the_ledger_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "results") as ledger:
        ledger.enlist([entry("a")])
    with Ledger(None, "results") as copy:
        copy.copy(path)
        copy.enlist([entry("a"), entry("b")])
        assert names(copy) == ["a", "b"]
    with sqlite3.connect(path) as base:
        assert base.execute("SELECT COUNT(*) FROM items").fetchone() == (1,)
    base.close()
