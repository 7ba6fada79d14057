import io
import os
import time
import uuid
from pathlib import Path

import pytest

from unblur.errors import MissingDependency, ParameterError
from unblur.service.order import Job, Order, new_id
from unblur.service.store import Store


@pytest.fixture(scope="module")
def bucket(object_store: str) -> str:
    """A folder of an object store."""
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True, endpoint_url=object_store).mkdir("photographs")
    return "s3://photographs/jobs"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(str(tmp_path / "files"))
    return Store(f"{request.getfixturevalue('bucket')}-{uuid.uuid4().hex[:8]}")


def job(attempt: int = 1, of: str | None = None) -> Job:
    order = Order("deblur", "wiener", {}, {}, "a.png", of=of)
    return Job(
        new_id(), "me", "f", order, "running", attempt, 0, False, "", 0.0, None, None, None, 0.0,
        None, None, None,
    )  # fmt: skip


def content(store: Store, *names: str) -> bytes:
    stream, size = store.read(*names)
    with stream:
        found = stream.read()
    assert len(found) == size
    return found


def test_from_the_input_to_the_result(store: Store) -> None:
    one = job()
    store.save(one.id, "input", io.BytesIO(b"blurred" * 100_000))
    with store.at_hand(one) as (given, made):
        assert (given / "input").read_bytes() == b"blurred" * 100_000
        (made / "result.png").write_bytes(b"sharp")
        store.publish(one, made)
    assert content(store, one.id, "1", "result.png") == b"sharp"
    assert content(store, one.id, "input") == b"blurred" * 100_000


def test_attempts_lie_apart_and_can_be_dropped(store: Store) -> None:
    first = job()
    second = Job(**{**vars(first), "attempt": 2})
    store.save(first.id, "input", io.BytesIO(b"x"))
    for attempt, what in ((first, b"slow"), (second, b"quick")):
        with store.at_hand(attempt) as (_, made):
            (made / "result.png").write_bytes(what)
            store.publish(attempt, made)
    store.drop(first.id, "1")
    assert content(store, first.id, "2", "result.png") == b"quick"
    with pytest.raises(FileNotFoundError):
        store.read(first.id, "1", "result.png")


def test_work_on_another_jobs_files(store: Store) -> None:
    one = job()
    store.save(one.id, "input", io.BytesIO(b"x"))
    with store.at_hand(job(of=one.id)) as (given, made):
        assert (given / "input").read_bytes() == b"x"
        assert list(made.iterdir()) == []


def test_what_is_dropped_is_gone(store: Store) -> None:
    one = job()
    store.save(one.id, "input", io.BytesIO(b"x"))
    store.drop(one.id)
    with pytest.raises(FileNotFoundError):
        store.read(one.id, "input")
    store.drop(one.id)


@pytest.mark.parametrize(
    "names", [("..", "input"), ("a" * 22, ".."), ("a" * 22, "../x"), ("a/b", "x"), ("a" * 22, "/x")]
)
def test_no_name_leads_elsewhere(store: Store, names: tuple[str, str]) -> None:
    with pytest.raises(ParameterError):
        store.read(*names)
    with pytest.raises(ParameterError):
        store.save(*names, io.BytesIO(b"x"))


def test_only_old_folders_of_jobs_are_strays(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    old, new = new_id(), new_id()
    for name in (old, new, "something else"):
        (tmp_path / name).mkdir()
    long_ago = time.time() - 7200
    os.utime(tmp_path / old, (long_ago, long_ago))
    assert store.strays() == [old]


@pytest.mark.parametrize("url", ["nothing://x/y"])
def test_other_stores_are_refused(url: str) -> None:
    with pytest.raises((ParameterError, MissingDependency)):
        Store(url)


def test_a_bucket_that_is_not_there_is_said_at_once(bucket: str) -> None:
    Store(f"{bucket}/deeper/and/empty")
    with pytest.raises(ParameterError, match=r"s3://absent does not exist; make the bucket"):
        Store("s3://absent/jobs")
