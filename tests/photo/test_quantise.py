"""Clip, round, cast: once and right."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unblur.errors import InputError, NonFiniteInput
from unblur.photo import quantise


@given(values=st.lists(st.floats(-2, 3, width=32), min_size=1, max_size=50))
@pytest.mark.parametrize(("dtype", "top"), [(torch.uint8, 255), (torch.uint16, 65535)])
def test_against_numpy(values: list[float], dtype: torch.dtype, top: int) -> None:
    image = torch.tensor([values])
    oracle = np.rint(np.clip(image.numpy(), 0, 1) * np.float32(top)).astype(int)
    assert np.array_equal(quantise(image, dtype).numpy(), oracle)


@pytest.mark.parametrize(("dtype", "top"), [(torch.uint8, 255), (torch.uint16, 65535)])
def test_every_level_comes_back(dtype: torch.dtype, top: int) -> None:
    levels = torch.arange(top + 1).view(1, -1)
    assert torch.equal(quantise(levels.float() / top, dtype).long(), levels)


def test_ties_go_to_even() -> None:
    halves = (torch.arange(0, 6, dtype=torch.float64) + 0.5) / 255
    assert quantise(halves.view(1, -1), torch.uint8)[0].tolist() == [0, 2, 2, 4, 4, 6]


def test_floats_pass_unclipped() -> None:
    image = torch.tensor([[-3.0, 0.25, 1e30]])
    assert torch.equal(quantise(image, torch.float32), image)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_not_finite(value: float, dtype: torch.dtype) -> None:
    image = torch.zeros(3, 4, 5)
    image[1, 2, 3] = value
    with pytest.raises(NonFiniteInput, match="1 values are NaN or infinite"):
        quantise(image, dtype)


def test_shape_slabs_and_purity() -> None:
    image = torch.rand(1, 3, 1500, 1000, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    before = image.clone()
    samples = quantise(image.transpose(2, 3), torch.uint8)
    assert samples.shape == (1, 3, 1000, 1500)
    assert torch.equal(image, before)
    whole = (image.transpose(2, 3).clamp(0, 1) * 255).round().to(torch.uint8)
    assert torch.equal(samples, whole)


def test_gradients_stop() -> None:
    image = torch.rand(1, 2, 2, requires_grad=True)
    assert not quantise(image, torch.float32).requires_grad


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="dtype must be"):
        quantise(torch.zeros(2, 2), torch.int32)
    with pytest.raises(InputError, match="floating point"):
        quantise(torch.zeros(2, 2, dtype=torch.uint8), torch.uint8)
    with pytest.raises(InputError, match=r"got torch.float32 with shape \(2,\)"):
        quantise(torch.zeros(2), torch.uint8)
