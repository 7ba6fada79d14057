from itertools import islice
from pathlib import Path

import pytest

from unblur.jobs.batch import watch as module


def test_where_nobody_tells_the_folder_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, when what was being written has settled, and then again and again."""
    slept: list[float] = []
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    monkeypatch.setattr(module.time, "sleep", slept.append)
    assert len(list(islice(module.changes(str(tmp_path)), 5))) == 5
    assert slept == [2.5, 5.0, 5.0, 5.0]
