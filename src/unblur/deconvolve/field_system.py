"""A blur that varies over the frame, as solvers use it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.blur.operator import Operator
from unblur.deconvolve.conjugate import conjugate_gradients
from unblur.deconvolve.uniform_system import UniformSystem
from unblur.fourier import inverse, transfer_function

__all__ = ["FieldSystem", "NearSystem", "near_side"]

Size = tuple[int, int]

# Conjugate gradients for the quadratic problem inside an iteration: the outer loop comes again.
_INNER_STEPS = 3
# Spread of kernels about their mean up to which that stands in for them: in frames of hardly more
# than a cell of the grid, over which they change evenly, and in larger ones.
_HARDLY, _HARDLY_FAR, _NEAR_SPAN = 0.3, 0.06, 1.6
# What is wrong shrinks to this part from solution to solution at least, under penalties from the
# second number on.
_CONTRACTION, _LEAST_PENALTY = 0.8, 1 / 128
# Sides of frames in units of the grid's pitch over the root of the change from cell to cell: on a
# measured lens, frames of half that side restored no better, of twice that side 0.6 dB worse.
_SIDE = 0.43
# In units of the kernels' side and of the halo: of smaller frames most would be border, and what
# they see would be more than four times what they give.
_LEAST_SIDE = 3


@dataclass(frozen=True)
class FieldSystem:
    """A blur that varies over the frame: `solve` runs preconditioned conjugate gradients.

    The preconditioner is the exact inverse for a uniform blur with the mean power spectrum of the
    field's kernels, each counted as far as it reaches into the frame.
    """

    operator: Operator
    power: Tensor
    size: Size

    @staticmethod
    def of(field: Field, size: Size) -> "FieldSystem":
        """Build it from a field that already covers the extended frame."""
        kernels = field.kernels
        # Of a large frame a tile sees a few cells, each as far as its window reaches into it.
        vertical, horizontal = (weights.mean(1) for weights in field.windows(size))
        shares = torch.outer(vertical, horizontal).flatten().tolist()
        power = torch.zeros(size[0], size[1] // 2 + 1, device=kernels.device, dtype=kernels.dtype)
        for cell, share in zip(kernels.flatten(0, 1), shares, strict=True):
            if share > 0:
                spectrum = transfer_function(cell, size)
                power += share * (spectrum.real**2 + spectrum.imag**2).mean(0)
        return FieldSystem(field.operator(size), power, size)

    def forward(self, image: Tensor) -> Tensor:
        """A u, by overlap-add."""
        return self.operator.forward(image)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, by overlap-add."""
        return self.operator.adjoint(image)

    def project(
        self, observed: Tensor, estimate: Tensor | None = None, predicted: Tensor | None = None
    ) -> Tensor:
        """A^T v."""
        del estimate, predicted  # A itself is inverted
        return self.adjoint(observed)

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """Conjugate gradients from `start`."""
        right = torch.add(projected, prior, alpha=weight)
        return self._approach(right, None, weight * penalty, start, _INNER_STEPS)

    def fit(
        self,
        observed: Tensor,
        known: Tensor | None,
        penalty: Tensor,
        steps: int,
        start: Tensor | None = None,
    ) -> Tensor:
        """Conjugate gradients, from the uniform solution where no other is at hand."""
        if start is None:
            start = self._precondition(self.adjoint(observed), penalty)
        return self._approach(self.adjoint(_keep(observed, known)), known, penalty, start, steps)

    def _approach(
        self, right: Tensor, known: Tensor | None, penalty: Tensor, start: Tensor, steps: int
    ) -> Tensor:
        def normal(image: Tensor) -> Tensor:
            penalised = inverse(torch.fft.rfft2(image) * penalty, self.size)
            return self.adjoint(_keep(self.forward(image), known)) + penalised

        return conjugate_gradients(
            normal,
            lambda x: self._precondition(x, penalty),
            lambda x, y: _sum(x * y),
            solution=start,
            residual=right - normal(start),
            steps=steps,
        )

    def _precondition(self, image: Tensor, penalty: Tensor) -> Tensor:
        return inverse(torch.fft.rfft2(image) / (self.power + penalty), self.size)


