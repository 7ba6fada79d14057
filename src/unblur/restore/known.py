"""The methods that need the blur: each solver of `deconvolve` as a method."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from unblur.blur import Field, Kernel
from unblur.deconvolve import (
    deep_wiener,
    hyper_laplacian,
    local_wiener,
    richardson_lucy,
    tv,
    wiener,
)
from unblur.deconvolve.field_system import near_side
from unblur.deconvolve.reach import reach
from unblur.deconvolve.setup import channel_of
from unblur.deconvolve.sparse import CURVATURE
from unblur.errors import ParameterError
from unblur.progress import Progress, part
from unblur.restore.finish import start_finish
from unblur.restore.method import Build, Given, Prepared, Restorer, Tile
from unblur.restore.noise import as_it_looks, effective_noise, measure_noise
from unblur.restore.page import Light, Page
from unblur.restore.parameters import Parameter

__all__ = [
    "DeepWiener",
    "HyperLaplacian",
    "Known",
    "LocalWiener",
    "RichardsonLucy",
    "TotalVariation",
    "Wiener",
    "build_deep",
    "build_known",
    "noise_for",
    "restorer_for",
]

# A kernel with this much of its mass in one pixel blurs nothing.
_ONE_PIXEL = 0.999
# What the frame that a solver works on is larger than its tile, about: two radii and on to a size
# that is quick to transform.
_FRAME = 64
# On two cores two tiles apart take 0.7 to 0.8 of the time that one after the other takes on both.
# Of this side, 12 megapixels take 0.87 of what they took at 2048; below, halos cost more.
_BEST_TILE = 1536
# Blur acts on linear light. But the noise of a stored picture is even in its encoded values, and so
# is the eye: deconvolved in linear light, shadows beside bright edges turn black or ring in colour
# (seen on four photographs); deconvolved as they are stored, they do not.
_LIGHT = Parameter(
    "linear light, where blur is exact, or display-encoded values; arrays are taken as they are"
)
_NOISE = Parameter("standard deviation of the noise, values in [0, 1]; none: estimated", 0.0, 1.0)
_WEIGHT = Parameter("weight of the prior; none: derived from the noise", 0.0, 1e3)


@dataclass(frozen=True)
class Known:
    """What all solvers share."""

    light: Annotated[Light, _LIGHT] = "encoded"
    noise_std: Annotated[float | None, _NOISE] = None


@dataclass(frozen=True)
class Wiener(Known):
    """Parameters of `wiener`."""

    regularization: Annotated[float | None, _WEIGHT] = None
    penalty: Annotated[
        Literal["laplacian", "flat"],
        Parameter(
            "what is kept small: the Laplacian, or the picture (a flat noise-to-signal ratio)"
        ),
    ] = "laplacian"


@dataclass(frozen=True)
class RichardsonLucy(Known):
    """Parameters of `richardson-lucy`."""

    iterations: Annotated[int, Parameter("steps: more is sharper and noisier", 1, 10_000)] = 30
    regularization: Annotated[
        float, Parameter("total variation: 0.002 calms noise, 0.05 paints", 0.0, 0.9)
    ] = 0.0
    acceleration: Annotated[
        bool, Parameter("extrapolate: about five times as far in as many steps")
    ] = True
    stop_at_noise: Annotated[
        bool, Parameter("stop where the residual is no larger than the noise, tile by tile")
    ] = True


@dataclass(frozen=True)
class _Sparse(Known):
    """What solvers with sparse gradients share."""

    regularization: Annotated[float | None, _WEIGHT] = None
    iterations: Annotated[int, Parameter("steps of the continuation", 1, 100)] = 6


@dataclass(frozen=True)
class TotalVariation(_Sparse):
    """Parameters of `tv`."""

    curvature: Annotated[
        float, Parameter("weight of second differences; 0: slopes become steps", 0.0, 10.0)
    ] = CURVATURE


@dataclass(frozen=True)
class HyperLaplacian(_Sparse):
    """Parameters of `hyper-laplacian`."""

    exponent: Annotated[
        float,
        Parameter(
            "of the gradients' prior: 0.5 is sparser, 0.99 nearly total variation", 0.1, 0.99
        ),
    ] = 0.8


@dataclass(frozen=True)
class LocalWiener(Known):
    """Parameters of `local-wiener`."""

    passes: Annotated[
        int, Parameter("of local filters after total variation: 2 is nearly the best", 0, 10)
    ] = 2


@dataclass(frozen=True)
class DeepWiener(Known):
    """Parameters of `deep-wiener`."""

    weights: Annotated[
        str, Parameter("a name of `unblur weights list`, a checkpoint, or a folder")
    ] = "deep-wiener"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Parameter("of the network; auto: half where the machine is quicker with it"),
    ] = "auto"


# What each solver holds at its peak, in float32 numbers for one pixel of one channel: counted from
# the arrays alive in a step.
_SOLVERS: dict[type, tuple[Callable[..., Tensor], int]] = {
    Wiener: (wiener, 12),
    RichardsonLucy: (richardson_lucy, 14),
    TotalVariation: (tv, 22),
    HyperLaplacian: (hyper_laplacian, 20),
    LocalWiener: (local_wiener, 36),
    DeepWiener: (deep_wiener, 160),
}
# These restore the channels of a picture together.
_TOGETHER = (LocalWiener, DeepWiener)


def build_known(parameters: Known) -> Build:
    """Build any of the methods of this module from its parameters."""
    return partial(_prepare, parameters)


def build_deep(parameters: DeepWiener, device: torch.device) -> Build:
    """Build `deep-wiener`, its network loaded.

    Raises:
        WeightsError: There are no weights of that name, or they are of another kind of network.
    """
    start_finish(parameters.weights, parameters.precision, device)
    return build_known(parameters)


def _prepare(parameters: Known, page: Page, given: Given, _: Progress | None) -> Prepared:
    if given.kernel is None:
        raise ParameterError(
            "kernel is missing: this method needs the blur; give kernel=..., or use method 'l0', "
            "which finds it"
        )
    if isinstance(given.kernel, Kernel) and float(given.kernel.pixels.max()) >= _ONE_PIXEL:
        return Prepared(None, unchanged="identity: the kernel is one pixel", blur=given.kernel)
    noise = parameters.noise_std
    if noise is None and getattr(parameters, "stop_at_noise", True):
        noise = noise_for(parameters, page, given.kernel, measure_noise(page), given.kernel_error)
    return Prepared(
        restorer_for(parameters, given.kernel, noise or 0.0, page),
        blur=given.kernel,
        measured={} if noise is None else {"noise_std": noise},
        solver=parameters,
    )


def noise_for(
    parameters: Known, page: Page, blur: Kernel | Field, noise: float, error: float = 0.0
) -> float:
    """Give the solver's noise, from that of the page; a network was trained on what it looks.

    What the blur itself is known to leave unexplained, `error`, counts where it is more than usual.
    """
    if isinstance(parameters, DeepWiener):
        return as_it_looks(noise, error)
    return effective_noise(page, blur, noise, error)


def restorer_for(parameters: Known, blur: Kernel | Field, noise_std: float, page: Page) -> Restorer:
    """Make the restorer that undoes `blur` with the solver that `parameters` belong to.

    Raises:
        KernelError: The kernel is larger than the picture.
    """
    if isinstance(blur, Kernel):
        blur = blur.trim()
        blur.check_fits(page.size)
    solver, floats = _SOLVERS[type(parameters)]
    options = _options(parameters, noise_std)
    if isinstance(parameters, LocalWiener):
        options["coarse_colour"] = page.coarse_colour
    blur = blur.to(page.device)
    look = reach(blur, options["noise_std"], getattr(parameters, "regularization", None))
    halo = look.halo
    if isinstance(parameters, DeepWiener):
        finish = start_finish(parameters.weights, parameters.precision, page.device)
        options["network"] = finish
        halo += finish.halo
    # Richardson-Lucy looks a kernel further at every step, and the hyper-Laplacian is not convex: a
    # small change far away may turn a decision here.
    convex = type(parameters) in (Wiener, TotalVariation)
    exact = look.exact and convex and isinstance(blur, Kernel)

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        local: Tensor | Field = (
            blur.pixels if isinstance(blur, Kernel) else blur.restrict(tile.region, tile.page)
        )
        # One channel at a time on a CPU: a third of the memory, and small transforms stay in the
        # cache.
        one_by_one = tile.image.device.type == "cpu" and not isinstance(parameters, _TOGETHER)
        groups = tile.image.split(1, 1) if one_by_one else (tile.image,)
        clipped: Any = (None,) * len(groups)
        if tile.clipped is not None:
            clipped = tile.clipped.split(groups[0].shape[1], 1)
        restored = torch.empty_like(tile.image)
        for index, (image, mask) in enumerate(zip(groups, clipped, strict=True)):
            restored[:, index : index + image.shape[1]] = solver(
                image,
                channel_of(local, index) if len(groups) > 1 else local,
                clipped=mask,
                ignored=tile.ignored,
                progress=part(progress, index / len(groups), (index + 1) / len(groups)),
                **options,
            )
        return restored

    best = _best_tile(parameters, blur, page, halo)
    # A network uses all cores by itself.
    apart = page.device.type == "cpu" and not isinstance(parameters, DeepWiener)
    return Restorer(
        apply,
        halo,
        exact_tiling=exact,
        bytes_per_pixel=4 * floats,
        multiple_of=8 if isinstance(parameters, _TOGETHER) else 1,
        frame=_FRAME,
        best_tile=best,
        together=torch.get_num_threads() if apart else 1,
        apart=apart,
    )


def _best_tile(parameters: Known, blur: Kernel | Field, page: Page, halo: int) -> int:
    """The side from which on a pixel costs more: planes too large, or kernels too different."""
    best = _BEST_TILE if page.device.type == "cpu" else 0
    # A network has to see too much around each tile.
    if isinstance(blur, Kernel) or isinstance(parameters, DeepWiener):
        return best
    side = near_side(blur, page.size, halo)
    if side is None:
        return best
    side += 3 * halo
    return min(side, best) if best else side


def _options(parameters: Known, noise_std: float) -> dict[str, Any]:
    options = {
        name: value
        for name, value in vars(parameters).items()
        if name not in ("light", "noise_std", "stop_at_noise", "weights", "precision")
    }
    options["noise_std"] = noise_std
    if isinstance(parameters, RichardsonLucy) and not parameters.stop_at_noise:
        options["noise_std"] = 0.0
    return options
