"""All methods: what the command line, the documentation, tests and benchmarks read."""

import difflib

from unblur.errors import ParameterError
from unblur.restore.known import (
    HyperLaplacian,
    LocalWiener,
    RichardsonLucy,
    TotalVariation,
    Wiener,
    build_known,
)
from unblur.restore.method import Method
from unblur.restore.unknown import L0, build_l0

__all__ = ["DEFAULT", "METHODS", "find"]

DEFAULT = "l0"

METHODS: tuple[Method, ...] = (
    Method(
        name="l0",
        summary="finds the blur by the l0 gradient prior, then undoes it",
        when="nobody knows the blur: shake, also of a camera that rolled, motion or defocus",
        needs_kernel=False,
        parameters=L0,
        build=build_l0,
    ),
    Method(
        name="local-wiener",
        summary="undoes a known blur; a Wiener filter of its own for every small block",
        when="the blur is known: the best of the classical solvers, above all in noise and colour",
        needs_kernel=True,
        parameters=LocalWiener,
        build=build_known,
    ),
    Method(
        name="hyper-laplacian",
        summary="undoes a known blur; sparse gradients as prior",
        when="the blur is known exactly, and the picture has hardly any noise",
        needs_kernel=True,
        parameters=HyperLaplacian,
        build=build_known,
    ),
    Method(
        name="tv",
        summary="undoes a known blur; total variation as prior",
        when="the blur is known nearly, and the picture is grey and clean, or drawn",
        needs_kernel=True,
        parameters=TotalVariation,
        build=build_known,
    ),
    Method(
        name="richardson-lucy",
        summary="undoes a known blur; Poisson likelihood, never negative",
        when="the blur is known and light is counted: astronomy, microscopy, night",
        needs_kernel=True,
        parameters=RichardsonLucy,
        build=build_known,
    ),
    Method(
        name="wiener",
        summary="undoes a known blur by one linear filter",
        when="the blur is known, and the result must be linear in the picture",
        needs_kernel=True,
        parameters=Wiener,
        build=build_known,
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
