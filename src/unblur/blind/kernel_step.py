"""The kernel that explains the blurred gradients by the predicted ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur import Kernel
from unblur.fourier import fast_size, gradient, inverse, transfer_function

__all__ = ["Gradients", "fit_kernel", "support_radius"]

# Projected gradient steps: more follow the noise in the prediction, fewer stay at the start.
_STEPS = 20


@dataclass(frozen=True)
class Gradients:
    """The half spectra of a blurred picture's gradients, (H, W // 2 + 1) each."""

    along_y: Tensor
    along_x: Tensor
    size: tuple[int, int]

    @staticmethod
    def of(image: Tensor) -> "Gradients":
        """Transform the gradients of a picture (H, W)."""
        along_y, along_x = gradient(image)
        return Gradients(
            torch.fft.rfft2(along_y), torch.fft.rfft2(along_x), (image.shape[-2], image.shape[-1])
        )


def fit_kernel(
    prediction: Tensor,
    blurred: Gradients,
    sides: int | Sequence[int],
    *,
    gamma: float,
    threshold: float,
    isolated: float,
) -> Tensor:
    """Estimate the kernel from a sharp prediction u of the picture.

    k = argmin_{k >= 0} sum_d |k * D_d u - D_d v|^2 + gamma |k|^2 over kernels of the given side.

    The unconstrained minimiser over the whole frame, sum_d conj(F D_d u) F D_d v / (sum_d |F D_d
    u|^2 + gamma) (papers: Anger 2019, equation 6), is the start; accelerated projected gradients
    then fit it inside its box, where cropping alone would leave in place what outside pixels used
    to explain. Both need the picture only through its correlations, so the fit works on arrays of
    three kernel sides.

    Args:
        prediction: u, (..., H, W): one, or a batch of them.
        blurred: of v.
        sides: odd, under the sides of the picture: one for all, or one a kernel of the batch.
        gamma: see above; larger values give smoother kernels.
        threshold: values under this share of the maximum are dropped.
        isolated: islands with less than this share of the mass are dropped.

    Returns:
        (..., side, side) with the largest side, non-negative, sum 1, centre of mass at the centre
        pixel.
    """
    size = blurred.size
    each = [sides] if isinstance(sides, int) else list(sides)
    side = max(each)
    box = None if min(each) == side else torch.stack([_box(one, side, prediction) for one in each])
    along_y, along_x = (torch.fft.rfft2(part) for part in gradient(prediction))
    cross = along_y.conj() * blurred.along_y + along_x.conj() * blurred.along_x
    power = _square(along_y) + _square(along_x)
    start = _inside(_crop(inverse(cross / (power + gamma), size), side), box)
    target = _crop(inverse(cross, size), side)
    autocorrelation = _crop(inverse(power, size), min(2 * side - 1, *_odd(size)))
    kernel = _clean(start, threshold, isolated)
    return _clean(_descend(kernel, target, autocorrelation, gamma, box), threshold, isolated)


def _descend(
    kernel: Tensor, target: Tensor, autocorrelation: Tensor, gamma: float, box: Tensor | None
) -> Tensor:
    """FISTA (Beck & Teboulle 2009) for k^T R k / 2 - b^T k + gamma |k|^2 / 2 over k >= 0."""
    side = kernel.shape[-1]
    frame = (fast_size(3 * side), fast_size(3 * side))
    normal = transfer_function(autocorrelation, frame).real
    step = 1 / (normal.amax((-2, -1), keepdim=True) + gamma)
    ahead, momentum = kernel, 1.0
    for _ in range(_STEPS):
        applied = inverse(torch.fft.rfft2(ahead, s=frame) * normal, frame)
        slope = applied[..., :side, :side] + gamma * ahead - target
        following = _inside((ahead - step * slope).clamp_(min=0), box)
        growth = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = following + (momentum - 1) / growth * (following - kernel)
        kernel, momentum = following, growth
    return kernel


def _box(inner: int, side: int, like: Tensor) -> Tensor:
    """Ones in the middle square of `inner` pixels, zeros around it."""
    rim = (side - inner) // 2
    return pad(like.new_ones(inner, inner), (rim, rim, rim, rim))


def _inside(pixels: Tensor, box: Tensor | None) -> Tensor:
    return pixels if box is None else pixels * box


def _square(spectrum: Tensor) -> Tensor:
    return spectrum.real**2 + spectrum.imag**2


def _crop(image: Tensor, side: int) -> Tensor:
    """The box of `side` pixels about the origin of a periodic image, as a picture."""
    radius = side // 2
    return image.roll((radius, radius), (-2, -1))[..., :side, :side]


def _odd(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] - (size[0] % 2 == 0), size[1] - (size[1] % 2 == 0)


def _clean(pixels: Tensor, threshold: float, isolated: float) -> Tensor:
    if pixels.ndim > 2:
        return torch.stack([_clean(one, threshold, isolated) for one in pixels])
    side = pixels.shape[-1]
    positive = pixels.clamp(min=0)
    if float(positive.sum()) <= 0:
        positive = torch.zeros_like(pixels)
        positive[side // 2, side // 2] = 1
    cleaned = Kernel(positive / positive.sum()).clean(threshold, isolated).centre()
    return cleaned.crop(side).pixels


def support_radius(kernel: Tensor, share: float = 0.02) -> int:
    """The radius of the centred box that misses no more than `share` of the mass.

    Example:
        >>> support_radius(torch.eye(5) / 5)
        2
    """
    height, width = kernel.shape
    y = (torch.arange(height, device=kernel.device) - height // 2).abs()
    x = (torch.arange(width, device=kernel.device) - width // 2).abs()
    distance = torch.maximum(y[:, None], x[None, :]).flatten()
    rings = kernel.new_zeros(max(height, width) // 2 + 1)
    rings.scatter_add_(0, distance, kernel.flatten())
    inside = rings.cumsum(0) / rings.sum()
    return int((inside < 1 - share).sum())
