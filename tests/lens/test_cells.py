"""Sums over windows against sums written out."""

import pytest
import torch

from unblur.blur import Field
from unblur.lens.cells import Cells
from unblur.lens.solve import solve

SIZE, GRID, RADIUS = (40, 52), (2, 3), 2


@pytest.fixture
def planes() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sharp = torch.randn(SIZE, generator=generator, dtype=torch.float64)
    return sharp, torch.randn(SIZE, generator=generator, dtype=torch.float64)


def windows() -> torch.Tensor:
    """(rows, columns, H, W), from the field's own."""
    field = Field(torch.ones(*GRID, 1, 1, 1, dtype=torch.float64))
    vertical, horizontal = field.windows(SIZE)
    return vertical[:, None, :, None] * horizontal[None, :, None, :]


def test_correlations_are_the_gradient_of_the_misfit(
    planes: tuple[torch.Tensor, torch.Tensor],
) -> None:
    sharp, blurred = planes
    known = torch.zeros(SIZE, dtype=torch.float64)
    known[RADIUS:-RADIUS, RADIUS:-RADIUS] = 1
    side = 2 * RADIUS + 1
    kernels = torch.rand(*GRID, 1, side, side, dtype=torch.float64).requires_grad_()
    missed = blurred - Field(kernels).operator(SIZE, "zero").forward(sharp[None, None])[0, 0]
    (known * missed**2).sum().div(2).backward()
    cells = Cells.of(SIZE, GRID, RADIUS, sharp)
    around = torch.nn.functional.pad(sharp, (RADIUS,) * 4)
    found = cells.correlations(around, (known * missed).detach())
    assert kernels.grad is not None
    torch.testing.assert_close(found, -kernels.grad[:, :, 0])


def test_counts_and_energies_are_sums_under_windows(
    planes: tuple[torch.Tensor, torch.Tensor],
) -> None:
    sharp, blurred = planes
    cells = Cells.of(SIZE, GRID, RADIUS, sharp)
    known = (blurred > 0).double()
    torch.testing.assert_close(cells.count(known), (windows() * known).sum((-2, -1)))
    torch.testing.assert_close(cells.energy(blurred), (windows() * blurred**2).sum((-2, -1)))


def test_spectra_multiply_by_autocorrelations(planes: tuple[torch.Tensor, torch.Tensor]) -> None:
    sharp, _ = planes
    cells = Cells.of(SIZE, GRID, RADIUS, sharp)
    spectra = cells.spectra(sharp, torch.ones(SIZE, dtype=torch.float64))
    seen = windows()[1, 2].sqrt() * sharp
    side = 2 * RADIUS + 1
    kernel = torch.rand(side, side, dtype=torch.float64)
    wanted = torch.zeros(side, side, dtype=torch.float64)
    around = torch.nn.functional.pad(seen, (2 * side,) * 4)
    for row in range(side):
        for column in range(side):
            for i in range(side):
                for j in range(side):
                    moved = around.roll((row - i, column - j), (0, 1))
                    wanted[row, column] += kernel[i, j] * (around * moved).sum()
    spread = torch.fft.rfft2(kernel, s=(cells.side, cells.side)) * spectra[1, 2]
    found = torch.fft.irfft2(spread, s=(cells.side, cells.side))[:side, :side]
    torch.testing.assert_close(found, wanted)


def test_solve_reaches_the_least_squares_solution() -> None:
    # White pictures: H is the identity times n, and the solution is known.
    target = torch.rand(2, 2, 5, 5, dtype=torch.float64)
    spectra = torch.full((2, 2, 10, 6), 50.0, dtype=torch.float64)
    start = torch.zeros_like(target)
    found = solve(start, 50 * target, spectra, ridge=10.0, coupling=0.0)
    torch.testing.assert_close(found, target * 50 / 60, atol=1e-8, rtol=0)


def test_solve_keeps_kernels_positive_and_borrows_from_neighbours() -> None:
    target = torch.rand(1, 3, 5, 5, dtype=torch.float64) - 0.3
    target[0, 2] = target[0, 0]
    spectra = torch.full((1, 3, 10, 6), 50.0, dtype=torch.float64)
    spectra[0, 1] = 0
    gradient = 50 * target
    gradient[0, 1] = 0
    found = solve(start := torch.zeros_like(target), gradient, spectra, ridge=1e-9, coupling=1e-3)
    assert not bool(start.any())
    assert float(found.min()) == 0
    torch.testing.assert_close(found[0, 0], target[0, 0].clamp(min=0), atol=1e-3, rtol=0)
    torch.testing.assert_close(found[0, 1], found[0, 0], atol=2e-2, rtol=0)
