"""The methods that are networks: weights by name, a runner that stays, tiles through it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from unblur.blur.noise_level import estimate_noise
from unblur.errors import WeightsError
from unblur.progress import Progress, report
from unblur.restore.gathering import through
from unblur.restore.guard import Trust, trust
from unblur.restore.method import Build, Given, Prepared, Restorer, Tile
from unblur.restore.page import Page, Values
from unblur.restore.parameters import Parameter
from unblur.restore.tiling import Box

if TYPE_CHECKING:
    from unblur.nets.network import Network
    from unblur.nets.runtime import Runner

__all__ = [
    "Autoencoder",
    "DPANet",
    "MPRNet",
    "NAFNet",
    "Networked",
    "build_network",
    "network_ready",
    "weights_file",
]

# Where tiles agree with the whole, hardly anything is left to be blended.
_RAMP = 8
# Side of what is tried.
_TRIED = 512

_WEIGHTS = Parameter("a name of `unblur weights list`, a checkpoint, or a folder")
_LOCAL = Parameter(
    "take means over windows of the size that networks are trained on, not over the picture: "
    "better on photographs, and tiles then agree with the whole"
)


@dataclass(frozen=True)
class Networked:
    """What all networks share.

    Attributes:
        method: the name in the catalogue, and of the architecture.
        light: networks learn from values as they are displayed.
    """

    method: ClassVar[str]
    light: ClassVar[Values] = "display"

    weights: Annotated[str, _WEIGHTS] = ""
    backend: Annotated[
        Literal["auto", "torch", "onnx", "openvino"],
        Parameter("what runs the network; auto: the quickest one here"),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Parameter("of the arithmetic; auto: half where the machine is quicker with it"),
    ] = "auto"
    batch: Annotated[int, Parameter("tiles that go through together, on a GPU", 1, 64)] = 1


@dataclass(frozen=True)
class MPRNet(Networked):
    """Parameters of `mprnet`; local statistics gain 0.65 dB on GoPro, as published (TLC)."""

    method: ClassVar[str] = "mprnet"

    weights: Annotated[str, _WEIGHTS] = "mprnet-gopro"
    local_statistics: Annotated[bool, _LOCAL] = True


@dataclass(frozen=True)
class NAFNet(Networked):
    """Parameters of `nafnet`; of the published weights, those that cost a quarter are taken."""

    method: ClassVar[str] = "nafnet"

    weights: Annotated[str, _WEIGHTS] = "nafnet-gopro-32"
    local_statistics: Annotated[bool, _LOCAL] = True


@dataclass(frozen=True)
class DPANet(Networked):
    """Parameters of `dpanet`, which finds the distortion prior in the picture itself."""

    method: ClassVar[str] = "dpanet"

    weights: Annotated[str, _WEIGHTS] = "dpanet-general"
    local_statistics: Annotated[bool, _LOCAL] = True
    guard: Annotated[
        bool,
        Parameter("leave a picture as it is where it gets no sharper and noise is not what goes"),
    ] = True


@dataclass(frozen=True)
class Autoencoder(Networked):
    """Parameters of `autoencoder`."""

    method: ClassVar[str] = "autoencoder"

    weights: Annotated[str, _WEIGHTS] = "autoencoder"


def network_ready(parameters: Networked) -> tuple[bool, str]:
    """Say whether the weights are there, without opening them; if not, how to get them."""
    from unblur.nets.weights import locate

    try:
        locate(parameters.weights)
    except WeightsError as error:
        return False, str(error)
    return True, ""


def weights_file(name: str) -> str:
    """Give the file or folder of weights, by their name or their path.

    Raises:
        WeightsError: There are none.
    """
    from unblur.nets.weights import locate

    return os.fspath(locate(name))


def build_network(parameters: Networked, device: torch.device) -> Build:
    """Load the weights and start what runs them, once for all pictures.

    Raises:
        WeightsError: There are none of that name, or they are of another network.
        ParameterError: The backend or the precision is not to be had on this device.
        MissingDependency: The backend's package is not installed.
    """
    from unblur.nets import runtime

    network = _load(parameters)
    if getattr(parameters, "local_statistics", False):
        network.local()
    if not getattr(network, "blind", True):
        return partial(_prepare, network, None, {"weights_sha256": network.sha256})
    runner = runtime.start(
        network, device=device, backend=parameters.backend, precision=parameters.precision
    )
    measured = {
        "backend": runner.name,
        "precision": runner.precision,
        "weights_sha256": network.sha256,
    }
    restorer = _restorer(network, runner, parameters.batch)
    prepare = partial(_prepare, network, restorer, measured)
    if not getattr(parameters, "guard", False):
        return prepare
    return partial(_guarded, prepare, partial(_judged, network, runner))


def _load(parameters: Networked) -> Any:
    from unblur.nets.catalogue import name_of
    from unblur.nets.weights import architecture, load_network

    network = load_network(parameters.weights)
    wanted = architecture(parameters.method)
    if not isinstance(network, wanted):
        raise WeightsError(
            f"the weights {parameters.weights} are of {network.title}, and method "
            f"'{parameters.method}' takes those of {wanted.title}: use method "
            f"'{name_of(network)}' (-m {name_of(network)})"
        )
    return network


def _prepare(  # noqa: PLR0917 - the last three are those of `Build`
    network: Any,
    restorer: Restorer | None,
    measured: dict[str, Any],
    page: Page,
    given: Given,
    progress: Progress | None,  # noqa: ARG001
) -> Prepared:
    if given.prior is not None:
        from unblur.restore.calibrated import calibrated

        told = {"prior": "lens", "weights_sha256": network.sha256}
        return Prepared(calibrated(network, given.prior, page.device), measured=told)
    if restorer is None:
        raise WeightsError(
            "these weights need the prior of a calibrated lens: give its profile (lens), or the "
            "weights of a network that finds the prior in the picture"
        )
    return Prepared(restorer, measured=measured)


def _guarded(
    prepare: Build,
    judge: Callable[[Tensor], Trust],
    page: Page,
    given: Given,
    progress: Progress | None,
) -> Prepared:
    """Leave a page as it is where the network has nothing to do, or does not do it.

    The network is tried on the middle of the page, and so much of its change counts as is trusted.
    """
    prepared = prepare(page, given, progress)
    if given.prior is not None:
        return prepared
    share, why = judge(page.read(_middle(page)).clamp(0, 1))
    if why is not None:
        return replace(prepared, restorer=None, unchanged=why)
    return replace(
        prepared,
        restorer=None if prepared.restorer is None else _in_part(prepared.restorer, share),
        measured={**prepared.measured, "share": share},
    )


def _judged(network: Any, runner: "Runner", shown: Tensor) -> Trust:
    noise = float(estimate_noise(shown))
    return trust(shown, noise, partial(_run, runner), network.unblurred(shown))


def _in_part(restorer: Restorer, share: float) -> Restorer:
    """Let that share of a change count."""

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        return tile.image.lerp(restorer.apply(tile, progress), share)

    return replace(restorer, apply=apply) if share < 1 else restorer


def _middle(page: Page) -> Box:
    (top, height), (left, width) = (
        (max(side - _TRIED, 0) // 2, min(side, _TRIED)) for side in page.size
    )
    return Box(top, left, top + height, left + width)


def _restorer(network: "Network", runner: "Runner", batch: int) -> Restorer:
    """Describe the network to tiling.

    Tiles of the local form agree with the whole; a network whose means go over the whole picture
    sees another picture in each tile.
    """
    spec = network.spec
    remark = (
        "the picture was too large to go through whole, and this network takes means over all that "
        "it sees: tiles differ from the whole picture; local_statistics=true or more max_memory "
        "avoids that"
    )
    return Restorer(
        partial(_restore, runner),
        halo=spec.halo,
        exact_tiling=not spec.global_statistics,
        bytes_per_pixel=runner.bytes_per_pixel,
        bytes_fixed=spec.bytes_fixed,
        multiple_of=spec.multiple_of,
        ramp=None if spec.global_statistics else _RAMP,
        least_halo=spec.least_halo,
        together=batch,
        remark=remark if spec.global_statistics else None,
    )


def _restore(runner: "Runner", tile: Tile, progress: Progress | None) -> Tensor:
    """Restore a tile; what is brighter than white or darker than black stays so by as much."""
    report(progress, "network", 0.0)
    image = tile.image
    shown = image.clamp(0, 1)
    restored = _run(runner, shown)
    report(progress, "network", 1.0)
    return restored + (image - shown)


def _run(runner: "Runner", shown: Tensor) -> Tensor:
    """What the network makes of values in [0, 1]; grey is three equal channels, and their mean."""
    restored = through(runner, shown.expand(-1, 3, -1, -1)).clamp(0, 1)
    if shown.shape[1] == 1:
        restored = restored.mean(dim=1, keepdim=True)
    if not bool(torch.isfinite(restored).all()):
        raise WeightsError(
            f"the network gave values that are not finite in {runner.precision}: use precision "
            "'float32', and weights that are whole"
        )
    return restored
