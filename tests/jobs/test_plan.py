import os
from pathlib import Path

import pytest
from PIL import Image

from unblur.errors import ParameterError
from unblur.jobs.plan import plan


def picture(path: Path, format_: str = "JPEG") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, format_)
    return str(path)


@pytest.mark.parametrize(
    ("name", "format_", "expected"),
    [
        ("shaken.jpg", "JPEG", "shaken.unblur.jpg"),
        ("shaken.JPEG", "JPEG", "shaken.unblur.JPEG"),
        ("lies.png", "JPEG", "lies.unblur.jpg"),
        ("lies.jpg", "PNG", "lies.unblur.png"),
        ("bare", "TIFF", "bare.unblur.tif"),
        ("many.dots.webp", "WEBP", "many.dots.unblur.webp"),
        (".hidden", "PNG", ".hidden.unblur.png"),
    ],
)
def test_a_name_is_made_beside_the_input(
    tmp_path: Path, name: str, format_: str, expected: str
) -> None:
    source = picture(tmp_path / name, format_)
    assert plan([source]) == (str(tmp_path / expected),)


def test_what_is_no_picture_keeps_its_extension(tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("hello")
    assert plan([str(tmp_path / "note.jpg")]) == (str(tmp_path / "note.unblur.jpg"),)
    assert plan([str(tmp_path / "absent.jpg")]) == (str(tmp_path / "absent.unblur.jpg"),)


def test_suffix_and_extension_can_be_chosen(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg")
    assert plan([source], suffix="-sharp", extension="tiff") == (str(tmp_path / "a-sharp.tiff"),)


def test_a_folder_takes_any_number(tmp_path: Path) -> None:
    sources = [picture(tmp_path / "in" / name) for name in ("a.jpg", "b.jpg")]
    (tmp_path / "out").mkdir()
    expected = tuple(str(tmp_path / "out" / name) for name in ("a.unblur.jpg", "b.unblur.jpg"))
    assert plan(sources, str(tmp_path / "out")) == expected
    assert plan(sources, str(tmp_path / "new") + os.sep)[0].startswith(str(tmp_path / "new"))


def test_a_long_name_still_fits(tmp_path: Path) -> None:
    source = picture(tmp_path / ("é" * 125 + ".jpg"))
    (target,) = plan([source])
    name = os.path.basename(target)
    assert len(os.fsencode(name)) <= 255
    assert name.endswith("é.unblur.jpg")


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    source = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    picture(Path(source), "PNG")
    assert os.fsencode(plan([source])[0]).endswith(b"/caf\xe9.unblur.png")


@pytest.mark.parametrize(
    "names",
    [
        ("x/1.jpg", "y/1.jpg"),
        ("x/a.jpg", "y/A.jpg"),
        ("x/stra\u00dfe.jpg", "y/STRASSE.jpg"),
        ("x/caf\u00e9.jpg", "y/cafe\u0301.jpg"),
        ("x/a.png", "x/a.jpg"),  # both hold JPEG
    ],
)
def test_two_results_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    sources = [picture(tmp_path / name) for name in names]
    with pytest.raises(ParameterError, match="would both be written to"):
        plan(sources, str(tmp_path))


def test_the_same_input_twice_is_refused(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg")
    for in_place in (False, True):
        with pytest.raises(ParameterError, match="would both be written to"):
            plan([source, os.path.join(tmp_path, ".", "a.jpg")], in_place=in_place)


def test_a_linked_folder_is_no_way_around(tmp_path: Path) -> None:
    sources = [picture(tmp_path / "real" / "a.jpg"), str(tmp_path / "link" / "a.jpg")]
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ParameterError, match="would both be written to"):
        plan(sources)


@pytest.mark.parametrize("output", ["a.jpg", "./a.jpg", "A.JPG", "link.jpg", "hard.jpg"])
def test_a_result_does_not_replace_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "hard.jpg").hardlink_to("a.jpg")
    with pytest.raises(ParameterError, match=r"would replace the input (a\.jpg|A\.JPG)"):
        plan(["a.jpg"], output)


def test_a_result_does_not_replace_another_input(tmp_path: Path) -> None:
    sources = [picture(tmp_path / name) for name in ("a.jpg", "a.unblur.jpg")]
    with pytest.raises(ParameterError, match="would replace the input"):
        plan(sources)


def test_in_place_means_the_input_even_through_a_link(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert plan([str(tmp_path / "link.jpg")], in_place=True) == (os.path.realpath(source),)


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        (["a.jpg"], {"output": "b.jpg", "in_place": True}, "--in-place replaces"),
        (["a.jpg"], {"extension": "png", "in_place": True}, "--in-place replaces"),
        (["-"], {"in_place": True}, "--in-place needs a file"),
        (["a.jpg", "b.jpg"], {"output": "c.jpg"}, "several inputs need a folder"),
        (["a.jpg", "b.jpg"], {"output": "-"}, "several inputs need a folder"),
        (["a.jpg"], {"output": "b.jpg", "extension": "png"}, "contradict"),
        (["-"], {"output": "./"}, "has no name"),
        (["a.jpg"], {"suffix": "/../x"}, "--suffix must be"),
        (["a.jpg"], {"suffix": "\n"}, "--suffix must be"),
    ],
)
def test_what_does_not_go_together(
    sources: list[str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        plan(sources, **options)  # type: ignore[arg-type]


def test_streams(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg")
    assert plan(["-"]) == ("-",)
    assert plan(["-"], "b.jpg") == ("b.jpg",)
    assert plan([source], "-") == ("-",)
