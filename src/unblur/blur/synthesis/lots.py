"""Random choices from one generator."""

import math
from collections.abc import Mapping
from typing import TypeVar

import torch

__all__ = ["Lots"]

T = TypeVar("T")


class Lots:
    """Draws single numbers; the same generator state gives the same numbers.

    Attributes:
        generator: where they come from.

    Example:
        >>> lots = Lots(torch.Generator().manual_seed(0))
        >>> 2 <= lots.even((2, 3)) <= 3, lots.chance(0), lots.chance(1)
        (True, False, True)
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def share(self) -> float:
        """A number from 0 to 1, without 1."""
        device = self.generator.device
        return float(torch.rand((), generator=self.generator, dtype=torch.float64, device=device))

    def even(self, span: tuple[float, float]) -> float:
        """A number of the range, all equally likely."""
        return span[0] + (span[1] - span[0]) * self.share()

    def steep(self, span: tuple[float, float]) -> float:
        """A number of a range above 0; each doubling equally likely."""
        return math.exp(self.even((math.log(span[0]), math.log(span[1]))))

    def chance(self, probability: float) -> bool:
        """True as often as `probability` says."""
        return self.share() < probability

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return min(int(self.share() * count), count - 1)

    def choose(self, probabilities: Mapping[T, float]) -> T:
        """One of the keys."""
        keys, lot = list(probabilities), self.share()
        for key in keys[:-1]:
            lot -= probabilities[key]
            if lot < 0:
                return key
        return keys[-1]
