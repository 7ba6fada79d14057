"""The distortion prior of a lens: estimated tile by tile, kept on a coarse grid, cut for tiles.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from unblur.errors import KernelError
from unblur.lens.turning import inverse_of, turned
from unblur.progress import Progress, report

__all__ = ["PriorEstimator", "StoredPrior", "estimate_prior"]

Levels = tuple[Tensor, Tensor, Tensor]
Size = tuple[int, int]


@dataclass(frozen=True)
class PriorEstimator:
    """A network that turns a calibration pair into the prior.

    Attributes:
        estimate: (sharp, blurred), each (1, 3, h, w) with sides that are multiples of 4, to the
            prior at full, half and quarter resolution.
        halo: how far the network looks, in pixels.
        weights: what identifies its weights.
    """

    estimate: Callable[[Tensor, Tensor], Levels]
    halo: int
    weights: str


@dataclass(frozen=True, eq=False)
class StoredPrior:
    """The prior over the frame of a sensor.

    Attributes:
        levels: three tensors (1, C, rows, columns), finest first; each covers the whole frame.
        weights: of the network that made it, and that alone understands it.
    """

    levels: Levels
    weights: str

    @staticmethod
    def of(levels: tuple[Tensor, ...], weights: object) -> "StoredPrior":
        """Check what came from a file.

        Raises:
            KernelError: It is no prior.
        """
        if (
            len(levels) != 3
            or not isinstance(weights, str)
            or any(each.ndim != 4 or each.shape[0] != 1 or 0 in each.shape for each in levels)
            or not all(bool(torch.isfinite(each).all()) for each in levels)
        ):
            raise KernelError("the distortion prior must be three finite (1, C, rows, columns)")
        fine, middle, coarse = levels
        return StoredPrior((fine, middle, coarse), weights)

    def upright(self, orientation: int) -> "StoredPrior":
        """For pictures that an EXIF orientation made upright."""
        fine, middle, coarse = (turned(each, orientation) for each in self.levels)
        return replace(self, levels=(fine, middle, coarse))

    def to_sensor(self, orientation: int) -> "StoredPrior":
        """The inverse of `upright`."""
        return self.upright(inverse_of(orientation))

    def part(self, box: tuple[int, int, int, int], page: Size) -> Levels:
        """The prior of a tile, at full, half and quarter resolution of it.

        Bilinear between cells. A tile that begins at multiples of 4 gets what the whole page would
        get there.

        Args:
            box: (top, left, height, width) of the tile; the sides are extended to multiples of 4.
            page: (height, width).
        """
        top, left, height, width = box
        fine, middle, coarse = (
            _cut(
                each.float(), (top, left), (-(-height // 4) * 4, -(-width // 4) * 4), page, 2**step
            )
            for step, each in enumerate(self.levels)
        )
        return fine, middle, coarse


def _cut(level: Tensor, corner: Size, size: Size, page: Size, step: int) -> Tensor:
    """(1, C, h / step, w / step) of a level whose cells cover the page."""
    axes = []
    for start, side, whole in zip(corner, size, page, strict=True):
        middle = start + (torch.arange(side // step, device=level.device) + 0.5) * step
        axes.append(2 * middle / whole - 1)
    y, x = torch.meshgrid(axes[0].to(level), axes[1].to(level), indexing="ij")
    grid = torch.stack((x, y), -1)[None]
    return grid_sample(level, grid, "bilinear", "border", align_corners=False)


def estimate_prior(
    sharp: Tensor,
    blurred: Tensor,
    estimator: PriorEstimator,
    *,
    cell: int = 16,
    tile: int = 512,
    progress: Progress | None = None,
) -> StoredPrior:
    """Estimate the prior of a pair, tile by tile, and keep its means over square cells.

    What the network says of single pixels is about the scene of the pair; what stays when it is
    averaged is about the lens, and changes slowly. A cell of 4 keeps all that a quarter of the
    resolution holds.

    Args:
        sharp: (1, C, H, W), C = 1 or 3, as it is displayed, laid on the blurred picture.
        blurred: likewise.
        estimator: the network.
        cell: side in pixels, a multiple of 4.
        tile: side of the tiles, without what is seen around them; a multiple of `cell`.
        progress: told after each tile.
    """
    height, width = blurred.shape[-2:]
    rows, columns = -(-height // cell), -(-width // cell)
    pictures = [_whole(each, (rows * cell, columns * cell)) for each in (sharp, blurred)]
    halo = -(-estimator.halo // 4) * 4
    kept: list[Tensor] = []
    tops, lefts = range(0, rows * cell, tile), range(0, columns * cell, tile)
    for number, (top, left) in enumerate((y, x) for y in tops for x in lefts):
        report(progress, "prior", number / (len(tops) * len(lefts)))
        starts = [max(each - halo, 0) for each in (top, left)]
        parts = [
            each[..., starts[0] : top + tile + halo, starts[1] : left + tile + halo]
            for each in pictures
        ]
        for step, level in enumerate(estimator.estimate(parts[0], parts[1])):
            inner = [
                (corner - start) // 2**step
                for corner, start in zip((top, left), starts, strict=True)
            ]
            side = tile // 2**step
            means = torch.nn.functional.avg_pool2d(
                level[..., inner[0] : inner[0] + side, inner[1] : inner[1] + side].float(),
                cell // 2**step,
            ).cpu()
            if number == 0:
                kept.append(means.new_zeros(1, means.shape[1], rows, columns))
            y, x = top // cell, left // cell
            kept[step][..., y : y + means.shape[-2], x : x + means.shape[-1]] = means
    report(progress, "prior", 1.0)
    fine, middle, coarse = kept
    return StoredPrior((fine, middle, coarse), estimator.weights)


def _whole(image: Tensor, size: Size) -> Tensor:
    """Three channels, extended to `size` by repeating the edge."""
    below, right = size[0] - image.shape[-2], size[1] - image.shape[-1]
    wide = torch.nn.functional.pad(image, (0, right, 0, below), mode="replicate")
    return wide.expand(-1, 3, -1, -1)
