"""Records as JSON and as files."""

from pathlib import Path

import pytest

from unblur.datasets import Pair
from unblur.errors import InputError, OutputError
from unblur.evaluate.records import Record, Store, digest, fingerprint, from_json, to_json


def record(picture: str = "a/b c", **values: float) -> Record:
    return Record("p", "s", "folder", "", picture, "", "l0:size=3", "l0", values, 1.5)


def test_a_record_survives_json() -> None:
    before = record(psnr=float("inf"), ssim=0.5)
    text = to_json(vars(before))
    assert '"psnr": "inf"' in text
    assert from_json(text) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"values": {}, "other": 1}', '{"values": 3}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no record of an evaluation"):
        from_json(text)


def test_names_of_any_kind_have_files_of_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path, resume=True)
    names = ["a/b", "a_b", "a:b", "../a", "ä", "x" * 300, "."]
    for index, name in enumerate(names):
        store.keep(record(name, psnr=float(index)), {"l0:size=3": b"png"})
    assert len(list((tmp_path / "records").rglob("*.json"))) == len(names)
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))
    for index, name in enumerate(names):
        found = store.find("l0:size=3", name, "p", "s")
        assert found is not None
        assert found.values["psnr"] == index
        assert store.crop("l0:size=3", name) == b"png"


def test_without_resume_nothing_is_found(tmp_path: Path) -> None:
    Store(tmp_path).keep(record(psnr=1.0), {})
    assert Store(tmp_path, overwrite=True).find("l0:size=3", "a/b c", "p", "s") is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file cannot be made"):
        Store(tmp_path / "file")


def test_a_fingerprint_is_of_all_files(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    marks = {
        fingerprint(Pair("a", first)),
        fingerprint(Pair("a", first, second)),
        fingerprint(Pair("a", first, frames=(second, second))),
        fingerprint(Pair("a", second, first)),
    }
    assert len(marks) == 4
    assert fingerprint(Pair("another name", first)) in marks
    with pytest.raises(InputError, match="3 cannot be read: No such file"):
        fingerprint(Pair("a", tmp_path / "3"))


def test_digests_do_not_depend_on_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
