"""Examples that are made once and kept in memory: what small experiments train with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from unblur.blur.synthesis.lots import Lots
from unblur.train.batch import Batch, join
from unblur.train.data import Pictures
from unblur.train.sources import Source
from unblur.train.stream import Examples, Ticket

__all__ = ["InMemory", "Still"]


@dataclass(frozen=True, eq=False)
class Still(Source):
    """Pairs of one size.

    Attributes:
        batch: all of them.
        augment: turn and mirror them, and their references alike.
    """

    batch: Batch
    augment: bool = False

    def __len__(self) -> int:
        return len(self.batch.names)

    def example(self, index: int, _patch: int, generator: torch.Generator) -> Batch:
        """Give the pair `index`, whole."""
        pair = self.part([index]).batch
        if not self.augment:
            return pair
        lots = Lots(generator)
        turns, mirrored = lots.below(4), lots.chance(0.5)

        def turned(picture: Tensor) -> Tensor:
            picture = torch.rot90(picture, turns, (-2, -1))
            return picture.flip(-1) if mirrored else picture

        known = pair.reference
        return Batch(
            turned(pair.blurred),
            turned(pair.sharp),
            pair.names,
            reference=None if known is None else (turned(known[0]), turned(known[1])),
        )

    def part(self, places: Sequence[int]) -> "Still":
        """Some of the pairs, in this order.

        Example:
            >>> pairs = Batch(torch.zeros(3, 3, 4, 4), torch.zeros(3, 3, 4, 4), ("a", "b", "c"))
            >>> Still(pairs).part([2, 0]).batch.names
            ('c', 'a')
        """
        chosen, pairs = list(places), self.batch
        known = pairs.reference
        return Still(
            Batch(
                pairs.blurred[chosen],
                pairs.sharp[chosen],
                tuple(pairs.names[place] for place in chosen),
                reference=None if known is None else (known[0][chosen], known[1][chosen]),
            ),
            self.augment,
        )


class InMemory(Pictures):
    """Examples in memory, validated with a batch at a time.

    Args:
        train: to train with.
        kept: to validate with.
        name: of the data, for the weights' card.
        batch: pairs in a step.
        seed: of the order.
    """

    def __init__(self, train: Still, kept: Still, *, name: str, batch: int, seed: int) -> None:
        super().__init__(name, patch=0, batch=batch, workers=0, seed=seed)
        self._sources = (train, kept)

    @override
    def val_dataloader(self) -> DataLoader[Any]:
        kept = self.found[1]
        tickets = [Ticket(number, 0) for number in range(len(kept))]
        batches = [tickets[n : n + self.batch] for n in range(0, len(tickets), self.batch)]
        return DataLoader(Examples(kept, shuffled=False), batch_sampler=batches, collate_fn=join)
