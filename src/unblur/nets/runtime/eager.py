"""Networks run by PyTorch, one layer after the other."""

import copy
import threading

import torch
from torch import Tensor

from unblur.nets.network import Network
from unblur.nets.runtime.precision import cpu_features, lowered
from unblur.nets.runtime.runner import Runner
from unblur.nets.runtime.winograd import replace_convolutions

__all__ = ["TorchRunner", "prepared"]

# Measured with all four networks: of what float32 holds at the peak.
_SHARE = {torch.float32: 1.1, torch.bfloat16: 0.7, torch.float16: 0.7}

# Values of pictures, 2.8 megapixels, up to which giving a GPU its work one by one is felt.
_RECORDED = 1 << 23


def prepared(network: Network, device: torch.device, dtype: torch.dtype) -> Network:
    """Copy a network, laid out for a device: channels last, cheaper convolutions where they pay.

    Args:
        network: left as it is.
        device: to compute on.
        dtype: to compute in; pictures are float32 all the same.
    """
    fast = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fast.requires_grad_(requires_grad=False)
    if device.type == "cpu" and _additions_pay(dtype):
        replace_convolutions(fast)
    if dtype != torch.float32:
        fast = lowered(fast, dtype)
    moved: Network = fast.to(device)
    return moved


def _additions_pay(dtype: torch.dtype) -> bool:
    """Say whether additions may replace multiplications: not beside a unit for matrices."""
    features = cpu_features()
    wide = bool(features.get("avx2") or features.get("avx512_f"))
    return wide and (dtype == torch.float32 or not features.get("amx_bf16"))


class TorchRunner(Runner):
    """A network in PyTorch.

    On a CPU convolutions are compiled for the processor by oneDNN, and 94 % of the time is theirs:
    `torch.compile` gains nothing that the first picture would not pay for. On a GPU the work for a
    size that comes twice in a row, as tiles do, is recorded, so that it is given to the GPU as one.

    Args:
        network: what `prepared` gave.
        device: where it is.
        dtype: that it computes in.
    """

    name = "torch"

    def __init__(
        self,
        network: Network,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.network, self.device = network, device
        self.precision = str(dtype).removeprefix("torch.")
        self.bytes_per_pixel = round(network.spec.bytes_per_pixel * _SHARE[dtype])
        self.records = device.type == "cuda"
        self.recording = threading.Lock()
        self.graph: _Graph | None = None
        self.latest = torch.Size()

    def _run(self, image: Tensor) -> Tensor:
        given = image.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            graph = self._recorded(given)
            restored: Tensor = (self.network if graph is None else graph)(given)
            return restored

    def _recorded(self, image: Tensor) -> "_Graph | None":
        """Give the graph for pictures like this one, if it is worth one."""
        if not self.records or image.numel() > _RECORDED:
            return None
        with self.recording:
            if self.graph is not None and self.graph.given.shape == image.shape:
                return self.graph
            again, self.latest = self.latest == image.shape, image.shape
            if not again:
                return None
            self.graph = None  # what it holds is free before the next is made
            try:
                self.graph = _Graph(self.network, image)
            except RuntimeError:
                # Some work cannot be recorded, such as what waits for the CPU; or memory is short.
                self.records = False
            return self.graph


class _Graph:
    """What a GPU does for pictures of a size, recorded once."""

    def __init__(self, network: Network, image: Tensor) -> None:
        device = image.device
        self.lock = threading.Lock()
        self.given = image.clone(memory_format=torch.channels_last)
        self.graph = torch.cuda.CUDAGraph()
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.inference_mode():
            with torch.cuda.stream(side):
                for _ in range(3):  # libraries choose their algorithms, and allocate
                    network(self.given)
            torch.cuda.current_stream(device).wait_stream(side)
            with torch.cuda.graph(self.graph):
                self.restored = network(self.given)

    def __call__(self, image: Tensor) -> Tensor:
        with self.lock:
            self.given.copy_(image)
            self.graph.replay()
            restored: Tensor = self.restored.clone()
        return restored
