"""Layers in strips of rows: what lies between two of them is never held for a whole picture."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["by_rows"]

# Values of the widest thing between two layers, of one strip: 16 MB in float32. What is larger than
# 32 MB is given back each time, and its pages are faulted anew: a third of a run.
_PART = 1 << 22
# Where strips begin and end, in rows: those at a quarter of the resolution then do as well.
_ALIGNED = 8


def by_rows(
    work: Callable[..., Tensor],
    *inputs: Tensor,
    margin: int = 0,
    channels: int = 0,
    out: Tensor | None = None,
) -> Tensor:
    """Compute `work(*inputs)` in strips of rows, where nothing is to be learnt of it.

    Args:
        work: of tensors (B, C, H, W) to one with as many rows and columns as the first.
        inputs: the first has the most rows; others as many, or a whole fraction of them, whose
            rows answer to those of the first. One row belongs to all strips.
        margin: rows around those of its result that `work` must see; where it scales, a multiple
            of that.
        channels: of the widest thing that `work` holds; without it, of the first input.
        out: where the result goes, which may be one of the inputs where no row of the result
            needs others of it.

    Example:
        >>> picture = torch.arange(6.0).reshape(1, 1, 6, 1)
        >>> with torch.no_grad():
        ...     by_rows(lambda rows: 2 * rows, picture).flatten().tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    first = inputs[0]
    # An exported graph has no strips, and what a picture costs is counted without them.
    if torch.is_grad_enabled() or torch.compiler.is_exporting() or first.is_meta:
        return work(*inputs)
    batch, own, height, width = first.shape
    rows = _PART // (batch * width * max(channels, own)) // _ALIGNED * _ALIGNED
    rows = max(rows, 4 * margin, _ALIGNED)
    if rows >= height:
        return work(*inputs)
    for top, bottom in _strips(height, rows):
        start, stop = max(top - margin, 0), min(bottom + margin, height)
        seen = [_rows(each, start, stop, height) for each in inputs]
        found = work(*seen)[:, :, top - start : bottom - start]
        if out is None:
            out = torch.empty(
                (batch, found.shape[1], height, width),
                dtype=found.dtype,
                device=found.device,
                memory_format=torch.channels_last,
            )
        out[:, :, top:bottom] = found
    return first if out is None else out


def _strips(height: int, rows: int) -> Iterator[tuple[int, int]]:
    """Where strips begin and end; they share the height, so that the last is as large."""
    count = -(-height // rows)
    rows = -(-height // count // _ALIGNED) * _ALIGNED
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _rows(features: Tensor, start: int, stop: int, height: int) -> Tensor:
    """The rows of features that answer to these of `height`."""
    if features.shape[-2] == 1:
        return features
    ratio = height // features.shape[-2]
    return features[:, :, start // ratio : stop // ratio]
