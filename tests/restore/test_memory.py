"""Amounts of memory in words, and what happens when there is too little."""

import re
from contextlib import suppress

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unblur
from unblur.errors import OutOfMemory, ParameterError
from unblur.restore.memory import budget, parse_bytes, peak_bytes


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        (1, 1),
        (4_000_000_000, 4 * 10**9),
        (1e9, 10**9),
        ("1", 1),
        ("4GB", 4 * 10**9),
        ("4gb", 4 * 10**9),
        ("4 GB", 4 * 10**9),
        (" 4g ", 4 * 10**9),
        ("500MB", 5 * 10**8),
        ("500 MiB", 500 * 2**20),
        ("1KiB", 1024),
        ("1k", 1000),
        ("2 TiB", 2 * 2**40),
        ("1.5GB", 1_500_000_000),
        (".5 G", 500_000_000),
        ("2.", 2),
        ("100B", 100),
        (np.int64(2000), 2000),
    ],
)
def test_reads(given: object, amount: int) -> None:
    found = parse_bytes(given)
    assert found == amount
    assert type(found) is int


@pytest.mark.parametrize(
    "given",
    [
        0,
        -1,
        0.4,
        "0",
        "-4GB",
        "",
        "GB",
        "lots",
        "4XB",
        "4 G B",
        "4,5GB",
        "nan",
        "inf",
        float("nan"),
        float("inf"),
        None,
        True,
        [4],
        b"4GB",
        "iB",
        "4ib",
    ],
)
def test_refuses(given: object) -> None:
    with pytest.raises(ParameterError, match=r"max_memory must be.*'4GB', got"):
        parse_bytes(given)


@given(st.integers(1, 10**15))
def test_numbers_mean_themselves(amount: int) -> None:
    assert parse_bytes(amount) == parse_bytes(str(amount)) == amount


@given(st.one_of(st.text(max_size=12), st.floats()))
def test_nothing_but_a_parameter_error_comes_out(given: object) -> None:
    with suppress(ParameterError):
        assert parse_bytes(given) >= 1


def test_without_a_limit_half_of_what_is_free_is_left_alone() -> None:
    assert 0 < budget(None) <= psutil.virtual_memory().total // 2


def test_what_the_process_holds_counts_against_the_limit() -> None:
    held = psutil.Process().memory_info().rss
    assert budget(1) < 0
    assert 0 < budget(held + 10**9) < 10**9 + held // 2


def test_the_peak_is_at_least_what_is_held() -> None:
    assert peak_bytes() >= psutil.Process().memory_info().rss * 0.9


def picture(side: int) -> np.ndarray:
    return np.random.default_rng(0).random((side, side), dtype=np.float32)


def test_too_little_memory_says_how_much_would_do() -> None:
    kernel = unblur.kernels.gaussian(sigma=1.0)
    with pytest.raises(OutOfMemory, match=r"max_memory allows 1 MB, and this.* need") as caught:
        unblur.deblur(picture(128), "tv", kernel=kernel, noise_std=0.01, max_memory="1MB")
    least, held = re.findall(r"at least (\d+) MB, of which .* holds (\d+) MB", str(caught.value))[0]
    assert f"(--max-memory {least}MB)" in str(caught.value)
    # What the process holds may have grown meanwhile.
    enough = psutil.Process().memory_info().rss + (int(least) - int(held) + 40) * 10**6
    found = unblur.deblur(picture(128), "tv", kernel=kernel, noise_std=0.01, max_memory=enough)
    assert found.image.shape == (128, 128)


def test_a_limit_makes_tiles() -> None:
    kernel, image = unblur.kernels.gaussian(sigma=1.0), picture(1000)
    options = {"kernel": kernel, "noise_std": 0.02}
    whole = unblur.deblur(image, "wiener", **options)
    assert whole.report.measured["tiles"] == 1
    held = psutil.Process().memory_info().rss
    tiled = unblur.deblur(image, "wiener", max_memory=held + 30 * 10**6, **options)
    assert tiled.report.measured["tiles"] > 1
    inside = slice(16, -16)
    assert np.abs(tiled.image - whole.image)[inside, inside].max() < 0.5 / 255


def test_too_little_memory_is_a_memory_error_too() -> None:
    with pytest.raises(MemoryError):
        unblur.deblur(picture(80), "wiener", kernel=np.ones((3, 3)), max_memory=1)
