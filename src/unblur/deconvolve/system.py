"""The blur as solvers use it: apply it, apply its adjoint, and invert it under a quadratic penalty."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.fourier import transfer_function

__all__ = ["FieldSystem", "System", "UniformSystem", "make_system"]

Size = tuple[int, int]


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
        return torch.fft.irfft2(torch.fft.rfft2(image) * self.spectrum, s=self.size)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u = F^-1[conj(K) F[u]]."""
        return torch.fft.irfft2(torch.fft.rfft2(image) * self.spectrum.conj(), s=self.size)

    def solve(
        self, observed: Tensor, penalty: Tensor, prior: Tensor | None, start: Tensor
    ) -> Tensor:
        """u = F^-1[(conj(K) F[v] + F[p]) / (|K|^2 + P)]."""
        right = torch.fft.rfft2(observed) * self.spectrum.conj()
        if prior is not None:
            right += torch.fft.rfft2(prior)
        return torch.fft.irfft2(right / (self.power + penalty), s=self.size)


@dataclass(frozen=True)
class FieldSystem:
    """A blur that varies over the frame: `solve` runs preconditioned conjugate gradients.

    The preconditioner is the exact inverse for a uniform blur with the field's mean power spectrum.
    """

    field: Field
    operator: "FieldOperatorLike"
    mean_power: Tensor
    size: Size
    iterations: int = 8

    @staticmethod
    def of(field: Field, size: Size) -> "FieldSystem":
        """Build it from a field that already covers the extended frame."""
        kernels = field.kernels
        power = torch.zeros(size[0], size[1] // 2 + 1, device=kernels.device, dtype=kernels.dtype)
        for row in kernels.flatten(0, 1):
            spectrum = transfer_function(row, size)
            power += (spectrum.real**2 + spectrum.imag**2).mean(0)
        count = kernels.shape[0] * kernels.shape[1]
        return FieldSystem(field, field.operator(size), power / count, size)

    def forward(self, image: Tensor) -> Tensor:
        """A u, by overlap-add."""
        return self.operator.forward(image)

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, by overlap-add."""
        return self.operator.adjoint(image)

    def solve(
        self, observed: Tensor, penalty: Tensor, prior: Tensor | None, start: Tensor
    ) -> Tensor:
        """Conjugate gradients from `start`; a few steps do, because solvers call it again and again."""
        right = self.adjoint(observed) if prior is None else self.adjoint(observed) + prior
        image = start
        residual = right - self._normal(image, penalty)
        conditioned = self._precondition(residual, penalty)
        direction, rho = conditioned, _inner(residual, conditioned)
        for _ in range(self.iterations):
            applied = self._normal(direction, penalty)
            step = rho / _inner(direction, applied).clamp(min=1e-30)
            image = image + step * direction
            residual = residual - step * applied
            conditioned = self._precondition(residual, penalty)
            rho, previous = _inner(residual, conditioned), rho
            direction = conditioned + (rho / previous.clamp(min=1e-30)) * direction
        return image

    def _normal(self, image: Tensor, penalty: Tensor) -> Tensor:
        penalised = torch.fft.irfft2(torch.fft.rfft2(image) * penalty, s=self.size)
        return self.adjoint(self.forward(image)) + penalised

    def _precondition(self, image: Tensor, penalty: Tensor) -> Tensor:
        return torch.fft.irfft2(
            torch.fft.rfft2(image) / (self.mean_power + penalty), s=self.size
        )


class FieldOperatorLike(Protocol):
    """What `Field.operator` gives."""

    def forward(self, image: Tensor) -> Tensor:
        """A u."""
        ...

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u."""
        ...


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(-3, -2, -1), keepdim=True)


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
