"""Convolutions in fewer multiplications against PyTorch's own."""

import pytest
import torch
from torch import nn

from unblur.nets.mprnet import MPRNet
from unblur.nets.runtime import winograd
from unblur.nets.runtime.winograd import WinogradConv, replace_convolutions


def random(*shape, dtype=torch.float32):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype) - 0.5


def conv(inputs, outputs, bias, dtype):
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias, dtype=dtype)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (3, 1), (4, 5), (5, 8), (17, 6), (40, 33)])
@pytest.mark.parametrize("bias", [False, True])
def test_every_size_is_exact_in_double_precision(size, bias):
    exact = conv(3, 5, bias, torch.float64)
    image = random(2, 3, *size, dtype=torch.float64)
    assert (WinogradConv(exact)(image) - exact(image)).abs().max() < 1e-13


def test_parts_are_joined_without_a_seam(monkeypatch):
    monkeypatch.setattr(winograd, "_PART", 8 * 6 * 2)
    exact = conv(3, 8, True, torch.float64)
    image = random(1, 3, 27, 6, dtype=torch.float64)
    assert (WinogradConv(exact)(image) - exact(image)).abs().max() < 1e-13


def test_float32_keeps_six_digits():
    exact = conv(64, 64, True, torch.float32)
    image = random(1, 64, 24, 24)
    found, wanted = WinogradConv(exact)(image), exact(image)
    assert (found - wanted).abs().max() < 3e-6 * wanted.abs().max()


def test_bfloat16_loses_little_more_than_rounding_does():
    exact = conv(64, 64, True, torch.float32)
    image = random(1, 64, 24, 24)
    with torch.no_grad():
        wanted = exact(image)
        rounded = conv(64, 64, True, torch.float32).bfloat16()(image.bfloat16())
        found = WinogradConv(exact).bfloat16()(image)
    assert found.dtype == torch.bfloat16
    assert (found - wanted).norm() < 3 * (rounded - wanted).norm()


def test_by_hand_a_shift_by_one_row():
    shift = conv(1, 1, False, torch.float64)
    with torch.no_grad():
        shift.weight.zero_()
        shift.weight[0, 0, 0, 1] = 1.0  # the pixel above
        image = torch.arange(5.0, dtype=torch.float64).view(1, 1, 5, 1)
        assert WinogradConv(shift)(image).flatten().tolist() == pytest.approx([0, 0, 1, 2, 3])


def test_only_wide_plain_convolutions_are_replaced():
    network = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.Conv2d(64, 64, 1)),
        nn.Conv2d(64, 64, 3, padding=1, stride=2),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3),
        nn.Conv2d(64, 3, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2),
    )
    replace_convolutions(network)
    found = [isinstance(module, WinogradConv) for module in network]
    assert found == [True, False, False, False, False, False, False]
    assert isinstance(network[1][0], nn.Conv2d)


def test_a_whole_network_is_the_same():
    torch.manual_seed(0)
    network = MPRNet(n_feat=64, scale_unetfeats=4, scale_orsnetfeats=4).eval()
    image = random(1, 3, 16, 24) + 0.5
    with torch.no_grad():
        wanted = network(image)
        replace_convolutions(network)
        replaced = [m for m in network.modules() if isinstance(m, WinogradConv)]
        assert len(replaced) > 100
        assert (network(image) - wanted).abs().max() < 1e-5
