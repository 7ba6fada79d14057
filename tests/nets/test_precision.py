"""Which precision is chosen, and what computing in 16 bits leaves of a picture."""

import pytest
import torch
from torch import nn

from unblur.nets.nafnet import NAFNet
from unblur.nets.runtime import precision

CPU = torch.device("cpu")


def network():
    torch.manual_seed(0)
    network = NAFNet(8, [1, 1], 1, [1, 1]).eval()
    for name, entry in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            nn.init.normal_(entry, std=0.1)
    with torch.no_grad():
        network.ending.weight.mul_(0.05)
    return network


def test_a_picture_stays_finer_than_bfloat16():
    exact = network()
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = exact(image)
        found = precision.lowered(exact, torch.bfloat16)(image)
        naive = network().bfloat16()(image.bfloat16()).float()
    assert found.dtype == torch.float32
    off, naively_off = ((each - wanted).square().mean() for each in (found, naive))
    assert off < naively_off / 10
    assert exact.intro.weight.dtype == torch.float32  # what was given is as it was


def test_layers_that_give_pictures_are_float32():
    low = precision.lowered(network(), torch.float16)
    assert low.ending.weight.dtype == torch.float32
    assert low.intro.weight.dtype == torch.float16


def test_the_limit_is_sixty_decibels():
    class Shifted(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by = by

        def forward(self, image):
            return image + self.by

    exact = Shifted(0.0)
    assert precision.is_near(exact, Shifted(0.00099), CPU)
    assert not precision.is_near(exact, Shifted(0.00101), CPU)
    assert not precision.is_near(exact, Shifted(float("nan")), CPU)


def test_the_limit_keeps_the_published_psnr():
    # A network of 36 dB, and rounding of 60 dB that has nothing to do with its error.
    generator = torch.Generator().manual_seed(0)
    error, rounding = torch.randn(2, 1_000_000, generator=generator, dtype=torch.float64)
    error, rounding = error * 10 ** (-36 / 20), rounding * 10 ** (-precision.LEAST_PSNR / 20)
    lost = 10 * ((error + rounding).square().mean() / error.square().mean()).log10()
    assert lost < 0.02


@pytest.mark.parametrize(
    ("features", "answer"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True}, False),
        ({}, False),
    ],
)
def test_bfloat16_is_what_the_processor_says(monkeypatch, features, answer):
    monkeypatch.setattr(precision, "cpu_features", lambda: features)
    assert precision.has_bfloat16(CPU) is answer
    assert precision.has_bfloat16(torch.device("mps")) is False


def test_the_picture_that_is_tried_is_like_photographs():
    picture = precision.probe()
    assert picture.shape == (1, 3, 64, 64)
    assert (picture.amin().item(), picture.amax().item()) == (0.0, 1.0)
    neighbours = (picture[..., 1:] - picture[..., :-1]).square().mean()
    far = (picture[..., 20:] - picture[..., :-20]).square().mean()
    assert neighbours < far / 20
    assert picture.std() > 0.1
    assert torch.equal(picture, precision.probe())
