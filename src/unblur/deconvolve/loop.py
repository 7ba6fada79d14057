"""The one loop of the iterative solvers."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from unblur.errors import UnblurError
from unblur.progress import Progress, report

__all__ = ["iterate"]


class State(Protocol):
    """What a solver carries from one step to the next; frozen."""

    @property
    def image(self) -> Tensor:
        """The current estimate."""
        ...


S = TypeVar("S", bound=State)


def iterate(
    state: S,
    step: Callable[[S], S],
    *,
    iterations: int,
    tolerance: float = 0.0,
    progress: Progress | None = None,
    stage: str = "deconvolve",
) -> S:
    """Apply `step` until `iterations` are done or the image moves less than `tolerance`.

    The movement is |x' - x| / |x'| in the Euclidean norm; 0 switches the test (and its cost) off.
    `progress` is called before every step and may raise `Cancelled`.

    Raises:
        UnblurError: The image is not finite any more.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Halved:
        ...     image: Tensor
        >>> halve = lambda state: Halved(state.image / 2)
        >>> iterate(Halved(torch.tensor(8.0)), halve, iterations=3).image
        tensor(1.)
    """
    for done in range(iterations):
        report(progress, stage, done / iterations)
        previous, state = state.image, step(state)
        if tolerance > 0 and _movement(previous, state.image) < tolerance:
            break
    if not bool(torch.isfinite(state.image).all()):
        raise UnblurError(
            f"the {stage} iterations diverged: use fewer iterations, or more regularization"
        )
    report(progress, stage, 1.0)
    return state


def _movement(before: Tensor, after: Tensor) -> float:
    return float((after - before).norm() / after.norm().clamp(min=1e-12))
