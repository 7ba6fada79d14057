"""Costs against counts by hand."""

import pytest
import torch
from torch import nn

from unblur.nets.costs import Costs, costs


class Shared(nn.Module):
    """One convolution used twice, a transposed one, and a matrix for all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.again = nn.Sequential(self.mix)
        self.up = nn.ConvTranspose2d(3, 2, 2, stride=2)
        self.dense = nn.Linear(4, 5)
        self.register_buffer("offset", torch.ones(3, 1, 1))

    def forward(self, image):
        features = self.up(self.again(self.mix(image + self.offset)))
        return self.dense(features[:, :, :1, :4])


def test_what_is_shared_counts_once_as_weights_and_twice_as_work():
    height, width = 6, 10
    convolution = 3 * 3 * 9
    transposed = 3 * 2 * 4
    dense = 2 * 4 * 5  # 2 channels of 1 row
    assert costs(Shared(), (height, width)) == Costs(
        parameters=convolution + transposed + 2 + 4 * 5 + 5,
        macs=(2 * convolution + transposed) * height * width + dense,
    )


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_strided_grouped_convolution(device):
    """8 by 6 places, 6 outputs, each from 1 channel of 3 x 3."""
    module = nn.Conv2d(3, 6, 3, padding=1, stride=2, groups=3, device=device)
    assert costs(module, (16, 12)) == Costs(parameters=6 * 9 + 6, macs=8 * 6 * 6 * 9)


def test_neither_size_nor_weights_are_touched():
    module = nn.Conv2d(3, 4, 1)
    before = module.weight.clone()
    assert costs(module, (10**5, 10**5)).macs == 12 * 10**10
    assert torch.equal(module.weight, before)
    assert module.weight.device.type == "cpu"
