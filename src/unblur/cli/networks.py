"""`unblur networks`: what each network costs, and under which licence its weights are."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblur.cli.terminal import Failures, say

if TYPE_CHECKING:
    from unblur.nets.catalogue import Variant

__all__ = ["networks", "register"]

# The sizes that publications count at, (height, width).
_SIZES = {"256x256": (256, 256), "1280x720": (720, 1280)}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(networks)


def networks(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the networks: parameters, multiplications for a picture, licence of the weights."""
    from unblur.nets.catalogue import NETWORKS

    failures = Failures()
    with failures.about("networks"):
        described = [_described(variant) for variant in NETWORKS]
        if as_json:
            say(json.dumps(described, indent=2, allow_nan=False))
        else:
            _table(described)
    failures.finish()


def _described(variant: "Variant") -> dict[str, Any]:
    from unblur.nets.costs import costs
    from unblur.nets.weights import list_weights

    shipped = {each.name: each.notes.get("licence") for each in list_weights() if each.shipped}
    network = variant.build(device="meta")
    counted = {name: costs(network, size) for name, size in _SIZES.items()}
    return {
        "network": variant.name,
        "variant": variant.variant,
        "parameters": sum(each.numel() for each in network.parameters()),
        "macs": {name: each.macs for name, each in counted.items()},
        # Published weights have one licence, those that come along another.
        "licence": shipped.get(f"{variant.name}-{variant.variant}") or network.licence,
    }


def _table(described: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("network", "variant"):
        table.add_column(title)
    for title in ("parameters", *(f"GMACs at {size}" for size in _SIZES)):
        table.add_column(title, justify="right")
    table.add_column("licence of weights")
    for entry in described:
        table.add_row(
            entry["network"],
            entry["variant"],
            f"{entry['parameters'] / 1e6:.2f} M",
            *(f"{macs / 1e9:.1f}" for macs in entry["macs"].values()),
            entry["licence"],
        )
    Console().print(table, markup=False)
