"""How a restored picture meets its truth: each way with the definitions of what it measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from unblur.blur import Kernel
from unblur.datasets import Pair
from unblur.evaluate.ecc import align, luma, warp
from unblur.metrics import psnr, psnr_aligned, ssim, ssim_matlab3d
from unblur.photo import Photo

__all__ = ["REGISTERED", "REGISTERED_FROM_SHIFT", "WHOLE", "Case", "Comparison", "shifted"]

_PSNR = "10 log10(1 / mean squared error), values in [0, 1]"
_SSIM = "Gaussian window 11 x 11, sigma 1.5, per channel"
_SSIM_3D = "Gaussian window 11 x 11 x 11, sigma 1.5, over rows, columns and channels"


@dataclass(frozen=True)
class Case:
    """A restored picture and what it is judged by.

    Attributes:
        pair: of the data set.
        blurred: the picture that was restored.
        truth: (1, C, H, W), in [0, 1]; None where only frames are the truth.
        restored: (1, C, H, W), rounded as the blurred file is.
        kernel: the kernel that the method found or was given, if any.
        blind: whether the method finds the blur itself.
        unchanged: whether the method left the picture alone.
        device: where to compute what the comparison needs.
    """

    pair: Pair
    blurred: Photo
    truth: Tensor | None
    restored: Tensor
    kernel: Kernel | None = None
    blind: bool = False
    unchanged: bool = False
    device: str = "cpu"

    @property
    def target(self) -> Tensor:
        """The truth, where the data set has one picture of it."""
        if self.truth is None:
            raise ValueError(f"{self.pair.name} has no truth")
        return self.truth


@dataclass(frozen=True)
class Comparison:
    """A way to compare.

    Attributes:
        rule: what is done before anything is measured.
        metrics: what each metric is, by its name; the first one sorts.
        measure: gives the values by name; a metric that has no meaning for a case is left out.
    """

    rule: str
    metrics: Mapping[str, str]
    measure: Callable[[Case], dict[str, float]]

    def definition(self, metric: str) -> str:
        """The metric in full: two values are comparable only where these texts are equal."""
        return f"{self.metrics[metric]}; {self.rule}"


def _whole(case: Case) -> dict[str, float]:
    restored, target = case.restored, case.target
    values = {"psnr": float(psnr(restored, target))}
    if min(target.shape[-2:]) >= 11:
        values["ssim"] = float(ssim(restored, target))
    values["ssim-matlab3d"] = float(ssim_matlab3d(restored, target))
    return values


WHOLE = Comparison(
    "whole frames, all channels, rounded to the depth of the file",
    MappingProxyType({"psnr": _PSNR, "ssim": _SSIM, "ssim-matlab3d": _SSIM_3D}),
    _whole,
)


def _registered(from_shift: bool, case: Case) -> dict[str, float]:
    """PSNR and SSIM where the warped picture lies inside, as the programs of RealBlur have it."""
    restored, target = case.restored.double(), case.target.double()
    # Those programs match the brightness before they align; far from the truth that fails.
    start = _shift(restored, target) if from_shift else (0.0, 0.0)
    image = restored if from_shift else _matched(restored, target)
    moved, inside = warp(image, align(image, target, start))
    moved, seen = moved * inside, target * inside
    if from_shift:
        moved = _matched(moved, seen)
    moved = moved.clamp(0, 1)
    error = (moved - seen).square().sum() / (inside.sum() * target.shape[1])
    values = {"psnr": float(-10 * torch.log10(error))}
    if min(target.shape[-2:]) >= 11:
        values["ssim"] = _masked_ssim(moved, seen, inside)
    return values


def _matched(image: Tensor, target: Tensor) -> Tensor:
    """The picture under the gain that brings it nearest to the target."""
    matched: Tensor = image * (image * target).sum() / (image * image).sum().clamp(min=1e-12)
    return matched


def _shift(image: Tensor, target: Tensor) -> tuple[float, float]:
    """The whole shift (dx, dy) from `target` into `image`."""
    from skimage.registration import phase_cross_correlation

    down, across = phase_cross_correlation(
        luma(image)[0, 0].numpy(), luma(target)[0, 0].numpy(), normalization=None
    )[0]
    return float(across), float(down)


def _masked_ssim(moved: Tensor, seen: Tensor, inside: Tensor) -> float:
    from skimage.metrics import structural_similarity

    _, everywhere = structural_similarity(
        seen[0].numpy(), moved[0].numpy(), channel_axis=0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1.0, full=True,
    )  # fmt: skip
    mask = inside[0].numpy()[:, 5:-5, 5:-5]
    return float(np.mean((everywhere[:, 5:-5, 5:-5] * mask).sum((1, 2)) / mask.sum()))


_WARPED = (
    "aligned by the homography of the highest correlation (ECC, at most 100 steps, 5 x 5 "
    "Gaussian), bicubic, where the warped picture lies inside"
)
_ALIGNED_METRICS = MappingProxyType({"psnr": _PSNR, "ssim": _SSIM})

REGISTERED = Comparison(
    f"brightness matched, then {_WARPED}; the search starts without shift",
    _ALIGNED_METRICS,
    partial(_registered, False),
)
REGISTERED_FROM_SHIFT = Comparison(
    f"{_WARPED}, then brightness matched; the search starts at the best whole shift",
    _ALIGNED_METRICS,
    partial(_registered, True),
)


def _shifted(max_shift: int, border: int, case: Case) -> dict[str, float]:
    found = psnr_aligned(case.restored, case.target, max_shift=max_shift, border=border)
    return {"psnr": float(found)}


def shifted(max_shift: int, border: int) -> Comparison:
    """PSNR after the best shift by quarter pixels.

    Example:
        >>> shifted(9, 20).rule
        'after the best shift by quarter pixels up to 9, 20 pixels cut from each side'
    """
    return Comparison(
        f"after the best shift by quarter pixels up to {max_shift}, {border} pixels cut from each "
        "side",
        MappingProxyType({"psnr": _PSNR}),
        partial(_shifted, max_shift, border),
    )
