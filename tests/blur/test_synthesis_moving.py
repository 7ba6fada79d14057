"""Blurs that vary over the patch, point by point."""

import math

import numpy as np
import pytest
import torch

from unblur.blur.homography import camera_shake, lens_field
from unblur.blur.synthesis import Synthesis, draw
from unblur.blur.synthesis.moving import average, lens_path, reach, turn_path

SIZE = (121, 161)


def points(*places: tuple[int, int]) -> torch.Tensor:
    """A black picture with white points at (x, y) from the centre."""
    picture = torch.zeros(1, *SIZE)
    for x, y in places:
        picture[0, 60 + y, 80 + x] = 1
    return picture


def trace(blurred: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The mean place (x, y) of the light, and the direction and spread of it."""
    y, x = torch.meshgrid(torch.arange(121.0) - 60, torch.arange(161.0) - 80, indexing="ij")
    mass = blurred[0].double() / blurred.sum()
    mean = np.array([float((mass * x).sum()), float((mass * y).sum())])
    offsets = torch.stack((x - mean[0], y - mean[1])).double()
    return mean, torch.einsum("hw,ahw,bhw->ab", mass, offsets, offsets).numpy()


def test_equation_16_by_hand() -> None:
    """R turns by 30 degrees, T stretches by 1.2 and 1.1; the point lies at (30, -40).

    Along the first axis (cos 30, -sin 30 in rows downwards) it is at 30 cos 30 + 40 sin 30 =
    45.981, across at 30 sin 30 - 40 cos 30 = -19.641. It moves by 0.2 and 0.1 of that: 9.196 along
    and -1.964 across, which is (6.982, -6.299) on the picture.
    """
    path = lens_path(30, (1.2, 1.1), SIZE)
    blurred = average(points((30, -40)), path, 0)
    mean, covariance = trace(blurred)
    way = np.array([6.9820, -6.2990])
    np.testing.assert_allclose(mean, np.array([30, -40]) + 0.523 * way, atol=0.03)
    values, vectors = np.linalg.eigh(covariance)
    # Constant along a segment of length L: variance L^2 / 12, and a little from interpolation.
    assert values[1] == pytest.approx(way @ way / 12, rel=0.06)
    assert values[0] < 0.35
    assert abs(vectors[:, 1] @ way) / np.linalg.norm(way) > 0.998


def test_a_lens_blurs_nothing_at_its_centre_and_more_towards_the_corners() -> None:
    path = lens_path(70, (1.4, 0.9), SIZE, centred=True)
    assert float(average(points((0, 0)), path, 0)[0, 60, 80]) == pytest.approx(1, abs=1e-4)
    spreads = [
        np.trace(trace(average(points((4 * n, 3 * n)), path, 0))[1]) for n in (0, 2, 5, 10, 14)
    ]
    assert spreads == sorted(spreads)
    # The length grows linearly with the distance, the variance with its square.
    assert spreads[4] / spreads[3] == pytest.approx((14 / 10) ** 2, rel=0.1)


def test_the_optical_centre_may_lie_anywhere() -> None:
    path = lens_path(10, (1.2, 1.2), SIZE, centre=(30.0, 20.0))
    assert float(average(points((30, 20)), path, 0)[0, 80, 110]) == pytest.approx(1, abs=1e-4)
    assert float(average(points((-30, 0)), path, 0).max()) < 0.2


def test_a_centred_lens_leaves_points_where_they_are() -> None:
    for centred, shift in ((True, 0.0), (False, 4.0)):
        path = lens_path(0, (1.2, 1.0), SIZE, centred=centred)
        mean, _ = trace(average(points((40, 0)), path, 0))
        assert mean[0] == pytest.approx(40 + shift, abs=0.2)


def test_the_lens_agrees_with_the_field_of_kernels(photograph: np.ndarray) -> None:
    picture = torch.from_numpy(photograph.copy()).permute(2, 0, 1) / 255
    size = (96, 128)
    field = lens_field(25, (1.08, 0.96), size, (16, 20)).operator(size, "replicate")
    wanted = field.forward(picture[None])[0]
    found = average(picture, lens_path(25, (1.08, 0.96), size), 0)
    inside = (slice(None), slice(10, -10), slice(10, -10))
    assert float((found - wanted)[inside].abs().mean()) < 0.004
    assert float((picture - wanted)[inside].abs().mean()) > 0.02


def test_a_turning_camera_agrees_with_the_field_of_kernels(photograph: np.ndarray) -> None:
    picture = torch.from_numpy(photograph.copy()).permute(2, 0, 1) / 255
    size, focal, moments = (96, 128), 1e4, torch.linspace(-0.5, 0.5, 65, dtype=torch.float64)
    angles = moments[:, None] * torch.tensor([6 / focal, -3 / focal, math.radians(5)])
    # There, counter-clockwise is positive; here, clockwise.
    poses = np.stack((-3 * moments, 6 * moments, -5 * moments), 1)
    wanted = camera_shake(poses, size, (16, 20)).operator(size, "replicate").forward(picture[None])
    found = average(picture, turn_path(angles, focal, size), 0)
    inside = (slice(None), slice(10, -10), slice(10, -10))
    assert float((found - wanted[0])[inside].abs().mean()) < 0.004
    assert float((picture - wanted[0])[inside].abs().mean()) > 0.02


def test_a_turn_to_the_side_by_hand() -> None:
    """A point at the angle a from the axis is seen at f tan(a + turn)."""
    path = turn_path(torch.tensor([[0.1, 0.0, 0.0]]), 200.0, SIZE, centre=(10.0, 0.0))
    seen = path[0].double() @ torch.tensor([60.0, 0.0, 1.0], dtype=torch.float64)
    wanted = 10 + 200 * math.tan(math.atan(50 / 200) + 0.1)
    assert float(seen[0] / seen[2]) == pytest.approx(wanted, abs=1e-3)


def test_a_picture_that_rests_stays_as_it_is() -> None:
    picture = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    found = average(picture, torch.eye(3)[None], 4)
    torch.testing.assert_close(found, picture[:, 4:-4, 4:-4], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["homography", "lens"])
@pytest.mark.parametrize("size", [(64, 64), (24, 200)])
def test_paths_drawn_stay_within_the_margin_and_reach_lengths(
    kind: str, size: tuple[int, int]
) -> None:
    settings = Synthesis(shares={kind: 1}, margin=12, bank=4)  # type: ignore[dict-item]
    reaches = []
    for plan in draw(settings, 30, size, torch.Generator().manual_seed(1)):
        assert plan.path is not None
        reaches.append(reach(plan.path, size))
    assert max(reaches) <= 12.01
    assert max(reaches) > 9
    assert min(reaches) < 6


def test_a_turning_camera_leaves_the_patch_where_it_is() -> None:
    settings = Synthesis(shares={"homography": 1}, bank=4)
    for plan in draw(settings, 10, (100, 100), torch.Generator().manual_seed(2)):
        assert plan.path is not None
        seen = plan.path @ torch.tensor([0.0, 0.0, 1.0])
        mean = (seen[:, :2] / seen[:, 2:]).mean(0)
        assert float(mean.abs().max()) < 1.5
