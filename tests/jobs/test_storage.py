"""Pictures in object storage, against a server that speaks S3."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import unblur
from unblur.errors import InputError, MissingDependency, OutputError, ParameterError
from unblur.jobs import storage
from unblur.jobs.batch.ledger import Ledger
from unblur.jobs.batch.listing import entries, wanted
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.batch.run import Leader, News
from unblur.jobs.job import Job, Options
from unblur.jobs.run import run
from unblur.jobs.warm import Warm

pytest.importorskip("s3fs")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def server(object_store: str) -> Iterator[str]:
    """The address of a server on this machine, which is not waited for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "_PAUSES", (0.01, 0.02))
        yield object_store


@pytest.fixture
def bucket(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A bucket of its own."""
    system = fsspec.filesystem("s3", use_listings_cache=False)
    name = f"b{md5(request.node.name.encode()).hexdigest()[:12]}"  # noqa: S324 - no secret
    system.mkdir(name)
    yield f"s3://{name}"
    system.rm(name, recursive=True)


@pytest.fixture
def job(bucket: str, png: Path, kernel_file: Path) -> Job:
    storage.put(f"{bucket}/in/a.png", png.read_bytes(), overwrite=False)
    storage.put(f"{bucket}/kernel.tif", kernel_file.read_bytes(), overwrite=False)
    options = Options(kernel=f"{bucket}/kernel.tif", device="cpu")
    return Job(f"{bucket}/in/a.png", f"{bucket}/out/a.png", "wiener", {"noise_std": 0.01}, options)


def test_what_was_put_comes_back(bucket: str) -> None:
    storage.put(f"{bucket}/x/y.bin", b"content", overwrite=False)
    content, stamp = storage.fetch(f"{bucket}/x/y.bin")
    assert content == b"content"
    assert stamp == storage.stamp(f"{bucket}/x/y.bin") == storage.digest(f"{bucket}/x/y.bin")
    assert stamp == f"etag {md5(b'content').hexdigest()}"  # noqa: S324 - as S3 has it
    assert storage.exists(f"{bucket}/x/y.bin")
    assert not storage.exists(f"{bucket}/x/z.bin")


def test_a_name_that_is_taken_is_not_overwritten(bucket: str) -> None:
    """The server refuses: there is no moment between a look and a write."""
    storage.put(f"{bucket}/a", b"first", overwrite=False)
    with pytest.raises(OutputError, match="exists: choose another name"):
        storage.put(f"{bucket}/a", b"second", overwrite=False)
    assert storage.fetch(f"{bucket}/a")[0] == b"first"
    storage.put(f"{bucket}/a", b"first", overwrite=False)  # the same is as good as written
    storage.put(f"{bucket}/a", b"second", overwrite=True)
    assert storage.fetch(f"{bucket}/a")[0] == b"second"


def test_of_many_writers_one_wins(bucket: str) -> None:
    refused: list[int] = []

    def write(number: int) -> None:
        try:
            storage.put(f"{bucket}/a", b"%d" % number, overwrite=False)
        except OutputError:
            refused.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = set(range(6)) - set(refused)
    assert storage.fetch(f"{bucket}/a")[0] == b"%d" % winner


def test_a_bucket_is_walked(bucket: str) -> None:
    for name in ("in/a.jpg", "in/sub/b.png", "in/notes.txt", "out/c.jpg"):
        storage.put(f"{bucket}/{name}", b"1", overwrite=False)
    found = {entry.name for entry in entries(f"{bucket}/in", f"{bucket}/out", wanted())}
    assert found == {"a.jpg", "sub/b.png"}
    flat = entries(f"{bucket}/in/", f"{bucket}/out", wanted(), recursive=False)
    assert {entry.name for entry in flat} == {"a.jpg"}


def test_a_picture_goes_from_bucket_to_bucket(
    job: Job, png: Path, kernel_file: Path, tmp_path: Path
) -> None:
    """The same bytes as from file to file, with a kernel that is in the bucket too."""
    local = replace(
        job, source=str(png), target=str(tmp_path / "out.png"),
        options=replace(job.options, kernel=str(kernel_file)),
    )  # fmt: skip
    record = run(job).record
    run(local)
    assert record["target"] == job.target
    assert storage.fetch(job.target)[0] == (tmp_path / "out.png").read_bytes()


def test_what_is_left_as_it_was_is_copied(job: Job, png: Path) -> None:
    untouched = replace(job, options=replace(job.options, strength=0.0))
    assert run(untouched).record["copied"] is True
    assert storage.fetch(job.target)[0] == png.read_bytes()
    local = replace(untouched, source=str(png), target=job.target.replace("a.png", "b.png"))
    assert run(local).record["copied"] is True
    assert storage.fetch(local.target)[0] == png.read_bytes()


def test_a_target_that_exists_is_found_before_the_work(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put(job.target, b"mine", overwrite=False)
    monkeypatch.setattr(Warm, "restorer", lambda *_: pytest.fail("the work began"))
    with pytest.raises(OutputError, match="exists"):
        run(job)
    assert storage.fetch(job.target)[0] == b"mine"


def test_what_an_earlier_attempt_left_is_as_good_as_written(job: Job) -> None:
    """A crash between the upload and the ledger."""
    run(job)
    before = storage.stamp(job.target)
    run(job, again=True)
    assert storage.stamp(job.target) == before
    storage.put(job.target, b"of somebody else", overwrite=True)
    with pytest.raises(OutputError, match="exists"):
        run(job, again=True)


def test_an_object_that_changes_meanwhile_fails(job: Job, png: Path) -> None:
    """Row 57."""

    def meddle(_: Any) -> None:
        storage.put(job.source, png.read_bytes() + b"\0", overwrite=True)

    with pytest.raises(InputError, match="changed while"):
        run(job, look=meddle)
    assert not storage.exists(job.target)


def test_a_kernel_goes_to_a_bucket(job: Job, bucket: str, tmp_path: Path) -> None:
    run(replace(job, options=replace(job.options, save_kernel=f"{bucket}/kept.tif")))
    (tmp_path / "kept.tif").write_bytes(storage.fetch(f"{bucket}/kept.tif")[0])
    assert unblur.Kernel.load(tmp_path / "kept.tif").size == (1, 5)


def test_weights_come_from_a_bucket(bucket: str, tiny_weights: Path) -> None:
    file = tiny_weights / "weights" / "nafnet-gopro-32.safetensors"
    storage.put(f"{bucket}/nafnet-mine.safetensors", file.read_bytes(), overwrite=False)
    url = f"{bucket}/nafnet-mine.safetensors"
    near = storage.nearby(Job("a", "b", "nafnet", {"weights": url}))
    copy = Path(str(near.parameters["weights"]))
    assert copy.read_bytes() == file.read_bytes()
    assert callable(Warm().restorer(near))


class Flaky:
    """A file system that fails some times, and then gives `content`."""

    def __init__(self, faults: list[Exception | bytes], content: bytes = b"whole") -> None:
        self.faults, self.content, self.asked = faults, content, 0

    def info(self, path: str) -> dict[str, Any]:
        return {"size": len(self.content), "ETag": '"1"', "type": "file"}

    def cat_file(self, path: str) -> bytes:
        self.asked += 1
        fault = self.faults.pop(0) if self.faults else self.content
        if isinstance(fault, Exception):
            raise fault
        return fault


def patched(monkeypatch: pytest.MonkeyPatch, system: Flaky) -> None:
    monkeypatch.setattr(storage, "_open", lambda url: (system, "path"))
    monkeypatch.setattr(storage, "_PAUSES", (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "fault", [TimeoutError(), ConnectionResetError(), OSError(5, "SlowDown"), b"who"]
)
def test_what_may_pass_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, fault: Exception | bytes
) -> None:
    """Row 59; `b"who"` is a download that was cut off."""
    system = Flaky([fault, fault])
    patched(monkeypatch, system)
    assert storage.fetch("s3://b/a")[0] == b"whole"
    assert system.asked == 3


def test_a_download_that_never_arrives_whole_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    system = Flaky([b"who"] * 9)
    patched(monkeypatch, system)
    with pytest.raises(InputError, match="s3://b/a cannot be reached: 3 of 5 bytes arrived"):
        storage.fetch("s3://b/a")
    assert system.asked == 4


@pytest.mark.parametrize("fault", [FileNotFoundError(), PermissionError("AccessDenied")])
def test_what_will_not_pass_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    system = Flaky([fault])
    patched(monkeypatch, system)
    with pytest.raises(InputError, match=r"does not exist|access is refused"):
        storage.fetch("s3://b/a")
    assert system.asked == 1


def test_absent_objects_and_buckets(bucket: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        storage.fetch(f"{bucket}/absent")
    with pytest.raises(InputError, match="does not exist"):
        list(storage.walk("s3://no-such-bucket-anywhere/in"))


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://b/a", "s3"), ("gs://b/a", "gs"), ("az://b/a", "az")]
)
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, url: str, extra: str
) -> None:
    import fsspec.core

    def missing(*_: object, **__: object) -> None:
        raise ImportError("not installed")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingDependency, match=rf"pip install 'unblur\[{extra}\]'"):
        storage.fetch(url)


def test_an_unknown_kind_of_storage() -> None:
    with pytest.raises(ParameterError, match="nothing://b/a cannot be used"):
        storage.fetch("nothing://b/a")


@pytest.mark.parametrize("protocol", ["gs", "az"])
def test_other_storages_are_reached_by_their_url(
    monkeypatch: pytest.MonkeyPatch, png: Path, kernel_file: Path, tmp_path: Path, protocol: str
) -> None:
    """A whole job, by way of what is registered for the protocol: here, a dictionary."""

    class Stand(MemoryFileSystem):  # type: ignore[misc]
        cachable = False
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix(f"{protocol}://").strip("/")

    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, protocol, Stand)
    root = f"{protocol}://bucket"
    storage.put(f"{root}/in/sub/a.png", png.read_bytes(), overwrite=False)
    assert [e.name for e in entries(f"{root}/in", f"{root}/out", wanted())] == ["sub/a.png"]
    options = Options(kernel=str(kernel_file), device="cpu")
    job = Job(f"{root}/in/sub/a.png", f"{root}/a.png", "wiener", {"noise_std": 0.01}, options)
    run(job)
    run(replace(job, source=str(png), target=str(tmp_path / "b.png")))
    assert storage.fetch(job.target)[0] == (tmp_path / "b.png").read_bytes()
    with pytest.raises(OutputError, match=rf"{protocol}://bucket/a\.png exists"):
        run(job)
    with pytest.raises(OutputError, match="exists"):  # by the storage itself
        storage.put(job.target, b"other", overwrite=False)


def test_fix_takes_urls(job: Job, bucket: str, command: Any) -> None:
    words = ["-m", "wiener", "--noise-std", "0.01", "--kernel", f"{bucket}/kernel.tif"]
    answer = command("fix", job.source, "-o", f"{bucket}/fixed.png", *words, "--device", "cpu")
    assert answer.code == 0, answer.err
    run(job)
    assert storage.fetch(f"{bucket}/fixed.png") == storage.fetch(job.target)


def test_a_batch_goes_from_bucket_to_bucket_and_on(
    job: Job, bucket: str, png: Path, tmp_path: Path, crash: Any
) -> None:
    """Done, kept, made again where it was lost, and refused where it is somebody else's."""
    for name in ("b.png", "sub/c.png", "sub/d.png"):
        storage.put(f"{bucket}/in/{name}", png.read_bytes(), overwrite=False)
    storage.put(f"{bucket}/out/sub/d.png", b"mine", overwrite=False)
    recipe = Recipe(f"{bucket}/in", f"{bucket}/out", replace(job, source="", target=""))

    def work() -> dict[str, str]:
        told: list[News] = []
        with Ledger(tmp_path / "ledger.sqlite", "out") as ledger:
            recipe.settle(ledger, resume=True, anew=False)
            ledger.enlist(entries(recipe.source, recipe.target, wanted()))
            Leader(ledger, recipe, crash.Here(), tell=told.append).run()
        return {news.name: news.state for news in told}

    assert work() == {"a.png": "done", "b.png": "done", "sub/c.png": "done", "sub/d.png": "failed"}
    whole = storage.fetch(f"{bucket}/out/a.png")[0]
    fsspec.filesystem("s3").rm(f"{bucket}/out/b.png")
    assert work() == {"a.png": "kept", "b.png": "done", "sub/c.png": "kept", "sub/d.png": "failed"}
    for name in ("a.png", "b.png", "sub/c.png"):
        assert storage.fetch(f"{bucket}/out/{name}")[0] == whole
    assert storage.fetch(f"{bucket}/out/sub/d.png")[0] == b"mine"
