"""Fields from motion of the camera, and from the distortion of a lens."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from unblur.blur.areas import direction, path_tent
from unblur.blur.checks import MAX_SIDE, integer, odd_side, real, size_pair
from unblur.blur.field import Field
from unblur.blur.record import Record
from unblur.errors import ParameterError

__all__ = ["camera_shake", "lens_field", "random_lens_field", "rotation_field"]

_Array = NDArray[np.float64]

# A turn of the camera is followed in this many straight steps: at a degree, the arc leaves the
# chord by a millionth of the radius.
_STEPS = 64


def camera_shake(
    poses: ArrayLike,
    size: tuple[int, int],
    grid: tuple[int, int] = (6, 8),
    *,
    kernel_size: int | None = None,
    weights: ArrayLike | None = None,
) -> Field:
    """The field of a camera that shifts and rolls during the exposure.

    A point p, measured from the centre of the frame, is seen at R(angle) p + (dy, dx): a homography
    for each pose. The kernel of a cell is the time that its centre's path p' - p spends at each
    place, shared linearly between neighbouring pixels.

    Args:
        poses: (N, 3) of dy, dx in pixels (rows downwards) and degrees counter-clockwise, in order
            of time.
        size: (height, width) of the frame.
        grid: (rows, columns) of kernels.
        kernel_size: odd side of the kernels; None for the least that holds all paths.
        weights: (N - 1,) time between poses; None for equal times.

    Raises:
        ParameterError: an argument has the wrong shape or range, or a path does not fit the kernel.

    Example:
        >>> field = camera_shake([[0, -1, 0], [0, 1, 0]], (100, 100), (1, 1))
        >>> field.at(0.5, 0.5)[0]
        tensor([[0.2500, 0.5000, 0.2500]])
    """
    path = _checked_poses(poses)
    shares = _checked_shares(weights, len(path))
    if len(path) == 1:
        path = np.concatenate((path, path))
    cells = _cell_centres(size, grid)
    # Rows grow downwards, so counter-clockwise on the screen is y' = cos y - sin x, x' = sin y +
    # cos x.
    turn = np.radians(path[:, 2])
    y, x = cells[..., 0, None], cells[..., 1, None]
    moved_y = np.cos(turn) * y - np.sin(turn) * x + path[:, 0]
    moved_x = np.sin(turn) * y + np.cos(turn) * x + path[:, 1]
    paths = np.stack((moved_y - y, moved_x - x), -1)
    record = Record("camera_shake", {"poses": len(path), "size": list(size), "grid": list(grid)})
    return _field([paths], shares, kernel_size, record)


def rotation_field(
    degrees: float,
    size: tuple[int, int],
    grid: tuple[int, int] = (6, 8),
    *,
    translation: tuple[float, float] = (0.0, 0.0),
    kernel_size: int | None = None,
) -> Field:
    """The field of a camera that rolls by `degrees` while it shifts by `translation` (dy, dx).

    Half of the way lies before the middle of the exposure, so the picture stays where it is. The
    centre of the frame is blurred by the translation alone; the corners turn the most.

    Raises:
        ParameterError: an argument is out of range.

    Example:
        >>> field = rotation_field(2, (90, 90), (3, 3))
        >>> field.grid, float(field.at(0.5, 0.5).max())
        ((3, 3), 1.0)
    """
    degrees = real("degrees", degrees, -180, 180)
    dy, dx = (real("translation", value, -MAX_SIDE, MAX_SIDE, "pixels") for value in translation)
    poses = np.linspace(-0.5, 0.5, _STEPS + 1)[:, None] * np.array([dy, dx, degrees])
    return camera_shake(poses, size, grid, kernel_size=kernel_size)


def lens_field(
    angle: float,
    scales: ArrayLike,
    size: tuple[int, int],
    grid: tuple[int, int] = (6, 8),
    *,
    kernel_size: int | None = None,
) -> Field:
    """The blur of a distorting lens: x' = R^-1 T R x about the optical centre.

    R is a rotation and T a diagonal scaling: the picture is stretched by `scales[0]` along the
    direction `angle`, and by `scales[1]` across it. A point blurs evenly along the way that it
    takes as T grows from the identity. So there is no blur at the centre of the frame, and it
    grows, with its direction, towards the corners.

    Args:
        angle: degrees counter-clockwise from the x axis.
        scales: two factors from 0.5 to 2, or (3, 2): a pair a channel.
        size: (height, width) of the frame, in the middle of which the optical centre lies.
        grid: (rows, columns) of kernels.
        kernel_size: odd side of the kernels; None for the least that holds all paths.

    Raises:
        ParameterError: an argument is out of range, or a path does not fit the kernel.

    Source:
        "Distortion prior" (DPANet), equation 16.

    Example:
        >>> field = lens_field(0, (1.02, 1.0), (100, 300), (1, 3))
        >>> field.kernels[0, 2, 0]
        tensor([[0.0000, 0.0000, 0.2500, 0.5000, 0.2500]])
    """
    angle = real("angle", angle, -36000, 36000, "degrees")
    factors = np.atleast_2d(np.asarray(scales, np.float64))
    if factors.shape not in ((1, 2), (3, 2)):
        raise ParameterError(f"scales must be two factors, or (3, 2); got shape {factors.shape}")
    for factor in factors.ravel():
        real("scales", float(factor), 0.5, 2)
    cells = _cell_centres(size, grid)
    up, right = direction(angle)
    # Unit vectors (y, x) along and across the stretch; rows grow downwards.
    along, across = np.array([-up, right]), np.array([right, up])
    paths = []
    for first, second in factors:
        stretch = (first - 1) * np.outer(along, along) + (second - 1) * np.outer(across, across)
        ends = cells @ stretch
        paths.append(np.stack((np.zeros_like(ends), ends), -2))
    parameters = {
        "angle": angle,
        "scales": factors.tolist(),
        "size": list(size),
        "grid": list(grid),
    }
    return _field(paths, np.ones(1), kernel_size, Record("lens", parameters))


def random_lens_field(
    size: tuple[int, int],
    grid: tuple[int, int] = (6, 8),
    *,
    strength: float = 0.01,
    seed: int = 0,
    generator: torch.Generator | None = None,
) -> Field:
    """A `lens_field` with a random angle and random scales in 1 - strength to 1 + strength.

    Raises:
        ParameterError: an argument is out of range.

    Example:
        >>> random_lens_field((60, 80), (2, 2), seed=3).grid
        (2, 2)
    """
    strength = real("strength", strength, 0, 0.5)
    if generator is None:
        generator = torch.Generator().manual_seed(integer("seed", seed, 0, 2**63 - 1))
    lots = torch.rand(3, generator=generator, dtype=torch.float64, device=generator.device).tolist()
    scales = [1 + strength * (2 * lot - 1) for lot in lots[1:]]
    return lens_field(360 * lots[0], scales, size, grid)


def _cell_centres(size: tuple[int, int], grid: tuple[int, int]) -> _Array:
    """(rows, columns, 2) positions (y, x) of the cells' centres from the centre of the frame."""
    height, width = size_pair("size", size)
    rows, columns = size_pair("grid", grid)
    y = ((np.arange(rows) + 0.5) / rows - 0.5) * height
    x = ((np.arange(columns) + 0.5) / columns - 0.5) * width
    return np.stack(np.meshgrid(y, x, indexing="ij"), -1)


