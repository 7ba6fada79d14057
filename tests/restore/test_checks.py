"""The arguments that all methods share."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from unblur.errors import ParameterError
from unblur.restore.checks import check_device, check_mask, check_roi, check_settings
from unblur.restore.tiling import Box

SIZE = (40, 60)


def test_the_processor_is_always_there() -> None:
    assert check_device("cpu") == torch.device("cpu")
    assert check_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["abacus", "", "cpu2", "CPU", None, 0])
def test_an_unknown_device_is_refused(name: Any) -> None:
    with pytest.raises(ParameterError, match="device must be one of auto, cpu, cuda, mps"):
        check_device(name)


@pytest.mark.parametrize("name", ["cpu:", "cuda:x", "cpu:-1", "mps:nine"])
def test_a_device_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="device"):
        check_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine that has the device")
def test_a_device_that_is_absent_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"'cuda' is not available.*device 'auto'"):
        check_device("cuda")


@pytest.mark.parametrize("strength", [0, 1, 0.5, 0.0, 1.0])
@pytest.mark.parametrize("tile", [0, 16, 10**6])
@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_what_is_in_range_is_taken(strength: float, tile: int, seed: int) -> None:
    check_settings(strength=strength, tile=tile, seed=seed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("strength", value) for value in (-0.1, 1.1, math.nan, math.inf, "1", None, True)),
        *(("tile", value) for value in (-1, 1, 15, 64.0, "64", None, True)),
        *(("seed", value) for value in (-1, 2**63, 1.0, "1", None, False)),
    ],
)
def test_what_is_out_of_range_is_named(name: str, value: Any) -> None:
    good: dict[str, Any] = {"strength": 1.0, "tile": 0, "seed": 0}
    with pytest.raises(ParameterError, match=f"^{name} must be"):
        check_settings(**(good | {name: value}))


def test_numbers_of_numpy_are_numbers() -> None:
    check_settings(strength=np.float32(0.5), tile=np.int64(64), seed=np.uint32(7))
    assert check_roi((*np.array([2, 3, 20, 30]),), SIZE) == Box(3, 2, 33, 22)


def test_a_region_becomes_a_box() -> None:
    assert check_roi(None, SIZE) is None
    assert check_roi((2, 3, 20, 30), SIZE) == Box(3, 2, 33, 22)
    assert check_roi([0, 0, 60, 40], SIZE) == Box(0, 0, 40, 60)


@pytest.mark.parametrize(
    "roi",
    [
        (0, 0, 61, 40),
        (0, 0, 60, 41),
        (-1, 0, 20, 20),
        (0, -1, 20, 20),
        (50, 0, 20, 20),
        (0, 30, 20, 20),
        (0, 0, 0, 20),
        (0, 0, -20, 20),
        (0, 0, 15, 20),
        (0, 0, 20, 15),
        (0, 0, 20),
        (0, 0, 20, 20, 20),
        (0.0, 0, 20, 20),
        (0, 0, math.nan, 20),
        "0,0,20,20",
        "abcd",
        7,
    ],
)
def test_what_is_no_region_is_refused(roi: Any) -> None:
    with pytest.raises(ParameterError, match=r"^roi must"):
        check_roi(roi, SIZE)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_a_mask_is_bool_or_zeros_and_ones(dtype: type) -> None:
    mask = np.zeros(SIZE, bool)
    mask[3, 5] = True
    for given in (
        mask.astype(dtype),
        torch.from_numpy(mask.astype(dtype)),
        mask.astype(dtype).tolist(),
    ):
        found = check_mask(given, SIZE)
        assert found is not None
        assert found.dtype == torch.bool
        np.testing.assert_array_equal(found, mask)
    assert check_mask(None, SIZE) is None


def test_a_mask_is_not_shared() -> None:
    mask = np.zeros(SIZE, bool)
    found = check_mask(mask, SIZE)
    mask[:] = True
    assert found is not None
    assert not bool(found.any())


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((60, 40), bool),
        np.zeros((40, 60, 1), bool),
        np.zeros((1, 40, 60), bool),
        np.full(SIZE, 255, np.uint8),
        np.full(SIZE, 0.5),
        np.full(SIZE, np.nan),
        np.full(SIZE, "x"),
        np.full(SIZE, None),
        7,
        "mask.png",
    ],
    ids=range(10),
)
def test_what_is_no_mask_is_refused(mask: Any) -> None:
    with pytest.raises(ParameterError, match=r"^mask must be"):
        check_mask(mask, SIZE)
