"""Networks: seconds for a picture, against the same network run plainly in the same process.

Plain is the module itself in float32, as it is built. There are no trained weights here: drawn ones
keep the variance from layer to layer, and layers that give pictures are small, so that what comes
out is the photograph with a change of the size that deblurring makes. Speed does not depend on it;
the PSNR between the outputs is for such a change.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor, nn

from benchmarks.table import table
from unblur.errors import MissingDependency
from unblur.nets import runtime
from unblur.nets.catalogue import find
from unblur.nets.network import Network

__all__ = ["photograph", "run", "seeded"]

ROUNDS = 3
WORK = (
    ("mprnet", "deblurring", (256, 256)),
    ("nafnet", "32", (256, 256)),
    ("dpanet", "small", (720, 1280)),
    ("autoencoder", "128", (1536, 2048)),
)
RUNS: tuple[tuple[runtime.Backend, runtime.Precision], ...] = (
    ("torch", "float32"),
    ("torch", "auto"),
    ("onnx", "auto"),
    ("openvino", "float32"),
    ("openvino", "auto"),
)
HEAD = ("network", "size", "run", "precision", "start, s", "first, s", "then, s", "x", "PSNR, dB")
_CPU = torch.device("cpu")


def photograph(height: int, width: int) -> Tensor:
    """A photograph, (1, 3, height, width) in [0, 1]."""
    image = Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def seeded(network: Network) -> Network:
    """Fill a network with drawn weights under which it changes a picture a little."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, entry in network.named_parameters():
            if name.endswith(("beta", "gamma")):
                entry.normal_(std=0.3, generator=generator)
            elif entry.ndim > 1:
                entry.normal_(std=0.7 / entry[0].numel() ** 0.5, generator=generator)
        for module in network.modules():
            pictures = isinstance(module, nn.Conv2d) and module.out_channels == 3
            if pictures:
                module.weight.mul_(0.06)
    return network.eval()


def run() -> str:
    """The table."""
    rows: list[tuple[object, ...]] = []
    for name, variant, size in WORK:
        network = seeded(find(name, variant).build())
        image = photograph(*size)
        with torch.inference_mode():
            wanted = network(image)
            plain = _seconds(lambda: network(image))  # noqa: B023 - called at once
        label = (f"{name} {variant}", f"{size[1]} x {size[0]}")
        rows.append((*label, "plain", "float32", None, None, plain, 1.0, None))
        for backend, precision in RUNS:
            start = partial(
                runtime.start, network, device=_CPU, backend=backend, precision=precision
            )
            try:
                rows.append((*label, backend, *_measured(start, image, wanted, plain)))
            except MissingDependency as error:
                rows.append((*label, f"{backend}: {error}", *[None] * 6))
    return table(HEAD, rows)  # type: ignore[arg-type]


def _measured(
    start: Callable[[], runtime.Runner], image: Tensor, wanted: Tensor, plain: float
) -> tuple[object, ...]:
    began = time.perf_counter()
    runner = start()
    ready = time.perf_counter() - began
    first = _seconds(lambda: runner(image), rounds=1)
    seconds = _seconds(lambda: runner(image))
    psnr = float(-10 * (runner(image) - wanted).square().mean().log10())
    return runner.precision, ready, first, seconds, plain / seconds, psnr


def _seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of some rounds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
