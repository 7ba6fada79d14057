"""Networks run by ONNX Runtime."""

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import Tensor

from unblur.nets.export import INPUT, OUTPUT, onnx_graph
from unblur.nets.network import Network
from unblur.nets.runtime.sized import Compiled, SizedRunner

__all__ = ["OnnxRunner"]

_SHARE = 1.5  # of the memory that PyTorch holds, measured


class OnnxRunner(SizedRunner):
    """A network in ONNX Runtime, in float32: the same to 1e-4 of the largest value.

    Args:
        network: with its weights; copied.
    """

    name = "onnx"
    precision = "float32"

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        spec = network.spec
        self.bytes_per_pixel = round(_SHARE * (spec.bytes_as_graph or spec.bytes_per_pixel))

    def _compile(self, example: Tensor) -> Compiled:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            onnx_graph(self.network, example, optimise=False),
            options,
            providers=["CPUExecutionProvider"],
        )

        def run(image: np.ndarray) -> np.ndarray:
            restored: np.ndarray = session.run([OUTPUT], {INPUT: image})[0]
            return restored

        return run
