"""Behind a kernel that was estimated: nothing rings where the blurred picture shows nothing."""

import math
from dataclasses import replace

from torch import Tensor

from unblur.blur import Kernel
from unblur.deconvolve.calm import CELL, calm, calm_halo
from unblur.progress import Progress
from unblur.restore.method import Prepared, Tile

__all__ = ["calmed"]

_LEAST_NOISE = 1e-4


def calmed(found: Prepared, noise_std: float) -> Prepared:
    """Let `unblur.deconvolve.calm` follow on every tile, where `l0` estimated the blur.

    It may have done so at another time: with the kernel that it gave, a picture comes back as it
    did then. Other kernels are taken for true.

    Args:
        found: what undoes the blur.
        noise_std: of the picture by its looks, at least 0.
    """
    restorer, blur = found.restorer, found.varying or found.blur
    if restorer is None or blur is None or not blur.record.method.startswith("l0"):
        return found
    kernel = blur.pixels if isinstance(blur, Kernel) else blur
    undo, noise = restorer.apply, max(noise_std, _LEAST_NOISE)

    def apply(tile: Tile, progress: Progress | None) -> Tensor:
        return calm(tile.image, undo(tile, progress), kernel, noise_std=noise)

    return replace(
        found,
        restorer=replace(
            restorer,
            apply=apply,
            halo=max(restorer.halo, calm_halo(kernel)),
            multiple_of=math.lcm(restorer.multiple_of, CELL),
        ),
    )
