"""Where the blurred picture shows nothing, there is nothing: what rings there is taken back."""

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from unblur.blur import Field
from unblur.deconvolve.halves import double, halve
from unblur.deconvolve.setup import kernel_radius

__all__ = ["CELL", "calm", "calm_halo"]

# Structure is looked for on squares of 2 x 2 pixels, and judged for cells of 8 x 8.
CELL = 8
# Mean square of the differences between squares, beside that of noise: up to the first there is
# nothing, from the second on all of it is kept. With 2.2 for the second, ringing goes as well, but
# so do ripples on water (seen on a photograph; PSNR the same).
_NOTHING, _STRUCTURE = 0.2, 0.6


def calm_halo(kernel: Tensor | Field) -> int:
    """How far `calm` looks around a pixel."""
    return max(kernel_radius(kernel)) + 3 * CELL


def calm(image: Tensor, restored: Tensor, kernel: Tensor | Field, *, noise_std: float) -> Tensor:
    """Give the blurred picture, smoothed, where no structure is within reach of the kernel.

    u <- w u + (1 - w) g * v. What is sharp at a place is seen in v, the blurred picture, wherever
    the kernel spreads it; so where v has no gradients in that reach beside its slope and the noise,
    u has none either, and what it shows is ringing of a kernel that is not quite right. w goes from
    0 to 1 with (m(|D v|^2) - |m(D v)|^2) / s^2 - 1, where D are differences between means of 2 x 2
    pixels, m is the mean over the kernel's reach, and s the noise.

    Args:
        image: v, (B, C, H, W).
        restored: u, of the same shape; not modified.
        kernel: (h, w), (C, h, w), or a field.
        noise_std: s, in the units of the image, positive.

    Source:
        Q. Shan, J. Jia, A. Agarwala, High-quality Motion Deblurring from a Single Image, 2008,
        section 3.2, for the thought that smooth places of the blurred picture stay smooth.

    Example:
        >>> import torch
        >>> flat, ringing = torch.full((1, 1, 64, 64), 0.5), torch.rand(1, 1, 64, 64)
        >>> calmed = calm(flat, ringing, torch.ones(1, 5) / 5, noise_std=0.01)
        >>> bool((calmed - 0.5).abs().max() < 1e-6)
        True
    """
    size = (image.shape[-2], image.shape[-1])
    if min(size) < 2 * CELL:
        return restored
    squares = halve(image)
    steps = squares.new_zeros(2, *squares.shape)
    steps[0, ..., 1:, :] = squares.diff(dim=-2)
    steps[1, ..., :, 1:] = squares.diff(dim=-1)
    cells = CELL // 2
    mean = avg_pool2d(steps.flatten(0, 1), cells)
    square = avg_pool2d(steps.square_().flatten(0, 1), cells)
    reach = [-(-radius // CELL) for radius in kernel_radius(kernel)]
    energy = _mean(square, reach) - _mean(mean, reach).square()
    # Of noise, both directions together have (2 + 2) s^2 / 4.
    excess = energy.unflatten(0, (2, -1)).sum(0).amax(1, keepdim=True) / noise_std**2 - 1
    weight = ((excess - _NOTHING) / (_STRUCTURE - _NOTHING)).clamp(0, 1)
    weight = interpolate(weight, scale_factor=CELL, mode="bilinear")
    # What is left of a cell at the ends is judged like its neighbours.
    spare = [side - inside for side, inside in zip(size, weight.shape[-2:], strict=True)]
    weight = pad(weight, (0, spare[1], 0, spare[0]), mode="replicate")
    smooth = double(_smooth(squares), size)
    return smooth.lerp_(restored, weight)


def _mean(image: Tensor, radius: list[int]) -> Tensor:
    """The mean over (2 radius + 1) pixels a side, as far as they lie in the frame."""
    down, across = radius
    rows = avg_pool2d(image, (2 * down + 1, 1), 1, (down, 0), count_include_pad=False)
    return avg_pool2d(rows, (1, 2 * across + 1), 1, (0, across), count_include_pad=False)


def _smooth(image: Tensor) -> Tensor:
    """The mean over 3 pixels a side, likewise: sums of slices take a quarter of the time."""
    for axis in (-2, -1):
        inner = image.shape[axis] - 1
        total = image.clone()
        total.narrow(axis, 1, inner).add_(image.narrow(axis, 0, inner))
        total.narrow(axis, 0, inner).add_(image.narrow(axis, 1, inner))
        total.mul_(1 / 3)
        for end in (0, inner):
            total.select(axis, end).mul_(1.5)
        image = total
    return image
