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

    def forward(self, image: Tensor) -> Tensor:
        """A u."""
        ...

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u."""
        ...

    def solve(
        self, observed: Tensor, penalty: Tensor, prior: Tensor | None, start: Tensor
    ) -> Tensor:
        """Solve (A^T A + P) u = A^T v + p.

        Args:
            observed: v, (B, C, H, W).
            penalty: P as a real half spectrum, (H, W // 2 + 1), positive where A is not invertible.
            prior: p, (B, C, H, W), or None for zero.
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
    power: Tensor
    size: Size

    @staticmethod
    def of(kernel: Tensor, size: Size) -> "UniformSystem":
        """Build it from a kernel (h, w), or one kernel a channel (C, h, w)."""
        spectrum = transfer_function(kernel, size)
        return UniformSystem(spectrum, spectrum.real**2 + spectrum.imag**2, size)

    def forward(self, image: Tensor) -> Tensor:
        """A u = F^-1[K F[u]]."""
        return inverse(torch.fft.rfft2(image) * self.spectrum, self.size)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u = F^-1[conj(K) F[u]]."""
        return inverse(torch.fft.rfft2(image) * self.spectrum.conj(), self.size)

    def solve(
        self, observed: Tensor, penalty: Tensor, prior: Tensor | None, start: Tensor
    ) -> Tensor:
        """In closed form: u = F^-1[(conj(K) F[v] + F[p]) / (|K|^2 + P)]."""
        del start  # nothing to approach
        right = torch.fft.rfft2(observed) * self.spectrum.conj()
        if prior is not None:
            right += torch.fft.rfft2(prior)
        return inverse(right / (self.power + penalty), self.size)

    def fit(self, observed: Tensor, known: Tensor | None, penalty: Tensor, steps: int) -> Tensor:
        """Conjugate gradients on the spectrum: one pair of transforms a step."""
        conditioner = 1 / (self.power + penalty)
        spectrum = torch.fft.rfft2(observed) * self.spectrum.conj() * conditioner
        if known is None:
            return inverse(spectrum, self.size)

        def back(image: Tensor) -> Tensor:
            spectrum: Tensor = torch.fft.rfft2(_keep(image, known)) * self.spectrum.conj()
            return spectrum

        predicted = inverse(spectrum * self.spectrum, self.size)
        residual = back(observed - predicted) - penalty * spectrum
        weight = _half_weights(self.size, observed)
        solution = _conjugate_gradients(
            lambda x: back(inverse(x * self.spectrum, self.size)) + penalty * x,
            lambda x: x * conditioner,
            lambda x, y: _sum(weight * (x.real * y.real + x.imag * y.imag)),
            solution=spectrum,
            residual=residual,
            steps=steps,
        )
        return inverse(solution, self.size)


@dataclass(frozen=True)
class FieldSystem:
    """A blur that varies over the frame: `solve` runs preconditioned conjugate gradients.

    The preconditioner is the exact inverse for a uniform blur with the field's mean power spectrum.
    """

    operator: Operator
    mean_power: Tensor
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

    def solve(
        self, observed: Tensor, penalty: Tensor, prior: Tensor | None, start: Tensor
    ) -> Tensor:
        """Conjugate gradients from `start`."""
        right = self.adjoint(observed) if prior is None else self.adjoint(observed) + prior
        return self._approach(right, None, penalty, start, _INNER_STEPS)

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
        return inverse(torch.fft.rfft2(image) / (self.mean_power + penalty), self.size)


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
    conditioned = condition(residual)
    direction, rho = conditioned, inner(residual, conditioned)
    for _ in range(steps):
        applied = normal(direction)
        step = rho / inner(direction, applied).clamp(min=_TINY)
        solution = solution + step * direction
        residual = residual - step * applied
        conditioned = condition(residual)
        rho, previous = inner(residual, conditioned), rho
        direction = conditioned + (rho / previous.clamp(min=_TINY)) * direction
    return solution


def _keep(image: Tensor, known: Tensor | None) -> Tensor:
    return image if known is None else torch.where(known, image, image.new_zeros(()))


def _sum(image: Tensor) -> Tensor:
    return image.sum(dim=(-2, -1), keepdim=True)


def _half_weights(size: Size, like: Tensor) -> Tensor:
    """How often each column of a half spectrum stands in the whole one (for Parseval's sums)."""
    weights = torch.full((size[1] // 2 + 1,), 2.0, dtype=like.dtype, device=like.device)
    weights[0] = 1
    if size[1] % 2 == 0:
        weights[-1] = 1
    return weights


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
