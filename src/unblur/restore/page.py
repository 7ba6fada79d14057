"""One page of a photo, as methods see it: floats on a device, a box at a time."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from unblur.deconvolve.observation import fill
from unblur.photo import Photo
from unblur.photo.transfer import SRGB
from unblur.restore.tiling import Box

__all__ = ["Light", "Page", "Values"]

Light = Literal["linear", "encoded"]
Values = Literal["linear", "encoded", "display"]

# Integer samples at or above this share of their maximum may stand for any brightness.
_WHITE = 0.996
_FILL_RADIUS = 8


@dataclass(frozen=True)
class Page:
    """A page and what is to be left alone in it.

    Attributes:
        photo: where the samples are.
        index: of the page.
        light: whether methods see linear light, or samples as they are stored; "display" is the
            latter, but where these are linear light, they are shown by the curve of sRGB.
        device: where they see it.
        protected: bool (H, W), True where pixels say nothing and stay as they are; or None.
    """

    photo: Photo
    index: int
    light: Values
    device: torch.device
    protected: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.photo.size

    @property
    def channels(self) -> int:
        """1 or 3."""
        return int(self.photo.samples.shape[1])

    @property
    def coarse_colour(self) -> bool:
        """Whether the colour differences of what is shown are no finer than 2 x 2 pixels."""
        return self.photo.carried.coarse_colour and self.light != "linear" and not self._curved

    @property
    def step(self) -> float:
        """The mean step to which JPEG rounded what is shown, values in [0, 1]; 0 elsewhere."""
        return 0.0 if self.light == "linear" or self._curved else self.photo.carried.step / 255

    @property
    def whole(self) -> Box:
        """The box of the whole page."""
        return Box(0, 0, *self.size)

    def _cut(self, box: Box) -> Photo:
        rows, columns = box.slices
        samples = self.photo.samples[self.index : self.index + 1, :, rows, columns]
        return replace(self.photo, samples=samples, alpha=None)

    def read(self, box: Box) -> Tensor:
        """(1, C, h, w), float32, on the device; what says nothing is filled from around it."""
        part = self._cut(box)
        image = self._shown(part).to(self.device)
        ignored = self.ignored(box)
        return image if ignored is None else fill(image, ignored, _FILL_RADIUS)

    def _shown(self, part: Photo) -> Tensor:
        if self.light == "linear":
            return part.linear()
        if self._curved:
            return SRGB.to_encoded(part.linear())
        return part.encoded()

    @property
    def _curved(self) -> bool:
        return self.light == "display" and self.photo.transfer.name == "linear"

    def sample(self, step: int) -> Tensor:
        """Every `step`-th pixel of the page, (1, C, h, w): enough to see where the edges are."""
        return self._every(step).read(Box(0, 0, *self._every(step).size))

    def sample_clipped(self, step: int) -> Tensor | None:
        """`clipped` for the pixels of `sample`."""
        return self._every(step).clipped(Box(0, 0, *self._every(step).size))

    def _every(self, step: int) -> "Page":
        return replace(
            self,
            photo=replace(self.photo, samples=self.photo.samples[..., ::step, ::step], alpha=None),
        )

    def clipped(self, box: Box) -> Tensor | None:
        """Mask of samples at the top of their range, bool (1, C, h, w); None if there are none."""
        if self.photo.depth == 32:
            return None
        part = self._cut(box).samples
        top = torch.iinfo(part.dtype).max
        mask = (part.to(torch.int32) if part.dtype == torch.uint16 else part) >= math.ceil(
            _WHITE * top
        )
        ignored = self.ignored(box)
        if ignored is not None:
            mask &= ~ignored.to(mask.device)
        return mask.to(self.device) if bool(mask.any()) else None

    def ignored(self, box: Box) -> Tensor | None:
        """Mask of pixels that say nothing, bool (1, 1, h, w); None where there are none."""
        if self.protected is None:
            return None
        rows, columns = box.slices
        mask = self.protected[rows, columns]
        return mask[None, None].to(self.device) if bool(mask.any()) else None

    def encode(self, top: int, pixels: Tensor, strength: float) -> Tensor:
        """Turn finished rows (C, h, W) into samples; protected pixels keep theirs.

        Args:
            top: number of the first row.
            pixels: as `read` gives them.
            strength: 1 takes `pixels`, 0 what was there.
        """
        box = Box(top, 0, top + pixels.shape[1], self.size[1])
        before = self._cut(box)
        image = pixels[None].to(before.samples.device)
        if strength < 1:
            image = torch.lerp(self._shown(before), image, strength)
        if self._curved:
            image = SRGB.to_linear(image)
        # Samples that are linear light need no curve of their own.
        after = before.with_linear(image) if self.light == "linear" else before.with_encoded(image)
        if self.protected is None:
            return after.samples[0]
        kept = self.protected[box.slices[0], box.slices[1]]
        return torch.where(kept, before.samples[0], after.samples[0])
