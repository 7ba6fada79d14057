"""What a network costs: its parameters, and multiplications for a picture of a size."""

from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Costs", "costs"]


@dataclass(frozen=True)
class Costs:
    """What one picture costs.

    Attributes:
        parameters: trained numbers; those that several layers share count once.
        macs: multiplications with an addition, of convolutions and matrices; what is done pixel by
            pixel is left out, as in publications.
    """

    parameters: int
    macs: int


def costs(network: nn.Module, size: tuple[int, int]) -> Costs:
    """Count the cost of one picture without running the network.

    The network sees tensors that have a shape and no values, so that neither time nor memory
    depends on the size.

    Args:
        network: takes pictures (1, 3, H, W), or as many channels as its `channels` says; its
            weights may be on any device, "meta" included.
        size: (height, width).

    Example:
        A 3 x 3 convolution of 3 to 8 channels has 3 * 8 * 9 weights, used at each pixel, and 8
        biases.

        >>> costs(nn.Conv2d(3, 8, 3, padding=1), (10, 20))
        Costs(parameters=224, macs=43200)
    """
    entries = chain(network.named_parameters(), network.named_buffers())
    bare = {name: entry.to("meta") for name, entry in entries}
    picture = torch.empty(1, getattr(network, "channels", 3), *size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        functional_call(network, bare, (picture,))
    parameters = sum(entry.numel() for entry in network.parameters())
    return Costs(parameters=parameters, macs=counter.get_total_flops() // 2)
