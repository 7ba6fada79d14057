"""The field of a hand-held camera."""

import pytest
import torch

from unblur.blur import random_camera_shake
from unblur.errors import ParameterError


def test_without_roll_all_kernels_are_alike_and_as_large_as_asked_for() -> None:
    field = random_camera_shake(11, 0, (80, 100), (2, 3), seed=1)
    kernels = field.kernels[:, :, 0]
    torch.testing.assert_close(kernels, kernels[:1, :1].expand_as(kernels), rtol=0, atol=1e-6)
    sides = [int(kernels[0, 0].any(axis).sum()) for axis in (0, 1)]
    # 11 pixels of path touch 12 or 13 columns, linearly shared.
    assert max(sides) in (12, 13)


def test_roll_blurs_the_corners_across_their_radius_and_not_the_centre() -> None:
    field = random_camera_shake(0, 5, (90, 150), (3, 5), seed=2)
    kernels = field.kernels[:, :, 0]
    assert float(kernels[1, 2].max()) == pytest.approx(1, abs=1e-5)
    # The middle of the right edge is 60 pixels from the centre: it moves by 5 degrees of that,
    # 5.2 pixels, up and down.
    rows, columns = (int((kernels[1, 4].sum(axis) > 1e-3).sum()) for axis in (1, 0))
    assert rows in (6, 7)
    assert columns <= 3


def test_the_seed_and_no_exposure() -> None:
    first, again, other = (random_camera_shake(9, 1, (60, 60), (2, 2), seed=s) for s in (1, 1, 2))
    assert torch.equal(first.kernels, again.kernels)
    assert first.kernels.shape != other.kernels.shape or not torch.equal(
        first.kernels, other.kernels
    )
    still = random_camera_shake(9, 1, (60, 60), (2, 2), exposure=0)
    assert still.kernel_size == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((-1, 0), "shift"), ((5, 91), "degrees"), ((5, 0, 2), "exposure"), ((5, 0, 1, -1), "anxiety")],
)
def test_what_is_refused(arguments: tuple[float, ...], name: str) -> None:
    shift, degrees, exposure, anxiety = (*arguments, *(1, 0.5)[len(arguments) - 2 :])
    with pytest.raises(ParameterError, match=name):
        random_camera_shake(shift, degrees, (40, 40), (1, 1), exposure=exposure, anxiety=anxiety)
