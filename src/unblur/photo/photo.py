"""The photograph: samples as they stand in the file, and what the file carried."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch

from unblur.errors import InputError
from unblur.photo.carried import Carried
from unblur.photo.quantise import MAXIMUM, quantise, quantise_slab, slabs
from unblur.photo.transfer import LINEAR, SRGB, Transfer

__all__ = ["Photo"]

_DEPTHS = {torch.uint8: 8, torch.uint16: 16, torch.float32: 32}
_DTYPES = {depth: dtype for dtype, depth in _DEPTHS.items()}


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph. Nothing in it is ever changed; edits give a new one.

    Attributes:
        samples: (B, C, H, W) uint8, uint16 or float32, display-encoded as in the file and upright;
            B counts pages or frames, C is 1 or 3. Any memory layout.
        alpha: (B, 1, H, W) of the same type, straight; None where there is none.
        carried: Profile, metadata, resolution and the like.
        warnings: What was converted, ignored or dropped, in words.
    """

    samples: torch.Tensor
    alpha: torch.Tensor | None = None
    carried: Carried = field(default_factory=Carried)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what the rest relies on."""
        shape = tuple(self.samples.shape)
        if self.samples.dtype not in _DEPTHS or len(shape) != 4 or shape[1] not in (1, 3):
            raise InputError(
                "samples must be uint8, uint16 or float32 of shape (B, C, H, W) with C = 1 or 3, "
                f"got {self.samples.dtype} {shape}"
            )
        if self.samples.numel() == 0:
            raise InputError(f"samples must not be empty, got shape {shape}")
        if self.alpha is not None:
            wanted = (shape[0], 1, *shape[2:])
            if tuple(self.alpha.shape) != wanted or self.alpha.dtype != self.samples.dtype:
                raise InputError(
                    f"alpha must be {self.samples.dtype} {wanted}, "
                    f"got {self.alpha.dtype} {tuple(self.alpha.shape)}"
                )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.samples.shape[2]), int(self.samples.shape[3])

    @property
    def depth(self) -> int:
        """Bits per sample: 8, 16 or 32 (float)."""
        return _DEPTHS[self.samples.dtype]

    @property
    def pages(self) -> int:
        """Pages or frames."""
        return int(self.samples.shape[0])

    @cached_property
    def transfer(self) -> Transfer:
        """How the samples relate to linear light.

        The caller's word (`encoding` of `read`) first, then the colour profile; without either,
        float samples are linear light and integers are sRGB.
        """
        if self.carried.encoding != "auto":
            return SRGB if self.carried.encoding == "srgb" else LINEAR
        if self.carried.icc is not None:
            from_profile = Transfer.from_icc(self.carried.icc, int(self.samples.shape[1]))
            if from_profile is not None:
                return from_profile
        return LINEAR if self.depth == 32 else SRGB

    def encoded(self) -> torch.Tensor:
        """Return the samples as float32: integers divided by their maximum, floats as they are.

        Returns:
            A new tensor (B, C, H, W), in [0, 1] for integer files, display-encoded.

        Example:
            >>> Photo(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).encoded()
            tensor([[[[0., 1.]]]])
        """
        out = torch.empty(self.samples.shape, dtype=torch.float32, device=self.samples.device)
        out.copy_(self.samples)
        return out.div_(MAXIMUM[self.samples.dtype]) if self.depth < 32 else out

    def linear(self) -> torch.Tensor:
        """Return the picture in linear light: integers through a table, floats by their curve.

        Returns:
            A new float32 tensor (B, C, H, W), in [0, 1] for integer files.

        Example:
            >>> photo = Photo(torch.tensor([[[[0, 188, 255]]]], dtype=torch.uint8))
            >>> photo.linear().round(decimals=3)
            tensor([[[[0.0000, 0.5030, 1.0000]]]])
        """
        if self.depth == 32:
            return self.transfer.to_linear(self.samples)
        pages, channels, height, width = self.samples.shape
        tables = self.transfer.table(MAXIMUM[self.samples.dtype] + 1, channels)
        tables = tables.to(self.samples.device)
        out = torch.empty(self.samples.shape, dtype=torch.float32, device=self.samples.device)
        for page in range(pages):
            for rows in slabs(height, width):
                for channel, table in enumerate(tables):
                    levels = self.samples[page, channel, rows].long()
                    out[page, channel, rows] = torch.take(table, levels)
        return out

    def with_linear(self, image: torch.Tensor) -> "Photo":
        """Return this photo with new pixels, given in linear light.

        Args:
            image: Floating point, same shape as `samples`. Encoded, clipped to [0, 1] for integer
                photos, rounded and cast; alpha and everything carried stay.

        Raises:
            InputError: The shape or type is another one.
            NonFiniteInput: It holds NaN or infinity.

        Example:
            >>> photo = Photo(torch.tensor([[[[0, 188, 255]]]], dtype=torch.uint8))
            >>> bool((photo.with_linear(photo.linear()).samples == photo.samples).all())
            True
        """
        return self._with(image, self.transfer)

    def with_encoded(self, image: torch.Tensor) -> "Photo":
        """Return this photo with new pixels, given display-encoded; see `with_linear`."""
        return self._with(image, None)

    def _with(self, image: torch.Tensor, transfer: Transfer | None) -> "Photo":
        if image.shape != self.samples.shape or not image.is_floating_point():
            raise InputError(
                f"image must be floating point of shape {tuple(self.samples.shape)}, "
                f"got {image.dtype} {tuple(image.shape)}"
            )
        pages, channels, height, width = self.samples.shape
        # Interleaved, as files store samples, so that writing needs no further copy.
        samples = torch.empty(
            (pages, height, width, channels), dtype=self.samples.dtype, device=self.samples.device
        ).permute(0, 3, 1, 2)
        for page in range(pages):
            for rows in slabs(height, width):
                values = image[page, :, rows].detach()
                if transfer is not None:
                    values = transfer.to_encoded(values.float())
                samples[page, :, rows] = quantise_slab(values, samples.dtype).to(samples.device)
        return replace(self, samples=samples)

    @staticmethod
    def from_tensor(image: torch.Tensor, *, depth: Literal[8, 16, 32] = 8) -> "Photo":
        """Make a photo without any metadata from display-encoded (sRGB) values.

        Args:
            image: Floating point in [0, 1], (B, C, H, W) or (C, H, W) with C = 1 or 3.
            depth: Bits per sample; 32 keeps the floats as they are.

        Raises:
            InputError: The shape, type or depth is another one.
            NonFiniteInput: `image` holds NaN or infinity.

        Example:
            >>> Photo.from_tensor(torch.zeros(3, 20, 30), depth=16).size
            (20, 30)
        """
        if depth not in _DTYPES:
            raise InputError(f"depth must be 8, 16 or 32, got {depth!r}")
        if image.ndim not in (3, 4):
            raise InputError(
                f"image must have the shape (B, C, H, W) or (C, H, W), got {tuple(image.shape)}"
            )
        batch = image if image.ndim == 4 else image[None]
        carried = Carried(bits=depth, encoding="srgb")
        return Photo(quantise(batch, _DTYPES[depth]), carried=carried)
