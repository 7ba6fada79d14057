"""What is kept from one job to the next, and when it is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from unblur.errors import KernelError, ParameterError
from unblur.jobs.job import Job, Options
from unblur.jobs.warm import Warm

JOB = Job("a.png", "b.png", "tv", {"iterations": 3})


@pytest.fixture
def job(kernel_file: Path) -> Job:
    return replace(JOB, options=Options(kernel=str(kernel_file)))


def test_the_same_method_is_kept(job: Job) -> None:
    warm = Warm()
    first = warm.restorer(job)
    other = replace(job, source="c.png", options=replace(job.options, strength=0.5, seed=9))
    assert warm.restorer(other) is first


@pytest.mark.parametrize(
    "change",
    [
        lambda job: replace(job, method="wiener", parameters={}),
        lambda job: replace(job, parameters={"iterations": 4}),
        lambda job: replace(job, options=replace(job.options, device="cpu")),
    ],
    ids=["method", "parameters", "device"],
)
def test_another_is_not(job: Job, change: object) -> None:
    assert callable(change)
    warm = Warm()
    first = warm.restorer(job)
    assert warm.restorer(change(job)) is not first


def test_what_cannot_be_set_up_fails_every_time(job: Job) -> None:
    warm = Warm()
    warm.restorer(job)
    for _ in range(2):
        with pytest.raises(ParameterError, match="iterations"):
            warm.restorer(replace(job, parameters={"iterations": 0}))
        with pytest.raises((KernelError, OSError, ValueError)):
            warm.restorer(replace(job, options=Options(kernel="no such.tif")))
    assert callable(warm.restorer(job))
