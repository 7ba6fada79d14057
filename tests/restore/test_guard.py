"""When a network is trusted with a picture."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from unblur.blur.noise_level import estimate_noise
from unblur.restore.edges import edge_width
from unblur.restore.guard import noise_share, trust

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
    return trust(shown, float(estimate_noise(shown)), run).why


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
    seen = noisy(sharp + texture)
    # What is as flat as the rim gains by it.
    assert trust(seen, NOISE, lambda _image: sharp).share < 0.05
    assert trust(seen, NOISE, lambda _image: sharp + texture).share > 0.99


def test_what_brings_out_more_than_there_was_is_not_trusted(sharp):
    ringing = 0.08 * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(1))
    assert "detail and not noise" in verdict(noisy(sharp), lambda _image: sharp + ringing)


@pytest.mark.parametrize("deviation", [0.0, NOISE])
def test_edges_that_get_sharper_are_enough(sharp, deviation):
    seen = noisy(softened(sharp, 2), deviation)
    assert verdict(seen, lambda _image: softened(sharp, 1)) is None


def test_a_blurred_picture_that_gets_no_sharper_may_lose_its_noise(sharp):
    soft = softened(sharp, 2)
    assert verdict(noisy(soft), lambda _image: soft) is None
    assert "not sharper: edges stay 2.0 pixels wide" in verdict(soft, lambda image: 0.9 * image)


def test_so_much_that_looks_like_noise_is_taken_for_texture(sharp):
    assert "noise of 6.0%, or texture" in verdict(noisy(sharp, 0.06), lambda _image: sharp)


def test_where_detail_is_seen_the_share_is_that_of_the_least_error(sharp):
    seen = noisy(sharp)
    detail = NOISE * torch.randn(sharp.shape, generator=torch.Generator().manual_seed(2))

    def run(image: Tensor) -> Tensor:
        """Four tenths of the noise go, and as much of what is no noise changes."""
        return 0.6 * image + 0.4 * sharp + 0.4 * detail

    share = noise_share(seen, run(seen), NOISE, run)
    errors = [
        (float((seen.lerp(run(seen), part) - sharp).square().mean()), part)
        for part in np.linspace(0, 1, 101)
    ]
    assert share == pytest.approx(min(errors)[1], abs=0.02)
    assert trust(seen, NOISE, run) == (share, None)


@pytest.mark.parametrize(("kept", "wanted"), [(0.0, 1.0), (0.2, 0.8), (0.4, 0.35)])
def test_a_blurred_picture_is_sharpened_as_far_as_no_detail_is_seen(sharp, kept, wanted):
    soft, less = softened(sharp, 2), softened(sharp, 1)
    # So much sharper that it would count as harm.
    assert float((less - soft).square().mean()) > 3 * NOISE**2
    share = trust(noisy(soft), NOISE, lambda image: less + kept * (image - soft)).share
    assert share == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize(("unblurred", "part"), [(0.0, 1.0), (0.3, 1.0), (0.45, 0.5), (0.6, 0.0)])
def test_a_network_that_says_there_is_a_blur_is_believed_where_no_detail_is_seen(
    sharp, unblurred, part
):
    """So much of what is beyond the share of the least error counts too."""
    less = softened(sharp, 0.7)
    seen = noisy(softened(less, 0.7))

    def run(_image: Tensor) -> Tensor:
        return less

    least = noise_share(seen, less, NOISE, run)
    assert least < 0.7
    share = trust(seen, NOISE, run, unblurred).share
    assert share == pytest.approx(least + (1 - least) * part, abs=0.01)


def test_without_noise_edges_decide_whatever_the_network_says(sharp):
    assert trust(sharp, 0.0, lambda image: 0.9 * image, 0.0).share == 0


def test_wide_edges_that_get_narrower_count_half_where_the_network_sees_no_blur(sharp):
    soft, less = softened(sharp, 2), softened(sharp, 1)
    assert trust(soft, 0.0, lambda _image: less, 0.9) == (0.5, None)


def test_what_changes_too_much_is_a_pattern_whatever_the_network_says(sharp):
    stripes = 0.3 * (torch.arange(sharp.shape[-1]) % 40 < 20) + 0.3
    striped = stripes.expand(sharp.shape)
    flat = torch.full_like(striped, 0.45)
    assert trust(noisy(striped), NOISE, lambda _image: flat, 0.0).share < 0.05


def test_a_network_that_does_nothing_is_not_trusted(sharp):
    assert noise_share(noisy(sharp), noisy(sharp), NOISE, lambda image: image) == 0.0


def test_a_line_of_pixels_is_no_error():
    line = torch.full((1, 3, 1, 50), 0.5)
    assert noise_share(line, line, NOISE, lambda image: image) == 0.0


@pytest.mark.parametrize("axis", [-1, -2])
def test_fine_stripes_in_noise_stay(sharp, axis):
    """The diagonal of two by two pixels, where noise is looked for alone, has none of them."""
    pattern = 0.06 * (torch.arange(sharp.shape[axis]) % 4 < 2)
    striped = 0.4 + pattern.reshape(-1, *[1] * (-axis - 1)).expand(sharp.shape)
    flat = torch.full_like(striped, 0.43)
    # All of it would lose 9 dB; the share of the least error is small.
    assert trust(noisy(striped), NOISE, lambda _image: flat).share == pytest.approx(0.1, abs=0.02)


def test_noise_of_all_channels_together_is_seen_as_such(sharp):
    """A network that takes the noise of colours alone takes none of it."""
    common = NOISE * torch.randn(
        (1, 1, *sharp.shape[-2:]), generator=torch.Generator().manual_seed(3)
    )
    seen = sharp + common

    def grey_of(image: Tensor) -> Tensor:
        return image - 0.9 * (image - sharp - (image - sharp).mean(dim=1, keepdim=True))

    assert noise_share(seen, grey_of(seen), NOISE, grey_of) < 0.05
    seen = noisy(sharp)
    assert noise_share(seen, grey_of(seen), NOISE, grey_of) > 0.9


def test_a_picture_too_soft_for_edges_is_sharpened_where_some_appear(sharp):
    seen, edges, none = noisy(softened(sharp, 20)), softened(sharp, 2), softened(sharp, 6)
    assert edge_width(seen) is None
    assert edge_width(edges) is not None
    assert edge_width(none) is None
    assert trust(seen, NOISE, lambda _image: edges).share == 1
    assert trust(seen, NOISE, lambda _image: none).share < 0.05


def test_a_blurred_picture_under_much_noise_is_trusted_where_edges_get_narrower(sharp):
    seen = noisy(softened(sharp, 2), 0.04)
    assert trust(seen, 0.04, lambda _image: softened(sharp, 1)) == (1.0, None)
    assert "not sharper" in trust(seen, 0.04, lambda _image: softened(sharp, 2)).why
