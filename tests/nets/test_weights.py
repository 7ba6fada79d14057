"""Checkpoints that are taken and refused, the user's folder, loading by name, file and folder."""

import io
import json
import multiprocessing
import os
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from unblur.errors import OutputError, ParameterError, WeightsError
from unblur.nets import checkpoint, store, weights
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.mprnet import MPRNet
from unblur.nets.nafnet import NAFNet

POSIX = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder for each test, and none of the weights that come with the package."""
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home" / "weights"


def small(seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    return Autoencoder(width=1, latent=2).eval()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in small().state_dict().items()}}, path)
    return path


def same(network: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


PLAIN = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
WRAPPED = {
    "bare": PLAIN,
    "ordered": OrderedDict(PLAIN),
    "state_dict": {"epoch": 3, "state_dict": PLAIN, "optimizer": {"lr": 1e-4}},
    "params": {"params": PLAIN},
    "averaged": {"params": {"a.bias": torch.zeros(2)}, "params_ema": PLAIN},
    "model": {"model": {"state_dict": PLAIN}},
    "module": {"state_dict": {f"module.{name}": entry for name, entry in PLAIN.items()}},
    "parameters": {name: torch.nn.Parameter(entry) for name, entry in PLAIN.items()},
    "half": {name: entry.half() for name, entry in PLAIN.items()},
    "double": {name: entry.double() for name, entry in PLAIN.items()},
    "strided": {"a.weight": PLAIN["a.weight"].T.contiguous().T, "a.bias": PLAIN["a.bias"]},
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED)
def test_published_files_are_read(tmp_path: Path, content: Any, zipped: bool) -> None:
    path = tmp_path / "any.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    state = weights.open_checkpoint(path).state
    assert state.keys() == PLAIN.keys()
    for name, entry in state.items():
        assert entry.dtype == torch.float32
        assert entry.is_contiguous()
        assert not entry.requires_grad
        assert torch.equal(entry, PLAIN[name])


def test_safetensors_are_read_whatever_their_name(tmp_path: Path) -> None:
    safetensors.torch.save_file(PLAIN, tmp_path / "any.bin", {"note": "x"})
    found = checkpoint.open_checkpoint(tmp_path / "any.bin")
    assert torch.equal(found.state["a.weight"], PLAIN["a.weight"])
    assert found.notes == {"note": "x"}
    assert checkpoint.read_checkpoint(tmp_path / "any.bin").keys() == PLAIN.keys()


def test_one_name_without_the_prefix_keeps_all(tmp_path: Path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "x.pth")
    assert checkpoint.read_checkpoint(tmp_path / "x.pth").keys() == {"module.a", "b"}


class Malicious:
    """A pickle that makes a file when it is opened by an unpickler that runs what it names."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.mark,)


def bare(thing: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(thing))


def zipped(thing: Any, path: Path) -> None:
    torch.save(thing, path)


def legacy(thing: Any, path: Path) -> None:
    torch.save(thing, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [bare, zipped, legacy])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"state_dict": {**PLAIN, "a.more": x}}])
def test_nothing_in_a_checkpoint_runs(
    tmp_path: Path, save: Callable[[Any, Path], None], wrap: Callable[[Any], Any], home: Path
) -> None:
    """Row 66: refused with a typed error, and what it would have done is not done."""
    mark = tmp_path / "ran"
    save(wrap(Malicious(str(mark))), tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"evil\.pth .*nothing ran"):
        weights.add("autoencoder-evil", tmp_path / "evil.pth")
    assert not mark.exists()
    assert not home.exists()
    # The file is armed: an unpickler that trusts it runs it.
    torch.load(tmp_path / "evil.pth", weights_only=False) if save is not bare else pickle.loads(  # noqa: S301
        (tmp_path / "evil.pth").read_bytes()
    )
    assert mark.is_dir()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"names torch\.nn\.modules\.linear\.Linear, which is"):
        checkpoint.read_checkpoint(tmp_path / "x.pth")


