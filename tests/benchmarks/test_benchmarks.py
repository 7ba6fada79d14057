"""The benchmarks' own parts, on toys."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmarks() -> ModuleType:
    """The folder beside `src`, which is not installed."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module("benchmarks.__main__")
    finally:
        sys.path.remove(str(ROOT))


def test_a_table_aligns_names_and_figures(benchmarks: ModuleType) -> None:
    from benchmarks.table import table

    text = table(("image", "PSNR"), [("one", 31.256), ("another", None), ("three", 7)])
    assert text.splitlines() == [
        "image     PSNR",
        "-------  -----",
        "one      31.26",
        "another      -",
        "three        7",
    ]


def test_every_name_is_a_benchmark(
    benchmarks: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in benchmarks.NAMES:
        monkeypatch.setattr(f"benchmarks.{name}.run", lambda name=name: f"ran {name}")
    assert benchmarks.main([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name}\nran {name}\n" in out for name in benchmarks.NAMES)
    assert "torch" in out.splitlines()[0]
    assert benchmarks.main(["levin"]) == 0
    assert "ran speed" not in capsys.readouterr().out


def test_an_unknown_name_is_refused(
    benchmarks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmarks.main(["lewin"]) == 2
    assert "lewin; there are levin" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["levin", "noharm"])
def test_absent_pictures_are_passed_over(
    benchmarks: ModuleType, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_SHARED", str(tmp_path))
    run = importlib.import_module(f"benchmarks.{name}").run
    assert "passed over" in run()
