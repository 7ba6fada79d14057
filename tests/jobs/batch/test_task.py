"""What a worker does for its pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unblur.jobs.batch.task import Answer, Task, Worker
from unblur.jobs.job import Job, Options
from unblur.restore import gathering, memory


@pytest.fixture
def job(png: Path, kernel_file: Path) -> Job:
    options = Options(kernel=str(kernel_file), device="cpu")
    target = str(png.parent / "out" / "a.png")
    return Job(str(png), target, "wiener", {"noise_std": 0.01}, options)


def only(job: Job, **more: Any) -> Answer:
    (answer,) = Worker().do([Task(7, job, **more)])
    return answer


def test_a_result_has_a_hash(job: Job) -> None:
    from hashlib import sha256

    answer = only(job)
    assert (answer.id, answer.state) == (7, "done")
    assert answer.digest == f"sha256 {sha256(Path(job.target).read_bytes()).hexdigest()}"
    assert answer.record["method"] == "wiener"


def test_what_stands_is_kept_and_what_does_not_is_made(job: Job) -> None:
    digest = only(job).digest
    assert only(job, expected=digest, again=True).state == "kept"
    Path(job.target).write_bytes(b"other")
    assert only(job, expected=digest, again=True).state == "done"
    Path(job.target).unlink()
    assert only(job, expected=digest, again=True).digest == digest


def test_content_under_a_wrong_name(job: Job, png: Path) -> None:
    """Row 4: nothing is written before the ledger agreed to the name."""
    answer = only(replace(job, target=job.target.replace("a.png", "a.jpg")))
    assert (answer.state, answer.target) == ("moved", job.target)
    assert not list(Path(job.target).parent.glob("*"))


@pytest.mark.parametrize(
    ("change", "kind", "fatal"),
    [
        ({"source": "absent.png"}, "InputError", False),
        ({"parameters": {"noise_std": -1}}, "ParameterError", False),
        ({"target": "/dev/null/a.png"}, "OutputError", False),
    ],
)
def test_what_goes_wrong_is_an_answer(
    job: Job, change: dict[str, Any], kind: str, fatal: bool
) -> None:
    answer = only(replace(job, **change))
    assert (answer.state, answer.error["type"], answer.fatal) == ("failed", kind, fatal)


def test_an_input_is_not_replaced_through_a_link(job: Job, png: Path) -> None:
    before = png.read_bytes()
    (png.parent / "out").symlink_to(png.parent)
    answer = only(replace(job, target=str(png.parent / "out" / png.name)), again=True)
    assert "is the input itself" in answer.error["message"]
    assert png.read_bytes() == before


def test_small_pictures_share_a_network(
    tiny_weights: Path, tmp_path: Path, png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five pictures of two sizes, four at most at once, and the same pixels as alone."""
    picture = Image.open(png)
    sizes = [(48, 40), (48, 40), (32, 40), (48, 40), (32, 40)]
    jobs = []
    for place, (width, height) in enumerate(sizes):
        source = tmp_path / f"{place}.png"
        picture.crop((place, 0, place + width, height)).save(source)
        target = str(tmp_path / "out" / f"{place}.png")
        jobs.append(Job(str(source), target, "nafnet", {"batch": 4}, Options(device="cpu")))
    (tmp_path / "bad.png").write_text("no picture")
    jobs.insert(
        2, replace(jobs[0], source=str(tmp_path / "bad.png"), target=str(tmp_path / "x.png"))
    )
    seen: list[int] = []
    run_part = gathering._run_part

    def counted(part: list[Any]) -> None:
        seen.append(len(part))
        run_part(part)

    monkeypatch.setattr(gathering, "_run_part", counted)
    # What the process holds already counts once, not for each of them.
    monkeypatch.setattr(memory, "held_bytes", lambda _device=None: 3_000_000_000)
    worker = Worker(5_000_000_000)
    answers = list(worker.do([Task(place, job) for place, job in enumerate(jobs)]))
    failures = {answer.id: answer.error for answer in answers if answer.state != "done"}
    assert list(failures) == [2], failures
    assert sorted(seen) == [1, 1, 1, 2]
    alone = Worker()
    for job in (job for job in jobs if "bad" not in job.source):
        single = replace(
            job, target=job.target.replace("/out/", "/alone/"), parameters={"batch": 1}
        )
        (answer,) = alone.do([Task(0, single)])
        assert answer.state == "done", answer.error
        assert Path(single.target).read_bytes() == Path(job.target).read_bytes()
