"""The homography of the highest correlation, against warps by scikit-image."""

import numpy as np
import pytest
import torch
from skimage import data, transform

from unblur.errors import InputError
from unblur.evaluate.ecc import align, luma, warp

HOMOGRAPHIES = {
    "shift": [[1, 0, 2.5], [0, 1, -1.25], [0, 0, 1]],
    "roll": [[0.9998, -0.0175, 2.0], [0.0175, 0.9998, -2.0], [0, 0, 1]],
    "plane": [[1.004, 0.003, 2.4], [-0.002, 0.997, -1.7], [8e-6, -1.2e-5, 1]],
}


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return data.astronaut()[:240, 100:420] / 255.0


def seen_at(truth: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """The picture in which `homography` finds the pixels of the truth."""
    return transform.warp(truth, np.linalg.inv(homography), order=5, mode="reflect")


@pytest.mark.parametrize("name", HOMOGRAPHIES)
def test_a_warp_is_found(truth: np.ndarray, name: str) -> None:
    homography = np.array(HOMOGRAPHIES[name])
    # Gain and offset of brightness make no difference.
    image = 0.7 * seen_at(truth, homography) + 0.1
    found = align(tensor(image), tensor(truth)).numpy()
    corners = np.array([[0, 0, 1], [319, 0, 1], [0, 239, 1], [319, 239, 1], [160, 120, 1.0]]).T
    wanted, got = homography @ corners, found @ corners
    assert np.abs(wanted[:2] / wanted[2] - got[:2] / got[2]).max() < 0.04


def test_equal_pictures_stay(truth: np.ndarray) -> None:
    found = align(tensor(truth), tensor(truth))
    assert torch.allclose(found, torch.eye(3, dtype=torch.float64), atol=1e-9)


def test_a_far_start_is_taken(truth: np.ndarray) -> None:
    image, target = truth[:, 30:], truth[:, :-30]
    found = align(tensor(image), tensor(target), start=(-29.0, 1.0))
    assert float(found[0, 2]) == pytest.approx(-30, abs=0.1)


@pytest.mark.parametrize("name", HOMOGRAPHIES)
def test_warping_agrees_with_scikit_image(truth: np.ndarray, name: str) -> None:
    homography = np.array(HOMOGRAPHIES[name])
    found, inside = warp(tensor(truth), torch.from_numpy(homography), "bilinear")
    wanted = transform.warp(truth, homography, order=1, mode="symmetric")
    within = inside[0, 0].numpy()
    assert 0.9 < within.mean() < 1
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy()[within], wanted[within], atol=1e-9)


def test_the_mask_is_what_lies_inside() -> None:
    image = torch.rand(1, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([[1.0, 0, 3], [0, 1, -2], [0, 0, 1]])
    moved, inside = warp(image, shift)
    wanted = torch.zeros(6, 8, dtype=torch.bool)
    wanted[2:, :5] = True
    assert torch.equal(inside[0, 0], wanted)
    assert torch.allclose(moved[0, 0, 2:, :5], image[0, 0, :4, 3:], atol=1e-6)


def test_nothing_in_common_is_an_error() -> None:
    flat = torch.full((1, 1, 40, 40), 0.5)
    with pytest.raises(InputError, match="cannot be aligned with its truth"):
        align(flat, flat)


def test_luma_weighs_green_most() -> None:
    colour = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert float(luma(colour)) == pytest.approx(0.299)
    assert float(luma(colour[:, :1])) == 1.0
