"""The kernel that explains the blurred gradients by the predicted ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur import editing
from unblur.fourier import fast_size, gradient_power, inverse, transfer_function

__all__ = ["Gradients", "fit_kernel", "support_radius"]

# Projected gradient steps: more follow the noise in the prediction, fewer stay at the start.
_STEPS = 20
# Up to this side a product with the matrix of all shifts is quicker than two transforms.
_SMALL = 21


@dataclass(frozen=True)
class Gradients:
    """What the fit needs of a blurred picture v: half spectra, (H, W // 2 + 1) each.

    Gradients are circular, so that sums over both directions are products with
    P = |F D_y|^2 + |F D_x|^2.
    """

    weighted: Tensor
    power: Tensor
    size: tuple[int, int]

    @staticmethod
    def of(image: Tensor) -> "Gradients":
        """Transform a picture (H, W): P F v and P."""
        size = (image.shape[-2], image.shape[-1])
        power = gradient_power(size, image)
        return Gradients(torch.fft.rfft2(image) * power, power, size)


def fit_kernel(
    spectrum: Tensor,
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
        spectrum: F u, the half spectrum (..., H, W // 2 + 1) of one prediction, or of a batch.
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
    like = blurred.power
    box = None if min(each) == side else torch.stack([_box(one, side, like) for one in each])
    cross = spectrum.conj() * blurred.weighted
    power = _square(spectrum).mul_(like)
    target = _crop(inverse(cross, size), side)
    # Complex, though real: products of mixed types take three times as long.
    damped = cross.mul_((power + gamma).reciprocal_().to(cross))
    start = _inside(_crop(inverse(damped, size), side), box)
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
    whole = autocorrelation.shape[-2:] == (2 * side - 1, 2 * side - 1)
    shifts = _shifts(autocorrelation) if whole and side <= _SMALL else None

    def applied(pixels: Tensor) -> Tensor:
        """R k."""
        if shifts is None:
            return inverse(torch.fft.rfft2(pixels, s=frame) * normal, frame)[..., :side, :side]
        return (shifts @ pixels.flatten(-2)[..., None]).reshape(pixels.shape)

    ahead, momentum = kernel, 1.0
    kept, pull = 1 - step * gamma, step * target
    for _ in range(_STEPS):
        following = (kept * ahead).add_(pull).sub_(step * applied(ahead)).clamp_(min=0)
        following = _inside(following, box)
        growth = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = torch.lerp(kernel, following, 1 + (momentum - 1) / growth)
        kernel, momentum = following, growth
    return kernel


def _shifts(autocorrelation: Tensor) -> Tensor:
    """R as a matrix (..., side^2, side^2), of an autocorrelation of 2 side - 1 pixels a side."""
    side = autocorrelation.shape[-1] // 2 + 1
    # The row of a pixel is the autocorrelation about it, in the opposite order.
    return (
        autocorrelation.unfold(-2, side, 1).unfold(-2, side, 1).flatten(-4, -3).flatten(-2).flip(-1)
    )


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
    reach = torch.arange(-(side // 2), side // 2 + 1, device=image.device)
    return image[..., reach[:, None] % image.shape[-2], reach % image.shape[-1]]


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
    return editing.crop(editing.centre(editing.clean(positive, threshold, isolated)), side)


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
