"""The blur as solvers use it: applied, applied backwards, inverted under a quadratic penalty."""

from typing import Protocol

from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.field_system import FieldSystem, NearSystem
from unblur.deconvolve.uniform_system import UniformSystem

__all__ = ["System", "make_system"]

Size = tuple[int, int]


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

    def project(self, observed: Tensor, estimate: Tensor, predicted: Tensor) -> Tensor:
        """A^T v, in the form that `solve` wants.

        Args:
            observed: v, (B, C, H, W).
            estimate: of u; only what stands in for A by something simpler looks at it.
            predicted: A applied to it.
        """
        ...

    def solve(
        self, projected: Tensor, penalty: Tensor, weight: float, prior: Tensor, start: Tensor
    ) -> Tensor:
        """Solve (A^T A + w P) u = A^T v + w p.

        Args:
            projected: what `project` gives.
            penalty: P as a real half spectrum, (H, W // 2 + 1), positive where A is not invertible.
            weight: w.
            prior: p, (B, C, H, W).
            start: a guess at u; direct solvers do not need it.
        """
        ...

    def fit(
        self,
        observed: Tensor,
        known: Tensor | None,
        penalty: Tensor,
        steps: int,
        start: Tensor | None = None,
    ) -> Tensor:
        """Solve (A^T M A + P) u = A^T M v, where M keeps what is known.

        Args:
            observed: v, (B, C, H, W), with a guess where it is not known.
            known: M, bool, broadcastable to `observed`; None: everything.
            penalty: as for `solve`.
            steps: of conjugate gradients, where the solution is not direct.
            start: a guess at u; None begins with the solution for the guess at v.
        """
        ...


def make_system(blur: Tensor | Field, size: Size, margin: Size, frame: Size) -> System:
    """Choose the system for a kernel tensor or a field.

    Args:
        blur: (h, w) or (C, h, w), or a field over the picture's frame.
        size: of the picture.
        margin: where the picture sits in the extended frame.
        frame: the extended frame's size.
    """
    if isinstance(blur, Field):
        extended = blur.extend(size, margin, frame)
        near = NearSystem.of(extended, frame)
        return near if near.valid else FieldSystem.of(extended, frame)
    return UniformSystem.of(blur, frame)