def _field(paths: list[_Array], shares: _Array, kernel_size: int | None, record: Record) -> Field:
    """Kernels from the paths (rows, columns, N, 2) of each channel."""
    reach = max(float(np.abs(path).max()) for path in paths)
    # Linear sharing reaches the next whole pixel; rounding of a few ulps must not cost another.
    needed = 2 * math.ceil(reach - 1e-9) + 1
    side = needed if kernel_size is None else odd_side("kernel_size", kernel_size)
    if needed > min(side, MAX_SIDE):
        raise ParameterError(
            f"kernel_size must hold the longest path, which needs {needed} pixels; at most "
            f"{min(side, MAX_SIDE)} are allowed"
        )
    rows, columns = paths[0].shape[:2]
    kernels = np.stack(
        [
            [
                [path_tent(path[i, j], shares, (side, side)) for path in paths]
                for j in range(columns)
            ]
            for i in range(rows)
        ]
    )
    if kernel_size is None:
        kernels = _without_empty_rim(kernels)
    return Field.of(torch.from_numpy(kernels).float(), record=record)


def _without_empty_rim(kernels: _Array) -> _Array:
    """Cut rows and columns at the rim that are empty in all kernels, alike on opposite sides."""
    filled = np.any(kernels > 0, axis=tuple(range(kernels.ndim - 2)))
    half = kernels.shape[-1] // 2
    reach = [
        int(np.abs(np.flatnonzero(np.any(filled, axis=1 - axis)) - half).max()) for axis in (0, 1)
    ]
    vertical, horizontal = (slice(half - r, half + r + 1) for r in reach)
    return kernels[..., vertical, horizontal]


def _checked_poses(poses: ArrayLike) -> _Array:
    """(N, 3) finite poses."""
    try:
        path = np.array(poses, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"poses must be numbers of shape (N, 3): {error}") from error
    if path.ndim != 2 or path.shape[1] != 3 or len(path) < 1:
        raise ParameterError(f"poses must have shape (N, 3): dy, dx, degrees; got {path.shape}")
    if not np.isfinite(path).all():
        raise ParameterError("poses must be finite; some are NaN or infinity")
    return path


def _checked_shares(weights: ArrayLike | None, count: int) -> _Array:
    """Time between poses, sum 1; a single pose takes all of it."""
    if weights is None or count == 1:
        return np.full(max(count - 1, 1), 1 / max(count - 1, 1))
    times = np.array(weights, dtype=np.float64)
    if times.shape != (count - 1,) or not (np.isfinite(times).all() and (times >= 0).all()):
        raise ParameterError(
            f"weights must be {count - 1} times of at least 0, one between each two poses"
        )
    if not times.sum() > 0:
        raise ParameterError("weights must not be all zero")
    return np.asarray(times / times.sum())
