"""A miniature set of pairs, and a network of random weights that is quick."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from skimage import data

QUICK = "dpanet:backend=torch,precision=float32,guard=false"


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., Path]:
    """Make `input/` and `target/` with some blurred crops of a photograph; gives the folder."""

    def make(count: int = 3, size: int = 48, *, shift: int = 0, name: str = "set") -> Path:
        root = tmp_path / name
        for kind in ("input", "target"):
            (root / kind).mkdir(parents=True)
        for number in range(count):
            top = 40 + 60 * number
            sharp = data.astronaut()[top : top + size, 180 : 180 + size]
            blurred = scipy.ndimage.gaussian_filter(sharp, (0.4 + 0.4 * number,) * 2 + (0,))
            Image.fromarray(sharp).save(root / "target" / f"{number}.png")
            moved = np.roll(blurred, (shift, shift), (0, 1))
            Image.fromarray(moved).save(root / "input" / f"{number}.png")
        return root

    return make
