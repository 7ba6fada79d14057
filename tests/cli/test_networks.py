import json
from collections.abc import Callable
from typing import Any

from unblur.nets.catalogue import NETWORKS


def test_the_table_has_every_network(command: Callable[..., Any]) -> None:
    answer = command("networks")
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines()]
    named = [(row[0], row[1]) for row in rows if len(row) > 2]
    assert all((each.name, each.variant) in named for each in NETWORKS)
    assert ["nafnet", "32", "17.11", "M", "16.0", "224.4", "MIT"] in rows


def test_as_data(command: Callable[..., Any]) -> None:
    described = json.loads(command("networks", "--json").out)
    assert [(entry["network"], entry["variant"]) for entry in described] == [
        (each.name, each.variant) for each in NETWORKS
    ]
    autoencoder = next(entry for entry in described if entry["network"] == "autoencoder")
    assert autoencoder["parameters"] == 34_951_683
    for entry in described:
        assert entry["licence"]
        assert entry["macs"]["1280x720"] > entry["macs"]["256x256"] > 0


def test_weights_that_come_along_have_their_own_licence(command) -> None:
    found = json.loads(command("networks", "--json").out)
    licences = {(each["network"], each["variant"]): each["licence"] for each in found}
    assert licences["dpanet", "general"] == "MIT"
    assert licences["dpanet", "small"] == "none published"
