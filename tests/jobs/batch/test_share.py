import pytest

from unblur.errors import OutOfMemory
from unblur.jobs.batch import share as module
from unblur.jobs.batch.share import share
from unblur.jobs.job import Job, Options

JOB = Job("", "", options=Options(device="cpu", max_memory="8GB"))


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("jobs", "pictures", "workers", "threads"),
    [(None, 100, 8, 1), (2, 100, 2, 4), (3, 100, 3, 2), (16, 100, 16, 1), (None, 2, 2, 4)],
)
def test_the_memory_is_held_together(
    jobs: int | None, pictures: int, workers: int, threads: int
) -> None:
    part = share(JOB, jobs, pictures)
    assert (part.jobs, part.threads) == (workers, threads)
    assert part.memory * part.jobs <= 8_000_000_000
    assert part.gpus == ()


def test_no_more_threads_than_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert share(JOB, 2, 100).threads == 1


def test_little_memory_is_for_few_workers() -> None:
    few = Job("", "", options=Options(device="cpu", max_memory="1300MB"))
    assert share(few, None, 100).jobs == 2
    with pytest.raises(OutOfMemory, match=r"leaves 162 MB for each of 8 workers.*at least 2400 MB"):
        share(few, 8, 100)
