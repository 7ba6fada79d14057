"""The networks: one line for each variant of each architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from unblur.errors import ParameterError
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.deepwiener import DeepWiener
from unblur.nets.dpanet import WIDTHS, DPANet
from unblur.nets.mprnet import MPRNet
from unblur.nets.nafnet import NAFNet
from unblur.nets.network import Network

__all__ = ["NETWORKS", "Variant", "find", "name_of"]


@dataclass(frozen=True)
class Variant:
    """An architecture with the arguments that make one network of it.

    Attributes:
        name: of the architecture, as people type it.
        variant: which of its networks, by task or size.
        architecture: the class.
        arguments: of the class.
    """

    name: str
    variant: str
    architecture: type[Network]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build(self, *, device: str | torch.device = "cpu") -> Network:
        """Build the network, untrained; on "meta" it has shapes only and costs no memory.

        Example:
            >>> find("nafnet", "32").build(device="meta").spec.multiple_of
            16
        """
        with torch.device(device):
            return self.architecture(**self.arguments)


NETWORKS = (
    Variant("mprnet", "deblurring", MPRNet),
    Variant("mprnet", "denoising", MPRNet, {"n_feat": 80}),
    Variant(
        "mprnet",
        "deraining",
        MPRNet,
        {"n_feat": 40, "scale_unetfeats": 20, "scale_orsnetfeats": 16},
    ),
    Variant("nafnet", "32", NAFNet, {"width": 32}),
    Variant("nafnet", "64", NAFNet, {"width": 64}),
    *(Variant("dpanet", size, DPANet, {"width": width}) for size, width in WIDTHS.items()),
    Variant(
        "dpanet",
        "general",
        DPANet,
        {"width": 24, "blocks": 2, "prior_blocks": 1, "step": 2, "wiener": True},
    ),
    Variant("autoencoder", "128", Autoencoder),
    Variant("deep-wiener", "16", DeepWiener),
)


def find(name: str, variant: str | None = None) -> Variant:
    """Find a network; without `variant`, the first of the architecture.

    Raises:
        ParameterError: There is no such network.

    Example:
        >>> find("dpanet").variant
        'small'
    """
    for each in NETWORKS:
        if each.name == name and variant in (None, each.variant):
            return each
    known = ", ".join(f"{each.name} {each.variant}" for each in NETWORKS)
    raise ParameterError(
        f"network must be one of {known}, got {name if variant is None else f'{name} {variant}'}"
    )


def name_of(network: Network) -> str:
    """Give the name of a network's architecture.

    Example:
        >>> name_of(find("nafnet").build(device="meta"))
        'nafnet'
    """
    return next(each.name for each in NETWORKS if each.architecture is type(network))
