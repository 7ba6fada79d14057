"""A pair of pictures as one channel sees it: detail, on one grid of pixels, and what is known."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from unblur.blur.noise_level import estimate_noise
from unblur.errors import InputError
from unblur.lens.warp import Warp, resample
from unblur.photo import Photo

__all__ = ["Plane", "brightness", "check_pair", "light", "noise_of", "plane_of"]

# Samples from this share of the maximum on may stand for any brightness.
_WHITE = 0.996
_MOST_CLIPPED = 0.5
_NOISE_SIDE = 1024
_MEAN_TAKEN = 0.9


@dataclass(frozen=True, eq=False)
class Plane:
    """One channel of a pair.

    Attributes:
        sharp: detail of the sharp picture where the blurred one shows it, (H, W).
        blurred: detail of the blurred picture.
        known: 1 where both are known as far as a kernel reaches, else 0.
        noise_std: of the sharp picture: what of its detail was never blurred.
    """

    sharp: Tensor
    blurred: Tensor
    known: Tensor
    noise_std: float


def light(photo: Photo, channel: int) -> Tensor:
    """One channel (H, W) of the first page in linear light, where blur is a convolution."""
    return photo.linear()[0, channel].clone()


def brightness(photo: Photo) -> Tensor:
    """Green, or the only channel: what the geometry is found on."""
    return light(photo, photo.samples.shape[1] // 2)


def plane_of(sharp: Photo, blurred: Photo, warp: Warp, channel: int, radius: int) -> Plane:
    """Bring a channel of a pair onto the pixels of the blurred picture.

    Only the sharp picture is ever resampled: noise and blur of the other one stay what they are.
    Most of the mean over a kernel's surroundings is taken from both, and with it what changes
    slowly: stray light, vignetting.

    Args:
        sharp: the sharp picture.
        blurred: the blurred one, of the same size and channels.
        warp: from the blurred to the sharp.
        channel: which.
        radius: of the kernels.
    """
    target = light(blurred, channel)
    source = light(sharp, channel)
    moved = resample(source, warp)
    unknown = torch.isnan(moved)
    moved = torch.where(unknown, target, moved)
    clipped = _clipped(sharp, channel)
    if clipped is not None:
        unknown |= resample(clipped, warp, order=0) > 0
    far = _dilated(unknown, radius) if bool(unknown.any()) else unknown
    known = (~far).to(target)
    clipped = _clipped(blurred, channel)
    if clipped is not None:
        known *= 1 - clipped
    for axis in (0, 1):
        known.narrow(axis, 0, radius).zero_()
        known.narrow(axis, known.shape[axis] - radius, radius).zero_()
    return Plane(_detail(moved, radius), _detail(target, radius), known, noise_of(source))


def check_pair(sharp: Photo, blurred: Photo) -> None:
    """Refuse what cannot be laid on one another.

    Raises:
        InputError: The pictures differ in size or channels, or one is saturated.
    """
    if sharp.size != blurred.size or sharp.samples.shape[1] != blurred.samples.shape[1]:
        sizes = [f"{p.size[1]} x {p.size[0]} in {p.samples.shape[1]}" for p in (sharp, blurred)]
        raise InputError(
            "sharp and blurred must be of one size and number of channels; got "
            f"{sizes[0]} and {sizes[1]}: take both with one camera, uncut"
        )
    for name, photo in (("sharp", sharp), ("blurred", blurred)):
        masks = [_clipped(photo, channel) for channel in range(photo.samples.shape[1])]
        share = max(0.0 if mask is None else float(mask.mean()) for mask in masks)
        if share > _MOST_CLIPPED:
            raise InputError(
                f"{name} is saturated in {100 * share:.0f} % of the frame: expose for the "
                "highlights"
            )


def noise_of(plane: Tensor) -> float:
    """Standard deviation of the noise in the middle of a plane."""
    top, left = (max(side - _NOISE_SIDE, 0) // 2 for side in plane.shape)
    middle = plane[top : top + _NOISE_SIDE, left : left + _NOISE_SIDE]
    return float(estimate_noise(middle[None, None]))


def _clipped(photo: Photo, channel: int) -> Tensor | None:
    """1 where a sample is at the top of its range, (H, W); None where there is none."""
    if photo.depth == 32:
        return None
    samples = photo.samples[0, channel].to(torch.int32)
    top = 255 if photo.depth == 8 else 65535
    mask = samples >= math.ceil(_WHITE * top)
    return mask.float() if bool(mask.any()) else None


def _dilated(mask: Tensor, radius: int) -> Tensor:
    side, wide = 2 * radius + 1, mask[None, None].float()
    rows = max_pool2d(wide, (side, 1), stride=1, padding=(radius, 0))
    return max_pool2d(rows, (1, side), stride=1, padding=(0, radius))[0, 0] > 0


def _detail(plane: Tensor, radius: int) -> Tensor:
    """`plane` minus most of its Gaussian mean, of a standard deviation of 0.8 kernel radii.

    The tenth of the mean that stays tells how much mass a kernel has, without which its faint outer
    parts grow.
    """
    sigma = max(0.8 * radius, 1.0)
    reach = min(math.ceil(3 * sigma), min(plane.shape) - 1)
    taps = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    taps = taps / taps.sum()
    mean = plane[None, None]
    mean = conv2d(pad(mean, (0, 0, reach, reach), mode="reflect"), taps.reshape(1, 1, -1, 1))
    mean = conv2d(pad(mean, (reach, reach, 0, 0), mode="reflect"), taps.reshape(1, 1, 1, -1))
    return plane - _MEAN_TAKEN * mean[0, 0]
