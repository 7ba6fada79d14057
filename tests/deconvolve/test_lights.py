"""Lights that are restored by themselves: where they are, and that nothing else changes."""

import pytest
import torch

from unblur.blur import Field, Kernel, kernels
from unblur.deconvolve import local_wiener, tv
from unblur.deconvolve.lights import Patch, by_patches, patches, solid
from unblur.metrics import psnr


def test_specks_are_not_solid_and_lights_are_by_their_middles():
    mask = torch.zeros(1, 3, 20, 30, dtype=torch.bool)
    mask[0, 1, 2:4, 5:12] = True
    assert solid(None) is None
    assert solid(mask) is None
    mask[0, 2, 10:14, 20:23] = True
    found = solid(mask)
    assert found is not None
    assert found.nonzero().tolist() == [[11, 21], [12, 21]]
    assert solid(torch.ones(1, 1, 2, 9, dtype=torch.bool)) is None


def test_patches_are_apart_cover_the_reach_and_stay_inside():
    lights = torch.zeros(900, 1000, dtype=torch.bool)
    places = [(3, 5), (400, 500), (430, 540), (890, 20), (700, 995)]
    for y, x in places:
        lights[y, x] = True
    radius = (7, 11)
    found = patches(lights, radius)
    assert found is not None
    assert len(found) == 4  # two are near each other
    owners = torch.zeros(900, 1000)
    for (top, bottom, left, right), seen in found:
        owners[top:bottom, left:right] += 1
        assert all(place % 8 == 0 for place in (top, left, seen[0], seen[2]))
        assert 0 <= seen[0] <= top < bottom <= seen[1] <= 900
        assert 0 <= seen[2] <= left < right <= seen[3] <= 1000
    assert owners.max() == 1
    for y, x in places:
        assert (owners[max(y - 7, 0) : y + 8, max(x - 11, 0) : x + 12] == 1).all()


def test_many_lights_are_taken_together():
    lights = torch.zeros(300, 300, dtype=torch.bool)
    lights[::60, ::60] = True
    assert patches(lights, (5, 5)) is None


def test_what_patches_give_is_put_in_with_ramps():
    image = torch.zeros(1, 3, 300, 300)
    lights = torch.zeros(300, 300, dtype=torch.bool)
    lights[150, 150] = lights[2, 299] = True
    near = patches(lights, (2, 2))
    assert near is not None
    clipped = lights.expand(1, 3, -1, -1)
    shown = []

    def restore(part, kernel, bounds, progress, guess=None):
        shown.append((part.shape, kernel.shape, bounds is not None and bool(bounds.any())))
        # Patches are told what the rest has become, around them too.
        assert (guess is None) == (bounds is None)
        assert guess is None or bool((guess((5, 7), (200, 240)) == 0).all())
        return torch.full_like(part, 0.0 if bounds is None else 1.0)

    found = by_patches(near, image, torch.ones(5, 5) / 25, clipped, restore=restore, progress=None)
    assert [one[2] for one in shown] == [False, True, True]
    assert found[0, 0, 150, 150] == found[0, 2, 0, 299] == 1.0  # no ramp at the picture's edge
    top, bottom, left, right = near[-1].own
    row = found[0, 1, 150, left:right] if top > 8 else found[0, 1, 150, near[0].own[2] :]
    torch.testing.assert_close(row[:16], (torch.arange(16) + 0.5) / 16)
    assert bottom > top
    assert found[0, 0, 90, 90] == 0


def test_a_patch_sees_what_is_around_it_and_edges_again_beyond_the_picture():
    image = torch.arange(20.0)[:, None] * 100 + torch.arange(30.0)
    patch = Patch((0, 8, 8, 16), (0, 16, 0, 24))
    shown = patch.frame(image, (2, 3), (20, 30))
    assert torch.equal(shown[2:, 3:], image[:18, :27])
    assert torch.equal(shown[:2, 3:], image[:1, :27].expand(2, -1))
    assert torch.equal(shown[2:, :3], image[:18, :1].expand(-1, 3))


def test_few_lights_are_explained_and_the_rest_is_as_without_them():
    torch.manual_seed(3)
    scene = torch.rand(1, 3, 1, 1) * 0.2 + 0.2 * torch.rand(1, 3, 40, 40).repeat_interleave(
        10, 2
    ).repeat_interleave(10, 3)
    scene[..., 196:206, 196:206] = 3.0
    kernel = kernels.disk(radius=4)
    light = Field.uniform(kernel).operator((400, 400), "reflect").forward(scene)
    seen = light.clamp(max=1)
    clipped = seen >= 0.999
    naive = local_wiener(seen, kernel.pixels, noise_std=0.002)
    for blur in (kernel.pixels, Field.uniform(Kernel(kernel.pixels))):
        aware = local_wiener(seen, blur, noise_std=0.002, clipped=clipped)
        near = (..., slice(180, 222), slice(180, 222))
        shown = [psnr(one[near].clamp(0, 1), scene[near].clamp(0, 1)) for one in (naive, aware)]
        assert shown[1] > shown[0] + 3
        if isinstance(blur, torch.Tensor):
            assert torch.equal(aware[..., :150, :], naive[..., :150, :])


@pytest.mark.parametrize("solver", [tv, local_wiener])
def test_bright_lights_come_out_nearer_than_they_were(solver):
    """Four times as bright as white: most of each trail is clipped too."""
    scene = torch.full((1, 1, 160, 200), 0.15)
    for y, x, radius in ((40, 50, 4), (90, 130, 7), (120, 40, 5)):
        down, across = torch.meshgrid(torch.arange(160), torch.arange(200), indexing="ij")
        scene[0, 0, (down - y) ** 2 + (across - x) ** 2 < radius**2] = 4.0
    kernel = kernels.shake(size=21, seed=5)
    light = Field.uniform(kernel).operator((160, 200), "reflect").forward(scene)
    noise = 0.004 * torch.randn(light.shape, generator=torch.Generator().manual_seed(0))
    seen = (light + noise).clamp(0, 1)
    restored = solver(seen, kernel.pixels, noise_std=0.005, clipped=seen >= 0.999)
    before, after = (psnr(one.clamp(0, 1), scene.clamp(0, 1)) for one in (seen, restored))
    assert after > before + 4
