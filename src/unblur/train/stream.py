"""Which examples a step sees: numbers that depend on the step alone, never on who asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from unblur.errors import ParameterError
from unblur.train.batch import Batch, Crops
from unblur.train.sources import Source

__all__ = ["Examples", "Phase", "Steps", "Ticket", "generator_of"]


@dataclass(frozen=True)
class Phase:
    """A part of a run with patches of one size.

    Attributes:
        until: the first step that is no longer in it.
        patch: side of the patches in pixels.
        batch: pairs in a step, over all processes together.
    """

    until: int
    patch: int
    batch: int


class Ticket(NamedTuple):
    """The example that was asked for: its number in the run, and the side of its patch."""

    number: int
    patch: int


class Steps:
    """The tickets of every batch of one process: a batch sampler for a data loader.

    Step s of a run takes the next numbers, as many as its phase says; processes share them in
    their order, and so do the parts of an accumulated gradient.

    Args:
        phases: in the order of their ends; the last one gives the length of the run.
        start: the first step to give, for a run that goes on.
        rank: of this process.
        world: how many processes there are.
        parts: batches that one step accumulates.

    Raises:
        ParameterError: A phase ends before it begins, or its batch cannot be shared evenly.

    Example:
        >>> steps = Steps([Phase(1, 64, 2), Phase(2, 96, 4)], rank=1, world=2)
        >>> [[tuple(ticket) for ticket in batch] for batch in steps]
        [[(1, 64)], [(4, 96), (5, 96)]]
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        *,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        parts: int = 1,
    ) -> None:
        before = 0
        for phase in phases:
            if phase.until < before or phase.patch < 0 or phase.batch < 1:
                raise ParameterError(
                    "phases must end one after the other, with batches of 1 or more, got "
                    f"until={phase.until}, patch={phase.patch}, batch={phase.batch}"
                )
            if phase.batch % (world * parts):
                raise ParameterError(
                    f"batch must be a multiple of {world * parts} ({world} processes, {parts} "
                    f"parts of a step), got {phase.batch}"
                )
            before = phase.until
        self.phases, self.start = phases, start
        self.rank, self.world, self.parts = rank, world, parts

    def __len__(self) -> int:
        return self.phases[-1].until * self.parts

    def __iter__(self) -> Iterator[list[Ticket]]:
        step, number = 0, 0
        for phase in self.phases:
            share = phase.batch // (self.world * self.parts)
            skipped = min(max(self.start - step, 0), phase.until - step)
            step, number = step + skipped, number + skipped * phase.batch
            for _ in range(step, phase.until):
                for part in range(self.parts):
                    first = number + (part * self.world + self.rank) * share
                    yield [Ticket(first + n, phase.patch) for n in range(share)]
                number += phase.batch
            step = phase.until


@dataclass(frozen=True)
class Examples(Dataset[Batch | Crops]):
    """Examples by ticket; every picture comes once before any comes again.

    Attributes:
        source: of the examples.
        seed: of everything that is random about them.
        shuffled: take the pictures of each round in an order of its own.
        render: render crops here, in the worker, instead of where the step is computed.
    """

    source: Source
    seed: int = 0
    shuffled: bool = True
    render: bool = True

    def __getitem__(self, ticket: Ticket) -> Batch | Crops:
        turn, place = divmod(ticket.number, len(self.source))
        if self.shuffled:
            place = _order(len(self.source), self.seed, turn)[place]
        example = self.source.example(place, ticket.patch, generator_of(self.seed, ticket.number))
        return example.render() if self.render and isinstance(example, Crops) else example


@lru_cache(maxsize=4)
def _order(count: int, seed: int, turn: int) -> list[int]:
    generator = generator_of(seed, 2**62 + turn)
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


def generator_of(seed: int, number: int) -> torch.Generator:
    """The generator of the example with this number; those of different numbers are unrelated.

    Example:
        >>> first, second = (generator_of(0, n).initial_seed() for n in (1, 2))
        >>> first == generator_of(0, 1).initial_seed(), first == second
        (True, False)
    """
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
