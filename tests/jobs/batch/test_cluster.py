"""A batch on two nodes of Ray, one of which is lost in the middle."""

import os
import socket
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from unblur.errors import MissingDependency, ParameterError
from unblur.jobs.batch.ledger import Ledger
from unblur.jobs.batch.listing import entries, wanted
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.batch.run import Leader, News
from unblur.jobs.batch.task import Task, Worker
from unblur.jobs.job import Job, Options

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Ray has no test clusters on Windows"),
    pytest.mark.filterwarnings("ignore"),
]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}


def test_a_lost_node_loses_nothing(cluster: Any, png: Path, kernel_file: Path) -> None:
    from unblur.jobs.batch.cluster import Actors

    source, target, alone = (png.parent / name for name in ("in", "out", "alone"))
    source.mkdir()
    for place in range(24):
        (source / f"{place:02d}.png").write_bytes(png.read_bytes())
    options = Options(kernel=str(kernel_file), device="cpu")
    common = Job("", "", "wiener", {"noise_std": 0.01}, options)
    told: list[News] = []
    seen: dict[str, str] = {}

    def tell(news: News) -> None:
        told.append(news)
        seen[news.name] = hashes(target)[news.name]
        if len(told) == 3:
            cluster.remove_node(cluster.second, allow_graceful=False)

    with Ledger(None, "out") as ledger:
        ledger.enlist(entries(str(source), str(target), wanted()))
        crew = Actors(cluster.address)
        assert len(crew._seats) == 2
        try:
            Leader(ledger, Recipe(str(source), str(target), common), crew, tell=tell).run()
        finally:
            crew.close()
    assert Counter(news.state for news in told) == {"done": 24}
    assert len({news.name for news in told}) == 24
    (answer,) = Worker().do(
        [Task(1, Recipe(str(source), str(alone), common).job("00.png", "00.png", overwrite=False))]
    )
    assert answer.state == "done"
    # As one machine does it; and what was once written was never written differently.
    assert set(hashes(target).values()) == set(hashes(alone).values())
    assert hashes(target) == seen
    assert not list(target.glob(".*.part"))


def test_no_cluster_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: Ray is not even asked, for it would go on trying."""
    import ray

    from unblur.jobs.batch.cluster import Actors

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was asked"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(ParameterError, match=rf"no Ray cluster at '127\.0\.0\.1:{port}'"):
        Actors(f"127.0.0.1:{port}")


def test_no_cluster_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from unblur.jobs.batch.cluster import Actors

    def nobody(*_: object, **__: object) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", nobody)
    with pytest.raises(ParameterError, match="no Ray cluster at 'auto' "):
        Actors("auto")


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from unblur.jobs.batch.cluster import Actors

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match=r"pip install 'unblur\[cluster\]'"):
        Actors("auto")
