"""Where each pixel of one picture lies in another, and the other looked up there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["DEGREE", "Warp", "basis", "places", "resample"]

Size = tuple[int, int]
_Array = NDArray[np.float64]

DEGREE = 3
# The interpolating spline of degree 5 keeps what is below 0.8 of the highest frequency: what a
# lower degree takes from the sharp picture would be missing from the kernels.
_ORDER = 5
# Beyond this many rows the spline's prefilter (largest pole 0.43) has forgotten everything.
_MARGIN = 20
_ROWS = 256
_STILL = 0.02


def places(size: Size) -> tuple[_Array, _Array]:
    """(v, u) of the pixels of a frame: 0 at its centre, 1 half of the longer side away."""
    unit = max(size) / 2
    v, u = ((np.arange(side, dtype=np.float64) - (side - 1) / 2) / unit for side in size)
    return v, u


def basis(v: _Array, u: _Array, degree: int = DEGREE) -> _Array:
    """All monomials u^i v^j with i + j <= degree, the lowest first: (number, *shape).

    Example:
        >>> basis(np.array([2.0]), np.array([3.0]), degree=1)[:, 0]
        array([1., 3., 2.])
    """
    return np.stack([u**across * v**down for across, down in _powers(degree)])


def _powers(degree: int) -> list[tuple[int, int]]:
    """The exponents (i, j) of u^i v^j, in the order of `basis`."""
    return [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]


@dataclass(frozen=True, eq=False)
class Warp:
    """A polynomial of degree 3 from the pixels of the blurred picture to the sharp one.

    (y, x) = sum_n c_n m_n(v, u), both pictures of one size, m_n as `basis` gives them.

    Attributes:
        coefficients: (2, 10), in pixels, y before x.
        size: (height, width) of both frames.
    """

    coefficients: _Array
    size: Size

    @staticmethod
    def linear(size: Size, shift: tuple[float, float], matrix: _Array) -> "Warp":
        """From (dy, dx) in pixels and a matrix (2, 2) that acts on (y, x) about the centre."""
        coefficients = np.zeros((2, 10))
        coefficients[:, 0] = [(side - 1) / 2 + each for side, each in zip(size, shift, strict=True)]
        coefficients[:, [2, 1]] = np.asarray(matrix) * max(size) / 2
        return Warp(coefficients, size)

    @staticmethod
    def identity(size: Size) -> "Warp":
        """Each pixel at its own place."""
        return Warp.linear(size, (0.0, 0.0), np.eye(2))

    def at(self, v: _Array, u: _Array) -> _Array:
        """(2, *shape): the pixels (y, x) of the sharp picture at places of the blurred one."""
        found: _Array = np.tensordot(self.coefficients, basis(v, u), 1)
        return found

    def over(self, v: _Array, u: _Array) -> _Array:
        """(2, rows, columns): the same for every pair of a `v` and a `u`, at the cost of a product.

        On each row, the polynomial is one of u alone.
        """
        by_row = np.zeros((2, DEGREE + 1, len(v)))
        for number, (across, down) in enumerate(_powers(DEGREE)):
            by_row[:, across] += self.coefficients[:, number, None] * v**down
        found: _Array = np.einsum("apr,pc->arc", by_row, u ** np.arange(DEGREE + 1)[:, None])
        return found

    def scaled(self, size: Size) -> "Warp":
        """The same for pictures at another resolution."""
        factor = max(size) / max(self.size)
        moved = self.coefficients - Warp.identity(self.size).coefficients
        return Warp(moved * factor + Warp.identity(size).coefficients, size)

    @property
    def still(self) -> bool:
        """Whether nothing moves by more than a fiftieth of a pixel."""
        v, u = (axis[:: max(len(axis) // 16, 1)] for axis in places(self.size))
        moved = self.over(v, u) - Warp.identity(self.size).over(v, u)
        return bool(np.abs(moved).max() < _STILL)


def resample(plane: Tensor, warp: Warp, order: int = _ORDER) -> Tensor:
    """Look a plane (H, W) up at the places that a warp gives, NaN where these are outside.

    Args:
        plane: float32.
        warp: of a frame of that size.
        order: of the spline: 5, or 0 for the nearest pixel.
    """
    if warp.still:
        return plane.clone()
    source = plane.numpy()
    result = np.empty(warp.size, np.float32)
    with ThreadPoolExecutor(max(torch.get_num_threads(), 1)) as pool:
        for _ in pool.map(lambda rows: _band(source, warp, order, rows, result), _bands(warp.size)):
            pass
    return torch.from_numpy(result)


def _bands(size: Size) -> Iterator[slice]:
    for top in range(0, size[0], _ROWS):
        yield slice(top, min(top + _ROWS, size[0]))


def _band(
    source: NDArray[np.float32], warp: Warp, order: int, rows: slice, out: NDArray[np.float32]
) -> None:
    # SciPy comes with scikit-image; it is loaded on use.
    from scipy.ndimage import map_coordinates

    v, u = places(warp.size)
    found = warp.over(v[rows], u)
    height, width = source.shape
    top = min(max(int(found[0].min()) - _MARGIN, 0), height - 1)
    stop = max(min(int(found[0].max()) + _MARGIN + 1, height), top + 1)
    inside = (found[0] >= 0) & (found[0] <= height - 1) & (found[1] >= 0) & (found[1] <= width - 1)
    found[0] -= top
    band = map_coordinates(source[top:stop], found, output=np.float32, order=order, mode="mirror")
    out[rows] = np.where(inside, band, np.nan)
