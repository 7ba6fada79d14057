"""Polynomials fitted to displacements: robustly, and no more of them than is needed."""

import math

import numpy as np
from numpy.typing import NDArray

from unblur.lens.warp import Warp, places

__all__ = ["robust", "similarity", "simplest"]

_Array = NDArray[np.float64]

# Movements below this are left to the kernels, whose centres of mass then hold them: a scale or a
# distortion that small cannot be told from a blur that is not centred.
_LEFT_TO_KERNELS = 2.0


def robust(matrix: _Array, moved: _Array, trust: _Array) -> tuple[_Array, _Array]:
    """Weighted least squares, Tukey's weights: coefficients (2, n), and distances left."""
    weight: _Array = trust
    solution: _Array = np.zeros((2, matrix.shape[1]))
    left = _length(moved)
    for _ in range(10):
        root = np.sqrt(weight)[:, None]
        solution = _doubles(np.linalg.lstsq(matrix * root, moved.T * root, rcond=1e-8)[0].T)
        left = _length(moved - solution @ matrix.T)
        scale = 4.7 * max(1.48 * float(np.median(left)), 0.02)
        weight = trust * np.maximum(1 - (left / scale) ** 2, 0.0) ** 2
    return solution, left


def similarity(v: _Array, u: _Array, moved: _Array, trust: _Array) -> tuple[_Array, _Array]:
    """The same for dy = a + s v + r u, dx = b + s u - r v: coefficients (2, 3)."""
    zero, one = np.zeros_like(v), np.ones_like(v)
    matrix = np.concatenate(
        (np.stack((one, zero, v, u), 1), np.stack((zero, one, u, -v), 1)), axis=0
    )
    weight: _Array = trust
    solution: _Array = np.zeros(4)
    left = _length(moved)
    for _ in range(10):
        root = np.sqrt(np.tile(weight, 2))
        solution = _doubles(
            np.linalg.lstsq(matrix * root[:, None], moved.ravel() * root, rcond=1e-8)[0]
        )
        left = _length((moved.ravel() - matrix @ solution).reshape(2, -1))
        scale = 4.7 * max(1.48 * float(np.median(left)), 0.02)
        weight = trust * np.maximum(1 - (left / scale) ** 2, 0.0) ** 2
    a, b, s, r = solution
    return np.array([[a, r, s], [b, s, -r]]), left


def _doubles(values: NDArray[np.floating]) -> _Array:
    """The same values, of which NumPy's types do not tell that they are doubles."""
    return np.asarray(values, np.float64)


def _length(vectors: _Array) -> _Array:
    """Of vectors (2, n)."""
    return np.asarray(np.hypot(vectors[0], vectors[1]), np.float64)


def simplest(warp: Warp) -> tuple[str, Warp]:
    """The simplest warp that is within two pixels of this one over the whole frame."""
    grid = np.meshgrid(*(np.linspace(axis[0], axis[-1], 17) for axis in places(warp.size)))
    v, u = grid[0].ravel(), grid[1].ravel()
    wanted = warp.at(v, u)
    unit = max(warp.size) / 2
    matrix = np.linalg.lstsq(
        np.concatenate(
            (np.stack((v, u, v * 0 + 1, v * 0), 1), np.stack((u, -v, v * 0, v * 0 + 1), 1))
        ),
        wanted.ravel(),
        rcond=None,
    )[0]
    s, r, y, x = matrix
    shift = (y - (warp.size[0] - 1) / 2, x - (warp.size[1] - 1) / 2)
    for kind, length in (("rigid", math.hypot(s, r)), ("similarity", unit)):
        turned = np.array([[s, r], [-r, s]]) / length
        simple = Warp.linear(warp.size, shift, turned)
        if float(_length(simple.at(v, u) - wanted).max()) < _LEFT_TO_KERNELS:
            return kind, simple
    return "distortion", warp
