"""What each cell of the frame knows of its kernel: sums over its window, patch by patch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from unblur.blur.windows import Axis, axis_windows, pack_axis
from unblur.fourier import fast_size

__all__ = ["Cells"]

Size = tuple[int, int]
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Cells:
    """The windows of a grid over one plane, and sums of two planes' products under each.

    A cell's pixels are those under its window w_p; the sharp picture is looked at from a kernel's
    radius further out. One patch at a time is transformed, so that memory does not grow with the
    number of cells.

    Attributes:
        vertical: windows of the rows of cells, each cell once.
        horizontal: windows of the columns.
        radius: r of the kernels, of side N = 2 r + 1.
    """

    vertical: Axis
    horizontal: Axis
    radius: int

    @staticmethod
    def of(size: Size, grid: Size, radius: int, like: Tensor) -> "Cells":
        """Lay a grid (rows, columns) over a plane of `size`, blended as a `Field` blends."""
        axes = [
            pack_axis(axis_windows(count, side, (0.0, float(side)), "hann", like))
            for count, side in zip(grid, size, strict=True)
        ]
        return Cells(axes[0], axes[1], radius)

    @property
    def grid(self) -> Size:
        """(rows, columns)."""
        return len(self.vertical.cells), len(self.horizontal.cells)

    @property
    def side(self) -> int:
        """Of the transforms of whole kernels: what `spectra` are made for."""
        return fast_size(4 * self.radius + 1)

    def count(self, known: Tensor) -> Tensor:
        """Sum of w_p over known pixels: (rows, columns)."""
        return self._reduce(lambda window, box: (window * known[box]).sum())

    def energy(self, residual: Tensor) -> Tensor:
        """Sum of w_p r^2: (rows, columns)."""
        return self._reduce(lambda window, box: (window * residual[box].square()).sum())

    def spectra(self, sharp: Tensor, known: Tensor) -> Tensor:
        """Power spectra of the sharp picture under each window, (rows, columns, M, M // 2 + 1).

        H_p[d] = sum_x sqrt(w_p m)(x) s(x) sqrt(w_p m)(x - d) s(x - d), the autocorrelation at the
        lags |d| <= 2 r, laid out so that a product with it in the Fourier domain is the Toeplitz
        product of the normal equations.
        """
        lags, side, (height, width) = 2 * self.radius, self.side, self._fft_size

        def one(window: Tensor, box: Box) -> Tensor:
            seen = (window * known[box]).sqrt_() * sharp[box]
            power = torch.fft.rfft2(seen, s=(height, width)).abs().square_()
            found = torch.fft.irfft2(power, s=(height, width))
            cut = found.roll((lags, lags), (0, 1))[: 2 * lags + 1, : 2 * lags + 1]
            placed = found.new_zeros(side, side)
            placed[: 2 * lags + 1, : 2 * lags + 1] = cut
            spectrum: Tensor = torch.fft.rfft2(placed.roll((-lags, -lags), (0, 1)))
            return spectrum.real.clamp(min=0)

        return self._reduce(one)

    def correlations(self, sharp: Tensor, residual: Tensor) -> Tensor:
        """The gradient g_p(i) = sum_x w_p(x) r(x) s(x - i) for |i| <= r: (rows, columns, N, N).

        Args:
            sharp: the picture with a margin of r on all sides.
            residual: r, zero where nothing is known.
        """
        reach, (height, width) = self.radius, self._fft_size
        side = 2 * reach + 1

        def one(window: Tensor, box: Box) -> Tensor:
            rows, columns = (slice(part.start, part.stop + 2 * reach) for part in box)
            around = torch.fft.rfft2(sharp[rows, columns], s=(height, width))
            weighted = torch.fft.rfft2(window * residual[box], s=(height, width))
            found: Tensor = torch.fft.irfft2(weighted.mul_(around.conj()), s=(height, width))
            # The residual starts r later than the sharp patch: lag i lies at i - r.
            return found.roll((side - 1, side - 1), (0, 1))[:side, :side]

        return self._reduce(one)

    @property
    def _fft_size(self) -> Size:
        lags = 2 * self.radius
        return fast_size(self.vertical.length + lags), fast_size(self.horizontal.length + lags)

    def _patches(self) -> Iterator[tuple[Tensor, Box]]:
        across, down = self.horizontal, self.vertical
        for row, top in enumerate(down.starts):
            for column, left in enumerate(across.starts):
                window = down.weights[row][:, None] * across.weights[column][None, :]
                yield window, (slice(top, top + down.length), slice(left, left + across.length))

    def _reduce(self, one: Callable[[Tensor, Box], Tensor]) -> Tensor:
        found = torch.stack([one(window, box) for window, box in self._patches()])
        rows: Tensor = found.unflatten(0, self.grid)
        return rows
