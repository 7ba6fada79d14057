"""Registration against known movements, made by another library's interpolation."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage import data

from unblur.errors import InputError
from unblur.lens.register import register
from unblur.lens.warp import Warp, basis, places, resample

SIZE = (320, 400)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return data.camera()[60:380, 60:460].astype(np.float32) / 255


def moved(
    scene: np.ndarray, shift: tuple[float, float], degrees: float, scale: float
) -> np.ndarray:
    """scene(c + s R (x - c) + d)."""
    height, width = scene.shape
    y, x = np.meshgrid(
        np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij"
    )
    a = np.radians(degrees)
    rows = scale * (np.cos(a) * y - np.sin(a) * x) + (height - 1) / 2 + shift[0]
    columns = scale * (np.sin(a) * y + np.cos(a) * x) + (width - 1) / 2 + shift[1]
    return map_coordinates(scene, [rows, columns], order=5, mode="mirror")


@pytest.mark.parametrize(
    ("shift", "degrees", "scale"),
    [((0.0, 0.0), 0.0, 1.0), ((2.3, -2.4), 0.4, 1.0), ((-9.0, 14.0), -3.0, 1.04)],
)
def test_a_movement_is_found(
    scene: np.ndarray, shift: tuple[float, float], degrees: float, scale: float
) -> None:
    rng = np.random.default_rng(0)
    blurred = gaussian_filter(scene, 1.5) * 1.1 + 0.02 + 0.005 * rng.normal(size=SIZE)
    # The scene as the blurred picture shows it, seen from elsewhere: the warp undoes `moved`.
    sharp = moved(scene, shift, degrees, scale)
    found = register(torch.from_numpy(sharp), torch.from_numpy(blurred.astype(np.float32)))
    v, u = (axis[30:-30:20] for axis in places(SIZE))
    y, x = found.warp.over(v, u)
    # Looked up there, `moved` must lead back to each pixel itself.
    a = np.radians(degrees)
    dy, dx = y - (SIZE[0] - 1) / 2, x - (SIZE[1] - 1) / 2
    rows = scale * (np.cos(a) * dy - np.sin(a) * dx) + shift[0]
    columns = scale * (np.sin(a) * dy + np.cos(a) * dx) + shift[1]
    unit = max(SIZE) / 2
    assert np.abs(rows - (v * unit)[:, None]).max() < 0.25
    assert np.abs(columns - (u * unit)[None]).max() < 0.25
    assert found.turn == pytest.approx(-degrees, abs=0.03)
    assert found.alike > 0.8


def test_another_scene_is_refused(scene: np.ndarray) -> None:
    other = data.coins()[:303, :384].astype(np.float32) / 255
    other = np.pad(other, ((0, 17), (0, 16)), mode="reflect")
    with pytest.raises(InputError, match="same scene"):
        register(torch.from_numpy(other), torch.from_numpy(scene))


def test_resampling_is_that_of_another_library(scene: np.ndarray) -> None:
    angle = np.radians(2.0)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warp = Warp.linear(SIZE, (1.5, -2.25), matrix)
    y, x = np.meshgrid(
        np.arange(SIZE[0]) - (SIZE[0] - 1) / 2,
        np.arange(SIZE[1]) - (SIZE[1] - 1) / 2,
        indexing="ij",
    )
    rows, columns = np.einsum("ab,bij->aij", matrix, np.stack((y, x)))
    rows, columns = rows + (SIZE[0] - 1) / 2 + 1.5, columns + (SIZE[1] - 1) / 2 - 2.25
    wanted = map_coordinates(scene, [rows, columns], order=5, mode="mirror")
    found = resample(torch.from_numpy(scene), warp).numpy()
    inside = (rows >= 0) & (rows <= SIZE[0] - 1) & (columns >= 0) & (columns <= SIZE[1] - 1)
    assert (np.isnan(found) == ~inside).all()
    np.testing.assert_allclose(found[inside], wanted[inside], atol=1e-4)


def test_a_warp_is_its_polynomial() -> None:
    rng = np.random.default_rng(1)
    warp = Warp(rng.normal(size=(2, 10)), (30, 50))
    v, u = places((30, 50))
    wanted = np.tensordot(warp.coefficients, basis(*np.meshgrid(v, u, indexing="ij")), 1)
    np.testing.assert_allclose(warp.over(v, u), wanted, atol=1e-12)
    assert Warp.identity((30, 50)).still
    assert not warp.still
    twice = warp.scaled((60, 100)).at(np.zeros(1), np.zeros(1))[:, 0]
    once = warp.at(np.zeros(1), np.zeros(1))[:, 0]
    np.testing.assert_allclose(twice - [29.5, 49.5], 2 * (once - [14.5, 24.5]))
