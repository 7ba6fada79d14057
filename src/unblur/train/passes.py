"""How a batch goes through each network in training, and what comes out to be compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from unblur.errors import ParameterError
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.deepwiener import DeepWiener
from unblur.nets.dpanet import DPANet
from unblur.nets.mprnet import MPRNet
from unblur.train.batch import Batch

__all__ = ["PASSES", "Pass", "through"]

Pass = Callable[[Any, Batch], Sequence[Tensor]]


def _autoencoder(network: Autoencoder, batch: Batch) -> Sequence[Tensor]:
    whole = batch.blurred.shape[-2:] == (128, 128)
    return [network.forward_tile(batch.blurred) if whole else network(batch.blurred)]


def _mprnet(network: MPRNet, batch: Batch) -> Sequence[Tensor]:
    return network.stages(batch.blurred)[::-1]


def _dpanet(network: DPANet, batch: Batch) -> Sequence[Tensor]:
    """All three levels in training; on squares of pixels only the finest is a picture."""
    if network.step > 1:
        # The filter by itself is judged by itself: what comes behind may have learned nothing yet.
        behind = (*network.estimator.parameters(), *network.restorer.parameters())
        filtering = network.blind_wiener
        if filtering is not None and not any(each.requires_grad for each in behind):
            return [batch.blurred + filtering(batch.blurred)]
        return [network(batch.blurred)]
    if network.blind:
        prior = network.prior(batch.blurred)
    elif batch.reference is None:
        raise ParameterError(
            "a calibrated dpanet needs a reference beside each pair: set data.calibrate"
        )
    else:
        prior = network.prior(*batch.reference)
    if network.training:
        multiple = network.spec.multiple_of
        if any(side % multiple for side in batch.blurred.shape[-2:]):
            raise ParameterError(
                f"patches for dpanet must be multiples of {multiple} pixels, got "
                f"{tuple(batch.blurred.shape[-2:])}"
            )
        return network.restorer.levels(batch.blurred, prior)
    return [network.restore(batch.blurred, prior)]


def _deepwiener(network: DeepWiener, batch: Batch) -> Sequence[Tensor]:
    if batch.evidence is None:
        raise ParameterError(
            "deep-wiener learns from deconvolved pictures: set data.deconvolution, as the "
            "configuration deep-wiener does"
        )
    return [network(batch.evidence)]


# By architecture; the others take the blurred picture and give the restored one.
PASSES: Mapping[type[nn.Module], Pass] = {
    Autoencoder: _autoencoder,
    MPRNet: _mprnet,
    DPANet: _dpanet,
    DeepWiener: _deepwiener,
}


def through(network: nn.Module, batch: Batch) -> Sequence[Tensor]:
    """What a network makes of a batch, the final result first; all of it enters the loss.

    Example:
        >>> import torch
        >>> batch = Batch(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), ("a",))
        >>> [tuple(each.shape[-2:]) for each in through(DPANet(width=2, blocks=1), batch)]
        [(8, 8), (4, 4), (2, 2)]
    """
    found = PASSES.get(type(network))
    return [network(batch.blurred)] if found is None else found(network, batch)
