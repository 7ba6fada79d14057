"""Small networks of each kind, with weights all of which have a say."""

import pytest
import torch
from torch import nn

from unblur.nets.autoencoder import Autoencoder
from unblur.nets.dpanet import DPANet
from unblur.nets.mprnet import MPRNet
from unblur.nets.nafnet import NAFNet

SMALL = {
    "mprnet": lambda: MPRNet(8, 4, 4),
    "nafnet": lambda: NAFNet(4, [1], 1, [1]),
    "dpanet": lambda: DPANet(width=4, blocks=1, prior_blocks=1),
    "dpanet-squares": lambda: DPANet(width=4, blocks=1, prior_blocks=1, step=2),
    "autoencoder": lambda: Autoencoder(2, 4),
}


@pytest.fixture(scope="session")
def built():
    """Builds a network by its name in `SMALL`, the same each time."""

    def build(name):
        torch.manual_seed(0)
        network = SMALL[name]().eval()
        for entry in network.parameters():
            if entry.numel() > 1 and not entry.any():
                nn.init.normal_(entry, std=0.1)
        return network

    return build
