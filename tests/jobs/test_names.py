from pathlib import Path

import pytest

from unblur.errors import ParameterError
from unblur.jobs.names import keep_apart


def test_different_files_may_stand_side_by_side(tmp_path: Path) -> None:
    keep_apart([str(tmp_path / "a"), "-", None], [str(tmp_path / "b"), "-", None])


def test_an_output_does_not_replace_an_input(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "A", "link"):
        with pytest.raises(ParameterError, match="would replace the input"):
            keep_apart([str(tmp_path / "a")], [str(tmp_path / "new"), str(tmp_path / name)])


def test_an_output_does_not_replace_another(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="would replace the output"):
        keep_apart([], [str(tmp_path / "a"), str(tmp_path / "x" / ".." / "a")])
