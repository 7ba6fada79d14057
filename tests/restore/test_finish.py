"""A network as a solver: loaded once, refused where it is another, in the place of any solver."""

from pathlib import Path

import numpy as np
import pytest
import torch

import unblur
from unblur.blur import Field, kernels
from unblur.errors import ParameterError, WeightsError
from unblur.nets.deepwiener import DeepWiener
from unblur.nets.nafnet import NAFNet
from unblur.restore.finish import start_finish

CPU = torch.device("cpu")


@pytest.fixture
def idle(tmp_path: Path) -> str:
    """Weights of a network that adds nothing."""
    path = tmp_path / "idle.pth"
    torch.save(DeepWiener(widths=(4, 4, 4), blocks=(1, 1, 1)).state_dict(), path)
    return str(path)


@pytest.fixture
def blurred(photograph: np.ndarray) -> np.ndarray:
    return unblur.blur(photograph[:64, :72], kernels.motion(7, 30), noise=0.01, seed=0)


def test_it_is_loaded_once(idle: str) -> None:
    first, second = (start_finish(idle, "float32", CPU) for _ in range(2))
    assert first is second
    assert start_finish(idle, "bfloat16", CPU).precision == "bfloat16"


def test_new_weights_of_the_same_name_are_loaded_anew(idle: str) -> None:
    first = start_finish(idle, "float32", CPU)
    torch.save(DeepWiener(widths=(6, 4, 4), blocks=(1, 1, 1)).state_dict(), idle)
    assert start_finish(idle, "float32", CPU).sha256 != first.sha256


def test_a_network_that_adds_nothing_gives_the_local_wiener_result(
    idle: str, blurred: np.ndarray
) -> None:
    kernel = kernels.motion(7, 30)
    found = unblur.deblur(blurred, "deep-wiener", kernel=kernel, weights=idle)
    wanted = unblur.deblur(blurred, "local-wiener", kernel=kernel)
    np.testing.assert_array_equal(found.image, wanted.image)


def test_what_was_trained_adds_something_and_less_than_the_blur_took(blurred: np.ndarray) -> None:
    kernel = kernels.motion(7, 30)
    image = blurred.astype(np.float32) / 255
    found = unblur.deblur(image, "deep-wiener", kernel=kernel).image
    classical = unblur.deblur(image, "local-wiener", kernel=kernel).image
    assert 1e-3 < np.abs(found - classical).mean() < np.abs(image - classical).mean()


def test_a_field_is_taken_too(blurred: np.ndarray, idle: str) -> None:
    field = Field.uniform(kernels.motion(7, 30))
    found = unblur.deblur(blurred, "deep-wiener", kernel=field, weights=idle)
    wanted = unblur.deblur(blurred, "local-wiener", kernel=field)
    np.testing.assert_array_equal(found.image, wanted.image)


def test_l0_takes_it_as_its_solver(blurred: np.ndarray) -> None:
    options = {"kernel": kernels.motion(7, 30)}
    found = unblur.deblur(blurred, "l0", solver="deep-wiener", **options)
    wanted = unblur.deblur(blurred, "deep-wiener", **options)
    np.testing.assert_array_equal(found.image, wanted.image)
    with pytest.raises(ParameterError, match=r"regularization .* 'deep-wiener'"):
        unblur.deblur(blurred, "l0", solver="deep-wiener", regularization=0.1, **options)


def test_a_sharp_picture_stays_as_it_is(photograph: np.ndarray) -> None:
    found = unblur.deblur(photograph, "l0", solver="deep-wiener")
    assert found.report.unchanged
    np.testing.assert_array_equal(found.image, photograph)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(NAFNet(4, [1], 1, [1]).state_dict(), path)
    with pytest.raises(WeightsError, match="NAFNet, and deep-wiener takes those of DeepWiener"):
        unblur.load("deep-wiener", kernel=kernels.disk(2), weights=str(path))


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(WeightsError, match="no weights named deep-wiener-none"):
        unblur.load("deep-wiener", kernel=kernels.disk(2), weights="deep-wiener-none")


def test_values_that_are_not_finite_are_an_error(tmp_path: Path, blurred: np.ndarray) -> None:
    network = DeepWiener(widths=(4, 4, 4), blocks=(1, 1, 1))
    network.leave.bias.data.fill_(3e38)
    network.enter.bias.data.fill_(3e38)
    network.leave.weight.data.fill_(3e38)
    path = tmp_path / "wild.pth"
    torch.save(network.state_dict(), path)
    with pytest.raises(WeightsError, match="not finite in float32"):
        unblur.deblur(
            blurred,
            "deep-wiener",
            kernel=kernels.disk(2),
            weights=str(path),
            precision="float32",
        )
