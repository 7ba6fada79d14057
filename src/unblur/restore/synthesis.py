"""Blurring pictures on purpose, through the same types as `deblur`."""

from dataclasses import replace
from typing import Any

import torch

from unblur.blur import Field, Kernel
from unblur.blur.noise import add_noise
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.checks import check_seed, check_share

__all__ = ["blur"]


def blur(
    image: Any,
    kernel: Any,
    *,
    noise: float = 0.0,
    seed: int = 0,
    encoding: Encoding | None = None,
) -> Any:
    """Blur a picture: v = k * u + n.

    The blur acts on linear light where the picture says how; the noise is added to the values as
    they are stored. Beyond the frame the picture is taken to go on as its mirror image. Alpha stays
    as it is.

    Args:
        image: what `deblur` takes; not modified.
        kernel: a Kernel, an array, or a Field.
        noise: standard deviation of Gaussian noise, values in [0, 1].
        seed: of the noise.
        encoding: as for `deblur`.

    Returns:
        The blurred picture, of the type, dtype and size that was given (a Photo for a path).

    Raises:
        KernelError: The kernel is not one, or is larger than the picture.
        ParameterError: `noise` or `seed` is out of range.

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
    adapted = adapt(image, encoding)
    photo = adapted.photo
    field = kernel if isinstance(kernel, Field) else None
    if field is None:
        uniform = kernel if isinstance(kernel, Kernel) else Kernel.from_array(kernel)
        uniform.check_fits(photo.size)
        field = Field.uniform(uniform)
    operator = field.operator(photo.size, "reflect")
    generator = torch.Generator().manual_seed(seed)
    pages = []
    for index in range(photo.pages):
        page = replace(
            photo,
            samples=photo.samples[index : index + 1],
            alpha=None if photo.alpha is None else photo.alpha[index : index + 1],
        )
        page = page.with_linear(operator.forward(page.linear()))
        if noise > 0:
            page = page.with_encoded(add_noise(page.encoded(), noise, generator))
        pages.append(page.samples)
    return adapted.back(replace(photo, samples=torch.cat(pages)))
