"""The network behind the inverses: what it takes, how far it looks, what it costs."""

import pytest
import torch

from unblur.errors import WeightsError
from unblur.nets.costs import costs
from unblur.nets.deepwiener import CHANNELS, DeepWiener


def trained(**options) -> DeepWiener:
    """With weights that are zero nowhere."""
    torch.manual_seed(0)
    network = DeepWiener(**{"widths": (4, 6, 8), "blocks": (1, 1, 1), **options}).eval()
    with torch.no_grad():
        for entry in network.parameters():
            entry.normal_(std=(entry[0].numel() if entry.ndim > 1 else 100) ** -0.5)
    return network


def test_untrained_it_gives_the_first_three_channels():
    given = torch.rand(2, CHANNELS, 11, 14)
    torch.testing.assert_close(DeepWiener()(given), given[:, :3], rtol=0, atol=0)


@pytest.mark.parametrize("size", [(1, 1), (7, 8), (9, 30), (16, 16)])
def test_any_size(size):
    assert trained()(torch.rand(1, CHANNELS, *size)).shape == (1, 3, *size)


def test_it_looks_no_farther_than_its_halo():
    network = trained(blocks=(1, 1, 2)).double()
    halo, side = network.spec.halo, 2 * network.spec.halo + 40
    given = torch.rand(1, CHANNELS, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    network(given)[..., middle, middle].sum().backward()
    reached = given.grad.abs().amax((0, 1)).nonzero() - middle
    assert int(reached.abs().max()) <= halo
    assert int(reached.abs().max()) >= halo - 2 * network.spec.multiple_of


def test_all_channels_matter():
    given = torch.rand(1, CHANNELS, 16, 16, requires_grad=True)
    trained()(given).square().sum().backward()
    assert bool((given.grad.abs().amax((0, 2, 3)) > 0).all())


def test_it_costs_what_its_layers_do():
    """Per pixel of the picture: 9 a b for a 3 x 3 convolution, over the square of its step."""
    a, b, c = 48, 80, 112
    half = 9 * (61 * a + a * 12) + 4 * 9 * a * a
    quarter = 8 * 9 * b * b + 2 * 4 * a * b
    eighth = 6 * 9 * c * c + 2 * 4 * b * c
    counted = costs(DeepWiener(), (64, 64))
    assert counted.macs == 64**2 * half // 4 + 64**2 * quarter // 16 + 64**2 * eighth // 64
    assert counted.parameters == 1_356_940


def test_it_is_known_by_its_shapes():
    entries = trained(widths=(4, 5, 7), blocks=(2, 1, 3)).state_dict()
    found = DeepWiener.from_state(entries)
    assert found.widths == (4, 5, 7)
    assert found.blocks == (2, 1, 3)
    assert not found.training


def test_other_entries_are_refused():
    entries = trained().state_dict()
    del entries["encoders.1.0.first.weight"]
    with pytest.raises(WeightsError, match="DeepWiener"):
        DeepWiener.from_state(entries)
