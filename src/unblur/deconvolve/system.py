"""The blur as solvers use it: applied, applied backwards, inverted under a quadratic penalty."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.blur.operator import Operator
from unblur.fourier import inverse, transfer_function

__all__ = ["FieldSystem", "System", "UniformSystem", "make_system"]

Size = tuple[int, int]

# Conjugate gradients for the quadratic problem inside an iteration: the outer loop comes again.
_INNER_STEPS = 6
_TINY = 1e-30


class System(Protocol):
    """A linear blur A on a periodic frame."""

    @property
    def size(self) -> Size:
        """Of the frame."""
        ...

    @property
    def power(self) -> Tensor:
        """|K|^2 as a real half spectrum, (..., H, W // 2 + 1); of a field the mean."""
        ...

    def forward(self, image: Tensor) -> Tensor:
        """A u."""
        ...

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u."""
        ...

    def project(self, observed: Tensor) -> Tensor:
        """A^T v, in the form that `solve` wants: it stays the same while v does."""
        ...

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """Solve (A^T A + w P) u = A^T v + w p.

        Args:
            projected: `project(v)`.
            penalty: P as a real half spectrum, (H, W // 2 + 1), positive where A is not invertible.
            weight: w.
            prior: p, (B, C, H, W).
            start: a guess at u; direct solvers do not need it.
        """
        ...

    def fit(self, observed: Tensor, known: Tensor | None, penalty: Tensor, steps: int) -> Tensor:
        """Solve (A^T M A + P) u = A^T M v, where M keeps what is known.

        Args:
            observed: v, (B, C, H, W), with a guess where it is not known.
            known: M, bool, broadcastable to `observed`; None: everything.
            penalty: as for `solve`.
            steps: of conjugate gradients, where the solution is not direct.
        """
        ...


@dataclass(frozen=True)
class UniformSystem:
    """A convolution: everything is a product in the Fourier domain, and `solve` is exact."""

    spectrum: Tensor
    backwards: Tensor
    power: Tensor
    size: Size

    @staticmethod
    def of(kernel: Tensor, size: Size) -> "UniformSystem":
        """Build it from a kernel (h, w), or one kernel a channel (C, h, w)."""
        spectrum = transfer_function(kernel, size)
        backwards = spectrum.conj().resolve_conj()
        return UniformSystem(spectrum, backwards, spectrum.real**2 + spectrum.imag**2, size)

    def forward(self, image: Tensor) -> Tensor:
        """A u = F^-1[K F[u]]."""
        return inverse(torch.fft.rfft2(image).mul_(self.spectrum), self.size)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u = F^-1[conj(K) F[u]]."""
        return inverse(self.project(image), self.size)

    def project(self, observed: Tensor) -> Tensor:
        """conj(K) F[v]."""
        spectrum: Tensor = torch.fft.rfft2(observed)
        return spectrum.mul_(self.backwards)

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """In closed form: u = F^-1[(conj(K) F[v] + w F[p]) / (|K|^2 + w P)]."""
        del start  # nothing to approach
        right = torch.fft.rfft2(prior).mul_(weight).add_(projected)
        right.mul_(torch.add(self.power, penalty, alpha=weight).reciprocal_().to(right))
        return inverse(right, self.size)

    def fit(self, observed: Tensor, known: Tensor | None, penalty: Tensor, steps: int) -> Tensor:
        """Conjugate gradients on the spectrum: one pair of transforms a step."""
        # Complex, though real: products of mixed types are three times slower.
        conditioner = (self.power + penalty).reciprocal_().to(self.spectrum)
        penalty = penalty.to(self.spectrum)
        solution = self.project(observed).mul_(conditioner)
        if known is None:
            return inverse(solution, self.size)
        mask, buffer = known.to(observed), torch.empty_like(solution)

        def blurred(x: Tensor) -> Tensor:
            return inverse(torch.mul(x, self.spectrum, out=buffer), self.size)

        def normal(x: Tensor) -> Tensor:
            return self.project(blurred(x).mul_(mask)).addcmul_(penalty, x)

        missing = blurred(solution).neg_().add_(observed).mul_(mask)
        solution = _conjugate_gradients(
            normal,
            lambda x: x * conditioner,
            lambda x, y: _parseval(x, y, self.size),
            solution=solution,
            residual=self.project(missing).addcmul_(penalty, solution, value=-1),
            steps=steps,
        )
        return inverse(solution, self.size)


@dataclass(frozen=True)
class FieldSystem:
    """A blur that varies over the frame: `solve` runs preconditioned conjugate gradients.

    The preconditioner is the exact inverse for a uniform blur with the field's mean power spectrum.
    """

    operator: Operator
    power: Tensor
    size: Size

    @staticmethod
    def of(field: Field, size: Size) -> "FieldSystem":
        """Build it from a field that already covers the extended frame."""
        kernels = field.kernels
        power = torch.zeros(size[0], size[1] // 2 + 1, device=kernels.device, dtype=kernels.dtype)
        for cell in kernels.flatten(0, 1):
            spectrum = transfer_function(cell, size)
            power += (spectrum.real**2 + spectrum.imag**2).mean(0)
        count = kernels.shape[0] * kernels.shape[1]
        return FieldSystem(field.operator(size), power / count, size)

    def forward(self, image: Tensor) -> Tensor:
        """A u, by overlap-add."""
        return self.operator.forward(image)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, by overlap-add."""
        return self.operator.adjoint(image)

    def project(self, observed: Tensor) -> Tensor:
        """A^T v."""
        return self.adjoint(observed)

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """Conjugate gradients from `start`."""
        right = torch.add(projected, prior, alpha=weight)
        return self._approach(right, None, weight * penalty, start, _INNER_STEPS)

    def fit(self, observed: Tensor, known: Tensor | None, penalty: Tensor, steps: int) -> Tensor:
        """Conjugate gradients from the uniform solution."""
        start = self._precondition(self.adjoint(observed), penalty)
        return self._approach(self.adjoint(_keep(observed, known)), known, penalty, start, steps)

    def _approach(
        self, right: Tensor, known: Tensor | None, penalty: Tensor, start: Tensor, steps: int
    ) -> Tensor:
        def normal(image: Tensor) -> Tensor:
            penalised = inverse(torch.fft.rfft2(image) * penalty, self.size)
            return self.adjoint(_keep(self.forward(image), known)) + penalised

        return _conjugate_gradients(
            normal,
            lambda x: self._precondition(x, penalty),
            lambda x, y: _sum(x * y),
            solution=start,
            residual=right - normal(start),
            steps=steps,
        )

    def _precondition(self, image: Tensor, penalty: Tensor) -> Tensor:
        return inverse(torch.fft.rfft2(image) / (self.power + penalty), self.size)


def _conjugate_gradients(
    normal: Callable[[Tensor], Tensor],
    condition: Callable[[Tensor], Tensor],
    inner: Callable[[Tensor, Tensor], Tensor],
    *,
    solution: Tensor,
    residual: Tensor,
    steps: int,
) -> Tensor:
    """Preconditioned conjugate gradients (Hestenes & Stiefel 1952), each plane by itself."""
    solution, direction = solution.clone(), condition(residual)
    rho = inner(residual, direction)
    for _ in range(steps):
        applied = normal(direction)
        step = rho / inner(direction, applied).clamp(min=_TINY)
        _add(solution, direction, step)
        _add(residual, applied, -step)
        conditioned = condition(residual)
        rho, previous = inner(residual, conditioned), rho
        _add(conditioned, direction, rho / previous.clamp(min=_TINY))
        direction = conditioned
    return solution


def _add(planes: Tensor, others: Tensor, factors: Tensor) -> None:
    """Add others times a factor a plane, in place: much faster than a broadcast of complex ones."""
    flat = zip(planes.flatten(0, 1), others.flatten(0, 1), factors.flatten().tolist(), strict=True)
    for plane, other, factor in flat:
        plane.add_(other, alpha=factor)


def _keep(image: Tensor, known: Tensor | None) -> Tensor:
    return image if known is None else torch.where(known, image, image.new_zeros(()))


def _sum(image: Tensor) -> Tensor:
    return image.sum(dim=(-2, -1), keepdim=True)


def _parseval(x: Tensor, y: Tensor, size: Size) -> Tensor:
    """Sum of the products of two images, from their half spectra (times the number of pixels).

    Every column of a half spectrum stands for two of the whole one, but the first and, of even
    widths, the last.
    """
    single = slice(None, None, size[1] // 2) if size[1] % 2 == 0 else slice(0, 1)
    twice, once = (
        (torch.view_as_real(u) * torch.view_as_real(v)).sum((-3, -2, -1))
        for u, v in ((x, y), (x[..., single], y[..., single]))
    )
    total: Tensor = (2 * twice - once)[..., None, None]
    return total


def make_system(blur: Tensor | Field, size: Size, margin: Size, frame: Size) -> System:
    """Choose the system for a kernel tensor or a field.

    Args:
        blur: (h, w) or (C, h, w), or a field over the picture's frame.
        size: of the picture.
        margin: where the picture sits in the extended frame.
        frame: the extended frame's size.
    """
    if isinstance(blur, Field):
        return FieldSystem.of(blur.extend(size, margin, frame), frame)
    return UniformSystem.of(blur, frame)
