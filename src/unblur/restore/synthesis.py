"""Blurring pictures on purpose, through the same types as `deblur`."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unblur.blur import Defocus, Field, Kernel, add_noise, add_poisson_gaussian, jpeg
from unblur.blur.checks import integer, real
from unblur.blur.operator import Operator
from unblur.blur.synthesis import Synthesis
from unblur.blur.synthesis.camera import expand_highlights, tone, untone
from unblur.photo import Photo
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.checks import check_seed, check_share

__all__ = ["blur"]


def blur(
    image: Any,
    kernel: Any,
    *,
    noise: float = 0.0,
    saturation: float = 1.0,
    photons: float | None = None,
    contrast: float = 1.0,
    compression: int | None = None,
    seed: int = 0,
    encoding: Encoding | None = None,
) -> Any:
    """Blur a picture as a camera would: v = k * u + n, and what else happens to light.

    The blur acts on linear light where the picture says how. Beyond the frame the picture is taken
    to go on as its mirror image. Alpha stays as it is. The stages, in this order: the tone curve is
    undone, light made linear, highlights expanded, light blurred, clipped, shot noise added; then
    the response redone, noise added to the values as they are stored, and compressed.

    Args:
        image: what `deblur` takes; not modified.
        kernel: a Kernel, an array, a Field, or a Defocus.
        noise: standard deviation of Gaussian noise, values in [0, 1].
        saturation: what white becomes before the blur, 1 to 100; what is then above white is
            clipped after it.
        photons: how many make white, at least 1: shot noise in light. None for none.
        contrast: slope of the camera's tone curve in the middle, 0.1 to 10; 1 is none.
        compression: quality of JPEG, 1 to 100, on 8 bits; None for none.
        seed: of the noise.
        encoding: as for `deblur`.

    Returns:
        The blurred picture, of the type, dtype and size that was given (a Photo for a path).

    Raises:
        KernelError: The kernel is not one, or is larger than the picture.
        ParameterError: A number is out of range.

    Example:
        >>> import numpy as np, unblur
        >>> point = np.zeros((9, 9))
        >>> point[4, 4] = 1.0
        >>> blurred = unblur.blur(point, unblur.kernels.motion(length=3, angle=0))
        >>> [round(float(value), 2) for value in blurred[4, 3:6]]
        [0.33, 0.33, 0.33]
    """
    check_share("noise", noise)
    check_seed(seed)
    saturation = real("saturation", saturation, 1, 100)
    contrast = real("contrast", contrast, 0.1, 10)
    gain = 0.0 if photons is None else 1 / real("photons", photons, 1, 1e12)
    if compression is not None:
        integer("compression", compression, 1, 100)
    adapted = adapt(image, encoding)
    photo = adapted.photo
    operator = _operator(kernel, photo.size)
    generator = torch.Generator().manual_seed(seed)
    pages = []
    for index in range(photo.pages):
        page = replace(
            photo,
            samples=photo.samples[index : index + 1],
            alpha=None if photo.alpha is None else photo.alpha[index : index + 1],
        )
        light = _expose(_light(page, contrast), operator, saturation, gain, generator)
        page = _develop(page, light, contrast)
        if noise > 0:
            page = page.with_encoded(add_noise(page.encoded(), noise, generator))
        if compression is not None:
            page = page.with_encoded(jpeg(page.encoded(), compression))
        pages.append(page.samples)
    return adapted.back(replace(photo, samples=torch.cat(pages)))


def _operator(kernel: Any, size: tuple[int, int]) -> Operator:
    if isinstance(kernel, Field | Defocus):
        return kernel.operator(size, "reflect")
    uniform = kernel if isinstance(kernel, Kernel) else Kernel.from_array(kernel)
    uniform.check_fits(size)
    return Field.uniform(uniform).operator(size, "reflect")


def _light(page: Photo, contrast: float) -> Tensor:
    """Linear light, the tone curve undone."""
    if contrast == 1:
        return page.linear()
    neutral, slope = torch.tensor(0.0), torch.tensor(contrast)
    return page.transfer.to_linear(untone(page.encoded(), neutral, slope))


def _expose(
    light: Tensor, operator: Operator, saturation: float, gain: float, generator: torch.Generator
) -> Tensor:
    """Expanded, blurred, clipped, with shot noise; the neutral values leave light's range alone."""
    if saturation > 1:
        light = expand_highlights(light, torch.tensor(saturation), Synthesis.threshold)
    light = operator.forward(light)
    if saturation > 1:
        light = light.clamp(0, 1)
    return add_poisson_gaussian(light, gain, 0, generator) if gain else light


def _develop(page: Photo, light: Tensor, contrast: float) -> Photo:
    """The page with these pixels, through the camera's response."""
    if contrast == 1:
        return page.with_linear(light)
    values = page.transfer.to_encoded(light).clamp(0, 1)
    return page.with_encoded(tone(values, torch.tensor(0.0), torch.tensor(contrast)))
