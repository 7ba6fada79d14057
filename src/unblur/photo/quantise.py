"""The one place where numbers become samples: clip, round, cast."""

from collections.abc import Iterator

import torch

from unblur.errors import InputError, NonFiniteInput

__all__ = ["MAXIMUM", "quantise", "slabs"]

MAXIMUM = {torch.uint8: 255, torch.uint16: 65535}
_SLAB = 1 << 20


def slabs(height: int, width: int) -> Iterator[slice]:
    """Yield slices of rows of about a million pixels, so that temporaries stay in the cache."""
    step = max(1, _SLAB // max(width, 1))
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def quantise(image: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Turn numbers in [0, 1] into samples: `round(clip(x, 0, 1) * max)`, ties to even.

    With `dtype` float32 the values pass through unclipped: a float file may hold any finite number.

    Args:
        image: Floating point values, shape (..., H, W).
        dtype: torch.uint8 (max 255), torch.uint16 (max 65535) or torch.float32.

    Returns:
        The samples, same shape, on the same device.

    Raises:
        NonFiniteInput: `image` holds NaN or infinity.
        InputError: `image` is not floating point, has fewer than two dimensions, or `dtype` is
            another one.

    Example:
        >>> quantise(torch.tensor([[-0.2, 0.5, 1.0, 7.0]]), torch.uint8)
        tensor([[  0, 128, 255, 255]], dtype=torch.uint8)
    """
    if dtype not in MAXIMUM and dtype != torch.float32:
        raise InputError(f"dtype must be torch.uint8, torch.uint16 or torch.float32, got {dtype}")
    if not image.is_floating_point() or image.ndim < 2:
        raise InputError(
            "image must be a floating point tensor of shape (..., H, W), "
            f"got {image.dtype} with shape {tuple(image.shape)}"
        )
    samples = torch.empty_like(image, dtype=dtype, requires_grad=False)
    for rows in slabs(image.shape[-2], image[..., :1, :].numel()):
        samples[..., rows, :] = quantise_slab(image[..., rows, :], dtype)
    return samples


def quantise_slab(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Quantise a piece that is small enough for whole temporaries; see `quantise`."""
    values = values.detach()
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        count = int((~finite).sum())
        raise NonFiniteInput(f"{count} values are NaN or infinite; a picture needs finite numbers")
    if dtype == torch.float32:
        return values.to(dtype)
    return values.clamp(0.0, 1.0).mul_(MAXIMUM[dtype]).round_().to(dtype)
