"""Exact integrals over pixels, in double precision: of paths, discs, polygons and Gaussians.

Grids are (side, side) with the origin at the centre of the middle pixel; x runs right, y runs down.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["direction", "disk_area", "path_box", "path_tent", "polygon_area"]

Array = NDArray[np.float64]

# Pieces of a path that are cut at once: what bounds the memory for very long paths.
_CHUNK = 4096


def direction(angle: float) -> tuple[float, float]:
    """(sine, cosine) of degrees; exact at multiples of 90, and mirrored angles match."""
    turns, rest = divmod(angle, 90)
    # Reduced to [0, 45], so that 90 - angle and 180 - angle give the very same digits.
    sine, cosine = (
        (math.sin(math.radians(rest)), math.cos(math.radians(rest)))
        if rest <= 45
        else (math.cos(math.radians(90 - rest)), math.sin(math.radians(90 - rest)))
    )
    for _ in range(int(turns) % 4):
        sine, cosine = cosine, -sine
    return sine, cosine


def path_box(points: Array, shares: Array, side: tuple[int, int]) -> Array:
    """The share of its time that a point on a path spends in each pixel.

    `points` (N, 2) are (y, x); `shares` (N - 1,) is the time on each straight piece. Each piece is
    cut where it crosses the borders of pixels, so every part lies in one pixel, found from its
    middle.
    """
    start, stop, time = _cut(points, shares, 0.5)
    middle = np.floor((start + stop) / 2 + 0.5).astype(np.int64)
    grid = np.zeros(side)
    _add(grid, middle, time)
    return grid


def path_tent(points: Array, shares: Array, side: tuple[int, int]) -> Array:
    """Like `path_box`, each instant's mass shared linearly between the four nearest pixels.

    This is the kernel that averages a linearly interpolated picture along the path. Pieces are cut
    where they cross the centre lines of pixels; in between the weights are quadratic in time, and
    Simpson's rule integrates them exactly.
    """
    start, stop, time = _cut(points, shares, 0.0)
    cell = np.floor((start + stop) / 2)
    grid = np.zeros(side)
    for place, weight in ((start, 1 / 6), ((start + stop) / 2, 4 / 6), (stop, 1 / 6)):
        inside = np.clip(place - cell, 0, 1)
        for down in (0, 1):
            for right in (0, 1):
                part = np.abs(1 - down - inside[:, 0]) * np.abs(1 - right - inside[:, 1])
                corner = (cell + np.array([down, right])).astype(np.int64)
                _add(grid, corner, time * weight * part)
    return grid


def disk_area(radius: float, side: int) -> Array:
    """The area of each pixel inside the circle of `radius` about the origin."""
    edges = np.arange(side + 1) - side / 2
    x, y = np.meshgrid(np.abs(edges), np.abs(edges))
    x, y = np.minimum(x, radius), np.minimum(y, radius)

    def under_arc(t: Array) -> Array:
        """The integral of sqrt(radius^2 - s^2) for s from 0 to t."""
        return 0.5 * (
            t * np.sqrt(np.maximum(radius**2 - t**2, 0)) + radius**2 * np.arcsin(t / radius)
        )

    # The area inside [0, x] x [0, y]: flat at height y up to `bend`, under the arc from there on.
    bend = np.minimum(np.sqrt(radius**2 - y**2), x)
    quarter = y * bend + under_arc(x) - under_arc(bend)
    return _per_pixel(np.sign(edges)[:, None] * np.sign(edges)[None, :] * quarter)


def polygon_area(corners: Sequence[tuple[float, float]], side: int) -> Array:
    """The area of each pixel inside the convex polygon with these (x, y) corners, in order.

    The area left of and above each corner of a pixel is a signed sum over the polygon's edges of
    the area between the edge and a base line (Green's theorem); pixels are differences of those.
    """
    edges = np.arange(side + 1) - side / 2
    base = min(y for _, y in corners) - 1.0
    total = np.zeros((side + 1, side + 1))
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if x0 == x1:
            continue
        sign = 1.0 if x1 > x0 else -1.0
        left, right = ((x0, y0), (x1, y1)) if x1 > x0 else ((x1, y1), (x0, y0))
        slope = (right[1] - left[1]) / (right[0] - left[0])
        reach = np.clip(edges, left[0], right[0])[None, :]
        at_left, at_right = np.full_like(reach, left[1]), left[1] + slope * (reach - left[0])
        level = np.maximum(edges, base)[:, None]
        low, high = np.minimum(at_left, at_right), np.maximum(at_left, at_right)
        # Mean over the edge of min(edge, level): below the level, above it, or cut in two by it.
        span = np.where(high > low, high - low, 1.0)
        below = np.clip((level - low) / span, 0, 1)
        partly = below * (low + below * span / 2) + (1 - below) * level
        mean = np.where(level >= high, (low + high) / 2, np.where(level <= low, level, partly))
        total += sign * (mean - base) * (reach - left[0])
    return np.abs(_per_pixel(total))


def _per_pixel(cumulative: Array) -> Array:
    """Second differences of a cumulative integral at the corners of pixels, rounding removed."""
    area = np.diff(np.diff(cumulative, axis=0), axis=1)
    return np.where(np.abs(area) < 1e-12 * max(1.0, float(np.abs(area).max())), 0.0, area)


def _cut(points: Array, shares: Array, phase: float) -> tuple[Array, Array, Array]:
    """Cut a path's pieces where y or x is a whole number plus `phase`: starts, stops and shares."""
    parts = [
        _cut_pieces(points[n : n + _CHUNK + 1], shares[n : n + _CHUNK], phase)
        for n in range(0, len(shares), _CHUNK)
    ]
    starts, stops, times = zip(*parts, strict=True)
    return np.concatenate(starts), np.concatenate(stops), np.concatenate(times)


def _cut_pieces(points: Array, shares: Array, phase: float) -> tuple[Array, Array, Array]:
    """`_cut` of a few pieces at once; parts without length carry no share and do no harm."""
    begin, end = points[:-1, None, :], points[1:, None, :]
    first = np.ceil(np.minimum(begin, end) - phase)
    lines = int((np.floor(np.maximum(begin, end) - phase) - first).max()) + 1
    crossings = first + np.arange(lines)[None, :, None] + phase
    # A way too short to tell from rounding crosses nothing, and would overflow as a divisor.
    still = np.abs(end - begin) < 1e-12
    travel = np.where(still, 1.0, end - begin)
    moments = np.where(still, 1.0, np.clip((crossings - begin) / travel, 0, 1))
    ends = np.repeat([[0.0, 1.0]], len(shares), axis=0)
    moments = np.sort(np.concatenate((ends, moments.reshape(len(shares), -1)), axis=1), axis=1)
    places = begin + moments[:, :, None] * (end - begin)
    times = np.diff(moments, axis=1) * shares[:, None]
    return places[:, :-1].reshape(-1, 2), places[:, 1:].reshape(-1, 2), times.ravel()


def _add(grid: Array, places: NDArray[np.int64], mass: Array) -> None:
    """Add `mass` at the pixels `places`, (row, column) from the centre, kept inside the grid."""
    rows = np.clip(places[:, 0] + grid.shape[0] // 2, 0, grid.shape[0] - 1)
    columns = np.clip(places[:, 1] + grid.shape[1] // 2, 0, grid.shape[1] - 1)
    np.add.at(grid, (rows, columns), mass)
