"""A uniform blur as solvers use it: every step is a product of spectra."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unblur.deconvolve.conjugate import conjugate_gradients
from unblur.fourier import inverse, transfer_function

__all__ = ["UniformSystem"]

Size = tuple[int, int]


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

    def project(
        self, observed: Tensor, estimate: Tensor | None = None, predicted: Tensor | None = None
    ) -> Tensor:
        """conj(K) F[v]."""
        del estimate, predicted  # A itself is inverted
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

    def fit(
        self,
        observed: Tensor,
        known: Tensor | None,
        penalty: Tensor,
        steps: int,
        start: Tensor | None = None,
    ) -> Tensor:
        """Conjugate gradients on the spectrum: one pair of transforms a step."""
        # Complex, though real: products of mixed types are three times slower.
        conditioner = (self.power + penalty).reciprocal_().to(self.spectrum)
        penalty = penalty.to(self.spectrum)
        if start is None or known is None:
            solution = self.project(observed).mul_(conditioner)
        else:
            solution = torch.fft.rfft2(start)
        if known is None:
            return inverse(solution, self.size)
        mask, buffer = known.to(observed), torch.empty_like(solution)

        def blurred(x: Tensor) -> Tensor:
            return inverse(torch.mul(x, self.spectrum, out=buffer), self.size)

        def normal(x: Tensor) -> Tensor:
            return self.project(blurred(x).mul_(mask)).addcmul_(penalty, x)

        missing = blurred(solution).neg_().add_(observed).mul_(mask)
        solution = conjugate_gradients(
            normal,
            lambda x: x * conditioner,
            lambda x, y: _parseval(x, y, self.size),
            solution=solution,
            residual=self.project(missing).addcmul_(penalty, solution, value=-1),
            steps=steps,
        )
        return inverse(solution, self.size)


def _parseval(x: Tensor, y: Tensor, size: Size) -> Tensor:
    """Sum of the products of two images, from their half spectra (times the number of pixels).

    Every column of a half spectrum stands for two of the whole one, but the first and, of even
    widths, the last.
    """
    single = slice(None, None, size[1] // 2) if size[1] % 2 == 0 else slice(0, 1)
    total: Tensor = 2 * _dot(x, y) - _dot(x[..., single], y[..., single])
    return total


def _dot(x: Tensor, y: Tensor) -> Tensor:
    """Sums of the products of real and imaginary parts, (B, C, 1, 1)."""
    u, v = (torch.view_as_real(each).flatten(2) for each in (x, y))
    total: Tensor = torch.linalg.vecdot(u, v)
    return total[..., None, None]
