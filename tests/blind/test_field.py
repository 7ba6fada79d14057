"""The density over camera poses and the field that it gives, against known paths."""

import numpy as np
import pytest
import torch
from skimage import data

from unblur.blind import Settings
from unblur.blind.field import _agreeing, estimate_field
from unblur.blind.poses import Correlations, Poses, fit_poses
from unblur.blur import Field, Kernel, camera_shake, kernels
from unblur.fourier import gradient, taper_edges
from unblur.metrics import kernel_similarity

SIZE = (256, 256)
TURN = np.stack((np.linspace(-3, 3, 41), np.zeros(41), np.linspace(-1, 1, 41)), 1)


@pytest.fixture(scope="module")
def sharp() -> torch.Tensor:
    return torch.from_numpy(data.camera()[60:316, 120:376] / 255).float()[None, None]


def noisy(image: torch.Tensor) -> torch.Tensor:
    noise = 0.005 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + noise).clamp(0, 1)


def corners() -> torch.Tensor:
    return torch.tensor([[y, x] for y in (-64.0, 64.0) for x in (-64.0, 64.0)])


def poses_of(path: np.ndarray) -> Poses:
    """Each pose of a path at its angle, shifts rounded to the pixel."""
    weights = torch.zeros(len(path), 9, 9)
    for index, (dy, dx, _) in enumerate(path):
        weights[index, 4 + round(dy), 4 + round(dx)] = 1 / len(path)
    return Poses(weights, torch.deg2rad(torch.from_numpy(path[:, 2])))


def test_a_pose_moves_a_point_as_a_homography_does() -> None:
    """Against `camera_shake`, which follows the paths themselves."""
    path = np.stack((np.zeros(200), np.zeros(200), np.linspace(-2, 2, 200)), 1)
    field = camera_shake(path, SIZE, (2, 2))
    found = poses_of(path).kernels(corners())
    for kernel, true in zip(found, field.kernels.flatten(0, 1)[:, 0], strict=True):
        assert kernel_similarity(kernel, true) > 0.99


def test_kernels_have_mass_1_and_no_negative_value() -> None:
    found = poses_of(TURN).kernels(corners())
    assert bool((found >= 0).all())
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(4))


def test_without_a_roll_all_kernels_are_alike() -> None:
    kernel = kernels.shake(9, seed=3).pixels
    found = Poses.uniform(kernel, torch.zeros(1)).kernels(corners())
    torch.testing.assert_close(found, kernel.expand(4, -1, -1), atol=1e-5, rtol=0)


def test_cleaning_drops_islands_and_centres() -> None:
    weights = torch.zeros(5, 9, 9)
    weights[2, 6, 3:6] = 1.0
    weights[4, 0, 0] = 0.1
    found = Poses(weights, torch.linspace(-0.02, 0.02, 5)).clean(0.05, 0.1)
    assert found.spread == 0
    middle = found.weights.shape[-1] // 2
    torch.testing.assert_close(
        found.weights.sum(0)[middle, middle - 1 : middle + 2], torch.full((3,), 1 / 3)
    )
    assert float((found.weights.sum((1, 2)).double() * found.angles).sum()) == pytest.approx(0)


def test_the_true_gradients_give_the_true_kernels(sharp: torch.Tensor) -> None:
    field = camera_shake(TURN, SIZE, (8, 8))
    seen = field.operator(SIZE, "replicate").forward(sharp)[0, 0]
    tops = [(0, 0), (0, 128), (128, 0), (128, 128)]
    cut = [
        taper_edges(torch.stack([one[y : y + 128, x : x + 128] for y, x in tops]), (6, 6))
        for one in (sharp[0, 0], seen)
    ]
    start = Poses.uniform(torch.ones(9, 9) / 81, torch.arange(-4, 5) / 181)
    correlations = Correlations.of(gradient(cut[0]), gradient(cut[1]), start.side(corners()))
    shares = torch.ones(4)
    found = fit_poses(start, corners(), correlations, shares, gamma=0.1, steps=300)
    local = found.clean(0.05, 0.1).kernels(corners())
    for kernel, (y, x) in zip(local, [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25)], strict=False):
        assert kernel_similarity(kernel, field.at(y, x)[0]) > 0.9
    uniform = start.kernels(corners())
    assert bool((correlations.misfit(local) < 0.2 * correlations.misfit(uniform)).all())


