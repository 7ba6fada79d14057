"""Where clipped lights are: few and small in most pictures, and dear to explain."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unblur.blur import Field
from unblur.progress import Progress, part, report
from unblur.threads import side_by_side

__all__ = ["Patch", "by_patches", "patches", "solid"]

Size = tuple[int, int]

# Patches begin and end at multiples of this, or at the picture's edges.
_UNIT = 8
# What is restored anew crosses over into the rest along so many pixels inside of its patch, and
# sees so many beside the kernel's radius around it.
_RAMP, _AROUND = 16, 16
# Patches that see more of the picture than this save nothing, nor do so many.
_MOST_SHARE, _MOST = 0.35, 256
# A pixel costs about so many times as much with the bounds of lights as without.
_DEARER = 3


class Patch(NamedTuple):
    """A box around lights, and what must be seen to restore it; (top, bottom, left, right)."""

    own: tuple[int, int, int, int]
    seen: tuple[int, int, int, int]

    def see(self, image: Tensor) -> Tensor:
        """Cut what must be seen out of (..., H, W)."""
        top, bottom, left, right = self.seen
        return image[..., top:bottom, left:right]

    def frame(self, image: Tensor, margin: Size, size: Size) -> Tensor:
        """Cut what must be seen out of (..., H, W), with so much around it; edges are repeated."""
        rows, columns = (
            (torch.arange(length, device=image.device) + start - before).clamp(0, whole - 1)
            for length, start, before, whole in zip(
                size, self.seen[::2], margin, image.shape[-2:], strict=True
            )
        )
        return image[..., rows[:, None], columns]

    @property
    def share(self) -> int:
        """Pixels that are seen."""
        top, bottom, left, right = self.seen
        return (bottom - top) * (right - left)


def solid(mask: Tensor | None) -> Tensor | None:
    """Where the mask (B, C, H, W) holds 3 x 3 pixels: the middles, bool (H, W); None if nowhere.

    Specks are no brighter than white.
    """
    if mask is None or not bool(mask.any()):
        return None
    columns = mask[..., 2:] & mask[..., 1:-1] & mask[..., :-2]
    inner = columns[..., 2:, :] & columns[..., 1:-1, :] & columns[..., :-2, :]
    middles = mask.new_zeros(mask.shape[-2:])
    middles[1:-1, 1:-1] = inner.flatten(0, 1).any(0)
    return middles if bool(middles.any()) else None


def patches(lights: Tensor, radius: Size) -> list[Patch] | None:
    """Boxes around lights, apart from each other; None where they are better taken together.

    Args:
        lights: bool (H, W).
        radius: of the kernel: a light is spread that far, and so is what it hides.

    Example:
        >>> lights = torch.zeros(400, 400, dtype=torch.bool)
        >>> lights[200, 100] = True
        >>> patches(lights, (3, 3))
        [Patch(own=(176, 232, 72, 128), seen=(152, 256, 48, 152))]
    """
    from scipy.ndimage import find_objects, label

    size = (lights.shape[0], lights.shape[1])
    cells = lights.new_zeros([-(-side // _UNIT) for side in size])
    places = lights.nonzero() // _UNIT
    cells[places[:, 0], places[:, 1]] = True
    islands, count = label(cells.cpu().numpy(), structure=np.ones((3, 3)))
    if count > _MOST:
        return None
    own = _merged(
        [_grown(box, size, [side + _RAMP for side in radius]) for box in find_objects(islands)]
    )
    seen = [_whole(box, size, [side + _AROUND for side in radius]) for box in own]
    result = [Patch(*pair) for pair in zip(own, seen, strict=True)]
    few = sum(patch.share for patch in result) <= _MOST_SHARE * size[0] * size[1]
    return result if few else None


def by_patches(
    near: list[Patch],
    image: Tensor,
    kernel: Tensor | Field,
    clipped: Tensor,
    *,
    restore: Callable[..., Tensor],
    progress: Progress | None,
) -> Tensor:
    """Restore the picture with its lights as they look, then what is near them as it should be.

    Args:
        near: where the lights are.
        image: (B, C, H, W).
        kernel: of the picture.
        clipped: bool, broadcastable to `image`.
        restore: takes a picture, its kernel, what is clipped in it, the progress, and for a patch
            `guess`, which gives the restored picture on a frame of this margin and size.
        progress: over all of it.
    """
    size = (image.shape[-2], image.shape[-1])
    whole = size[0] * size[1]
    share = whole / (whole + _DEARER * sum(patch.share for patch in near))
    result = restore(image, kernel, None, part(progress, 0, share))

    def restored(patch: Patch) -> Tensor:
        top, bottom, left, right = patch.seen
        local = kernel
        if isinstance(kernel, Field):
            local = kernel.restrict((left, top, right - left, bottom - top), size)
        around = partial(patch.frame, result)
        return restore(patch.see(image), local, patch.see(clipped), None, guess=around)

    pieces = side_by_side([partial(restored, patch) for patch in near])
    for patch, pixels in zip(near, pieces, strict=True):
        _blend(result, patch, pixels)
    report(progress, "deconvolve", 1.0)
    return result


def _blend(image: Tensor, patch: Patch, restored: Tensor) -> None:
    """Put what was restored from `patch.see` into the picture (..., H, W), in place."""
    top, bottom, left, right = patch.own
    height, width = image.shape[-2:]
    down = _weight(top, bottom, height, image)
    across = _weight(left, right, width, image)
    inside = restored[
        ...,
        top - patch.seen[0] : bottom - patch.seen[0],
        left - patch.seen[2] : right - patch.seen[2],
    ]
    image[..., top:bottom, left:right].lerp_(inside, down[:, None] * across)


def _grown(cells: tuple[slice, slice], size: Size, by: list[int]) -> tuple[int, int, int, int]:
    """The box, in pixels, of a box of cells, grown."""
    rows, columns = cells
    edges = (rows.start, rows.stop, columns.start, columns.stop)
    top, bottom, left, right = (_UNIT * edge for edge in edges)
    return _whole((top, bottom, left, right), size, by)


def _whole(box: tuple[int, int, int, int], size: Size, by: list[int]) -> tuple[int, int, int, int]:
    """Grow a box by at least so much, to multiples."""
    top, bottom, left, right = box
    rows, columns = (-(-reach // _UNIT) * _UNIT for reach in by)
    return (
        max(top - rows, 0),
        min(bottom + rows, size[0]),
        max(left - columns, 0),
        min(right + columns, size[1]),
    )


def _merged(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Boxes that share pixels become one, until none do."""
    apart: list[tuple[int, int, int, int]] = []
    for one in boxes:
        box = one
        while True:
            met = [other for other in apart if _meet(box, other)]
            if not met:
                break
            apart = [other for other in apart if other not in met]
            tops, bottoms, lefts, rights = zip(box, *met, strict=True)
            box = (min(tops), max(bottoms), min(lefts), max(rights))
        apart.append(box)
    return apart


def _meet(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    rows = one[0] < other[1] and other[0] < one[1]
    return rows and one[2] < other[3] and other[2] < one[3]


def _weight(start: int, stop: int, length: int, like: Tensor) -> Tensor:
    """1 inside, falling to 0 towards ends that are not the picture's."""
    place = torch.arange(start, stop, device=like.device).to(like) + 0.5
    weight = torch.ones_like(place)
    if start > 0:
        weight = weight.minimum((place - start) / _RAMP)
    if stop < length:
        weight = weight.minimum((stop - place) / _RAMP)
    return weight
