"""Pure tensor functions around the discrete Fourier transform.

Half spectra are those of `torch.fft.rfft2`; images are (..., H, W) with the two last axes
transformed. Sizes are (height, width). Everything runs in the precision of its input: float32, or
float64 in tests.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "adjoint_difference",
    "adjoint_gradient",
    "difference",
    "fast_size",
    "gradient",
    "gradient_power",
    "inverse",
    "pad_periodic",
    "taper_edges",
    "transfer_function",
]

Size = tuple[int, int]


@lru_cache(maxsize=4096)
def fast_size(length: int, multiple_of: int = 1) -> int:
    """Return the smallest length >= `length` that the FFT transforms quickly.

    Lengths whose only prime factors are 2 to 13 are quick. Rows whose length in bytes is a multiple
    of 4096 are not: every row then starts in the same cache set (measured at 1024: 1.7 times slower
    than 1080), so those are passed over from 1024 on.

    Args:
        length: at least 1.
        multiple_of: only multiples of this, whose prime factors are 2 to 13: real transforms of odd
            sizes take twice as long as those of multiples of 8 (measured from 525 to 1100).

    Example:
        >>> fast_size(1021), fast_size(17), fast_size(1021, 8)
        (1029, 18, 1040)
    """
    candidate = -(-max(length, 1) // multiple_of) * multiple_of
    while not _is_smooth(candidate) or candidate % 1024 == 0:
        candidate += multiple_of
    return candidate


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5, 7, 11, 13):
        while number % prime == 0:
            number //= prime
    return number == 1


def transfer_function(kernel: Tensor, size: Size) -> Tensor:
    """Return the half spectrum of `kernel`, its centre pixel moved to the origin.

    K = F[k], so that F^-1[K F[u]] is the circular convolution k * u at the size given.

    Args:
        kernel: (..., h, w) with odd sides, each at most the side of `size`.
        size: of the images to be multiplied with, (H, W).

    Returns:
        Complex tensor (..., H, W // 2 + 1).

    Example:
        >>> identity = torch.ones(1, 1)
        >>> bool((transfer_function(identity, (4, 6)) == 1).all())
        True
    """
    height, width = kernel.shape[-2:]
    padded = kernel.new_zeros((*kernel.shape[:-2], *size))
    padded[..., :height, :width] = kernel
    spectrum: Tensor = torch.fft.rfft2(padded.roll((-(height // 2), -(width // 2)), (-2, -1)))
    return spectrum


def inverse(spectrum: Tensor, size: Size) -> Tensor:
    """Return the real images (..., H, W) of half spectra; only `size` tells if W is odd."""
    image: Tensor = torch.fft.irfft2(spectrum, s=size)
    return image


def gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the circular forward differences along y and x, each of the shape of `image`.

    (D_y u)[i, j] = u[i + 1, j] - u[i, j], and likewise along x.
    """
    return difference(image, -2), difference(image, -1)


def difference(image: Tensor, axis: int) -> Tensor:
    """Return the circular forward difference along an axis, D u."""
    # Slices into one buffer: a roll would copy the picture first.
    last = image.shape[axis] - 1
    out = torch.empty_like(image)
    torch.sub(
        image.narrow(axis, 1, last), image.narrow(axis, 0, last), out=out.narrow(axis, 0, last)
    )
    torch.sub(image.select(axis, 0), image.select(axis, last), out=out.select(axis, last))
    return out


def adjoint_gradient(along_y: Tensor, along_x: Tensor) -> Tensor:
    """Return D_y^T `along_y` + D_x^T `along_x`: the adjoint of `gradient`."""
    total = torch.add(along_y, along_x).neg_()
    for along, axis in ((along_y, -2), (along_x, -1)):
        last = along.shape[axis] - 1
        total.narrow(axis, 1, last).add_(along.narrow(axis, 0, last))
        total.select(axis, 0).add_(along.select(axis, last))
    return total


def adjoint_difference(along: Tensor, axis: int) -> Tensor:
    """Return D^T `along`, the adjoint of `difference`: its negative, one pixel later."""
    last = along.shape[axis] - 1
    out = torch.empty_like(along)
    torch.sub(
        along.narrow(axis, 0, last), along.narrow(axis, 1, last), out=out.narrow(axis, 1, last)
    )
    torch.sub(along.select(axis, last), along.select(axis, 0), out=out.select(axis, 0))
    return out


def gradient_power(size: Size, like: Tensor) -> Tensor:
    """Return |F D_y|^2 + |F D_x|^2, real, (H, W // 2 + 1), in the dtype and device of `like`.

    |F D|^2 = 2 - 2 cos(2 pi f) for the forward difference at frequency f (cycles per pixel).
    """
    height, width = size
    y = torch.fft.fftfreq(height, dtype=torch.float64)
    x = torch.fft.rfftfreq(width, dtype=torch.float64)
    along_y = (2 - 2 * torch.cos(2 * torch.pi * y)).to(like)
    along_x = (2 - 2 * torch.cos(2 * torch.pi * x)).to(like)
    return along_y[:, None] + along_x[None, :]


def pad_periodic(image: Tensor, margin: Size, size: Size) -> Tensor:
    """Extend `image` to `size` so that it also continues smoothly across the period.

    The picture sits `margin` pixels below and right of the corner. Each gap between the end of the
    picture and its next period is filled with a cross-fade of the two mirrored edges, first along
    x, then along y. This stands in for the minimal-curvature fill of Liu & Jia (2008) at a fraction
    of the cost: it keeps edges' values continuous and textures textured.

    Args:
        image: (..., H, W).
        margin: pixels before the picture, (top, left).
        size: of the result, (H', W') with H' >= H + top, W' >= W + left.

    Returns:
        (..., H', W') whose crop at `margin` equals `image` exactly.

    Example:
        >>> row = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> pad_periodic(row, (0, 0), (1, 5))
        tensor([[[1.0000, 2.0000, 3.0000, 2.6667, 1.3333]]])
    """
    return _fill_axis(_fill_axis(image, -1, margin[1], size[1]), -2, margin[0], size[0])


def _fill_axis(image: Tensor, axis: int, before: int, length: int) -> Tensor:
    given = image.shape[axis]
    gap = length - given
    if gap == 0:
        return image
    steps = torch.arange(gap, device=image.device)
    period = 2 * given
    # Both ends are mirrored about the edge pixel; a gap longer than the picture keeps on mirroring.
    from_end = image.index_select(axis, _mirror(given + steps, period, given))
    from_start = image.index_select(axis, _mirror(steps - gap, period, given))
    weight = ((steps + 1).to(image) / (gap + 1)).unflatten(0, (gap, 1) if axis == -2 else (gap,))
    fill = from_end * (1 - weight) + from_start * weight
    after = gap - before
    return torch.cat([fill.narrow(axis, after, before), image, fill.narrow(axis, 0, after)], axis)


def _mirror(index: Tensor, period: int, length: int) -> Tensor:
    folded = index % period
    return torch.where(folded < length, folded, period - 1 - folded)


def taper_edges(image: Tensor, radius: Size) -> Tensor:
    """Blend the border of `image` into its circularly blurred self: no seam across the period.

    v <- a v + (1 - a) (b * v), with b a flat box of (2 r_y + 1) x (2 r_x + 1) pixels and a falling
    from 1 inside to 0 at the border along the autocorrelation of b, as MATLAB's `edgetaper` does.

    Args:
        image: (..., H, W).
        radius: of the box, (r_y, r_x); cut where the picture is smaller.
    """
    height, width = image.shape[-2:]
    r_y, r_x = min(radius[0], (height - 1) // 2), min(radius[1], (width - 1) // 2)
    flat = image.reshape(-1, 1, height, width)
    padded = functional.pad(flat, (r_x, r_x, r_y, r_y), mode="circular")
    rows = functional.avg_pool2d(padded, (1, 2 * r_x + 1), stride=1)
    blurred = functional.avg_pool2d(rows, (2 * r_y + 1, 1), stride=1)
    weight = _taper(height, r_y, image)[:, None] * _taper(width, r_x, image)[None, :]
    return image * weight + blurred.reshape(image.shape) * (1 - weight)


def _taper(length: int, radius: int, like: Tensor) -> Tensor:
    distance = torch.arange(length, device=like.device)
    distance = torch.minimum(distance, length - 1 - distance)
    return (distance / max(2 * radius, 1)).clamp(max=1).to(like)