def test_a_rolled_shake_is_found_to_be_one(sharp: torch.Tensor) -> None:
    field = camera_shake(TURN, SIZE, (8, 8))
    seen = noisy(field.operator(SIZE, "replicate").forward(sharp))
    found = estimate_field(seen, field.at(0.5, 0.5)[0], Settings(), noise_std=0.005)
    assert found.better
    assert found.gain > 0
    assert found.fewer_edges > 0
    assert found.drift > 1
    assert found.rejected == 0
    single = field.at(0.5, 0.5)[0]
    for y, x in ((0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)):
        true = field.at(y, x)[0]
        assert kernel_similarity(found.field.at(y, x)[0], true) > kernel_similarity(single, true)


@pytest.mark.parametrize("seed", [1, 4])
def test_a_uniform_shake_stays_one_kernel(sharp: torch.Tensor, seed: int) -> None:
    kernel = kernels.shake(9, seed=seed).pixels
    seen = noisy(Field.uniform(kernel).operator(SIZE, "replicate").forward(sharp))
    assert not estimate_field(seen, kernel, Settings(), noise_std=0.005).better


def test_a_field_that_leaves_more_edges_is_given_up(sharp: torch.Tensor) -> None:
    kernel = kernels.shake(9, seed=1).pixels
    seen = noisy(Field.uniform(kernel).operator(SIZE, "replicate").forward(sharp))
    stages: list[float] = []
    found = estimate_field(
        seen, kernel, Settings(), noise_std=0.005, progress=lambda _, done: stages.append(done)
    )
    assert found.fewer_edges < 0
    assert len(stages) < 6
    assert stages[-1] == 1.0


def test_a_small_picture_stays_one_kernel() -> None:
    kernel = kernels.motion(length=5, angle=0).pixels
    found = estimate_field(torch.rand(1, 1, 64, 300), kernel, Settings(), noise_std=0.01)
    assert not found.better
    assert found.field.grid == (1, 1)


def test_a_window_that_moved_otherwise_does_not_count(sharp: torch.Tensor) -> None:
    """Three windows of one camera, and one of a thing that moved by itself."""
    path = camera_shake(TURN, SIZE, (8, 8))
    seen = path.operator(SIZE, "replicate").forward(sharp)[0, 0]
    other = Field.uniform(kernels.motion(length=13, angle=30))
    moved = other.operator(SIZE, "replicate").forward(sharp)[0, 0]
    tops = [(0, 0), (0, 128), (128, 0), (128, 128)]
    cut, windows = (
        torch.stack([one[y : y + 128, x : x + 128] for y, x in tops]) for one in (sharp[0, 0], seen)
    )
    windows[1] = moved[:128, 128:]
    found = [path.at(0.25 + y / 256, 0.25 + x / 256)[0] for y, x in tops]
    local = torch.stack([Kernel(kernel).crop(21).pixels for kernel in found])
    truth, blurred = (taper_edges(one, (6, 6)) for one in (cut, windows))
    correlations = Correlations.of(gradient(truth), gradient(blurred), 21)
    agree = _agreeing(correlations, local)
    assert agree.tolist() == [True, False, True, True]


def test_only_windows_of_a_large_picture_are_read() -> None:
    """The picture is a stride-0 view of one pixel: transforming it whole would need gigabytes."""
    huge = torch.full((1, 3, 1, 1), 0.5).expand(1, 3, 20_000, 30_000)
    kernel = kernels.motion(length=5, angle=0).pixels
    assert not estimate_field(huge, kernel, Settings(), noise_std=0.01).better
