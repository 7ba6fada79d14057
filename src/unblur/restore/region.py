"""The part of a page that the blur is looked for in."""

from unblur.blind import choose_region
from unblur.restore.page import Page
from unblur.restore.tiling import Box

__all__ = ["region_of"]

# Estimation looks at a square of this side: more pixels do not make the kernel better, only slower.
# Where the kernel's size is given, so many sides of it are enough, but not fewer pixels than that.
_REGION = 640
_KERNELS, _LEAST_REGION = 20, 320
# That square is chosen on the page thinned out to at most this side.
_COARSE = 2048


def region_of(page: Page, kernel_size: int) -> Box:
    """Choose the square to look at on a coarse grid, so that a large page is never read whole.

    Args:
        page: the picture.
        kernel_size: side of the kernel, where it is given; 0 where it is to be found.
    """
    height, width = page.size
    side = min(max(_KERNELS * kernel_size, _LEAST_REGION), _REGION) if kernel_size else _REGION
    if max(height, width) <= side:
        return page.whole
    step = -(-max(height, width) // _COARSE)
    coarse = page.sample(step)
    x, y, _, _ = choose_region(coarse, max(side // step, 16), page.sample_clipped(step))
    left, top = min(x * step, max(width - side, 0)), min(y * step, max(height - side, 0))
    return Box(top, left, min(top + side, height), min(left + side, width))
