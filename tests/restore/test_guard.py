"""When a network is trusted with a picture."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from unblur.blur.noise_level import estimate_noise
from unblur.restore.guard import only_noise, why_not

NOISE = 0.01


def tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def sharp() -> Tensor:
    """Squares of many greys, with a flat rim of a sixth."""
    small = np.random.default_rng(0).random((12, 12, 3)) * 0.6 + 0.2
    small[:2], small[-2:] = 0.5, 0.5
    return tensor(small.repeat(24, 0).repeat(24, 1))


def noisy(picture: Tensor, deviation: float = NOISE) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return picture + deviation * torch.randn(picture.shape, generator=generator)


def verdict(shown: Tensor, run) -> str | None:
    return why_not(shown, float(estimate_noise(shown)), run)


def softened(picture: Tensor, deviation: float) -> Tensor:
    return torch.from_numpy(gaussian_filter(picture.numpy(), (0, 0, deviation, deviation)))


def test_a_sharp_picture_without_noise_is_not_shown_to_the_network(sharp):
    def never(_image: Tensor) -> Tensor:
        raise AssertionError

    assert "sharp: edges leave the network nothing to do" in verdict(sharp, never)


def test_noise_may_be_taken_from_a_sharp_picture(sharp):
    assert verdict(noisy(sharp), lambda _image: sharp) is None


def test_texture_may_not(sharp):
    texture = 0.06 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(1))
    # Somewhere the noise must be seen alone.
    texture[..., :48, :] = 0
    why = verdict(noisy(sharp + texture), lambda _image: sharp)
    assert "sharp: edges" in why
    assert verdict(noisy(sharp + texture), lambda _image: sharp + texture) is None


def test_what_brings_out_more_than_there_was_is_not_trusted(sharp):
    ringing = 0.08 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(1))
    assert "sharp: edges" in verdict(noisy(sharp), lambda _image: sharp + ringing)


@pytest.mark.parametrize("deviation", [0.0, NOISE])
def test_edges_that_get_sharper_are_enough(sharp, deviation):
    seen = noisy(softened(sharp, 2), deviation)
    assert verdict(seen, lambda _image: softened(sharp, 1)) is None


def test_a_blurred_picture_that_gets_no_sharper_may_lose_its_noise(sharp):
    soft = softened(sharp, 2)
    assert verdict(noisy(soft), lambda _image: soft) is None
    assert "not sharper: edges stay 2.0 pixels wide" in verdict(soft, lambda image: 0.9 * image)


def test_so_much_that_looks_like_noise_is_taken_for_texture(sharp):
    assert "sharp: edges" in verdict(noisy(sharp, 0.06), lambda _image: sharp)


def test_a_picture_smaller_than_a_block_is_left():
    flat = torch.full((1, 3, 20, 200), 0.5)
    assert not only_noise(noisy(flat), flat, NOISE)
