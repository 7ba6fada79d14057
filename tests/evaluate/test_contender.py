"""Methods as contenders: labels, parameters of all and of one, kernels."""

from pathlib import Path

import numpy as np
import pytest
import torch

import unblur
from unblur.blur import kernels
from unblur.errors import ParameterError, WeightsError
from unblur.evaluate.contender import contenders
from unblur.photo import Photo


@pytest.fixture
def photo(photograph: np.ndarray) -> Photo:
    return Photo(torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None])


def test_parameters_go_to_those_that_have_them() -> None:
    own, first, second, third = contenders(
        ["wiener", "tv:iterations=3", "tv"], {"iterations": "4", "penalty": "flat"}
    )
    assert (own.label, own.method) == ("input", "input")
    assert first.given == {"penalty": "flat"}
    assert second.given == {"iterations": "3"}
    assert third.given == {"iterations": "4"}
    assert first.needs_kernel
    assert not first.blind


def test_methods_are_named_once() -> None:
    assert len(contenders(["wiener", "wiener", "input"], {})) == 2
    assert len(contenders(["input"], {})) == 1


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        ([], {}, "method is missing: name at least one"),
        (["winer"], {}, "did you mean wiener"),
        (["wiener"], {"iterations": "3"}, "no method here has a parameter 'iterations'"),
        (["wiener:iterations=3"], {}, "unknown parameter 'iterations'"),
        (["wiener:flat"], {}, "after ':' come PARAMETER=VALUE, not 'flat'"),
        (["tv"], {"iterations": "0"}, "'iterations' must be a whole number from 1"),
    ],
)
def test_mistakes_are_found_before_any_work(
    names: list[str], settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        contenders(names, settings)


def test_a_network_without_weights_is_refused(no_weights: Path) -> None:
    with pytest.raises(WeightsError, match="there are no weights named nafnet-gopro-32"):
        contenders(["nafnet"], {})


def test_the_kernel_goes_to_the_method(photo: Photo) -> None:
    kernel = kernels.motion(5, 0)
    wanted = unblur.deblur(photo, "wiener", kernel=kernel, device="cpu").image
    outcome = contenders(["wiener"], {}, device="cpu")[1].restore(photo, kernel=kernel)
    assert torch.equal(outcome.photo.samples, wanted.samples)
    assert outcome.kernel is not None
    assert outcome.seconds > 0
    assert outcome.report["method"] == "wiener"


def test_the_size_goes_to_a_method_that_takes_it(photo: Photo) -> None:
    blurred = unblur.blur(photo, kernels.motion(5, 0))
    blind = contenders(["l0"], {"field": "false"}, device="cpu")[1]
    assert blind.blind
    assert blind.takes_size
    outcome = blind.restore(blurred, kernel_size=7)
    assert outcome.report["parameters"]["kernel_size"] == 7
    assert outcome.kernel is not None
    assert max(outcome.kernel.size) <= 7


def test_a_size_that_was_said_stays(photo: Photo) -> None:
    blind = contenders(["l0"], {"kernel_size": "5", "field": "false"}, device="cpu")[1]
    outcome = blind.restore(photo, kernel_size=9)
    assert outcome.report["parameters"]["kernel_size"] == 5


def test_a_network_stays_warm(photo: Photo, tiny_weights: Path) -> None:
    contender = contenders(["dpanet:backend=torch,precision=float32"], {}, device="cpu")[1]
    assert contender.warm is not None
    first, second = contender.restore(photo), contender.restore(photo)
    assert torch.equal(first.photo.samples, second.photo.samples)
    assert first.kernel is None
