"""`unblur export`: a network as one ONNX file, for phones and other programs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from unblur.cli import options as o
from unblur.cli.terminal import Failures, clean, say

if TYPE_CHECKING:
    from unblur.nets.export import Exported
    from unblur.nets.network import Network

__all__ = ["export", "register"]

Side = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Fix the size of the pictures, in pixels.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(export)


def export(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="A network of `unblur networks`.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="NET.onnx", help="The file.")],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Of `unblur weights list`, or a checkpoint; METHOD's if none."
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", metavar="", help="Keep and compute in 16 bits.")
    ] = False,
    height: Side = None,
    width: Side = None,
    overwrite: o.Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")] = False,
) -> None:
    """Write a network as ONNX, checked: pictures of any size in, pictures of that size out."""
    failures = Failures(as_json=as_json)
    with failures.about(method):
        size = _size(height, width)
        network = _network(method, weights)
        from unblur.nets.export import export as write

        done = write(network, output, half=half, size=size, overwrite=overwrite)
        say(json.dumps(asdict(done)) if as_json else _described(done))
    failures.finish()


def _size(height: int | None, width: int | None) -> tuple[int, int] | None:
    from unblur.errors import ParameterError

    if height is not None and width is not None:
        return height, width
    if height is not None or width is not None:
        raise ParameterError("--height and --width go together: give both, or neither for any size")
    return None


def _network(method: str, weights: str | None) -> "Network":
    from unblur.errors import ParameterError, WeightsError
    from unblur.nets.weights import architecture, load_network
    from unblur.restore import catalogue
    from unblur.restore.networks import Networked

    usual = {
        each.name: each.parameters.weights
        for each in catalogue.METHODS
        if issubclass(each.parameters, Networked)
    }
    if method not in usual:
        raise ParameterError(f"METHOD must be one of {', '.join(usual)}, not {method!r}")
    name = weights or usual[method]
    network = load_network(name)
    if not isinstance(network, architecture(method)):
        raise WeightsError(f"the weights {name} are of {network.title}, not of {method}")
    return network


def _described(done: "Exported") -> str:
    shape = " x ".join(map(str, done.shape))
    return (
        f"{clean(done.path)}: {done.size / 1e6:.1f} MB, {shape}, "
        f"off by {done.difference:.1e} from PyTorch"
    )
