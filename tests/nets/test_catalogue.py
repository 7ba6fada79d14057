"""The list of networks against what is published about them."""

import pytest
import torch

from unblur.errors import ParameterError
from unblur.nets.catalogue import NETWORKS, Variant, find
from unblur.nets.costs import costs
from unblur.nets.store import SHIPPED
from unblur.nets.weights import load_network

each_network = pytest.mark.parametrize(
    "listed", NETWORKS, ids=[f"{each.name}-{each.variant}" for each in NETWORKS]
)


def parameters_of(name, variant):
    return costs(find(name, variant).build(device="meta"), (128, 128)).parameters


def test_no_network_is_listed_twice():
    names = [(each.name, each.variant) for each in NETWORKS]
    assert len(set(names)) == len(names)
    assert {name for name, _ in names} == {
        "mprnet",
        "nafnet",
        "dpanet",
        "autoencoder",
        "deep-wiener",
    }


@pytest.mark.parametrize(
    ("name", "variant", "millions"),
    [
        ("mprnet", "deblurring", 20.1),
        ("nafnet", "32", 17.1),
        ("nafnet", "64", 67.9),
    ],
)
def test_published_parameters(name, variant, millions):
    assert round(parameters_of(name, variant) / 1e6, 1) == millions


def test_the_autoencoder_has_the_parameters_of_its_table():
    assert parameters_of("autoencoder", "128") == 34_951_683


@pytest.mark.parametrize(("variant", "billions"), [("32", 16), ("64", 63)])
def test_published_multiplications(variant, billions):
    found = costs(find("nafnet", variant).build(device="meta"), (256, 256))
    assert round(found.macs / 1e9) == billions


def test_the_small_dpanet_costs_no_more_than_the_small_nafnet():
    small, base = (find("dpanet", size).build(device="meta") for size in ("small", "base"))
    assert costs(small, (256, 256)).macs <= 16e9
    assert costs(base, (256, 256)).macs <= 63e9


def test_the_dpanet_whose_weights_come_along_keeps_its_bounds():
    path = SHIPPED / "dpanet-general.safetensors"
    assert path.stat().st_size <= 15e6
    network = load_network(path)
    listed = find("dpanet", "general").build(device="meta")
    assert {name: entry.shape for name, entry in network.state_dict().items()} == {
        name: entry.shape for name, entry in listed.state_dict().items()
    }
    assert costs(listed, (256, 256)).macs <= 20e9


def test_the_residual_modules_of_dpanet_cost_the_same_on_every_level():
    """2 convolutions of 10 blocks, 9 c^2 at each pixel; c doubles as the pixels go to a quarter."""
    encoder = find("dpanet", "small").build(device="meta").restorer.encoder
    for level, module in enumerate(encoder.refine):
        weights = sum(each.numel() for each in module.parameters() if each.ndim == 4)
        assert weights * 256**2 // 4**level == 2 * 10 * 9 * 16**2 * 256**2


@each_network
def test_each_is_built_without_memory(listed):
    network = listed.build(device="meta")
    assert {entry.device.type for entry in network.parameters()} == {"meta"}
    assert isinstance(network, listed.architecture)
    assert network.licence
    assert network.spec.multiple_of >= 1


@each_network
def test_each_is_known_by_its_shapes(listed):
    network = listed.build(device="meta")
    shapes = {name: tuple(entry.shape) for name, entry in network.state_dict().items()}
    with torch.device("meta"):
        found = listed.architecture.from_shapes(shapes)
    assert {name: tuple(entry.shape) for name, entry in found.state_dict().items()} == shapes


def test_the_first_variant_is_the_one_without_a_name():
    assert find("mprnet") == find("mprnet", "deblurring")
    assert isinstance(find("nafnet", "64"), Variant)


@pytest.mark.parametrize("wanted", [("mprnot",), ("nafnet", "128")])
def test_an_unknown_network_is_refused(wanted):
    with pytest.raises(ParameterError, match=r"must be one of mprnet deblurring.*" + wanted[-1]):
        find(*wanted)
