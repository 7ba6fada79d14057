"""A blurred picture on the extended frame on which it is explained.

The world does not end where the picture does: light from up to a kernel radius outside reaches its
border. The frame is therefore extended by that radius (and on to a size that the FFT likes), and
what the blurred picture would be out there is unknown. Clipped pixels are known only to be at least
as bright as they look.

Both are handled by completion (the E step of expectation-maximisation): a pixel that is not known
is replaced by what the current estimate predicts for it, so that it neither pulls nor pushes.
Solvers then work on a full, periodic frame, where a convolution is a product.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblur.fourier import fast_size, pad_periodic

__all__ = ["Observation", "fill", "observe"]

Size = tuple[int, int]

# Sides of frames from which on they are multiples of 4, and of 8.
_SHORT, _LONG = 128, 512


@dataclass(frozen=True)
class Observation:
    """What is known of the blurred picture, on the extended frame (H', W').

    Attributes:
        image: (B, C, H', W'), the picture with a smooth periodic continuation around it.
        known: bool, broadcastable to `image`: the data term counts here. None: everywhere.
        clipped: bool, likewise: `image` is a lower bound here. None: nowhere.
        margin: rows above and columns left of the picture.
        size: of the picture, (H, W).
        whole: every pixel of the picture is known, and no other.
    """

    image: Tensor
    known: Tensor | None
    clipped: Tensor | None
    margin: Size
    size: Size
    whole: bool = False

    def complete(self, predicted: Tensor) -> Tensor:
        """Replace what is not known by `predicted`, the blurred estimate."""
        if self.known is None:
            return self.image
        if self.whole:
            completed = predicted.expand(self.image.shape).clone()
            self.crop(completed).copy_(self.crop(self.image))
            return completed
        completed = torch.where(self.known, self.image, predicted)
        if self.clipped is None:
            return completed
        return torch.where(self.clipped, torch.maximum(self.image, predicted), completed)

    def channel(self, index: int) -> "Observation":
        """What is known of one channel."""
        masks = (
            mask if mask is None or mask.shape[1] == 1 else mask[:, [index]]
            for mask in (self.known, self.clipped)
        )
        known, clipped = masks
        return replace(self, image=self.image[:, [index]], known=known, clipped=clipped)

    def crop(self, image: Tensor) -> Tensor:
        """Cut the picture's part out of an image on the extended frame."""
        (top, left), (height, width) = self.margin, self.size
        return image[..., top : top + height, left : left + width]


def fill(image: Tensor, ignored: Tensor, radius: int) -> Tensor:
    """Replace pixels that say nothing by the mean of those around them that do.

    Args:
        image: (B, C, H, W).
        ignored: bool, broadcastable to `image`; what stands there has no influence, not even NaN.
        radius: of the square that counts as around; where all of it is ignored, the whole picture
            does.
    """
    known = (~ignored).to(image).expand(image.shape)
    kept = torch.where(ignored, image.new_zeros(()), image)
    height, width = image.shape[-2:]
    reach = (min(radius, height - 1), min(radius, width - 1))
    near = [
        avg_pool2d(
            plane,
            (2 * reach[0] + 1, 2 * reach[1] + 1),
            stride=1,
            padding=reach,
            count_include_pad=True,
        )
        for plane in (kept, known)
    ]
    total = known.sum((-2, -1), keepdim=True)
    overall = kept.sum((-2, -1), keepdim=True) / total.clamp(min=1)
    around = torch.where(near[1] > 1e-6, near[0] / near[1].clamp(min=1e-6), overall)
    return torch.where(ignored, around, image)


def observe(
    image: Tensor,
    radius: Size,
    *,
    boundary: str = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
) -> Observation:
    """Put a blurred picture on its extended frame.

    Args:
        image: (B, C, H, W).
        radius: of the kernel, (r_y, r_x): the least margin.
        boundary: "unknown" extends the frame; "periodic" takes the picture as one period, as it is.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels of which nothing is known.
    """
    size = (image.shape[-2], image.shape[-1])
    clipped = None if clipped is None or not bool(clipped.any()) else clipped
    ignored = None if ignored is None or not bool(ignored.any()) else ignored
    if ignored is not None:
        image = fill(image, ignored, 2 * max(radius) + 1)
    if boundary == "periodic":
        frame, margin, inside = size, (0, 0), None
        extended = image
    else:
        frame = (_frame_side(size[0] + 2 * radius[0]), _frame_side(size[1] + 2 * radius[1]))
        margin = ((frame[0] - size[0]) // 2, (frame[1] - size[1]) // 2)
        extended = pad_periodic(image, margin, frame)
        inside = torch.zeros(frame, dtype=torch.bool, device=image.device)
        inside[margin[0] : margin[0] + size[0], margin[1] : margin[1] + size[1]] = True
        inside = inside[None, None]

    known = inside
    for mask in (clipped, ignored):
        if mask is not None:
            framed = _framed(mask, margin, frame)
            known = ~framed if known is None else known & ~framed
    return Observation(
        extended,
        known,
        None if clipped is None else _framed(clipped, margin, frame),
        margin,
        size,
        whole=clipped is None and ignored is None,
    )


def _frame_side(length: int) -> int:
    """A quick length; short ones are not stretched by more than a few percent."""
    return fast_size(length, 8 if length >= _LONG else 4 if length >= _SHORT else 1)


def _framed(mask: Tensor, margin: Size, frame: Size) -> Tensor:
    height, width = mask.shape[-2:]
    framed = mask.new_zeros((*mask.shape[:-2], *frame))
    framed[..., margin[0] : margin[0] + height, margin[1] : margin[1] + width] = mask
    return framed
