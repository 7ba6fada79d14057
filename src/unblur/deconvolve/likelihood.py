"""What the data say to Richardson-Lucy: a prediction, and how far the picture is from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from unblur.deconvolve.observation import Observation
from unblur.deconvolve.system import System

__all__ = ["DARKEST", "Framed", "Likelihood"]

DARKEST = 1e-6
"""Darker predictions count as this.

An extrapolated point may be black where the picture is not, and a ratio to nothing would explode.
"""


class Likelihood(Protocol):
    """Of counts v with mean A u; estimates u are laid out as this likes them."""

    @property
    def axes(self) -> tuple[int, ...]:
        """Those of an estimate over which one plane spreads."""
        ...

    def first(self, value: float | None) -> Tensor:
        """An estimate to start from: the picture, or that value everywhere."""
        ...

    def predict(self, estimate: Tensor) -> Tensor:
        """A u, at least `DARKEST`."""
        ...

    def ratio(self, predicted: Tensor) -> Tensor:
        """Give v / A u, and 1 where nothing is known; valid until the next call."""
        ...

    def error(self, predicted: Tensor, ratio: Tensor) -> float:
        """The mean square of A u - v over the picture."""
        ...

    def adjoint(self, ratio: Tensor) -> Tensor:
        """A^T r."""
        ...

    def picture(self, estimate: Tensor) -> Tensor:
        """The estimate as (B, C, H, W)."""
        ...


@dataclass(frozen=True)
class Framed:
    """Any blur, on the extended frame."""

    seen: Observation
    system: System
    # Ones, which stay so outside of the picture: what is predicted there is not contradicted.
    even: Tensor
    axes: tuple[int, ...] = (-2, -1)

    @staticmethod
    def of(seen: Observation, make: Callable[[tuple[int, int]], System]) -> "Framed":
        """Build it; `make` gives the system on a frame of that size."""
        frame = (seen.image.shape[-2], seen.image.shape[-1])
        return Framed(seen, make(frame), torch.ones_like(seen.image))

    def first(self, value: float | None) -> Tensor:
        """The frame that was seen, or that value everywhere."""
        return self.seen.image if value is None else torch.full_like(self.seen.image, value)

    def predict(self, estimate: Tensor) -> Tensor:
        """A u, at least `DARKEST`."""
        return self.system.forward(estimate).clamp_(min=DARKEST)

    def ratio(self, predicted: Tensor) -> Tensor:
        """The completed picture to its prediction."""
        if not self.seen.whole:
            return self.seen.complete(predicted) / predicted
        crop = self.seen.crop
        torch.div(crop(self.seen.image), crop(predicted), out=crop(self.even))
        return self.even

    def error(self, predicted: Tensor, ratio: Tensor) -> float:
        """The mean square of A u - v over the picture."""
        return float(self.seen.crop((ratio - 1).mul_(predicted)).square().mean())

    def adjoint(self, ratio: Tensor) -> Tensor:
        """A^T r."""
        return self.system.adjoint(ratio)

    def picture(self, estimate: Tensor) -> Tensor:
        """The picture's part of the frame."""
        return self.seen.crop(estimate).contiguous()
