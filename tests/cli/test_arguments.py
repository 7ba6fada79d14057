import pytest

from unblur.cli.arguments import check_choice, colour, hyphens, region, settings
from unblur.errors import ParameterError


def test_region() -> None:
    assert region(None) is None
    assert region(" 1, 2 ,3,4") == (1, 2, 3, 4)


@pytest.mark.parametrize(
    "text", ["", "1", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4", "-1,0,5,5"]
)
def test_no_region(text: str) -> None:
    with pytest.raises(ParameterError, match="--roi must"):
        region(text)


def test_colour() -> None:
    assert colour(None) is None
    assert colour("0.5") == (0.5,)
    assert colour("1,0,0.25") == (1.0, 0.0, 0.25)


@pytest.mark.parametrize("text", ["", "red", "1,2", "2,0,0", "-1", "nan", "1,1,1,1"])
def test_no_colour(text: str) -> None:
    with pytest.raises(ParameterError, match="--background must"):
        colour(text)


def test_settings() -> None:
    assert settings(None) == {}
    assert settings(["a-b=1", "c = x=y "], d="2", e=None) == {"a_b": "1", "c": "x=y", "d": "2"}


@pytest.mark.parametrize(
    "pairs", [["a"], ["=1"], [" =1"], ["a=1", "a=2"], ["a-b=1", "a_b=1"], ["d=1"]]
)
def test_no_settings(pairs: list[str]) -> None:
    with pytest.raises(ParameterError, match=r"--set must be|is given twice"):
        settings(pairs, d="2")


def test_choices_and_hyphens() -> None:
    assert check_choice("--x", "a", ("a", "b")) == "a"
    with pytest.raises(ParameterError, match="--x must be one of a, b, not 'c'"):
        check_choice("--x", "c", ("a", "b"))
    assert hyphens("--max_memory") == "--max-memory"
