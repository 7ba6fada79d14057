"""All methods: what the command line, the documentation, tests and benchmarks read."""

import difflib
from collections.abc import Callable
from typing import Any

import torch

from unblur.errors import ParameterError
from unblur.restore.known import (
    DeepWiener,
    HyperLaplacian,
    LocalWiener,
    RichardsonLucy,
    TotalVariation,
    Wiener,
    build_deep,
    build_known,
)
from unblur.restore.method import Build, Method
from unblur.restore.networks import (
    Autoencoder,
    DPANet,
    MPRNet,
    NAFNet,
    build_network,
    network_ready,
)
from unblur.restore.unknown import L0, build_l0

__all__ = ["DEFAULT", "METHODS", "find"]

DEFAULT = "l0"


def _anywhere(build: Callable[[Any], Build]) -> Callable[[Any, torch.device], Build]:
    """A method that needs nothing from the device before it sees a picture."""
    return lambda parameters, _: build(parameters)


METHODS: tuple[Method, ...] = (
    Method(
        name="l0",
        summary="finds the blur by the l0 gradient prior, then undoes it",
        when="nobody knows the blur: shake, also of a camera that rolled, motion or defocus",
        needs_kernel=False,
        parameters=L0,
        build=_anywhere(build_l0),
    ),
    Method(
        name="local-wiener",
        summary="undoes a known blur; a Wiener filter of its own for every small block",
        when="the blur is known: the best of the classical solvers, above all in noise and colour",
        needs_kernel=True,
        parameters=LocalWiener,
        build=_anywhere(build_known),
    ),
    Method(
        name="deep-wiener",
        summary="undoes a known blur; a network finishes what Wiener filters began",
        when="the blur is known, perhaps not quite, and the picture is a photograph in colour",
        needs_kernel=True,
        parameters=DeepWiener,
        build=build_deep,
        ready=network_ready,
    ),
    Method(
        name="hyper-laplacian",
        summary="undoes a known blur; sparse gradients as prior",
        when="the blur is known exactly, and the picture has hardly any noise",
        needs_kernel=True,
        parameters=HyperLaplacian,
        build=_anywhere(build_known),
    ),
    Method(
        name="tv",
        summary="undoes a known blur; total variation as prior",
        when="the blur is known nearly, and the picture is grey and clean, or drawn",
        needs_kernel=True,
        parameters=TotalVariation,
        build=_anywhere(build_known),
    ),
    Method(
        name="richardson-lucy",
        summary="undoes a known blur; Poisson likelihood, never negative",
        when="the blur is known and light is counted: astronomy, microscopy, night",
        needs_kernel=True,
        parameters=RichardsonLucy,
        build=_anywhere(build_known),
    ),
    Method(
        name="wiener",
        summary="undoes a known blur by one linear filter",
        when="the blur is known, and the result must be linear in the picture",
        needs_kernel=True,
        parameters=Wiener,
        build=_anywhere(build_known),
    ),
    Method(
        name="nafnet",
        summary="restores by a network of simple blocks, NAFNet",
        when="people or the hand moved, as in GoPro pictures, and published weights are at hand",
        needs_kernel=False,
        parameters=NAFNet,
        build=build_network,
        needs_weights=True,
        ready=network_ready,
    ),
    Method(
        name="mprnet",
        summary="restores by a network of three stages, MPRNet",
        when="as nafnet; slower, and its published weights are for academic use only",
        needs_kernel=False,
        parameters=MPRNet,
        build=build_network,
        needs_weights=True,
        ready=network_ready,
    ),
    Method(
        name="dpanet",
        summary="restores by a network that estimates the blur place by place, DPA-Net",
        when="defocus, soft focus or straight motion, also where they vary, with noise",
        needs_kernel=False,
        parameters=DPANet,
        build=build_network,
        needs_weights=True,
        ready=network_ready,
    ),
    Method(
        name="autoencoder",
        summary="redraws squares of 128 pixels from 256 numbers each",
        when="to compare with its publication: it loses detail",
        needs_kernel=False,
        parameters=Autoencoder,
        build=build_network,
        needs_weights=True,
        ready=network_ready,
    ),
)


def find(name: str) -> Method:
    """Give the method of that name.

    Raises:
        ParameterError: There is none; the message names the nearest.

    Example:
        >>> find("wiener").needs_kernel
        True
    """
    by_name = {method.name: method for method in METHODS}
    wanted = str(name).strip().lower().replace("_", "-")
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(by_name)}"
    raise ParameterError(f"method {name!r} is unknown: {hint}")
