"""Alignment of two pictures of a plane scene: the homography of the highest correlation."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from unblur.errors import InputError

__all__ = ["align", "luma", "warp"]

_ITERATIONS = 100
# Corners that move by less than this many pixels move no more.
_SETTLED = 5e-3
# The template and the picture are smoothed by 5 x 5 pixels of a Gaussian first.
_SIGMA, _RADIUS = 1.1, 2
_RIM = _RADIUS + 1
_WITHIN = 0.999
# Eight numbers are not found from fewer pixels.
_FEWEST = 64
_LUMA = (0.299, 0.587, 0.114)


def luma(image: Tensor) -> Tensor:
    """The brightness of (B, C, H, W) as (B, 1, H, W): 0.299 R + 0.587 G + 0.114 B, or grey."""
    if image.shape[1] == 1:
        return image
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def warp(image: Tensor, homography: Tensor, mode: str = "bicubic") -> tuple[Tensor, Tensor]:
    """Look a picture up at homography(x, y, 1) for each pixel (x, y).

    Args:
        image: (1, C, H, W); beyond its border it is mirrored.
        homography: (3, 3), in pixels, x before y, from the result into `image`.
        mode: "bicubic" or "bilinear".

    Returns:
        The warped picture, and a mask, bool (1, 1, H, W): True where it was looked up inside.

    Example:
        >>> shift = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
        >>> moved, inside = warp(torch.tensor([[[[0.0, 1, 2]]]]), shift)
        >>> moved[..., :2], inside
        (tensor([[[[1., 2.]]]]), tensor([[[[ True,  True, False]]]]))
    """
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64),
        torch.arange(width, dtype=torch.float64),
        indexing="ij",
    )
    h = homography.double()
    scale = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    across = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / scale
    down = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / scale
    inside = (across > -0.5) & (across < width - 0.5) & (down > -0.5) & (down < height - 0.5)
    grid = torch.stack(((2 * across + 1) / width - 1, (2 * down + 1) / height - 1), -1)
    moved = grid_sample(
        image, grid[None].to(image), mode=mode, padding_mode="reflection", align_corners=False
    )
    return moved, inside[None, None]


def align(image: Tensor, target: Tensor, start: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Find the homography from `target` into `image` that maximises their correlation.

    Enhanced correlation coefficient, by the forward additive algorithm: gain and offset of
    brightness between the two do not matter. At most 100 Gauss-Newton steps on pictures smoothed
    by 5 x 5 pixels.

    Args:
        image: (1, C, H, W).
        target: of the same height and width.
        start: (dx, dy) in pixels, where the search begins.

    Returns:
        (3, 3) for `warp`, float64.

    Raises:
        InputError: The pictures have nothing in common that could be aligned.

    Source:
        Evangelidis & Psarakis 2008.

    Example:
        >>> from skimage import data
        >>> picture = torch.from_numpy(data.camera()[::4, ::4] / 255)[None, None]
        >>> found = align(picture[..., 2:], picture[..., :-2])
        >>> found[0, 2].round(decimals=1)
        tensor(-2., dtype=torch.float64)
    """
    template, picture = (_smooth(luma(each).double()) for each in (target, image))
    height, width = template.shape[-2:]
    frame = _Frame.of(height, width)
    shift = frame.inward.new_tensor([[1, 0, start[0]], [0, 1, start[1]], [0, 0, 1]])
    homography = frame.inward @ shift @ frame.outward
    # Smoothing and gradients at the border are made of mirrored pixels, and would pull.
    inner = torch.zeros_like(picture)
    inner[..., _RIM:-_RIM, _RIM:-_RIM] = 1
    stack = torch.cat((picture, *_gradients(picture, frame.span), inner), 1)
    for _ in range(_ITERATIONS):
        step = _step(stack, template, homography, frame)
        homography = homography + step
        if float(step.abs().sum()) * frame.span < _SETTLED:
            break
    homography = homography / homography[2, 2]
    if not bool(torch.isfinite(homography).all()):
        raise _nothing()
    found = frame.outward @ homography @ frame.inward
    return found / found[2, 2]


class _Frame(NamedTuple):
    """Coordinates about the centre in units of half the longer side, which condition the steps."""

    x: Tensor
    y: Tensor
    span: float
    inward: Tensor
    outward: Tensor

    @classmethod
    def of(cls, height: int, width: int) -> "_Frame":
        span = max(height, width) / 2
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        y, x = torch.meshgrid(
            (torch.arange(height, dtype=torch.float64) - middle_y) / span,
            (torch.arange(width, dtype=torch.float64) - middle_x) / span,
            indexing="ij",
        )
        outward = torch.tensor(
            [[span, 0, middle_x], [0, span, middle_y], [0, 0, 1]], dtype=torch.float64
        )
        return cls(x.flatten(), y.flatten(), span, torch.linalg.inv(outward), outward)


def _smooth(image: Tensor) -> Tensor:
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=image.dtype)
    taps = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    taps = taps / taps.sum()
    framed = pad(image, (_RADIUS,) * 4, mode="reflect")
    return conv2d(conv2d(framed, taps.reshape(1, 1, -1, 1)), taps.reshape(1, 1, 1, -1))


def _gradients(image: Tensor, span: float) -> tuple[Tensor, Tensor]:
    """Central differences along x and y, for a unit of `span` pixels."""
    framed = pad(image, (1, 1, 1, 1), mode="replicate")
    across = (framed[..., 1:-1, 2:] - framed[..., 1:-1, :-2]) * (span / 2)
    down = (framed[..., 2:, 1:-1] - framed[..., :-2, 1:-1]) * (span / 2)
    return across, down


def _step(stack: Tensor, template: Tensor, homography: Tensor, frame: _Frame) -> Tensor:
    """The change of the homography (3, 3) of one Gauss-Newton step."""
    warped, inside = warp(stack, frame.outward @ homography @ frame.inward, "bilinear")
    *planes, inner = warped[0]
    seen = (inside[0, 0] & (inner > _WITHIN) & (stack[0, -1] > _WITHIN)).flatten()
    if int(seen.sum()) < _FEWEST:
        raise _nothing()
    values, across, down = (plane.flatten()[seen] for plane in planes)
    wanted = template.flatten()[seen]
    x, y = frame.x[seen], frame.y[seen]
    h = homography
    scale = 1 / (h[2, 0] * x + h[2, 1] * y + h[2, 2])
    moved_x = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) * scale
    moved_y = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) * scale
    across, down = across * scale, down * scale
    depth = -(moved_x * across + moved_y * down)
    jacobian = torch.stack(
        (across * x, across * y, across, down * x, down * y, down, depth * x, depth * y)
    )
    values, wanted = values - values.mean(), wanted - wanted.mean()
    hessian = jacobian @ jacobian.T
    by_image, by_template = jacobian @ values, jacobian @ wanted
    try:
        solved = torch.linalg.solve(hessian, by_image)
    except RuntimeError as error:
        raise _nothing() from error
    gain = (values @ values) - by_image @ solved
    loss = (wanted @ values) - by_template @ solved
    if not math.isfinite(float(loss)) or float(loss) <= 0:
        raise _nothing()
    update = torch.linalg.solve(hessian, (gain / loss) * by_template - by_image)
    return torch.cat((update, update.new_zeros(1))).reshape(3, 3)


def _nothing() -> InputError:
    return InputError("the picture cannot be aligned with its truth: they hardly correlate")
