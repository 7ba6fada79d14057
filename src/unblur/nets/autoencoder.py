"""A convolutional autoencoder: a picture of 128 x 128 pixels through 256 numbers and back."""

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from unblur.errors import WeightsError
from unblur.nets.network import NetSpec, Network, Shapes

__all__ = ["Autoencoder"]

_SIDE = 128  # of the pictures that the dense layers are made for
_STRIDE = 96  # between tiles; what neighbours share is blended
_CODE = _SIDE // 8  # side of the deepest features
_BATCH = 8  # tiles at a time: the dense layers are read once for all of them
# Measured, float32: what a pixel of the picture holds, and a batch of tiles for each channel.
_BYTES_PER_PIXEL, _BYTES_PER_CHANNEL = 30, 1_400_000


class Autoencoder(Network):
    """Three strided convolutions down to a code, and three strided transposed ones back up.

    conv(w), conv(2w), conv(4w), dense(latent), dense(4w * 16 * 16), then transposed convolutions to
    4w, 2w, w, and to 3 channels with a sigmoid; 3 x 3 kernels, ReLU after each strided one. With
    the defaults these are the 34,951,683 parameters of the publication.

    TensorFlow's strided layers pad even sizes at the bottom right only, and those here, which pad
    by one all around, in effect at the top left only. Hence the layers see pictures turned by 180
    degrees, and then are the same. A picture of another size goes through in tiles of 128 x 128
    pixels, one every 96 from its top left corner, blended by raised cosines: a pixel depends on the
    127 around it, and a part of a picture that begins at multiples of 96 has the same tiles as the
    whole.

    Args:
        width: w.
        latent: numbers in the code.

    Source:
        O. Kashmar, Image Deblurring, 2024, table 1 and appendix.

    Example:
        >>> sum(entry.numel() for entry in Autoencoder(width=4, latent=8).parameters())
        75099
    """

    title: ClassVar[str] = "autoencoder"
    licence: ClassVar[str] = "none published"

    def __init__(self, width: int = 64, latent: int = 256) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.features = (4 * width, _CODE, _CODE)
        size = 4 * width * _CODE * _CODE
        self.encoder = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in zip((3, *widths), widths, strict=False)
        )
        self.squeeze = nn.Linear(size, latent)
        self.expand = nn.Linear(latent, size)
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
            for before, after in zip((4 * width, *widths[::-1]), widths[::-1], strict=False)
        )
        self.output = nn.ConvTranspose2d(width, 3, 3, padding=1)
        for layer in self._layers():
            # The start that Keras gives: training as published starts here too.
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def _layers(self) -> list[Any]:
        """Give the layers that hold weights, in the order of the data."""
        return [*self.encoder, self.squeeze, self.expand, *self.decoder, self.output]

    @property
    def spec(self) -> NetSpec:
        """What running this network needs to know."""
        return NetSpec(
            multiple_of=_STRIDE,
            halo=_SIDE,
            global_statistics=False,
            bytes_per_pixel=_BYTES_PER_PIXEL,
            bytes_fixed=_BYTES_PER_CHANNEL * self.output.in_channels,
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes.

        Raises:
            WeightsError: These are not the entries of an autoencoder.

        Example:
            >>> small = Autoencoder(width=2, latent=5)
            >>> shapes = {name: tuple(entry.shape) for name, entry in small.state_dict().items()}
            >>> Autoencoder.from_shapes(shapes).squeeze
            Linear(in_features=2048, out_features=5, bias=True)
        """
        first, code = shapes.get("encoder.0.bias", ()), shapes.get("squeeze.bias", ())
        if len(first) != 1 or len(code) != 1 or min(*first, *code) < 1:
            raise WeightsError(
                "weights do not fit autoencoder: encoder.0.bias and squeeze.bias must be vectors, "
                f"got shapes {first or 'none'} and {code or 'none'}"
            )
        return cls(width=first[0], latent=code[0])

    @classmethod
    def from_keras(cls, weights: Sequence[Any]) -> Self:
        """Build the network from what `model.get_weights()` gives for the same network in Keras.

        Args:
            weights: 18 arrays, kernel and bias of each layer in the order of the data. Keras has
                channels last: kernels are (rows, columns, in, out), or (rows, columns, out, in)
                where transposed, and dense layers see (rows, columns, channels).

        Raises:
            WeightsError: The arrays are not those of this network, or not finite.

        Example:
            >>> Autoencoder.from_keras([])
            Traceback (most recent call last):
            unblur.errors.WeightsError: weights of autoencoder must be 18 arrays, got 0
        """
        if len(weights) != 18:
            raise WeightsError(f"weights of autoencoder must be 18 arrays, got {len(weights)}")
        arrays = [torch.as_tensor(array, dtype=torch.float32) for array in weights]
        if arrays[1].ndim != 1 or arrays[7].ndim != 1:
            raise WeightsError(
                "weights of autoencoder must be kernel and bias in turn, got shapes "
                f"{[tuple(array.shape) for array in arrays]}"
            )
        network = cls(width=arrays[1].numel(), latent=arrays[7].numel())
        _check_keras(arrays, network)
        channels, rows, columns = network.features
        last = (rows, columns, channels)
        # Rows and columns come to the front in the dense layers too, to be turned with the rest.
        arrays[6] = arrays[6].unflatten(0, last)
        arrays[8] = arrays[8].T.unflatten(0, last)
        arrays[9] = arrays[9].unflatten(0, last)
        turned = [array.flip(0, 1) if array.ndim > 2 else array for array in arrays]
        turned[6] = turned[6].permute(3, 2, 0, 1).flatten(1)
        turned[8] = turned[8].permute(2, 0, 1, 3).flatten(0, 2)
        turned[9] = turned[9].permute(2, 0, 1).flatten()
        turned = [array.permute(3, 2, 0, 1) if array.ndim == 4 else array for array in turned]
        return network.fit(dict(zip(network.state_dict(), turned, strict=True)))

    def forward_tile(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, 128, 128), as the published network does."""
        # Channels last is what convolutions on a CPU are quickest with.
        x = image.flip(2, 3).contiguous(memory_format=torch.channels_last)
        for down in self.encoder:
            x = down(x).relu_()
        x = self.expand(self.squeeze(x.flatten(1))).unflatten(1, self.features)
        x = x.contiguous(memory_format=torch.channels_last)
        for up in self.decoder:
            x = up(x).relu_()
        return torch.sigmoid(self.output(x)).flip(2, 3)

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, H, W) of any size; what tiles lack is reflected."""
        height, width = image.shape[-2:]
        down, across = (_windows(length).to(image) for length in (height, width))
        whole = _reflected(image, *(_STRIDE * (len(w) - 1) + _SIDE for w in (down, across)))
        tiles = whole.unfold(2, _SIDE, _STRIDE).unfold(3, _SIDE, _STRIDE)
        total = torch.zeros_like(whole)
        places = list(product(range(len(image)), range(len(down)), range(len(across))))
        for start in range(0, len(places), _BATCH):
            batch = places[start : start + _BATCH]
            restored = self.forward_tile(torch.stack([tiles[b, :, i, j] for b, i, j in batch]))
            for (b, i, j), tile in zip(batch, restored, strict=True):
                top, left = i * _STRIDE, j * _STRIDE
                weight = down[i][:, None] * across[j]
                total[b, :, top : top + _SIDE, left : left + _SIDE] += tile * weight
        return total[..., :height, :width]


def _check_keras(arrays: list[Tensor], network: Autoencoder) -> None:
    """Refuse arrays that are not the layers of `network` with channels last."""
    expected: list[tuple[int, ...]] = []
    for layer in network._layers():  # noqa: SLF001 - the same module
        shape = tuple(layer.weight.shape)
        expected += [(*shape[2:], shape[1], shape[0]), tuple(layer.bias.shape)]
    for place, (array, shape) in enumerate(zip(arrays, expected, strict=True)):
        if tuple(array.shape) != shape:
            raise WeightsError(
                f"weights do not fit autoencoder: array {place} must be {shape}, "
                f"got {tuple(array.shape)}"
            )


def _windows(length: int) -> Tensor:
    """Give the weights (tiles, 128) of tiles along a side; they sum to one at each pixel.

    sin^2 rises over what neighbours share, and cos^2 falls there; the ends of the side are flat.
    """
    count = max(-(-(length - _SIDE) // _STRIDE), 0) + 1
    shared = _SIDE - _STRIDE
    rise = torch.sin((torch.arange(shared) + 0.5) * (torch.pi / 2 / shared)) ** 2
    windows = torch.ones(count, _SIDE)
    windows[1:, :shared] = rise
    windows[:-1, -shared:] = rise.flip(0)
    return windows


def _reflected(image: Tensor, height: int, width: int) -> Tensor:
    """Extend to the right and below by reflection, again and again where that is far."""
    for axis, (own, length) in enumerate(zip(image.shape[2:], (height, width), strict=True), 2):
        period = max(2 * (own - 1), 1)
        place = torch.arange(length, device=image.device) % period
        image = image.index_select(axis, torch.minimum(place, period - place))
    return image
