"""Numbers of examples: shared without gaps, whoever asks, and wherever a run goes on."""

from itertools import chain
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unblur.datasets import sharp
from unblur.errors import ParameterError
from unblur.train.stream import Examples, Phase, Steps, Ticket, generator_of

PHASES = [Phase(3, 8, 4), Phase(5, 16, 12), Phase(9, 32, 8)]


def numbers(steps: Steps) -> list[list[int]]:
    return [[ticket.number for ticket in batch] for batch in steps]


def test_every_number_comes_once_and_phases_hold_until_their_ends() -> None:
    batches = list(Steps(PHASES))
    assert [len(batch) for batch in batches] == [4] * 3 + [12] * 2 + [8] * 4
    assert [batch[0].patch for batch in batches] == [8] * 3 + [16] * 2 + [32] * 4
    assert list(chain(*numbers(Steps(PHASES)))) == list(range(3 * 4 + 2 * 12 + 4 * 8))
    assert len(Steps(PHASES)) == 9


@given(world=st.sampled_from([1, 2, 4]), parts=st.sampled_from([1, 2]), start=st.integers(0, 9))
def test_processes_share_each_step(world: int, parts: int, start: int) -> None:
    if parts * world > 4:
        return
    whole = numbers(Steps(PHASES))[start:]
    shares = [
        numbers(Steps(PHASES, start=start, rank=rank, world=world, parts=parts))
        for rank in range(world)
    ]
    for step, wanted in enumerate(whole):
        seen = [
            number
            for part in range(parts)
            for share in shares
            for number in share[step * parts + part]
        ]
        assert seen == wanted


@pytest.mark.parametrize(
    ("phases", "world"),
    [([Phase(3, 8, 3)], 2), ([Phase(3, 8, 4), Phase(2, 8, 4)], 1), ([Phase(1, 8, 0)], 1)],
)
def test_what_cannot_be_shared_is_refused(phases: list[Phase], world: int) -> None:
    with pytest.raises(ParameterError, match="must"):
        Steps(phases, world=world)


def test_generators_of_neighbours_are_unrelated() -> None:
    first = torch.stack([torch.rand(64, generator=generator_of(3, n)) for n in range(200)])
    again = torch.rand(64, generator=generator_of(3, 17))
    assert torch.equal(first[17], again)
    assert first.mean().item() == pytest.approx(0.5, abs=0.01)
    assert torch.corrcoef(first).fill_diagonal_(0).abs().max() < 0.6
    assert not torch.equal(again, torch.rand(64, generator=generator_of(4, 17)))


def test_every_picture_comes_once_a_round(sharp_folder: Path) -> None:
    from unblur.blur.synthesis import Synthesis
    from unblur.train.sources import Sharp

    settings = Synthesis(margin=6, shares={"none": 1}, bank=1)
    source = Sharp(list(sharp(sharp_folder)), settings)
    examples = Examples(source, seed=5)
    rounds = [
        [examples[Ticket(n, 8)].names[0] for n in range(first, first + 10)] for first in (0, 10)
    ]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(p.name for p in sharp(sharp_folder))
    assert rounds[0] != rounds[1]
