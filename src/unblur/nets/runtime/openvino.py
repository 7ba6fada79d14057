"""Networks run by OpenVINO."""

import warnings

import numpy as np
import openvino  # type: ignore[import-untyped]
import torch
from torch import Tensor

from unblur.nets.network import Network
from unblur.nets.runtime.sized import Compiled, SizedRunner

__all__ = ["OpenVinoRunner", "has_precision"]

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CAPABILITIES = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}
_SHARE = 1.5  # of the memory that PyTorch holds, measured


def has_precision(precision: str) -> bool:
    """Say whether OpenVINO computes in a precision on this processor.

    Example:
        >>> has_precision("float32")
        True
    """
    found = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return _CAPABILITIES[precision] in found


class OpenVinoRunner(SizedRunner):
    """A network in OpenVINO; in float32 the same to 1e-4 of the largest value.

    Args:
        network: with its weights; copied.
        precision: that `has_precision`.
    """

    name = "openvino"

    def __init__(self, network: Network, precision: str) -> None:
        super().__init__(network)
        self.precision = precision
        spec = network.spec
        self.bytes_per_pixel = round(_SHARE * (spec.bytes_as_graph or spec.bytes_per_pixel))
        self.core = openvino.Core()

    def _compile(self, example: Tensor) -> Compiled:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # what PyTorch says to its own developers
            model = openvino.convert_model(torch.export.export(self.network, (example,)))
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled = self.core.compile_model(model, "CPU", settings)

        def run(image: np.ndarray) -> np.ndarray:
            # A request of its own, for callers in other threads.
            restored: np.ndarray = compiled.create_infer_request().infer([image])[0]
            return restored.copy()

        return run