@dataclass(frozen=True)
class NearSystem:
    """A blur that hardly varies over the frame: applied as it is, inverted as its mean kernel.

    Where A0, the blur by the mean kernel, stands in for A, the data v become v - g (A - A0) u for
    the estimate u at hand: what the mean kernel gets wrong is taken from them. Each solution about
    a better estimate comes nearer to that of A itself, at the price of one A u. Frequencies that
    the mean kernel nearly removes would be blown up in turn; there g, from 0 to 1, holds back.

    Attributes:
        spectra: of the kernels whose windows reach into the frame, (rows, columns, C, H, W').
        vertical: their windows along y, (rows, H).
        horizontal: along x, (columns, W).
        mean: the blur by the mean kernel, each cell counted as far as it reaches into the frame.
        trust: g as a half spectrum, real.
        spread: mean square of the kernels' differences from it, relative to its own energy.
        span: the longer side of the frame, in cells of the grid.
    """

    spectra: Tensor
    vertical: Tensor
    horizontal: Tensor
    mean: UniformSystem
    trust: Tensor
    spread: float
    span: float

    @staticmethod
    def of(field: Field, size: Size) -> "NearSystem":
        """Build it from a field that already covers the extended frame."""
        vertical, horizontal = field.windows(size)
        rows, columns = (weights.any(1) for weights in (vertical, horizontal))
        kernels = field.kernels[rows][:, columns]
        vertical, horizontal = vertical[rows], horizontal[columns]
        shares = torch.outer(vertical.mean(1), horizontal.mean(1))[..., None, None, None]
        mean = (kernels * shares).sum((0, 1))
        spread = ((kernels - mean).square() * shares).sum() / mean.square().sum()
        spectra, near = transfer_function(kernels, size), UniformSystem.of(mean, size)
        apart = (spectra - near.spectrum).abs().amax((0, 1))
        gain = apart * near.spectrum.abs() / (near.power + _LEAST_PENALTY)
        trust = (_CONTRACTION / gain.clamp(min=1e-6)).clamp(max=1)
        top, left, bottom, right = field.box
        span = max(field.grid[0] / (bottom - top), field.grid[1] / (right - left))
        return NearSystem(spectra, vertical, horizontal, near, trust, float(spread), span)

    @property
    def valid(self) -> bool:
        """Whether the mean kernel may stand in for all."""
        return self.spread < (_HARDLY if self.span < _NEAR_SPAN else _HARDLY_FAR)

    @property
    def power(self) -> Tensor:
        """|K|^2 of the mean kernel."""
        return self.mean.power

    @property
    def size(self) -> Size:
        """Of the frame."""
        return self.mean.size

    def forward(self, image: Tensor) -> Tensor:
        """A u: each kernel's whole blur under its window."""
        spectrum, blurred = torch.fft.rfft2(image), torch.zeros_like(image)
        for down, row in zip(self.vertical, self.spectra, strict=True):
            for across, cell in zip(self.horizontal, row, strict=True):
                window = down[:, None] * across
                blurred.addcmul_(inverse(spectrum * cell, self.size), window)
        return blurred

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u."""
        total = torch.zeros_like(torch.fft.rfft2(image))
        for down, row in zip(self.vertical, self.spectra, strict=True):
            for across, cell in zip(self.horizontal, row, strict=True):
                window = down[:, None] * across
                total.addcmul_(torch.fft.rfft2(image * window), cell.conj())
        return inverse(total, self.size)

    def project(self, observed: Tensor, estimate: Tensor, predicted: Tensor) -> Tensor:
        """F[A0^T (v - g (A - A0) u)]."""
        wrong = torch.fft.rfft2(estimate).mul_(self.mean.spectrum).sub_(torch.fft.rfft2(predicted))
        total = torch.fft.rfft2(observed).add_(wrong.mul_(self.trust))
        projected: Tensor = total.mul_(self.mean.backwards)
        return projected

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """With the mean kernel, in closed form."""
        return self.mean.solve(projected, penalty, weight, prior, start)

    def fit(
        self,
        observed: Tensor,
        known: Tensor | None,
        penalty: Tensor,
        steps: int,
        start: Tensor | None = None,
    ) -> Tensor:
        """With the mean kernel: a first estimate."""
        return self.mean.fit(observed, known, penalty, steps, start)


def near_side(field: Field, size: Size, halo: int = 0) -> int | None:
    """The side of frames within which a field hardly varies; None where it is not worth while.

    Args:
        field: over a picture.
        size: of the picture, (height, width).
        halo: what a frame sees beyond what it gives.

    Example:
        >>> from unblur.blur.kernels import gaussian
        >>> near_side(Field.of([[gaussian(1), gaussian(1.2)]]), (400, 800))
        400
    """
    top, left, bottom, right = field.box
    rows, columns = field.grid
    pitch = min((bottom - top) * size[0] / rows, (right - left) * size[1] / columns)
    energy = field.kernels.square().sum((-2, -1)).mean()
    changes = [
        (field.kernels.diff(dim=axis).square().sum((-2, -1)) / energy).flatten() for axis in (0, 1)
    ]
    change = max(float(each.quantile(0.9)) if len(each) else 0.0 for each in changes)
    side = min(_SIDE / max(change, 1e-6) ** 0.5, 1.0) * pitch
    return None if side < _LEAST_SIDE * max(*field.kernel_size, halo) else round(side)


def _keep(image: Tensor, known: Tensor | None) -> Tensor:
    return image if known is None else torch.where(known, image, image.new_zeros(()))


def _sum(image: Tensor) -> Tensor:
    return image.sum(dim=(-2, -1), keepdim=True)
