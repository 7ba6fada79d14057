"""How a sharp picture lies under a blurred one: block by block, from coarse to fine."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from unblur.errors import InputError
from unblur.lens.fit import robust, similarity, simplest
from unblur.lens.warp import Warp, basis, places

__all__ = ["Registration", "register"]

Size = tuple[int, int]
_Array = NDArray[np.float64]

# The longer side of the coarsest pictures, and the most of the finest: blocks are placed to a few
# hundredths of a pixel.
_COARSE, _FINE = 256, 2048
# Where the search for turn and scale begins.
_TURNS = tuple(range(-10, 11, 2))
_SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)
# Blocks of this side, in pixels of each level; the coarsest ones are half as large.
_BLOCK = 128
_ROUNDS = 4
# Correlation of two blocks under which they say nothing of where they are.
_ALIKE = 0.35
_FEWEST = 4
# A level whose blocks correlate less, in the median, shows what the blur has removed or turned
# round: defocus reverses the contrast of fine detail, and correlations peak beside the truth.
_CLEAR = 0.6


@dataclass(frozen=True)
class Registration:
    """Where the sharp picture lies.

    Attributes:
        warp: from the blurred picture to the sharp one.
        alike: correlation of the blocks of the coarse pictures, the median.
        spread: what of the displacements the warp leaves, in pixels: that of the worst tenth.
        kind: `rigid`, `similarity` or `distortion`.
        grain: size in pixels of the finest detail that both pictures show.
    """

    warp: Warp
    alike: float
    spread: float
    kind: str
    grain: int = 1

    @property
    def turn(self) -> float:
        """Degrees, counter-clockwise on the screen."""
        matrix = self.warp.coefficients[:, [2, 1]]
        return math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))

    @property
    def scale(self) -> float:
        """Of the sharp picture against the blurred one, at the centre."""
        matrix = self.warp.coefficients[:, [2, 1]] / (max(self.warp.size) / 2)
        return math.sqrt(abs(float(np.linalg.det(matrix))))

    @property
    def shift(self) -> tuple[float, float]:
        """(dy, dx) at the centre, in pixels."""
        height, width = self.warp.size
        dy, dx = self.warp.coefficients[:, 0] - [(height - 1) / 2, (width - 1) / 2]
        return float(dy), float(dx)


def register(sharp: Tensor, blurred: Tensor) -> Registration:
    """Find where each pixel of a blurred picture lies in the sharp one.

    The whole frames are compared at turns of up to 10 degrees and scales of 0.9 to 1.1; then, from
    coarse to fine, as far as the blur leaves detail that can be compared, blocks of both are
    correlated and a polynomial is fitted to their displacements, robustly: of the first degree, and
    of the third where enough blocks say something. The simplest
    of rigid movement, similarity and polynomial is kept that is within two pixels of the last.

    Args:
        sharp: (H, W), brightness.
        blurred: of the same size.

    Raises:
        InputError: The pictures hardly correlate.
    """
    size = (blurred.shape[0], blurred.shape[1])
    most, least = (max(0, math.ceil(math.log2(max(size) / side))) for side in (_COARSE, _FINE))
    levels = [
        (_smaller(sharp, 2**step), _smaller(blurred, 2**step))
        for step in range(most, least - 1, -1)
    ]
    warp, alike, spread, grain = _start(*levels[0]), 0.0, 0.0, 1
    for index, (a, b) in enumerate(levels):
        warp = warp.scaled((b.shape[0], b.shape[1]))
        found = _displacements(a, b, warp, _BLOCK // 2 if index == 0 else _BLOCK)
        clear = float(np.median(found.alike))
        if index > 0 and clear < _CLEAR:
            break
        for again in range(_ROUNDS if index == 0 else 2):
            if again:
                found = _displacements(a, b, warp, _BLOCK // 2 if index == 0 else _BLOCK)
            warp, left = _refined(warp, found)
        if index == 0:
            alike = float(np.median(found.alike))
        grain = 2 ** (most - index)
        spread = left * grain
    kind, simple = simplest(warp.scaled(size))
    return Registration(simple, alike, spread, kind, grain)


def _smaller(plane: Tensor, factor: int) -> Tensor:
    return avg_pool2d(plane[None, None], factor, ceil_mode=False)[0, 0] if factor > 1 else plane


def _band(plane: Tensor) -> Tensor:
    """Detail of (..., H, W): differences of means, on which brightness has no influence."""
    mean = avg_pool2d(plane[None, None], 9, stride=1, padding=4, count_include_pad=False)[0, 0]
    return plane - mean


def _start(sharp: Tensor, blurred: Tensor) -> Warp:
    """The turn, scale and shift under which the whole frames correlate best."""
    size = (blurred.shape[0], blurred.shape[1])
    frame = (2 * size[0], 2 * size[1])
    taper = torch.outer(torch.hann_window(size[0]), torch.hann_window(size[1]))
    target = torch.fft.rfft2(_band(blurred) * taper, s=frame)
    best = (-1.0, Warp.identity(size))
    for turn, scale in product(_TURNS, _SCALES):
        angle = math.radians(turn)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        matrix = np.array([[cosine, -sine], [sine, cosine]])
        moved = _band(_looked_up(sharp, Warp.linear(size, (0.0, 0.0), matrix)))
        peak, shift = _peaks(torch.fft.rfft2(moved * taper, s=frame)[None], target[None], frame)
        if float(peak[0]) > best[0]:
            # The block of the sharp picture must move by `shift`, so that it is looked up there.
            back = matrix @ -shift[0].double().numpy()
            best = float(peak[0]), Warp.linear(size, (float(back[0]), float(back[1])), matrix)
    return best[1]


def _looked_up(plane: Tensor, warp: Warp) -> Tensor:
    """A plane at the places of a warp, bicubic, mirrored outside."""
    height, width = plane.shape
    v, u = places(warp.size)
    result = torch.empty(warp.size)
    for top in range(0, warp.size[0], 512):
        rows = slice(top, min(top + 512, warp.size[0]))
        y, x = torch.from_numpy(warp.over(v[rows], u)).float()
        grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)[None]
        result[rows] = grid_sample(
            plane[None, None], grid, "bicubic", "reflection", align_corners=False
        )[0, 0]
    return result


def _peaks(moving: Tensor, target: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """How alike spectra are at their best shift, (n,), and that shift, (n, 2), to sub-pixels.

    The shift (dy, dx) is by how much the first must move to come to lie on the second.
    """
    scale = (_power(moving, size) * _power(target, size)).sqrt().clamp(min=1e-20)
    surface = torch.fft.irfft2(moving.conj() * target, s=size) / scale[:, None, None]
    flat = surface.flatten(1).argmax(1)
    row, column = flat // size[1], flat % size[1]
    each = torch.arange(len(flat))
    peak = surface[each, row, column]
    parts = []
    for place, side, axis in ((row, size[0], 0), (column, size[1], 1)):
        before, after = (
            surface[each, (row + step * (axis == 0)) % size[0], (column + step * axis) % size[1]]
            for step in (-1, 1)
        )
        bend = (2 * peak - before - after).clamp(min=1e-12)
        parts.append((place + side // 2) % side - side // 2 + (after - before) / (2 * bend))
    return peak, torch.stack(parts, 1)


def _power(spectrum: Tensor, size: Size) -> Tensor:
    """The sum of squares of the planes of half spectra."""
    squares: Tensor = torch.fft.irfft2(spectrum.abs().square(), s=size)
    return squares[..., 0, 0]


@dataclass(frozen=True)
class _Blocks:
    """Centres (v, u) of blocks, their displacements (2, n) in pixels, and how alike they are."""

    v: _Array
    u: _Array
    moved: _Array
    alike: _Array


def _displacements(sharp: Tensor, blurred: Tensor, warp: Warp, block: int) -> _Blocks:
    """By how much blocks of the blurred picture lie beside those of the warped sharp one."""
    height, width = blurred.shape
    block = min(block, height, width)
    moved, still = _band(_looked_up(sharp, warp)), _band(blurred)
    tops, lefts = (
        np.linspace(0, side - block, min(max(2 * side // block - 1, 1), 24)).astype(int)
        for side in (height, width)
    )
    corners = [(int(top), int(left)) for top in tops for left in lefts]
    taper = torch.outer(torch.hann_window(block), torch.hann_window(block))
    stacks = [
        torch.stack([plane[y : y + block, x : x + block] for y, x in corners]) * taper
        for plane in (moved, still)
    ]
    spectra = [torch.fft.rfft2(stack) for stack in stacks]
    alike, shift = _peaks(spectra[0], spectra[1], (block, block))
    v, u = places(warp.size)
    middle = (block - 1) / 2
    rows = np.array([np.interp(y + middle, np.arange(height), v) for y, _ in corners])
    columns = np.array([np.interp(x + middle, np.arange(width), u) for _, x in corners])
    # What lies `shift` to the left of where it should must be looked up so much further left.
    return _Blocks(rows, columns, -shift.double().numpy().T, alike.double().numpy())


def _refined(warp: Warp, found: _Blocks) -> tuple[Warp, float]:
    """The warp with the displacements of blocks added, and what of these remains."""
    sound = found.alike > _ALIKE
    if sound.sum() < min(_FEWEST, len(sound)):
        raise InputError(
            "blurred and sharp do not show the same scene, or are turned by more than 10 degrees: "
            f"only {int(sound.sum())} of {len(sound)} places of the frame look alike"
        )
    v, u, moved = found.v[sound], found.u[sound], found.moved[:, sound]
    cubic = sound.sum() >= 40 and _spans(v, u)
    matrix = basis(v, u)[: 10 if cubic else 3].T
    trust = found.alike[sound].copy()
    if not cubic:
        change, left = similarity(v, u, moved, trust)
    else:
        change, left = robust(matrix, moved, trust)
    coefficients = warp.coefficients.copy()
    coefficients[:, : change.shape[1]] += change
    return Warp(coefficients, warp.size), float(np.quantile(left, 0.9))


def _spans(v: _Array, u: _Array) -> bool:
    """Whether places reach far enough for a polynomial to be held everywhere."""
    return bool(np.ptp(u) > 1.2 and np.ptp(v) > 0.6 * np.ptp(u) * 0.6)
