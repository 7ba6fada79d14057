"""Ringing goes where nothing can be, and nothing goes where something is."""

import pytest
import torch

from unblur.blur import Field, kernels
from unblur.deconvolve import tv
from unblur.deconvolve.calm import CELL, calm, calm_halo
from unblur.fourier import inverse, transfer_function

NOISE = 0.004


def blurred(sharp: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    size = (sharp.shape[-2], sharp.shape[-1])
    seen = inverse(torch.fft.rfft2(sharp) * transfer_function(kernel, size), size)
    noise = torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))
    return seen + NOISE * noise


def disc(side: int = 256) -> torch.Tensor:
    place = torch.arange(side) - side / 2
    inside = (place[:, None] ** 2 + place**2).sqrt() < 30
    return torch.where(inside, 0.8, 0.4)[None, None]


def test_waves_of_a_wrong_kernel_go_and_edges_stay() -> None:
    sharp = disc()
    seen = blurred(sharp, kernels.motion(length=21, angle=0).pixels)
    wrong = kernels.motion(length=17, angle=0).pixels
    ringing = tv(seen, wrong, noise_std=0.001)
    found = calm(seen, ringing, wrong, noise_std=NOISE)
    far = (..., slice(0, 60))
    before, after = ((each - sharp)[far].square().mean().sqrt() for each in (ringing, found))
    assert after < 0.3 * before
    near = (..., slice(120, 136), slice(94, 102))
    torch.testing.assert_close(found[near], ringing[near], atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (67, 81), (16, 300), (128, 33)])
def test_a_ramp_stays_a_ramp(size: tuple[int, int]) -> None:
    ramp = (0.2 + 0.5 * torch.arange(size[1]) / 300).expand(1, 3, *size).contiguous()
    found = calm(ramp, ramp.clone(), kernels.disk(radius=3).pixels, noise_std=NOISE)
    inside = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(found[inside], ramp[inside], atol=1e-5, rtol=0)


def test_texture_above_the_noise_is_kept_to_the_bit() -> None:
    texture = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1)) * 0.2
    restored = texture + 0.1
    assert torch.equal(calm(texture, restored, torch.ones(5, 5) / 25, noise_std=NOISE), restored)


def test_one_colour_is_enough_to_be_kept() -> None:
    seen = torch.full((1, 3, 64, 64), 0.5)
    seen[:, 2] += 0.2 * torch.rand(64, 64, generator=torch.Generator().manual_seed(2))
    restored = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    assert torch.equal(calm(seen, restored, torch.ones(3, 3) / 9, noise_std=NOISE), restored)


def test_what_is_too_small_to_judge_is_left() -> None:
    restored = torch.rand(1, 1, 2 * CELL - 1, 40)
    found = calm(torch.zeros_like(restored), restored, torch.ones(3, 3) / 9, noise_std=NOISE)
    assert torch.equal(found, restored)


def test_a_piece_agrees_with_the_whole() -> None:
    kernel = kernels.disk(radius=4).pixels
    seen = blurred(disc(), kernel)
    restored = tv(seen, kernel, noise_std=NOISE)
    whole = calm(seen, restored, kernel, noise_std=NOISE)
    halo = -(-calm_halo(kernel) // CELL) * CELL
    core, around = slice(96, 160), slice(96 - halo, 160 + halo)
    piece = calm(seen[..., around], restored[..., around], kernel, noise_std=NOISE)
    torch.testing.assert_close(piece[..., halo : halo + 64], whole[..., core], atol=1e-5, rtol=0)


def test_a_field_counts_by_its_largest_reach() -> None:
    field = Field.of([[kernels.gaussian(1), kernels.gaussian(2)]])
    flat, ringing = torch.full((1, 1, 64, 64), 0.3), torch.rand(1, 1, 64, 64)
    found = calm(flat, ringing, field, noise_std=NOISE)
    torch.testing.assert_close(found, flat)
