"""What every network has in common: pictures of any size in, pictures of that size out."""

import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from unblur.errors import WeightsError
from unblur.nets.checkpoint import read_checkpoint, weights_in

__all__ = ["NetSpec", "Network", "Shapes", "pad_to_multiple"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class NetSpec:
    """What running a network needs to know about it.

    Attributes:
        multiple_of: the network pads its input to multiples of this; tiles begin at such pixels.
        halo: pixels that a tile must see beyond its core to agree with the whole to far less than
            half a grey level: the radius of the receptive field, or less where what is further off
            hardly counts. Global statistics are left aside.
        global_statistics: whether means over the whole picture enter, so that tiles differ from the
            whole. None of them do in the local-statistics form.
        bytes_per_pixel: memory held at the peak for a pixel of input, float32, without gradients.
        bytes_fixed: memory held beside that, whatever the size of the input.
        radius: of the receptive field of the convolutions; None is the halo.
        bytes_as_graph: `bytes_per_pixel` where the network is compiled as one graph, which holds
            tensors that are otherwise made in strips of rows; None is the same.
        least_halo: pixels that a tile must see beyond its core whatever memory there is.
    """

    multiple_of: int
    halo: int
    global_statistics: bool
    bytes_per_pixel: int
    bytes_fixed: int = 0
    radius: int | None = None
    bytes_as_graph: int | None = None
    least_halo: int = 32


class Network(nn.Module, PyTorchModelHubMixin, library_name="unblur"):
    """A network that restores pictures: (B, 3, H, W) in [0, 1] to the same shape.

    Arguments of a subclass are plain numbers and texts with defaults: they are what
    `save_pretrained` writes beside the weights and `from_pretrained` reads.

    Attributes:
        title: the architecture's name.
        licence: of the weights that are published for it; the code here is the project's own.
        channels: of what it takes: 3, a picture, where it is not said otherwise.
        sha256: of the file that the weights were loaded from; None where they came otherwise.
    """

    title: ClassVar[str]
    licence: ClassVar[str]
    channels: ClassVar[int] = 3
    sha256: str | None = None

    @property
    @abstractmethod
    def spec(self) -> NetSpec:
        """What running this network needs to know."""

    @classmethod
    @abstractmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes, with weights not set yet.

        Raises:
            WeightsError: No width or depth of this architecture gives these entries.
        """

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """Build the network that these entries are of, ready to restore.

        Raises:
            WeightsError: They are of no network of this architecture, or not finite.
        """
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        cls.check_shapes(shapes)
        return cls.from_shapes(shapes).fit(state).eval()

    @classmethod
    def check_shapes(cls, shapes: Shapes) -> None:
        """Check, without memory for weights, that a network has entries of these shapes.

        Raises:
            WeightsError: No network of this architecture has them.
        """
        try:
            with torch.device("meta"):
                cls.from_shapes(shapes).expect(shapes)
        except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
            # Of shapes that nobody thought of.
            raise WeightsError(
                f"weights do not fit {cls.title}: no network has entries of these shapes"
            ) from error

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike[str]) -> Self:  # type: ignore[override]
        """Build the network that `save_pretrained` wrote to a folder; nothing is downloaded.

        Raises:
            WeightsError: There is no such folder, or its weights are not this architecture's.

        Example:
            >>> from unblur.nets.autoencoder import Autoencoder
            >>> Autoencoder.from_pretrained("no/such/folder")
            Traceback (most recent call last):
            unblur.errors.WeightsError: there is no folder no/such/folder; ...
        """
        return cls.from_state(read_checkpoint(weights_in(folder)))

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, H, W) of any size."""

    def fit(self, state: Mapping[str, Tensor]) -> Self:
        """Take the entries as they are, checked: names, shapes, finite values.

        Raises:
            WeightsError: An entry is missing, unknown, of another shape, or not finite.
        """
        self.expect({name: tuple(tensor.shape) for name, tensor in state.items()})
        for name, tensor in state.items():
            if not torch.isfinite(tensor).all():
                raise WeightsError(
                    f"weights of {self.title} are damaged: {name} holds NaN or infinity; download "
                    "or copy the file again, or ask who trained them for whole ones"
                )
        # What is missing is an entry that has another name too: `expect` saw to it.
        self.load_state_dict(dict(state), strict=False)
        return self

    def expect(self, shapes: Shapes) -> Self:
        """Check that entries of these names and shapes are this network's.

        An entry that several names share may come under one of them only.

        Raises:
            WeightsError: An entry is missing, unknown, or of another shape.
        """
        own = self.state_dict(keep_vars=True)
        given = {id(own[name]) for name in own.keys() & shapes.keys()}
        missing = sorted(name for name in own.keys() - shapes.keys() if id(own[name]) not in given)
        unknown = sorted(shapes.keys() - own.keys())
        if missing or unknown:
            raise WeightsError(
                f"weights do not fit {self.title}: {_some(missing, 'missing')}"
                f"{' and ' if missing and unknown else ''}{_some(unknown, 'unknown')}"
            )
        for name, shape in shapes.items():
            if own[name].shape != shape:
                raise WeightsError(
                    f"weights do not fit {self.title}: {name} must be {tuple(own[name].shape)}, "
                    f"got {tuple(shape)}"
                )
        return self


def _some(names: list[str], what: str) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"{', '.join(names[:2])}{more} {what}"


def pad_to_multiple(image: Tensor, multiple: int, mode: str = "reflect") -> Tensor:
    """Extend pictures (B, C, H, W) to the right and below to sides that are multiples.

    Args:
        image: the pictures.
        multiple: of which the sides become multiples.
        mode: "reflect" (repeats the reflection where the picture is smaller than what is added),
            or "zeros".

    Example:
        >>> pad_to_multiple(torch.zeros(1, 3, 1, 9), 8).shape
        torch.Size([1, 3, 8, 16])
    """
    if mode == "zeros":
        height, width = image.shape[-2:]
        return nn.functional.pad(image, (0, -width % multiple, 0, -height % multiple))
    for axis in (2, 3):
        # Without a condition on the size, so that an exported network takes any.
        length = image.shape[axis]
        place = torch.arange((length + multiple - 1) // multiple * multiple, device=image.device)
        # Reflection again and again: 0 1 2 1 0 1 ..., and a single row just repeats.
        period = torch.full_like(place, 2 * (length - 1)).clamp_(min=1)
        place = place % period
        image = image.index_select(axis, torch.minimum(place, period - place))
    return image
