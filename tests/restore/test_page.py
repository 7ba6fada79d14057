"""One page of a photo, a box at a time."""

from typing import Any

import numpy as np
import pytest
import torch

from unblur.photo import Photo
from unblur.restore.page import Light, Page
from unblur.restore.tiling import Box

CPU = torch.device("cpu")


def photo(depth: Any = 8, channels: int = 3, pages: int = 2) -> Photo:
    generator = torch.Generator().manual_seed(0)
    return Photo.from_tensor(torch.rand(pages, channels, 20, 30, generator=generator), depth=depth)


def make(light: Light = "linear", index: int = 1, depth: Any = 8, **options: Any) -> Page:
    return Page(photo(depth), index, light, CPU, **options)


@pytest.mark.parametrize("depth", [8, 16, 32])
@pytest.mark.parametrize("light", ["linear", "encoded"])
def test_a_box_is_the_same_part_of_the_whole(depth: int, light: Light) -> None:
    page = make(light, depth=depth)
    whole = page.read(page.whole)
    assert (page.size, page.channels, whole.shape) == ((20, 30), 3, (1, 3, 20, 30))
    expected = page.photo.linear() if light == "linear" else page.photo.encoded()
    torch.testing.assert_close(whole, expected[1:2], rtol=0, atol=1e-6)
    part = page.read(Box(3, 4, 13, 9))
    torch.testing.assert_close(part, whole[..., 3:13, 4:9], rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_a_sample_is_every_so_many_pixels(step: int) -> None:
    page = make()
    assert torch.equal(page.sample(step), page.read(page.whole)[..., ::step, ::step])


@pytest.mark.parametrize("depth", [8, 16])
def test_samples_at_the_top_are_clipped(depth: Any) -> None:
    values = torch.zeros(1, 3, 8, 8)
    values[0, 1, 2, 3] = 1.0
    values[0, 2, 4, 4] = 0.97
    page = Page(Photo.from_tensor(values, depth=depth), 0, "linear", CPU)
    mask = page.clipped(page.whole)
    assert mask is not None
    assert mask.nonzero().tolist() == [[0, 1, 2, 3]]
    assert page.clipped(Box(3, 0, 8, 8)) is None
    assert page.sample_clipped(3) is None or bool(page.sample_clipped(1).any())


def test_floats_are_never_clipped() -> None:
    page = Page(Photo.from_tensor(torch.ones(1, 8, 8), depth=32), 0, "linear", CPU)
    assert page.clipped(page.whole) is None
    assert page.sample_clipped(2) is None


def test_what_is_protected_is_ignored_where_it_is() -> None:
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[5, 6] = True
    page = make(protected=mask)
    found = page.ignored(Box(4, 4, 8, 8))
    assert found is not None
    assert found.shape == (1, 1, 4, 4)
    assert found.nonzero().tolist() == [[0, 0, 1, 2]]
    assert page.ignored(Box(10, 10, 20, 20)) is None
    assert make().ignored(page.whole) is None


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("light", ["linear", "encoded"])
def test_what_is_read_is_encoded_to_what_it_was(depth: Any, light: Light) -> None:
    page = make(light, depth=depth)
    samples = page.encode(5, page.read(Box(5, 0, 15, 30))[0], 1.0)
    assert samples.dtype == page.photo.samples.dtype
    np.testing.assert_array_equal(samples, page.photo.samples[1, :, 5:15])


@pytest.mark.parametrize("light", ["linear", "encoded"])
def test_strength_blends_in_the_light_that_methods_see(light: Light) -> None:
    page = make(light, depth=32)
    shown = page.read(page.whole)
    other = 1 - shown
    for strength in (0.0, 0.25, 1.0):
        samples = page.encode(0, other[0], strength)
        blended = torch.lerp(shown, other, strength)
        seen = Page(Photo(samples[None], carried=page.photo.carried), 0, light, CPU)
        torch.testing.assert_close(seen.read(seen.whole), blended, rtol=0, atol=1e-5)


def test_protected_pixels_keep_their_samples() -> None:
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[6:9, 3:7] = True
    page = make(protected=mask)
    before = page.photo.samples[1].clone()
    samples = page.encode(5, torch.zeros(3, 10, 30), 1.0)
    np.testing.assert_array_equal(samples[:, mask[5:15]], before[:, 5:15][:, mask[5:15]])
    assert int(samples[:, ~mask[5:15]].max()) == 0
    np.testing.assert_array_equal(page.photo.samples[1], before)


def test_what_overshoots_is_cut_for_integers_and_kept_for_floats() -> None:
    wild = torch.full((3, 20, 30), 1.3)
    assert int(make("encoded").encode(0, wild, 1.0).min()) == 255
    assert float(make("encoded", depth=32).encode(0, wild, 1.0).min()) == pytest.approx(1.3)
