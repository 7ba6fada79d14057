"""DPA-Net and a calibrated lens: the prior from a pair, and pictures restored with it."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unblur.errors import WeightsError
from unblur.lens.prior import PriorEstimator, StoredPrior
from unblur.progress import Progress, report
from unblur.restore.method import Restorer, Tile

if TYPE_CHECKING:
    from unblur.nets.dpanet import DPANet

__all__ = ["calibrated", "prior_estimator"]

_RAMP = 8


def prior_estimator(weights: str, device: torch.device) -> PriorEstimator:
    """The estimator of a DPA-Net, blind or of pairs, by the name of its weights.

    Raises:
        WeightsError: There are none of that name, or they are of another network.
    """
    from unblur.nets.dpanet import DPANet
    from unblur.nets.weights import load_network

    network = load_network(weights)
    if not isinstance(network, DPANet):
        raise WeightsError(
            f"the weights {weights} are of {network.title}: the distortion prior is of DPA-Net"
        )
    network = network.eval().to(device)

    @torch.inference_mode()
    def estimate(sharp: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pictures = (blurred,) if network.blind else (sharp, blurred)
        return network.prior(*(each.to(device) for each in pictures))

    return PriorEstimator(estimate, 14 * network.prior_blocks + 38, str(network.sha256))


def calibrated(network: "DPANet", prior: StoredPrior, device: torch.device) -> Restorer:
    """What restores pictures of the lens whose prior this is; each tile takes its part of it.

    Raises:
        WeightsError: The prior is of other weights, and would say nothing to these.
    """
    if prior.weights != str(network.sha256):
        raise WeightsError(
            "the distortion prior of this lens was made by other weights: calibrate it again with "
            "those that are to restore"
        )
    spec = network.spec
    ready = network.eval().to(device)
    return Restorer(
        partial(_restore, ready, prior),
        halo=spec.halo,
        exact_tiling=not spec.global_statistics,
        bytes_per_pixel=spec.bytes_per_pixel,
        bytes_fixed=spec.bytes_fixed,
        multiple_of=spec.multiple_of,
        ramp=None if spec.global_statistics else _RAMP,
        least_halo=spec.least_halo,
    )


@torch.inference_mode()
def _restore(network: Any, prior: StoredPrior, tile: Tile, progress: Progress | None) -> Tensor:
    """Restore a tile; what is brighter than white or darker than black stays so by as much."""
    report(progress, "network", 0.0)
    shown = tile.image.clamp(0, 1)
    box = (tile.box.top, tile.box.left, *tile.box.size)
    levels = tuple(level.to(shown.device) for level in prior.part(box, tile.page))
    restored: Tensor = network.restore(shown.expand(-1, 3, -1, -1), levels).clamp(0, 1)
    if tile.image.shape[1] == 1:
        restored = restored.mean(dim=1, keepdim=True)
    report(progress, "network", 1.0)
    return restored + (tile.image - shown)
