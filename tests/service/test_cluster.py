"""Jobs of the service on two nodes of Ray, one of which is lost in the middle."""

import os
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unblur.errors import MissingDependency
from unblur.service.hall import Hall
from unblur.service.order import Job, Order, new_id
from unblur.service.settings import Limits, Settings

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Ray has no test clusters on Windows"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def hall(cluster: Any, tmp_path: Path) -> Iterator[Hall]:
    """A service without doors, whose two workers have their jobs done on the cluster."""
    settings = Settings(
        f"sqlite:///{tmp_path / 'jobs.sqlite'}", str(tmp_path / "files"), workers=2,
        cluster=cluster.address, device="cpu", limits=Limits(job_memory=1_000_000_000),
    )  # fmt: skip
    hall = Hall(settings)
    hall.start()
    yield hall
    hall.stop()


@pytest.fixture
def submit(hall: Hall, picture: bytes, kernel: bytes) -> Callable[..., str]:
    """Hand in a photograph of the given number of such tiles, and its blur."""

    def give(tiles: int = 1, method: str = "wiener", **parameters: object) -> str:
        image = np.tile(np.asarray(Image.open(BytesIO(picture))), (tiles, tiles, 1))
        stream = BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        job = new_id()
        hall.store.save(job, "input", BytesIO(stream.getvalue()))
        hall.store.save(job, "kernel.tif", BytesIO(kernel))
        options = {"strength": 1.0}
        order = Order("deblur", method, parameters, options, "shaken.png", kernel="kernel.tif")
        hall.table.submit(job, order, owner="anna", fingerprint=job, queue=100)
        hall.wake()
        return job

    return give


def ended(hall: Hall, job: str, seconds: float = 120) -> Job:
    until = time.monotonic() + seconds
    while True:
        found = hall.table.get(job)
        assert found is not None
        if found.final:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def result(hall: Hall, job: Job) -> bytes:
    stream, _ = hall.store.read(job.id, str(job.attempt), "result.png")
    with stream:
        return stream.read()


def test_the_cluster_makes_what_this_machine_makes(
    hall: Hall, submit: Callable[..., str], tmp_path: Path
) -> None:
    done = ended(hall, submit(noise_std=0.01))
    assert (done.state, done.attempt) == ("done", 1), done
    settings = Settings(f"sqlite:///{tmp_path / 'own.sqlite'}", str(tmp_path / "own"), device="cpu")
    own = Hall(settings)
    own.start()
    try:
        for name in ("input", "kernel.tif"):
            with hall.store.read(done.id, name)[0] as stream:
                own.store.save(done.id, name, stream)
        own.table.submit(done.id, done.order, owner="anna", fingerprint="x", queue=9)
        own.wake()
        local = ended(own, done.id)
        assert local.state == "done", local
        assert result(hall, done) == result(own, local)
    finally:
        own.stop()
    assert done.result is not None
    assert local.result is not None
    assert done.result["files"] == local.result["files"]
    assert str(tmp_path) not in str(done.result)


def test_what_is_wrong_with_a_picture_is_said(hall: Hall, submit: Callable[..., str]) -> None:
    job = submit()
    other = new_id()
    hall.store.save(other, "input", BytesIO(b"no picture"))
    order = Order("deblur", "l0", {}, {}, "letter.pdf")
    hall.table.submit(other, order, owner="anna", fingerprint=other, queue=100)
    failed = ended(hall, other)
    assert (failed.state, failed.code) == ("failed", "unsupported_format")
    assert str(failed.detail).startswith("letter.pdf is no picture")
    assert ended(hall, job).state == "done"


def test_a_job_is_cancelled_over_there(hall: Hall, submit: Callable[..., str]) -> None:
    job = submit(tiles=8, method="richardson-lucy", iterations=10_000, stop_at_noise=False)
    until = time.monotonic() + 60
    while (found := hall.table.get(job) or pytest.fail("gone")).stage in ("", "read"):
        assert not found.final, found
        assert time.monotonic() < until, found
        time.sleep(0.05)
    assert hall.table.cancel(job) == "running"
    assert ended(hall, job, 20).state == "cancelled"
    assert ended(hall, submit()).state == "done"


def test_a_lost_machine_costs_a_job_nothing_but_time(
    cluster: Any, hall: Hall, submit: Callable[..., str]
) -> None:
    """The lease stays with the worker here; the next attempt goes where there is room."""
    long = {"method": "richardson-lucy", "iterations": 300, "stop_at_noise": False}
    jobs = [submit(tiles=6, **long) for _ in range(2)]
    until = time.monotonic() + 90
    while any((hall.table.get(job) or pytest.fail("gone")).state == "queued" for job in jobs):
        assert time.monotonic() < until
        time.sleep(0.05)
    cluster.remove_node(cluster.second, allow_graceful=False)
    found = [ended(hall, job) for job in jobs]
    assert [job.state for job in found] == ["done", "done"]
    assert sorted(job.attempt for job in found) == [1, 2]
    assert [job.crashes for job in found] == [0, 0]


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    with pytest.raises(MissingDependency, match=r"pip install 'unblur\[cluster\]'"):
        Hall(Settings(url, str(tmp_path / "files"), cluster="auto"))
