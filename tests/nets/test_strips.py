"""Layers in strips of rows against layers at once."""

import numpy as np
import pytest
import torch
from torch import nn

from unblur.nets import strips
from unblur.nets.catalogue import find
from unblur.nets.costs import costs
from unblur.nets.mprnet import MPRNet
from unblur.nets.strips import by_rows


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of eight rows and more, however small the picture."""
    monkeypatch.setattr(strips, "_PART", 1)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("size", [(1, 5), (8, 8), (13, 4), (40, 24), (41, 9)])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_layer_that_looks_around_is_the_same_in_strips(size: tuple[int, int], batch: int) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.PReLU(), nn.Conv2d(5, 4, 3, padding=1))
    picture = random(batch, 3, *size)
    seen: list[int] = []
    body.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2]))
    with torch.inference_mode():
        found = by_rows(body, picture, margin=2)
        assert (len(seen) > 1) == (size[0] > 8)
        torch.testing.assert_close(found, body(picture), rtol=0, atol=1e-6)


@pytest.mark.usefixtures("narrow")
def test_what_is_coarser_comes_in_rows_that_answer() -> None:
    picture, coarse, one = random(1, 2, 48, 8), random(1, 2, 12, 2), random(1, 2, 1, 1)

    def work(rows: torch.Tensor, few: torch.Tensor, single: torch.Tensor) -> torch.Tensor:
        return rows * nn.functional.interpolate(few, scale_factor=4, mode="bilinear") + single

    with torch.inference_mode():
        whole = work(picture, coarse, one)
        place = picture.clone()
        found = by_rows(work, place, coarse, one, margin=4, out=place)
    assert found is place
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("window", [None, 32])
def test_the_network_is_the_same_in_strips(
    window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = MPRNet(8, 4, 4).eval().local(window)
    picture = random(2, 3, 75, 50)
    with torch.inference_mode():
        strip = network.stages(picture)
        monkeypatch.setattr(strips, "_PART", 1 << 30)
        whole = network.stages(picture)
    for one, other in zip(strip, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("narrow")
def test_what_is_learnt_from_has_no_strips() -> None:
    """A gradient is that of the whole, and nothing that it needs was written over."""
    torch.manual_seed(0)
    network = MPRNet(8, 4, 4)
    picture = random(1, 3, 32, 24)
    with torch.no_grad():
        wanted = network(picture)
    found = network(picture)
    np.testing.assert_allclose(found.detach(), wanted, rtol=0, atol=1e-5)
    found.square().sum().backward()
    assert all(
        each.grad is not None for name, each in network.named_parameters() if "sam" not in name
    )


def test_costs_are_counted_without_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    network = find("mprnet").build(device="meta")
    once = costs(network, (64, 64))
    monkeypatch.setattr(strips, "_PART", 1)
    assert costs(network, (64, 64)) == once
