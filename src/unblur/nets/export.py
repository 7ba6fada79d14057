"""Networks as ONNX files, for phones and other programs, checked before they get their name."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging import ERROR, getLogger

import torch
from torch import Tensor, nn

from unblur.errors import OutputError, ParameterError
from unblur.files import replacing, shown
from unblur.nets.autoencoder import Autoencoder
from unblur.nets.network import Network
from unblur.nets.runtime.extras import require
from unblur.nets.runtime.precision import lowered, probe

__all__ = ["INPUT", "OUTPUT", "TOLERANCES", "Exported", "Tile", "export", "onnx_graph"]

# Of the largest value, between ONNX Runtime and PyTorch in float32.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 1e-2}

_OPSET = 20  # of ONNX Runtime from version 1.17 on
INPUT, OUTPUT = "image", "restored"
_AXES = {0: "batch", 2: "height", 3: "width"}
_EXAMPLE = (2, 48, 64)  # a side of 1 would be taken for one that is fixed
_CHECKED = ((1, 64, 64), (3, 37, 46))
_TILE = (128, 128)  # of the autoencoder


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: of the file.
        size: of the file, in bytes.
        shape: (batch, 3, height, width) of what it takes; a text is a name for any number.
        difference: the largest from what PyTorch gives in float32, of the largest value.
    """

    path: str
    size: int
    shape: tuple[int | str, ...]
    difference: float


def export(
    network: Network,
    path: str | os.PathLike[str],
    *,
    half: bool = False,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a network as one ONNX file: "image" (B, 3, H, W) float32 in, "restored" like it out.

    ONNX Runtime opens what was written and restores pictures of sizes that the exporter did not
    see. Where it does not give what PyTorch gives, there is no file.

    Args:
        network: with its weights. The autoencoder is written as it works on a tile of 128 x 128
            pixels; tiling is up to the program that runs it.
        path: of the file.
        half: whether to keep and compute in float16; what comes in and goes out is float32.
        size: (height, width) to fix, which some phones are quicker with; any if not given.
        overwrite: whether to replace a file.

    Raises:
        ParameterError: The size is none, or the network takes more than a picture.
        OutputError: The file cannot be written, or does not do what PyTorch does.
        MissingDependency: The packages of the extra "onnx" are not installed.
    """
    require("onnx", "unblur export")
    size = _fixed(network, size)
    module = Tile(network) if isinstance(network, Autoencoder) else network
    dtype = torch.float16 if half else torch.float32
    content = onnx_graph(
        lowered(module, dtype) if half else module,
        torch.rand(_EXAMPLE[0], 3, *(size or _EXAMPLE[1:])),
        free=(0,) if size else (0, 2, 3),
        notes={"network": network.title, "licence": network.licence},
    )
    sizes = [(batch, *(size or each)) for batch, *each in _CHECKED]
    with replacing(path, overwrite=overwrite) as descriptor:
        with open(descriptor, "w+b", closefd=False) as file:
            file.write(content)
            file.seek(0)
            difference = _difference(module, file.read(), sizes)
        if not difference <= TOLERANCES[dtype]:
            raise OutputError(
                f"{shown(path)} was not written: ONNX Runtime is off by {difference:.1e} from "
                f"PyTorch, and {TOLERANCES[dtype]:.0e} is allowed"
                + ("; without --half it may be as good" if half else "")
            )
    shape = ("batch", 3, *(size or ("height", "width")))
    return Exported(os.fspath(path), len(content), shape, difference)


class Tile(nn.Module):
    """The autoencoder on pictures of the size that it is made for."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, 128, 128)."""
        return self.network.forward_tile(image)


def _fixed(network: Network, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """Give the size to fix, checked."""
    if not getattr(network, "blind", True):
        raise ParameterError(
            "network takes the prior of a calibrated lens beside the picture: export one that "
            "finds it in the picture"
        )
    if size is not None and min(size) < 1:
        raise ParameterError(f"size must be (height, width) in pixels, got {size}")
    if isinstance(network, Autoencoder):
        if size not in (None, _TILE):
            raise ParameterError(
                f"size of the autoencoder must be that of its tiles, {_TILE}, got {size}"
            )
        return _TILE
    return size


def onnx_graph(
    module: nn.Module,
    example: Tensor,
    *,
    free: Sequence[int] = (),
    notes: Mapping[str, str] | None = None,
    optimise: bool = True,
) -> bytes:
    """Give the content of an ONNX file that computes what a module does.

    Args:
        module: takes and gives one tensor.
        example: of what it takes, on the CPU; its values do not matter.
        free: axes whose length may be any; the others are fixed to the example's.
        notes: texts to keep in the file.
        optimise: whether to simplify the graph, which ONNX Runtime does itself before it runs it.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({axis: _AXES[axis] for axis in free},),
            optimize=optimise,
            verbose=False,
        )
    if program is None:  # as the type says it may be
        raise OutputError("network cannot be exported: PyTorch gave no graph")
    # Of each operation, in which line of which file it was met.
    ClearMetadataAndDocStringPass()(program.model)
    program.model.metadata_props.update(notes or {})
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what PyTorch says to its own developers from people's screens."""
    logger = getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _difference(module: nn.Module, content: bytes, sizes: Sequence[tuple[int, int, int]]) -> float:
    """Give the largest difference of ONNX Runtime from PyTorch, of the largest value."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch, *size in sizes:
        image = nn.functional.interpolate(probe(), tuple(size), mode="bilinear").repeat(
            batch, 1, 1, 1
        )
        image[1:] = image[1:].flip(0) ** 2
        with torch.inference_mode():
            wanted = module(image)
        found = torch.from_numpy(session.run([OUTPUT], {INPUT: image.numpy()})[0])
        off = (found - wanted).abs().max() / wanted.abs().max()
        largest = max(largest, float(off)) if torch.isfinite(off) else float("inf")
    return largest
