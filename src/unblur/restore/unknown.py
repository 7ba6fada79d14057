"""The method that finds the blur by itself: l0 estimation, then a solver."""

import hashlib
import math
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Annotated, Any, Literal

from unblur.blind import Settings, estimate, estimate_field
from unblur.blind.verdict import confidence, doubtful, nothing_to_remove, nothing_to_see
from unblur.blur import Kernel, Record
from unblur.errors import ParameterError
from unblur.progress import Progress, part
from unblur.restore.calming import calmed
from unblur.restore.known import (
    DeepWiener,
    HyperLaplacian,
    Known,
    LocalWiener,
    RichardsonLucy,
    TotalVariation,
    Wiener,
    build_known,
    noise_for,
    restorer_for,
)
from unblur.restore.method import Build, Given, Prepared
from unblur.restore.noise import as_it_looks, measure_noise, rounding
from unblur.restore.page import Light, Page
from unblur.restore.parameters import Parameter, parse
from unblur.restore.region import region_of
from unblur.restore.tiling import Box

__all__ = ["L0", "build_l0"]

_SOLVERS: dict[str, type[Known]] = {
    "hyper-laplacian": HyperLaplacian,
    "local-wiener": LocalWiener,
    "deep-wiener": DeepWiener,
    "tv": TotalVariation,
    "richardson-lucy": RichardsonLucy,
    "wiener": Wiener,
}

# On grey captures with less noise than this, what a slightly wrong kernel leaves is what counts,
# and tv is 0.7 dB better; with more, and in colour at any noise, local-wiener is.
_CLEAN = 0.006
# Weight of that tv over the noise. Weaker ones, which suit true kernels, let skies ring; the PSNR
# is the same.
_CALM = 0.12
# A field is looked for in pictures from this side on, since the corners of smaller ones hardly move
# when the camera rolls, and up to so many pixels, since the page is held in floats.
_FIELD_SIDE, _FIELD_PIXELS = 384, 2**24
_KERNEL_SHARE = 0.5
# Below this confidence the report warns.
_UNSURE = 0.5
_LEAST_NOISE = 1e-4

_DEFAULTS = Settings()


@dataclass(frozen=True)
class L0:
    """Parameters of `l0`: the estimation's, under the names of its paper, and the solver's."""

    kernel_size: Annotated[
        int, Parameter("side of the kernel in pixels, odd; 0: found from the picture", 0, 501)
    ] = 0
    max_kernel_size: Annotated[
        int, Parameter("the largest side that is looked for where it is found", 3, 501)
    ] = _DEFAULTS.max_kernel_size
    lambda_start: Annotated[
        float,
        Parameter("weight of the l0 norm of the gradient at the start", 1e-6, 1.0, ("lambda",)),
    ] = _DEFAULTS.lambda_start
    lambda_ratio: Annotated[float, Parameter("divides lambda after every iteration", 1.0, 10.0)] = (
        _DEFAULTS.lambda_ratio
    )
    lambda_min: Annotated[
        float | None,
        Parameter("lambda does not fall below this; none: half the noise", 1e-7, 1.0),
    ] = _DEFAULTS.lambda_min
    gamma: Annotated[
        float | None, Parameter("smoothness of the kernel; none: 200 times the noise", 1e-3, 1e6)
    ] = _DEFAULTS.gamma
    iterations: Annotated[int, Parameter("of kernel and picture at each level", 1, 100)] = (
        _DEFAULTS.iterations
    )
    scale_factor: Annotated[float, Parameter("between levels of the pyramid", 0.3, 0.9)] = (
        _DEFAULTS.scale_factor
    )
    kernel_threshold_max: Annotated[
        float, Parameter("kernel values under this share of the maximum are dropped", 0.0, 0.9)
    ] = _DEFAULTS.kernel_threshold_max
    remove_isolated: Annotated[
        float, Parameter("islands with less than this share of the mass are dropped", 0.0, 0.9)
    ] = _DEFAULTS.remove_isolated
    candidates: Annotated[
        int, Parameter("1: the settings as they are; more: so many variations, the best kept", 1, 4)
    ] = 4
    solver: Annotated[
        Literal[
            "auto",
            "local-wiener",
            "deep-wiener",
            "hyper-laplacian",
            "tv",
            "richardson-lucy",
            "wiener",
        ],
        Parameter(
            "what undoes the blur that was found; auto: local-wiener, but tv for grey pictures "
            "with little noise"
        ),
    ] = "auto"
    field: Annotated[
        bool,
        Parameter(
            "look for a camera that rolled as well, and use a kernel that varies over the frame "
            "where it explains the picture better"
        ),
    ] = True
    calm: Annotated[
        bool,
        Parameter(
            "take back what the solver makes where the blurred picture shows nothing but noise"
        ),
    ] = True
    regularization: Annotated[
        float | None, Parameter("of the solver; none: derived from the noise", 0.0, 1e3)
    ] = None
    light: Annotated[
        Light,
        Parameter(
            "work in linear light or on display-encoded values; arrays are taken as they are"
        ),
    ] = "encoded"
    noise_std: Annotated[
        float | None,
        Parameter("standard deviation of the noise, values in [0, 1]; none: estimated", 0.0, 1.0),
    ] = None


def build_l0(parameters: L0) -> Build:
    """Build the method from its parameters.

    Raises:
        ParameterError: `kernel_size` is even.
    """
    if parameters.kernel_size and (parameters.kernel_size % 2 == 0 or parameters.kernel_size < 3):
        raise ParameterError(
            f"kernel_size must be odd and at least 3, or 0 to find it, got {parameters.kernel_size}"
        )
    return partial(_prepare, parameters)