def bytes_of(content: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def repacked(content: bytes, compression: int) -> bytes:
    """The same zip archive, its entries compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry), compression)
    return buffer.getvalue()


def lying(content: bytes) -> bytes:
    """The same zip archive, whose directory says that each entry has 3 GiB."""
    changed, place = bytearray(content), content.find(b"PK\x01\x02")
    while place >= 0:
        struct.pack_into("<I", changed, place + 24, 3 << 30)
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(changed)


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"))
    return buffer.getvalue()


def archived(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "x")
    return buffer.getvalue()


ZIP, LEGACY = bytes_of(PLAIN), bytes_of(PLAIN, _use_new_zipfile_serialization=False)
SAFE = safetensors.torch.save(PLAIN)
DAMAGED = "damaged or cut off: download or copy it again"
BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"hello world", "is not a checkpoint: expected"),
    "noise": (bytes(range(7, 256)), "is not a checkpoint: expected"),
    "web page": (b"\n<!DOCTYPE html><html>", "is a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(600), "file of Keras"),
    "gzip": (b"\x1f\x8b" + bytes(600), "is an archive"),
    "tar": (tarred(), "is an archive"),
    "other zip": (archived("photo.png"), "zip archive without weights"),
    "script": (archived("x/constants.pkl"), "is a program"),
    "cut zip": (ZIP[: len(ZIP) // 2], DAMAGED),
    "cut legacy": (LEGACY[:-9], DAMAGED),
    "cut safetensors": (SAFE[:-9], DAMAGED),
    "cut header": (SAFE[:20], DAMAGED),
    "long header": (struct.pack("<Q", 1 << 60) + SAFE[8:], DAMAGED),
    "noisy zip": (ZIP[:60] + bytes(100) + ZIP[160:], DAMAGED),
    "noisy legacy": (LEGACY[:40] + b"\xff" * 40 + LEGACY[80:], DAMAGED),
    "packed": (repacked(ZIP, zipfile.ZIP_DEFLATED), "refused before it was opened"),
    "bomb": (repacked(bytes_of({"a": torch.zeros(10**6)}), zipfile.ZIP_DEFLATED), "promises"),
    "lying": (lying(ZIP), "promises"),
    "expanded": (bytes_of({"a": torch.ones(1).expand(10**12)}), "holds far fewer"),
    "aliased": (bytes_of(dict.fromkeys(map(str, range(99)), torch.ones(9999))), "far fewer"),
    "no entries": (bytes_of({}), "holds no weights"),
    "no mapping": (bytes_of([torch.ones(2)]), "holds no weights"),
    "one tensor": (bytes_of(torch.ones(2)), "holds no weights"),
    "numbers": (bytes_of({"a": 1.5}), "'a' is no tensor of floats"),
    "unnamed": (bytes_of({1: torch.ones(2)}), "1 is no tensor of floats"),
    "integers": (bytes_of({"a": torch.ones(2, dtype=torch.int64)}), "no tensor of floats"),
    "complex": (bytes_of({"a": torch.ones(2, dtype=torch.complex64)}), "no tensor of floats"),
    "sparse": (bytes_of({"a": torch.ones(2).to_sparse()}), "no tensor of floats"),
    "meta": (bytes_of({"a": torch.ones(2, device="meta")}), "holds no values for a"),
    "integers, safe": (safetensors.torch.save({"a": torch.ones(2).int()}), "no tensor of floats"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_checkpoint_is_refused(
    tmp_path: Path, home: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        weights.add("autoencoder-x", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not home.exists()


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    for whole in (ZIP, LEGACY, SAFE):
        for length in range(0, len(whole) - 1, 41):
            path.write_bytes(whole[:length])
            with pytest.raises(WeightsError):
                checkpoint.read_checkpoint(path)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pth"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(WeightsError, match="has 3072 MiB, and checkpoints have at most 2048"):
        checkpoint.read_checkpoint(path)


@POSIX
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("absent", "No such file"),
        ("loop", "symbolic links"),
        ("pipe", "is a pipe"),
        (".", "is a directory"),
        ("a\0b", "null"),
    ):
        with pytest.raises(WeightsError, match=message):
            checkpoint.read_checkpoint(os.path.join(tmp_path, name))


def state_of(network: torch.nn.Module, **changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    changed = {**network.state_dict(), **{k.replace("__", "."): v for k, v in changes.items()}}
    return {name: entry for name, entry in changed.items() if entry is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output__bias": None}, r"output\.bias missing"),
        ({"extra": torch.ones(1)}, "extra unknown"),
        ({"output__bias": torch.ones(4)}, r"output\.bias must be \(3,\), got \(4,\)"),
        ({"output__bias": torch.tensor([0.0, float("nan"), 0.0])}, r"output\.bias holds NaN"),
        (
            {"output__bias": torch.tensor([0.0, 1e300, 0.0]).double() * 1e300},
            "holds NaN or infinity",
        ),
        ({"encoder__0__bias": torch.zeros(0)}, "must be vectors"),
        ({"encoder__0__bias": torch.zeros(10**6)}, "weights do not fit autoencoder"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, home: Path, changes: dict[str, Any], message: str
) -> None:
    torch.save(state_of(small(), **changes), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=message):
        weights.add("autoencoder-x", tmp_path / "x.pth")
    assert not home.exists()


def test_weights_of_another_network_are_refused(tmp_path: Path, published: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of autoencoder, not of MPRNet"):
        weights.add("mprnet-gopro", published)


def test_added_weights_are_loaded_by_name(published: Path, home: Path) -> None:
    import hashlib

    entry = weights.add("autoencoder-blur", published, source="a friend")
    assert (
        entry.path
        == weights.weights_path("autoencoder-blur")
        == home / "autoencoder-blur.safetensors"
    )
    assert os.listdir(home) == ["autoencoder-blur.safetensors"]
    assert weights.list_weights() == (entry,)
    notes = dict(entry.notes)
    assert notes.pop("source_sha256") == hashlib.sha256(published.read_bytes()).hexdigest()
    assert len(notes.pop("data_sha256")) == 64
    assert len(notes.pop("date")) == 10
    assert json.loads(notes.pop("config")) == {"width": 1, "latent": 2}
    assert notes.pop("unblur").count(".") == 2
    assert notes == {
        "architecture": "autoencoder",
        "name": "autoencoder-blur",
        "licence": "not stated",
        "source": "a friend",
        "file": "published.pth",
    }
    network = weights.load_network("autoencoder-blur")
    assert isinstance(network, Autoencoder)
    assert not network.training
    assert same(network, small())


def test_the_licence_is_kept(published: Path) -> None:
    entry = weights.add("autoencoder-blur", published, licence="CC0")
    assert entry.notes["licence"] == "CC0"


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("mprnet-tiny", MPRNet(n_feat=4, scale_unetfeats=4, scale_orsnetfeats=4)),
        ("nafnet-tiny", NAFNet(width=4, encoder=[1, 2], middle=1, decoder=[1, 1])),
    ],
)
def test_other_networks_and_shared_entries(tmp_path: Path, name: str, network: Any) -> None:
    torch.save({"params": network.state_dict()}, tmp_path / "x.pth")
    weights.add(name, tmp_path / "x.pth")
    assert same(weights.load_network(name), network)
    assert same(weights.load_network(tmp_path / "x.pth"), network)


def test_a_name_is_taken_once(tmp_path: Path, published: Path) -> None:
    weights.add("autoencoder-x", published)
    other = tmp_path / "other.pth"
    torch.save(small(1).state_dict(), other)
    with pytest.raises(WeightsError, match=r"weights named autoencoder-x already: .*--overwrite"):
        weights.add("autoencoder-x", other)
    assert same(weights.load_network("autoencoder-x"), small())
    weights.add("autoencoder-x", other, overwrite=True)
    assert same(weights.load_network("autoencoder-x"), small(1))
    assert len(weights.list_weights()) == 1


def _add(home: str, file: str, start: Any, answers: Any) -> None:
    os.environ["UNBLUR_HOME"] = home
    start.wait()
    try:
        weights.add("autoencoder-x", file)
        answers.put("added")
    except WeightsError as error:
        answers.put(str(error))


def test_two_processes_add_one_name(published: Path, home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    arguments = (str(home.parent), str(published), start, answers)
    both = [context.Process(target=_add, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    told = sorted(answers.get(timeout=120) for _ in both)
    for process in both:
        process.join(60)
    assert told[0] == "added"
    assert "already" in told[1]
    assert os.listdir(home) == ["autoencoder-x.safetensors"]
    assert same(weights.load_network("autoencoder-x"), small())


def test_a_name_that_is_taken_meanwhile(
    published: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = weights.open_checkpoint

    def slow(path: Any) -> Any:
        found = real(path)
        home.mkdir(parents=True)
        (home / "autoencoder-x.safetensors").write_bytes(b"theirs")
        return found

    monkeypatch.setattr(weights, "open_checkpoint", slow)
    with pytest.raises(WeightsError, match="already"):
        weights.add("autoencoder-x", published)
    assert (home / "autoencoder-x.safetensors").read_bytes() == b"theirs"
    assert len(os.listdir(home)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".hidden",
        "autoencoder/x",
        "../autoencoder-x",
        "autoencoder-..\\x",
        "Autoencoder-x",
        "autoencoder-x.",
        "autoencoder-é",
        "autoencoder-x\n",
        "autoencoder-" + "x" * 60,
        "autoencoder x",
    ],
)
def test_names_that_are_refused(published: Path, home: Path, name: str) -> None:
    for act in (lambda: weights.add(name, published), lambda: weights.weights_path(name)):
        with pytest.raises(ParameterError, match="the name of weights must"):
            act()
    assert not home.exists()


def test_a_name_of_no_network_is_refused(published: Path) -> None:
    with pytest.raises(ParameterError, match="must begin with mprnet, nafnet"):
        weights.add("unet-x", published)
    with pytest.raises(WeightsError, match="`unblur weights list` names those there are"):
        weights.weights_path("unet-x")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "mprnet-gopro",
            "download model_deblurring.pth, .* `unblur weights add mprnet-gopro FILE`",
        ),
        ("nafnet-gopro", "NAFNet-GoPro-width32.pth .* `unblur weights add nafnet-gopro FILE`"),
        ("dpanet-x", "none are published for .*, so ask .* `unblur weights add dpanet-x FILE`"),
    ],
)
def test_what_is_missing_says_how_to_get_it(name: str, advice: str) -> None:
    for act in (weights.weights_path, weights.load_network):
        with pytest.raises(WeightsError, match=f"no weights named {name}: .*{advice}"):
            act(name)


def test_removing(published: Path, home: Path) -> None:
    weights.add("autoencoder-x", published)
    weights.remove("autoencoder-x")
    assert weights.list_weights() == ()
    with pytest.raises(WeightsError, match="there are no weights named autoencoder-x; `unblur"):
        weights.remove("autoencoder-x")
    with pytest.raises(ParameterError):
        weights.remove("../x")
    (home / "autoencoder-folder.safetensors").mkdir()
    with pytest.raises(WeightsError, match="cannot be removed"):
        weights.remove("autoencoder-folder")


def test_what_is_removed_while_it_is_listed(
    published: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weights.add("autoencoder-a", published).path
    second = weights.add("autoencoder-b", published)

    def listing(folder: Path, _: str) -> Iterator[Path]:
        found = [first, second.path] if folder == home else []
        first.unlink(missing_ok=True)
        yield from found

    monkeypatch.setattr(Path, "glob", listing)
    assert weights.list_weights() == (second,)


def test_damage_in_the_folder_is_listed_and_not_loaded(published: Path, home: Path) -> None:
    path = weights.add("autoencoder-a", published).path
    content = bytearray(path.read_bytes())
    (home / "autoencoder-cut.safetensors").write_bytes(content[:-8])
    (home / "autoencoder-empty.safetensors").write_bytes(b"")
    (home / "autoencoder-folder.safetensors").mkdir()
    (home / "autoencoder-loop.safetensors").symlink_to("autoencoder-loop.safetensors")
    safetensors.torch.save_file(small().state_dict(), home / "autoencoder-own.safetensors")
    (home / ".autoencoder-part.safetensors.1.ab.part").write_bytes(b"x")
    content[-5] ^= 1
    (home / "autoencoder-flipped.safetensors").write_bytes(content)
    damage = {entry.name.removeprefix("autoencoder-"): entry.damage for entry in store.entries()}
    assert damage == {
        "a": None,
        "cut": "damaged or cut off",
        "empty": "damaged or cut off",
        "flipped": None,
        "folder": "not a regular file",
        "loop": "not a regular file",
        "own": "not written by unblur",
    }
    for name in ("cut", "empty", "flipped", "folder", "loop"):
        with pytest.raises(WeightsError):
            weights.load_network(f"autoencoder-{name}")
    assert same(weights.load_network("autoencoder-own"), small())


def test_shipped_weights_come_second(published: Path, tmp_path: Path, home: Path) -> None:
    entry = weights.add("autoencoder-x", published)
    store.SHIPPED.mkdir()
    shipped = entry.path.rename(store.SHIPPED / entry.path.name)
    assert weights.weights_path("autoencoder-x") == shipped
    assert [found.shipped for found in weights.list_weights()] == [True]
    with pytest.raises(WeightsError, match="came with unblur"):
        weights.remove("autoencoder-x")
    torch.save(small(1).state_dict(), tmp_path / "mine.pth")
    mine = weights.add("autoencoder-x", tmp_path / "mine.pth")
    assert weights.weights_path("autoencoder-x") == mine.path
    assert [found.shipped for found in weights.list_weights()] == [False, True]


def test_a_folder_that_cannot_be_made(published: Path, home: Path) -> None:
    home.parent.write_bytes(b"in the way")
    with pytest.raises(OutputError, match="cannot be made"):
        weights.add("autoencoder-x", published)
    assert weights.list_weights() == ()


def test_where_the_folder_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert store.folder() == tmp_path / "home" / "weights"
    monkeypatch.delenv("UNBLUR_HOME")
    monkeypatch.setattr(store.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store.folder() == tmp_path / "cache" / "unblur" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert store.folder() == tmp_path / ".cache" / "unblur" / "weights"
    monkeypatch.setattr(store.sys, "platform", "darwin")
    assert store.folder() == tmp_path / "Library" / "Caches" / "unblur" / "weights"
    monkeypatch.setattr(store.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert store.folder() == tmp_path / "local" / "unblur" / "weights"
    monkeypatch.setenv("UNBLUR_HOME", "~nobody-of-this-name/x")
    with pytest.raises(WeightsError, match="set UNBLUR_HOME"):
        store.folder()


def test_a_saved_folder_is_loaded_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    def offline(*_: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", offline)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    folder = tmp_path / "saved"
    small().save_pretrained(folder)
    assert same(Autoencoder.from_pretrained(folder), small())
    assert same(weights.load_network(folder), small())
    for load in (Autoencoder.from_pretrained, weights.load_network):
        with pytest.raises(WeightsError, match="there is no f"):
            load("some/model")
    with pytest.raises(WeightsError, match="weights do not fit NAFNet"):
        NAFNet.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    for load in (Autoencoder.from_pretrained, weights.load_network):
        with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
            load(folder)
    assert capsys.readouterr().out == ""


def test_a_file_that_fits_nothing(tmp_path: Path) -> None:
    torch.save(PLAIN, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="fits no network that unblur has: mprnet, nafnet"):
        weights.load_network(tmp_path / "x.pth")


def test_a_name_goes_before_a_file(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights.add("autoencoder-x", published)
    torch.save(small(1).state_dict(), "autoencoder-x")
    assert same(weights.load_network("autoencoder-x"), small())
    assert same(weights.load_network("./autoencoder-x"), small(1))
    weights.remove("autoencoder-x")
    assert same(weights.load_network("autoencoder-x"), small(1))
