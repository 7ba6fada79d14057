"""The weights of `dpanet` that come along: they sharpen, they calm noise, and do no harm."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d
from skimage import data

import unblur
from unblur.nets import store


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who added nothing."""
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path))


def photograph() -> np.ndarray:
    """Half the size of the picture, so that it is sharp."""
    return data.astronaut().reshape(256, 2, 256, 2, 3).mean((1, 3), dtype=np.float32) / 255


def psnr(image: np.ndarray, sharp: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(image - sharp).mean()))


@pytest.mark.parametrize(
    "blur",
    [
        lambda sharp: gaussian_filter(sharp, (1.5, 1.5, 0)),
        lambda sharp: uniform_filter1d(sharp, 7, axis=1),
    ],
    ids=["gaussian", "motion"],
)
def test_what_is_blurred_gets_better(blur) -> None:
    sharp = photograph()
    blurred = blur(sharp)
    blurred += np.random.default_rng(0).normal(0, 0.01, sharp.shape).astype(np.float32)
    found = unblur.deblur(blurred.clip(0, 1), "dpanet")
    assert found.report.unchanged is None
    assert psnr(found.image, sharp) > psnr(blurred, sharp) + 0.5


def test_a_sharp_picture_is_kept() -> None:
    sharp = photograph()
    assert psnr(unblur.deblur(sharp, "dpanet").image + 1e-9, sharp) > 45


def test_they_come_with_the_package() -> None:
    assert store.find("dpanet-general") == store.SHIPPED / "dpanet-general.safetensors"
    entry = next(each for each in store.entries() if each.name == "dpanet-general")
    assert (entry.shipped, entry.damage, entry.notes["licence"]) == (True, None, "MIT")
