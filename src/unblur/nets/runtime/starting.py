"""Choosing what runs a network: backend, precision."""

from typing import Literal

import torch

from unblur.errors import ParameterError
from unblur.nets.network import Network
from unblur.nets.runtime import precision as precisions
from unblur.nets.runtime.eager import TorchRunner, prepared
from unblur.nets.runtime.extras import require
from unblur.nets.runtime.runner import Runner

__all__ = ["BACKENDS", "PRECISIONS", "Backend", "Precision", "start"]

Backend = Literal["auto", "torch", "onnx", "openvino"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
BACKENDS: tuple[Backend, ...] = ("auto", "torch", "onnx", "openvino")
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16", "float16")


def start(
    network: Network,
    *,
    device: torch.device,
    backend: Backend = "auto",
    precision: Precision = "auto",
) -> Runner:
    """Make a network ready to run.

    Args:
        network: with its weights, in float32; copied.
        device: to compute on.
        backend: "torch"; "onnx" (ONNX Runtime) and "openvino" make a graph for each size of
            picture, which takes 10 to 30 s for the largest network. "auto" is "torch": measured on
            two cores it is the quickest, and starts at once.
        precision: "auto" is bfloat16 where the device is quicker with it and a picture that is
            tried comes out the same to 60 dB, else float32. "onnx" has float32 only.

    Raises:
        ParameterError: There is no such backend or precision, or not on this device.
        MissingDependency: The backend's packages are not installed.

    Example:
        >>> from unblur.nets.autoencoder import Autoencoder
        >>> network = Autoencoder(width=1, latent=2)
        >>> run = start(network, device=torch.device("cpu"), precision="float32")
        >>> run(torch.rand(1, 3, 20, 30)).shape, run.name, run.precision
        (torch.Size([1, 3, 20, 30]), 'torch', 'float32')
    """
    if backend not in BACKENDS:
        raise ParameterError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if precision not in PRECISIONS:
        raise ParameterError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if backend in ("auto", "torch"):
        return _torch(network, device, precision)
    if device.type != "cpu":
        raise ParameterError(f"backend {backend} computes on the CPU only, got device {device}")
    require(backend, f"backend {backend}")
    if backend == "onnx":
        return _onnx(network, precision)
    return _openvino(network, precision)


def _torch(network: Network, device: torch.device, precision: Precision) -> Runner:
    if precision != "auto":
        dtype = getattr(torch, precision)
        return TorchRunner(prepared(network, device, dtype), device, dtype)
    if precisions.has_bfloat16(device):
        candidate = prepared(network, device, torch.bfloat16)
        if precisions.is_near(network, candidate, device):
            return TorchRunner(candidate, device, torch.bfloat16)
    return TorchRunner(prepared(network, device, torch.float32), device, torch.float32)


def _onnx(network: Network, precision: Precision) -> Runner:
    from unblur.nets.runtime.onnx import OnnxRunner

    if precision not in ("auto", "float32"):
        raise ParameterError(f"precision of backend onnx must be float32, got {precision!r}")
    return OnnxRunner(network)


def _openvino(network: Network, precision: Precision) -> Runner:
    from unblur.nets.runtime.openvino import OpenVinoRunner, has_precision

    if precision == "auto":
        lowered = precisions.lowered(network, torch.bfloat16)
        half = has_precision("bfloat16") and precisions.is_near(network, lowered)
        precision = "bfloat16" if half else "float32"
    elif not has_precision(precision):
        raise ParameterError(
            f"precision {precision} is none that OpenVINO has on this processor: use float32"
        )
    return OpenVinoRunner(network, precision)
