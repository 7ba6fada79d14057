"""The protocol of Köhler et al. 2012: the nearest of the pictures along the camera's way."""

import math
from types import MappingProxyType

import torch
from torch import Tensor

from unblur.errors import InputError
from unblur.evaluate.comparisons import Case, Comparison
from unblur.evaluate.ecc import luma
from unblur.photo import read

__all__ = ["KOHLER"]


def _measure(case: Case) -> dict[str, float]:
    best = -math.inf
    for path in case.pair.frames:
        frame = read(path).encoded()
        if frame.shape != case.restored.shape:
            raise InputError(
                f"{path.name} is {_size(frame)}, but {case.pair.name} {_size(case.restored)}; the "
                "truth must have the size and the channels of the picture"
            )
        best = max(best, _psnr(case.restored, frame))
    return {"psnr": best}


def _size(image: Tensor) -> str:
    channels, height, width = image.shape[1:]
    return f"{width} x {height} x {channels}"


def _psnr(image: Tensor, frame: Tensor) -> float:
    """PSNR after the best gain of brightness and the best shift, where the shifted one lies inside.

    The shift is the maximum of the cross-correlation by tenths of a pixel; it is done on spectra.
    """
    from skimage.registration import phase_cross_correlation

    image, frame = image.double(), frame.double()
    scaled = image * (image * frame).sum() / (image * image).sum().clamp(min=1e-12)
    found = phase_cross_correlation(
        luma(frame)[0, 0].numpy(), luma(scaled)[0, 0].numpy(), upsample_factor=10,
        normalization=None,
    )[0]  # fmt: skip
    down, across = (float(value) for value in found)
    moved = _move(scaled, down, across)
    rows, columns = (
        slice(max(math.ceil(shift), 0), side + min(math.floor(shift), 0))
        for shift, side in zip((down, across), image.shape[-2:], strict=True)
    )
    error = (moved - frame)[..., rows, columns].square().mean()
    return float(-10 * torch.log10(error))


def _move(image: Tensor, down: float, across: float) -> Tensor:
    height, width = image.shape[-2:]
    rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None] * down
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)[None, :] * across
    phase = torch.exp(-2j * math.pi * (rows + columns))
    moved: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * phase, s=(height, width))
    return moved


KOHLER = Comparison(
    "the best over the pictures along the camera's way, each after the best gain of brightness and "
    "the best shift by tenths of a pixel, where the shifted picture lies inside",
    MappingProxyType({"psnr": "10 log10(1 / mean squared error), values in [0, 1]"}),
    _measure,
)
