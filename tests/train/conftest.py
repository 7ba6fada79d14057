"""A folder of small sharp pictures, and a run that takes a second."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CONFIG = """
model:
  network: dpanet
  arguments: {width: 2, blocks: 1, prior_blocks: 1}
  loss: charbonnier
  lr: 1.0e-3
  warmup: 2
  scores: [psnr]
data:
  root: ROOT
  held_out: 3
  patch: 16
  batch: 4
  validation_patch: 16
  workers: 0
  synthesis: {margin: 6, shares: {motion: 1, disk: 1}, motion: [3, 9], disk: [1, 4], bank: 1}
trainer: {max_steps: 6, val_check_interval: 3, gradient_clip_val: 0.5, accelerator: cpu}
keep: {every: 3, figures: 1, pictures: 2, ema: 0.9}
"""


@pytest.fixture(scope="session")
def sharp_folder(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    """Ten sharp pictures of 48 x 40 pixels."""
    folder = tmp_path_factory.mktemp("sharp")
    for n in range(10):
        top, left = 5 * n, 7 * n
        piece = photograph[top : top + 40, left : left + 48]
        Image.fromarray(piece).save(folder / f"{n}.png")
    return folder


@pytest.fixture
def config(tmp_path: Path, sharp_folder: Path) -> Path:
    """The file of the run."""
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG.replace("ROOT", str(sharp_folder)), encoding="utf-8")
    return path


@pytest.fixture
def trained(config: Path, tmp_path: Path) -> Callable[..., Path]:
    """Train into a folder with some overrides, and give the folder."""

    def run(name: str, *overrides: str, resume: bool = False, **more: object) -> Path:
        from unblur.train.run import train

        folder = tmp_path / name
        train(str(config), overrides, folder=folder, resume=resume, **more)  # type: ignore[arg-type]
        return folder

    return run
