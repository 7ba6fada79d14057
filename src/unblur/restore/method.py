"""What a method is: an entry of the catalogue, and what it makes of a picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from unblur.blur import Field, Kernel
from unblur.lens.prior import StoredPrior
from unblur.progress import Progress
from unblur.restore.page import Page
from unblur.restore.tiling import Box

__all__ = ["Build", "Given", "Method", "Prepared", "Restorer", "Tile"]


@dataclass(frozen=True)
class Tile:
    """A piece of a page for a restorer; several where it takes them, `box` is the first one's.

    Attributes:
        image: (B, C, h, w), B pieces of one size.
        clipped: bool, (1, C, h, w): at least as bright as they look; or None.
        ignored: bool, (1, 1, h, w): say nothing; or None.
        box: where the piece sits in the page.
        page: the page's (height, width).
    """

    image: Tensor
    clipped: Tensor | None
    ignored: Tensor | None
    box: Box
    page: tuple[int, int]

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The box as (x, y, width, height)."""
        height, width = self.box.size
        return self.box.left, self.box.top, width, height


@dataclass(frozen=True)
class Restorer:
    """Tile to tile of the same size.

    Attributes:
        apply: the work.
        halo: how far a pixel's surroundings matter, in pixels.
        exact_tiling: whether tiles with that halo agree with the whole to half a grey level of 8
            bits.
        bytes_per_pixel: what `apply` holds at its peak, for one pixel of a tile.
        multiple_of: what tiles see begins at multiples of this.
        bytes_fixed: what it holds beside that, whatever the size.
        frame: by how many pixels what it works on is higher and wider than a tile.
        ramp: the widest half of what neighbouring tiles share; None goes up to half of the halo.
        least_halo: what a tile must see where the memory is short; None is the halo.
        best_tile: side of a tile from which on a pixel costs more time, as arrays outgrow what the
            processor and the allocator keep at hand; 0 is none.
        together: how many tiles of one size `apply` takes at once, masks left aside.
        apart: up to so many tiles, of any size, are restored side by side, each by itself on one
            core.
        remark: a sentence for the report where a page is cut into tiles, or None.
    """

    apply: Callable[[Tile, Progress | None], Tensor]
    halo: int
    exact_tiling: bool
    bytes_per_pixel: int
    multiple_of: int = 1
    bytes_fixed: int = 0
    frame: int = 0
    ramp: int | None = None
    least_halo: int | None = None
    best_tile: int = 0
    together: int = 1
    apart: bool = False
    remark: str | None = None

    @property
    def alike(self) -> bool:
        """Whether tiles share evenly what they see: those of networks, which agree with the whole.

        Others give each tile's core something of its own, for which smaller cores are better, or
        are not worth another plan.
        """
        return self.exact_tiling and self.ramp is not None


@dataclass(frozen=True)
class Given:
    """What the caller says besides the picture and the parameters.

    Attributes:
        kernel: the blur.
        start: a kernel that the search for the blur begins with.
        roi: where to look for the blur.
        seed: of what is drawn.
        prior: of a calibrated lens, for a network.
        kernel_error: what the kernel is known to leave unexplained, a standard deviation.
        restore: whether the picture is to be restored; False only looks for its blur.
    """

    kernel: Kernel | Field | None = None
    start: Kernel | None = None
    roi: Box | None = None
    seed: int = 0
    prior: StoredPrior | None = None
    kernel_error: float = 0.0
    restore: bool = True


@dataclass(frozen=True)
class Prepared:
    """What a method found out about a page before restoring it.

    Attributes:
        restorer: does the work; None where there is nothing to do, or none is to be done.
        unchanged: why there is nothing to do.
        blur: the kernel or field that is undone, or the one kernel that is nearest to `varying`.
        varying: the field that is undone in the place of `blur`.
        measured: numbers for the report.
        warnings: sentences for the report.
        solver: parameters of what undoes a blur that was given.
    """

    restorer: Restorer | None
    unchanged: str | None = None
    blur: Kernel | Field | None = None
    varying: Field | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    solver: Any = None


class Build(Protocol):
    """A method with its parameters set: looks at a page and prepares its restoration."""

    def __call__(self, page: Page, given: Given, progress: Progress | None) -> Prepared:
        """Raise ParameterError where `given` lacks what the method needs."""
        ...


def _always_ready(_: Any) -> tuple[bool, str]:
    return True, ""


@dataclass(frozen=True)
class Method:
    """An entry of the catalogue.

    Attributes:
        name: as users type it.
        summary: what it does, one line.
        when: when to choose it, one line.
        needs_kernel: whether the blur must be given.
        parameters: frozen dataclass; its fields are annotated with `Parameter`.
        build: from an instance of `parameters`, and the device, to the method at work.
        needs_weights: whether it is a network, which no kernel can be given to.
        ready: from an instance of `parameters` to whether it can run here, and if not, what is
            missing.
    """

    name: str
    summary: str
    when: str
    needs_kernel: bool
    parameters: type
    build: Callable[[Any, torch.device], Build]
    needs_weights: bool = False
    ready: Callable[[Any], tuple[bool, str]] = _always_ready
