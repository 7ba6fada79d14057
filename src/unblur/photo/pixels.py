"""Work on whole arrays of samples, in place and by slabs, because they may be huge."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from unblur.errors import NonFiniteInput
from unblur.photo.quantise import MAXIMUM, quantise_slab, slabs
from unblur.photo.transfer import SRGB

__all__ = ["drop_opaque", "fill_low_bits", "finite", "recode", "upright"]

_FLIP_ROWS, _FLIP_COLUMNS, _TRANSPOSE = (3, 4, 6, 7), (2, 3, 7, 8), (5, 6, 7, 8)


def upright(array: npt.NDArray[Any], orientation: int) -> torch.Tensor:
    """Apply an EXIF orientation.

    Every orientation is some flips, done in place, and perhaps a transpose, which is only a view.

    Args:
        array: (pages, H, W, bands), ours to change.
        orientation: 1 to 8.

    Returns:
        (pages, bands, H, W) over the same memory; H and W change places for 5 to 8.
    """
    for page in array:
        if orientation in _FLIP_ROWS:
            half = page.shape[0] // 2
            for rows in slabs(half, page.shape[1]):
                mirror = slice(page.shape[0] - rows.stop, page.shape[0] - rows.start)
                top = page[rows].copy()
                page[rows] = page[mirror][::-1]
                page[mirror] = top[::-1]
        if orientation in _FLIP_COLUMNS:
            for rows in slabs(page.shape[0], page.shape[1]):
                page[rows] = page[rows, ::-1].copy()
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    return tensor.transpose(2, 3) if orientation in _TRANSPOSE else tensor


def fill_low_bits(array: npt.NDArray[np.uint16], bits: int) -> None:
    """Repeat the high bits of 10 or 12-bit samples in 16 bits, so that white is 65535."""
    for page in array:
        for rows in slabs(page.shape[0], page.shape[1]):
            page[rows] |= page[rows] >> bits


def drop_opaque(alpha: torch.Tensor | None) -> torch.Tensor | None:
    """Return None for an alpha that hides nothing: GIF frames always come with one."""
    if alpha is None or bool((alpha == 255).all()):
        return None
    return alpha


def finite(
    samples: torch.Tensor, alpha: torch.Tensor | None, label: str, policy: str
) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]:
    """Make sure that float samples are finite.

    Args:
        samples: (B, C, H, W); integers pass.
        alpha: (B, 1, H, W) or None.
        label: What messages call the picture.
        policy: "raise", or "fill" to take the nearest finite value of the channel, 0 without any.

    Raises:
        NonFiniteInput: There are others and `policy` is "raise".
    """
    parts = [part for part in (samples, alpha) if part is not None and part.is_floating_point()]
    count = sum(_count_nonfinite(part) for part in parts)
    if count == 0:
        return samples, alpha, ()
    if policy == "raise":
        raise NonFiniteInput(
            f"{label} holds {count} values that are NaN or infinite; "
            "repair it, or have it filled in (nonfinite='fill'; --nonfinite fill)"
        )
    filled = None if alpha is None else _fill(alpha)
    note = f"{count} values that were NaN or infinite were filled with their nearest neighbour"
    return _fill(samples), filled, (note,)


def _count_nonfinite(part: torch.Tensor) -> int:
    count = 0
    for page in part:
        for rows in slabs(page.shape[1], page.shape[2]):
            count += int((~torch.isfinite(page[:, rows])).sum())
    return count


def _fill(part: torch.Tensor) -> torch.Tensor:
    from scipy.ndimage import distance_transform_edt

    out = part.clone()
    for plane in out.flatten(0, 1):
        bad = ~torch.isfinite(plane)
        if bool(bad.all()):
            plane.zero_()
        elif bool(bad.any()):
            nearest = distance_transform_edt(
                bad.numpy(), return_distances=False, return_indices=True
            )
            plane.copy_(plane[torch.from_numpy(nearest[0]), torch.from_numpy(nearest[1])])
    return out


def recode(
    samples: torch.Tensor,
    alpha: torch.Tensor | None,
    dtype: torch.dtype,
    *,
    encode: bool,
    over: tuple[float, ...] | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Change the sample type, and perhaps the encoding and the transparency.

    Args:
        samples: (B, C, H, W) of any sample type.
        alpha: (B, 1, H, W), or None.
        dtype: The sample type wanted.
        encode: Whether `samples` are linear light that is to become sRGB.
        over: A background to lay straight samples on: `s a + b (1 - a)`, display-encoded; one value
            or one per channel. The alpha channel is gone then.

    Returns:
        New samples and alpha.
    """
    pages, channels, height, width = samples.shape
    out = torch.empty((pages, height, width, channels), dtype=dtype).permute(0, 3, 1, 2)
    kept = torch.empty((pages, 1, height, width), dtype=dtype) if alpha is not None else None
    for page in range(pages):
        for rows in slabs(height, width):
            values = _as_floats(samples[page, :, rows])
            if encode:
                values = SRGB.to_encoded(values)
            if alpha is not None and kept is not None:
                opacity = _as_floats(alpha[page, :, rows])
                kept[page, :, rows] = quantise_slab(opacity, dtype)
                if over is not None:
                    colour = torch.tensor(over, dtype=torch.float32).view(-1, 1, 1)
                    values = torch.lerp(colour, values, opacity)
            out[page, :, rows] = quantise_slab(values, dtype)
    return out, kept if over is None else None


def _as_floats(part: torch.Tensor) -> torch.Tensor:
    return part.float().div_(MAXIMUM[part.dtype]) if part.dtype in MAXIMUM else part
