"""Kernels by formula: motion, defocus, turbulence, shake, and paths and pictures of one's own.

Each is integrated over pixels instead of sampled at their centres, has mass 1, and keeps in its
record the parameters that made it.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from unblur.blur.areas import direction, disk_area, path_box, polygon_area
from unblur.blur.checks import MAX_SIDE, integer, odd_side, real
from unblur.blur.kernel import Kernel
from unblur.blur.record import Record
from unblur.blur.shake import shake
from unblur.errors import ParameterError

__all__ = ["disk", "from_image", "from_points", "gaussian", "identity", "motion", "shake"]

# A path is drawn by hand or sampled by a gyroscope at some kilohertz: more points are a mistake.
_MAX_POINTS = 1_000_000


def identity() -> Kernel:
    """The kernel that blurs nothing.

    Example:
        >>> identity().pixels
        tensor([[1.]])
    """
    return Kernel.identity()


def motion(length: float, angle: float = 0.0) -> Kernel:
    """Uniform motion: constant along a segment of `length` pixels through the centre.

    Each pixel gets the part of the segment inside it, divided by the length. Up to length 1 along
    an axis (and at 0) it is the identity.

    Args:
        length: pixels, 0 to 2046.
        angle: direction, degrees counter-clockwise from the x axis; angle and angle + 180 are the
            same.

    Raises:
        ParameterError: `length` or `angle` is out of range.

    Source:
        Kashmar 2024, section 2.1.

    Example:
        >>> motion(3).pixels
        tensor([[0.3333, 0.3333, 0.3333]])
        >>> motion(2, 90).pixels.flatten()
        tensor([0.2500, 0.5000, 0.2500])
    """
    length = real("length", length, 0, MAX_SIDE - 1, "pixels")
    angle = real("angle", angle, -36000, 36000, "degrees")
    record = Record("motion", {"length": length, "angle": angle})
    up, right = direction(angle)
    half = np.array([-up, right]) * length / 2
    # A path without length takes no time to divide; it rests at the centre.
    return _from_path(np.stack((-half, half)), np.ones(1), None, record)


def disk(radius: float, blades: int | None = None, rotation: float = 0.0) -> Kernel:
    """Defocus: 1 / (pi radius^2) in a circle, or constant in a regular polygon of `blades` sides.

    Each pixel gets the exact area of the aperture inside it. Radius 0 is the identity.

    Args:
        radius: pixels, 0 to 1023; to the corners of the polygon.
        blades: number of sides of the aperture, 3 to 32; None for a circle.
        rotation: direction of one corner of the polygon, degrees counter-clockwise from the x axis.

    Raises:
        ParameterError: an argument is out of range.

    Source:
        Kashmar 2024, section 2.3.

    Example:
        >>> kernel = disk(2)
        >>> kernel.size, round(float(kernel.pixels[2, 2]) * 3.14159 * 4, 4)
        ((5, 5), 1.0)
    """
    radius = real("radius", radius, 0, MAX_SIDE // 2, "pixels")
    rotation = real("rotation", rotation, -36000, 36000, "degrees")
    if blades is not None:
        blades = integer("blades", blades, 3, 32)
    record = Record("disk", {"radius": radius, "blades": blades, "rotation": rotation})
    side = 2 * math.ceil(radius - 0.5) + 1 if radius > 0.5 else 1
    # Under a thousandth of a pixel the areas round to nothing, and either aperture is a point.
    if radius < 1e-3:
        return Kernel.from_array(np.ones((1, 1)), record=record)
    if blades is None:
        return Kernel.from_array(disk_area(radius, side), record=record)
    directions = [direction(rotation + 360 * n / blades) for n in range(blades)]
    corners = [(radius * right, -radius * up) for up, right in directions]
    return Kernel.from_array(polygon_area(corners, side), record=record)


def gaussian(sigma: float, sigma_y: float | None = None, angle: float = 0.0) -> Kernel:
    """Long-exposure turbulence: exp(-(x^2 / sigma^2 + y^2 / sigma_y^2) / 2), turned by `angle`.

    Integrated over each pixel and cut at four standard deviations. Sigma 0 in both directions is
    the identity; an ellipse is not made thinner than a twentieth of a pixel, which no pixel grid
    can tell from 0.

    Args:
        sigma: standard deviation along the turned x axis, pixels, 0 to 255.
        sigma_y: along the turned y axis; None for a round one.
        angle: of the x axis of the ellipse, degrees counter-clockwise.

    Raises:
        ParameterError: an argument is out of range.

    Source:
        Kashmar 2024, section 2.4.

    Example:
        >>> gaussian(0.5).pixels[2, 1:4]
        tensor([0.1074, 0.4661, 0.1074])
    """
    sigma = real("sigma", sigma, 0, 255, "pixels")
    other = sigma if sigma_y is None else real("sigma_y", sigma_y, 0, 255, "pixels")
    angle = real("angle", angle, -36000, 36000, "degrees")
    record = Record("gaussian", {"sigma": sigma, "sigma_y": other, "angle": angle})
    if max(sigma, other) < 0.05:
        return Kernel.from_array(np.ones((1, 1)), record=record)
    return Kernel.from_array(_gaussian(max(sigma, 0.05), max(other, 0.05), angle), record=record)


def from_image(array: Any) -> Kernel:
    """A kernel drawn or measured as a picture: (h, w) values of any scale, brighter is longer.

    Raises:
        KernelError: not a usable kernel, for example colour or negative.

    Example:
        >>> from_image([[0, 128], [0, 128]]).size
        (3, 3)
    """
    return Kernel.from_array(array, record=Record("image"))


def from_points(
    points: ArrayLike,
    size: int | None = None,
    weights: ArrayLike | None = None,
    *,
    centred: bool = True,
) -> Kernel:
    """A kernel from the path of one point: drawn by hand, or read from a gyroscope.

    Each pixel gets the share of time that the path spends inside it. The path runs straight from
    point to point.

    Args:
        points: (N, 2) positions (y, x) in pixels, rows downwards.
        size: the odd side of the box; None for the least that holds the path.
        weights: (N - 1,) time spent on each piece, in any unit; None for constant speed.
        centred: bring the path's centre of mass to the origin; otherwise (0, 0) is the origin.

    Raises:
        ParameterError: an argument has the wrong shape, is not finite or negative, or the path does
            not fit.

    Example:
        >>> from_points([[0, 0], [0, 2]], weights=[1.0]).pixels
        tensor([[0.2500, 0.5000, 0.2500]])
    """
    path = _checked_points(points)
    lengths = np.hypot(*np.diff(path, axis=0).T) if len(path) > 1 else np.zeros(0)
    shares = lengths if weights is None else _checked_weights(weights, len(path))
    if not shares.sum() > 0:
        # The path rests: all its time is spent where it is.
        path, shares = np.stack((path[0], path[0])), np.ones(1)
    if centred:
        path = path - (shares @ ((path[:-1] + path[1:]) / 2)) / shares.sum()
    parameters = {"points": len(path), "size": size, "centred": centred}
    return _from_path(path, shares, size, Record("points", parameters))


def _from_path(
    path: NDArray[np.float64], shares: NDArray[np.float64], size: int | None, record: Record
) -> Kernel:
    """The kernel of a path; the least box for it, or one of `size` that must hold it."""
    # Rounding of a few ulps must not cost a column of pixels.
    needed = [2 * math.ceil(float(np.abs(path[:, axis]).max()) - 0.5 - 1e-9) + 1 for axis in (0, 1)]
    needed = [max(side, 1) for side in needed]
    side = (needed[0], needed[1]) if size is None else (odd_side("size", size),) * 2
    if max(needed) > MAX_SIDE:
        raise ParameterError(
            f"points must stay within {MAX_SIDE // 2} pixels of the centre; they need a box of "
            f"{max(needed)} pixels"
        )
    if size is not None and max(needed) > size:
        raise ParameterError(
            f"size must hold the path, which needs {max(needed)} pixels; got {size}"
        )
    return Kernel.from_array(path_box(path, shares, side), record=record)


def _gaussian(sigma_x: float, sigma_y: float, angle: float) -> NDArray[np.float64]:
    """Pixel integrals: erf across, and along the longer side Gauss-Legendre over each pixel.

    Given x, the y of a turned Gaussian is Gaussian around slope * x; that direction is closed-form.
    """
    up, right = direction(angle)
    variance_x = (sigma_x * right) ** 2 + (sigma_y * up) ** 2
    variance_y = (sigma_x * up) ** 2 + (sigma_y * right) ** 2
    covariance = -(sigma_x**2 - sigma_y**2) * up * right
    if variance_x < variance_y:
        return _conditional(variance_y, variance_x, covariance).T
    return _conditional(variance_x, variance_y, covariance)


def _conditional(variance_x: float, variance_y: float, covariance: float) -> NDArray[np.float64]:
    """The integrals (rows y, columns x) for variance_x >= variance_y."""
    reach_x, reach_y = (math.ceil(4 * math.sqrt(v) - 0.5) for v in (variance_x, variance_y))
    reach_x, reach_y = max(reach_x, 0), max(reach_y, 0)
    slope = covariance / variance_x
    deviation = math.sqrt(max(variance_y - covariance * slope, 1e-12))
    x_edges = np.arange(2 * reach_x + 2) - reach_x - 0.5
    y_edges = torch.from_numpy(np.arange(2 * reach_y + 2) - reach_y - 0.5)
    if covariance == 0:
        # Both directions are closed-form.
        cumulative = [
            torch.erf(torch.from_numpy(np.asarray(edges)) / math.sqrt(2 * variance)).diff().numpy()
            for edges, variance in ((y_edges, variance_y), (x_edges, variance_x))
        ]
        return np.outer(cumulative[0], cumulative[1])
    nodes, shares = np.polynomial.legendre.leggauss(min(max(math.ceil(6 / deviation), 4), 64))
    result = np.zeros((2 * reach_y + 1, 2 * reach_x + 1))
    for node, share in zip(nodes, shares, strict=True):
        x = (x_edges[:-1] + x_edges[1:]) / 2 + node / 2
        density = np.exp(-(x**2) / (2 * variance_x)) * share
        across = (y_edges[:, None] - torch.from_numpy(slope * x)) / (math.sqrt(2) * deviation)
        result += density * torch.erf(across).diff(dim=0).numpy()
    return result


def _checked_points(points: ArrayLike) -> NDArray[np.float64]:
    """(N, 2) finite positions."""
    try:
        path = np.array(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"points must be numbers of shape (N, 2): {error}") from error
    if path.ndim != 2 or path.shape[1] != 2 or not 1 <= len(path) <= _MAX_POINTS:
        raise ParameterError(
            f"points must have shape (N, 2), 1 to {_MAX_POINTS} positions (y, x); got {path.shape}"
        )
    if not np.isfinite(path).all():
        raise ParameterError("points must be finite; some are NaN or infinity")
    span = float(np.ptp(path, axis=0).max())
    if span > MAX_SIDE:
        raise ParameterError(
            f"points must lie within {MAX_SIDE} pixels of each other; they span {span:g}"
        )
    return path


def _checked_weights(weights: ArrayLike, count: int) -> NDArray[np.float64]:
    """(count - 1,) non-negative times with some sum."""
    try:
        times = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"weights must be numbers: {error}") from error
    if times.shape != (count - 1,):
        raise ParameterError(
            f"weights must have one value per piece of the path, ({count - 1},); got {times.shape}"
        )
    if not np.isfinite(times).all() or (times < 0).any() or (count > 1 and not times.sum() > 0):
        raise ParameterError("weights must be finite, not negative, and not all zero")
    return times
