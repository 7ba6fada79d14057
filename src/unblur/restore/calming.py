"""A restorer whose kernel was estimated: nothing rings where the blurred picture shows nothing."""

import math
from dataclasses import replace

from torch import Tensor

from unblur.blur import Field, Kernel
from unblur.deconvolve.calm import CELL, calm, calm_halo
from unblur.progress import Progress
from unblur.restore.method import Restorer, Tile

__all__ = ["calmed"]


def calmed(restorer: Restorer, blur: Kernel | Field, noise_std: float) -> Restorer:
    """Let `unblur.deconvolve.calm` follow on every tile.

    Args:
        restorer: undoes `blur`.
        blur: as it was estimated.
        noise_std: of the picture by its looks, positive.
    """
    kernel = blur.pixels if isinstance(blur, Kernel) else blur

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        restored = restorer.apply(tile, progress)
        return calm(tile.image, restored, kernel, noise_std=noise_std)

    return replace(
        restorer,
        apply=apply,
        halo=max(restorer.halo, calm_halo(kernel)),
        multiple_of=math.lcm(restorer.multiple_of, CELL),
    )
