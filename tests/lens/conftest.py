"""A small lens, and a pair of pictures that it took."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy.ndimage import shift
from skimage import data

from unblur.blur import Field, kernels
from unblur.lens import LensProfile, calibrate
from unblur.photo import Carried, Photo


@pytest.fixture(scope="session")
def photo_of() -> Callable[[np.ndarray], Photo]:
    """What makes a photo of an array (H, W, C) whose values are linear light."""
    return linear


@pytest.fixture(scope="session")
def take() -> Callable[..., Any]:
    """What makes a pair of a scene and a field."""
    return taken


class Pair(NamedTuple):
    """Sharp and blurred, in linear light of 16 bits, and the field that lies between."""

    sharp: Photo
    blurred: Photo
    field: Field


def linear(image: np.ndarray) -> Photo:
    """A photo of an array (H, W, C) whose values are linear light."""
    samples = (np.clip(image, 0, 1) * 65535).round().astype(np.uint16)
    tensor = torch.from_numpy(samples).permute(2, 0, 1)[None]
    return Photo(tensor.contiguous(), carried=Carried(bits=16, encoding="linear"))


@pytest.fixture(scope="session")
def lens_field() -> Field:
    """2 x 3 cells, a kernel a channel, red and blue beside green at the sides."""
    rows = []
    for row in range(2):
        cells = []
        for column in range(3):
            sigma = 0.8 + 0.3 * row + 0.5 * abs(column - 1)
            base = kernels.gaussian(sigma, sigma + 0.4, angle=30.0 * column).crop(13).pixels
            step = column - 1
            cells.append(torch.stack([base.roll(step, 1), base, base.roll(-step, 1)]))
        rows.append(torch.stack(cells))
    return Field.of(torch.stack(rows))


def taken(scene: np.ndarray, field: Field, seed: int = 0) -> Pair:
    """A pair: the sharp picture shifted by half pixels and darker, both with 0.5 % of noise."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(scene.astype(np.float32)).permute(2, 0, 1)[None]
    size = (image.shape[2], image.shape[3])
    blurred = field.operator(size, "reflect").forward(image)[0].permute(1, 2, 0).numpy()
    sharp = shift(scene, (1.5, -2.5, 0), order=5, mode="mirror") / 1.1
    noisy = [each + 0.005 * rng.normal(size=each.shape) for each in (sharp, blurred)]
    return Pair(linear(noisy[0]), linear(noisy[1]), field)


@pytest.fixture(scope="session")
def scene() -> np.ndarray:
    """A colour photograph, (240, 360, 3), in [0.05, 0.9]."""
    return 0.05 + 0.85 * data.astronaut()[:240, 60:420].astype(np.float64) / 255


@pytest.fixture(scope="session")
def pair(scene: np.ndarray, lens_field: Field) -> Pair:
    return taken(scene, lens_field)


@pytest.fixture(scope="session")
def profile(pair: Pair) -> LensProfile:
    return calibrate([(pair.sharp, pair.blurred)], grid=(2, 3), kernel_size=13)