def _prepare(parameters: L0, page: Page, given: Given, progress: Progress | None) -> Prepared:
    if given.kernel is not None:
        if parameters.kernel_size:
            raise ParameterError("kernel_size and kernel exclude each other: give one of them")
        noise = _noise(parameters, page)
        known = build_known(_solver(parameters, page, noise))(page, given, progress)
        return calmed(known, noise) if parameters.calm else known
    noise = _noise(parameters, page)
    measured: dict[str, Any] = {"noise_std": noise}
    box = given.roi or region_of(page, parameters.kernel_size)
    image = page.read(box)
    reason = nothing_to_see(image, noise)
    if reason is not None:
        return Prepared(None, unchanged=reason, measured=measured)
    found = estimate(
        image,
        _settings(parameters, noise, box),
        noise_std=max(noise, _LEAST_NOISE),
        count=parameters.candidates,
        start=None if given.start is None else given.start.to(page.device).pixels,
        progress=part(progress, 0, _KERNEL_SHARE) if parameters.field else progress,
    )
    measured |= {"residual": found.score.residual, "sparsity": found.score.sparsity}
    reason = None if parameters.kernel_size else nothing_to_remove(found)
    if reason is not None:
        return Prepared(None, unchanged=reason, measured=measured)
    trust = confidence(found)
    if doubtful(found, trust) and not parameters.kernel_size:
        return Prepared(None, unchanged=_doubt(trust), measured=measured | {"confidence": trust})
    kernel = Kernel(
        found.kernel.cpu(),
        Record(
            "l0",
            dict(vars(found.settings)),
            region=(box.left, box.top, box.size[1], box.size[0]),
            confidence=trust,
            source=_digest(page),
        ),
    )
    warnings = (_doubt(trust, told=parameters.kernel_size > 0),) if trust < _UNSURE else ()
    varying = None
    if parameters.field and given.roi is None and _may_roll(page.size):
        rolled = estimate_field(
            page.read(page.whole),
            found.kernel,
            found.settings,
            noise_std=max(noise, _LEAST_NOISE),
            progress=part(progress, _KERNEL_SHARE, 1),
        )
        measured |= {"field_gain": rolled.gain, "field_fewer_edges": rolled.fewer_edges}
        varying = rolled.field if rolled.better else None
    one = Prepared(None, blur=kernel, varying=varying, measured=measured, warnings=warnings)
    return _undoing(one, kernel, parameters, page, noise) if given.restore else one


def _undoing(found: Prepared, kernel: Kernel, parameters: L0, page: Page, noise: float) -> Prepared:
    """The same, with what undoes the blur that was found."""
    told = parameters.noise_std is not None
    solver = _solver(parameters, page, noise if told else max(noise, rounding(page)))
    effective = as_it_looks(noise) if told else noise_for(solver, page, kernel, noise)
    one = replace(
        found,
        restorer=restorer_for(solver, found.varying or kernel, effective, page),
        # What the solver was given, so that it can be given again.
        measured={**found.measured, "effective_noise_std": effective},
    )
    return calmed(one, noise) if parameters.calm else one


def _doubt(trust: float, *, told: bool = False) -> str:
    return (
        f"uncertain: the blur was found with little confidence ({trust:.2f}); try a region (roi) "
        f"with cornered detail, or {'another' if told else 'insist on a'} kernel size"
    )


def _may_roll(size: tuple[int, int]) -> bool:
    return min(size) >= _FIELD_SIDE and math.prod(size) <= _FIELD_PIXELS


def _settings(parameters: L0, noise: float, box: Box) -> Settings:
    shared = {field.name for field in fields(Settings)} & set(vars(parameters))
    values = {name: getattr(parameters, name) for name in shared}
    if values["lambda_min"] is None:
        values["lambda_min"] = max(0.5 * noise, 1e-6)
    if values["gamma"] is None:
        values["gamma"] = max(200 * noise, 1e-3)
    shortest = min(box.size)
    values["max_kernel_size"] = min(values["max_kernel_size"], max(shortest // 4, 3))
    if parameters.kernel_size > shortest:
        raise ParameterError(
            f"kernel_size is {parameters.kernel_size}, larger than the part of the picture that is "
            f"looked at ({shortest} pixels): give a smaller kernel_size, or a larger roi"
        )
    return Settings(**values)


def _noise(parameters: L0, page: Page) -> float:
    return measure_noise(page) if parameters.noise_std is None else parameters.noise_std


def _solver(parameters: L0, page: Page, noise: float) -> Known:
    name, weight = parameters.solver, parameters.regularization
    if name == "auto":
        clean = page.channels == 1 and noise < _CLEAN
        # Local-wiener takes its weights from the noise alone.
        name = "tv" if clean or weight is not None else "local-wiener"
        if clean and weight is None:
            weight = _CALM * as_it_looks(noise)
    if weight is not None and name in ("local-wiener", "deep-wiener"):
        raise ParameterError(
            f"regularization has no meaning for solver '{name}', which weighs by the noise: leave "
            "it out, set noise_std, or choose solver 'tv' or 'hyper-laplacian'"
        )
    chosen = {"light": parameters.light, "noise_std": parameters.noise_std}
    if weight is not None:
        chosen["regularization"] = weight
    return parse(_SOLVERS[name], chosen)


def _digest(page: Page) -> str:
    # Rows of interleaved samples, as files store them, whatever the layout in memory.
    rows = page.photo.samples[page.index].permute(1, 2, 0).contiguous()
    return hashlib.sha256(rows.numpy().data).hexdigest()
