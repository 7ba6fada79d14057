"""In which precision a network computes: 16 bits where that is quicker and the picture as good.

Errors of rounding have nothing to do with those of the network, so that their squares add: a result
that is off by d from what float32 gives loses 10 log10(1 + |d|^2 / |e|^2) dB of PSNR, with e the
error of the network. That is under 0.02 dB where d lies 23.4 dB or more below e. Published
networks come within 34 dB of the truth on blurred photographs; 60 dB between the two precisions
leave room for 36. That is also less than what rounding to 8 bits does, 58.9 dB.
"""

import copy
import math
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from unblur.nets.network import Network

__all__ = ["LEAST_PSNR", "cpu_features", "has_bfloat16", "is_near", "lowered", "probe"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)

LEAST_PSNR = 60.0  # dB between the two precisions

_CPU = torch.device("cpu")
_SIDE = 64  # of the picture that is tried: MPRNet takes 0.7 s for it
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def is_near(network: Network, candidate: Network, device: torch.device = _CPU) -> bool:
    """Say whether what is to be run restores a picture as the network itself does in float32.

    Args:
        network: in float32, on the CPU.
        candidate: what is to be run.
        device: where the candidate is.
    """
    picture = probe()
    with torch.inference_mode():
        exact = network(picture)
        found = candidate(picture.to(device)).to(exact.device)
        off = float((found - exact).square().mean())
    return off <= math.pow(10.0, -LEAST_PSNR / 10)  # and so is nothing that is not finite


def has_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies in bfloat16 at a higher rate than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = cpu_features()
    return device.type == "cpu" and any(features.get(name) for name in ("avx512_bf16", "amx_bf16"))


def cpu_features() -> dict[str, object]:
    """Give what the processor can do; nothing where PyTorch does not say."""
    ask = getattr(torch.cpu, "get_capabilities", dict)
    return dict(ask())


def lowered(network: AnyModule, dtype: torch.dtype) -> AnyModule:
    """Copy a network to compute in 16 bits, from pictures in float32 to pictures in float32.

    A picture in bfloat16 has fewer than 256 greys. So what is given stays in float32, each layer
    rounds what it takes, and layers that give pictures, which are a small part, compute in float32.

    Args:
        network: left as it is.
        dtype: of the other layers.

    Example:
        >>> from unblur.nets.nafnet import NAFNet
        >>> network = lowered(NAFNet(4, [1], 1, [1]), torch.bfloat16)
        >>> network(torch.zeros(1, 3, 8, 8)).dtype, network.intro.weight.dtype
        (torch.float32, torch.bfloat16)
    """
    network = copy.deepcopy(network).to(dtype)
    for module in network.modules():
        if isinstance(module, _LAYERS):
            if getattr(module, "out_channels", None) == 3:
                module.float()
            module.register_forward_pre_hook(_round_input)
    return network


def _round_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].to(cast("Tensor", module.weight).dtype),)


def probe() -> Tensor:
    """Give a picture (1, 3, 64, 64) that looks like photographs do to a network, blurred sideways.

    Its spectrum falls with the frequency, as that of photographs does; it has two edges, and
    nothing random that another version would draw otherwise.

    Example:
        >>> picture = probe()
        >>> float(picture.min()) >= 0 and float(picture.max()) <= 1
        True
    """
    side = torch.arange(_SIDE, dtype=torch.float32)
    y, x = side[:, None], side[None, :]
    planes = []
    for channel in range(3):
        plane = torch.zeros(_SIDE, _SIDE)
        for order in range(1, 13):
            angle = 2.4 * order + 0.3 * channel  # by the golden angle, so that none repeats
            wave = order * (x * torch.cos(torch.tensor(angle)) + y * torch.sin(torch.tensor(angle)))
            plane += torch.sin(2 * torch.pi * wave / _SIDE + order**2) / order
        planes.append(plane + 1.5 * (x > y + 9) - 1.5 * (x + 2 * y > 140))
    picture = torch.stack(planes)[None]
    picture = nn.functional.pad(picture, (4, 4, 0, 0), mode="replicate")
    picture = nn.functional.avg_pool2d(picture, (1, 9), stride=1)
    return (picture - picture.min()) / (picture.max() - picture.min())
