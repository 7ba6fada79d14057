import os
import time
from pathlib import Path

import pytest

from unblur.errors import InputError, OutputError, ParameterError
from unblur.jobs.batch.listing import check_folders, entries, fold, honest, wanted


def found(folder: Path, *arguments: object, target: str = "nowhere", **options: object) -> set[str]:
    test = wanted(*arguments)  # type: ignore[arg-type]
    return {entry.name for entry in entries(str(folder), target, test, **options)}  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a.jpg",
        "B.JPG",
        "sub/c.png",
        "sub/deep/d.tiff",
        "raw.NEF",
        "notes.txt",
        ".x.jpg",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "in"


ALL = {"a.jpg", "B.JPG", "sub/c.png", "sub/deep/d.tiff", "raw.NEF"}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], ALL),
        (["*.jpg"], [], {"a.jpg", "B.JPG"}),
        (["sub/*"], [], {"sub/c.png", "sub/deep/d.tiff"}),
        (["*.txt", "a*"], [], {"notes.txt", "a.jpg"}),
        ([], ["sub/*"], ALL - {"sub/c.png", "sub/deep/d.tiff"}),
        (["*.jpg"], ["b*"], {"a.jpg"}),
        ([], ["d.*"], ALL - {"sub/deep/d.tiff"}),
    ],
)
def test_patterns(tree: Path, include: list[str], exclude: list[str], expected: set[str]) -> None:
    assert found(tree, include, exclude) == expected


def test_one_level_only_if_asked(tree: Path) -> None:
    assert found(tree, recursive=False) == {"a.jpg", "B.JPG", "raw.NEF"}


def test_results_among_the_inputs_are_not_inputs(tree: Path) -> None:
    (tree / "out").mkdir()
    (tree / "out" / "a.jpg").write_bytes(b"")
    assert found(tree, target=str(tree / "out")) == ALL


def test_links(tree: Path) -> None:
    """Row 55: a loop of folders is not entered; a link to a picture is one."""
    (tree / "loop").symlink_to(tree)
    (tree / "link.jpg").symlink_to("a.jpg")
    (tree / "dangling.jpg").symlink_to("nothing")
    assert found(tree) == ALL | {"link.jpg", "dangling.jpg"}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("sub/a.jpg", {}, "sub/a.jpg"),
        ("a.HEIC", {}, "a.png"),
        ("a.nef", {}, "a.tif"),
        ("a.jpg", {"suffix": ".unblur"}, "a.unblur.jpg"),
        ("a.b.jpg", {"extension": "tiff"}, "a.b.tiff"),
        ("a.jpg", {"extension": ".png", "suffix": "-x"}, "a-x.png"),
        ("bare", {}, "bare"),
    ],
)
def test_names_of_results(
    tmp_path: Path, name: str, options: dict[str, str], expected: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    (entry,) = entries(str(tmp_path), "nowhere", wanted(["*"]), **options)  # type: ignore[arg-type]
    assert entry.target == expected


def test_the_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1")
    os.utime(path, ns=(5, 5))

    def stamp() -> str:
        (entry,) = entries(str(tmp_path), "nowhere", wanted())
        return entry.stamp

    assert stamp() == "1 5"
    path.write_bytes(b"12")
    os.utime(path, ns=(5, 5))
    assert stamp() == "2 5"


def test_what_is_still_being_copied_waits(tree: Path) -> None:
    old = time.time() - 60
    os.utime(tree / "a.jpg", (old, old))
    assert found(tree, settle=10.0) == {"a.jpg"}


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be listed"):
        found(tmp_path / "absent")


@pytest.mark.parametrize("target", [".", "../in", "..", "/"])
def test_results_never_go_among_or_above_the_inputs(
    tree: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(ParameterError, match="would replace the inputs"):
        check_folders(".", target)


def test_a_link_is_no_way_around(tree: Path) -> None:
    (tree.parent / "link").symlink_to(tree)
    with pytest.raises(ParameterError, match="would replace the inputs"):
        check_folders(str(tree), str(tree.parent / "link"))


def test_folders_that_are_apart(tree: Path) -> None:
    check_folders(str(tree), str(tree / "out"))
    check_folders(str(tree), str(tree.parent / "in2"))
    check_folders("s3://bucket/in", "s3://bucket/out")
    with pytest.raises(InputError, match="is no folder"):
        check_folders(str(tree / "absent"), "out")
    with pytest.raises(ParameterError, match="would replace the inputs"):
        check_folders("s3://bucket/in", "s3://bucket/")


def test_files_are_no_folders(tree: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jpg is a file: give the folder"):
        check_folders(str(tree / "a.jpg"), "out")
    with pytest.raises(OutputError, match=r"a\.jpg is a file: the results go into a folder"):
        check_folders(str(tree), str(tree / "a.jpg"))


def test_unicode_is_folded() -> None:
    assert fold("\u1e9e.JPG") == fold("ss.jpg")
    assert fold("x\u00b2.jpg") != fold("x2.jpg")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a.jpg", "jpeg", "a.jpg"),
        ("a.JPE", "jpeg", "a.JPE"),
        ("a.jpg", "png", "a.png"),
        ("a.b/c", "jpeg", "a.b/c.jpg"),
        ("a.b/.c", "gif", "a.b/.c.gif"),
        ("a.png", "heif", "a.png"),
        ("a.dng", "raw", "a.tif"),
    ],
)
def test_the_extension_follows_the_content(name: str, kind: str, expected: str) -> None:
    assert honest(name, kind) == expected
