import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from unblur.restore.gathering import Gathering, through


class Network:
    """Doubles what comes, and remembers how much came at once."""

    def __init__(self, *, fails: Callable[[Tensor], bool] = lambda _: False) -> None:
        self.sizes: list[int] = []
        self.fails = fails

    def run(self, image: Tensor) -> Tensor:
        if self.fails(image):
            raise MemoryError("too much")
        self.sizes.append(len(image))
        return 2 * image


def gathered(network: Network, pictures: list[list[Tensor]], most: int) -> list[object]:
    """Let one thread a picture send its tiles through; give results, or what was raised."""
    gathering = Gathering(len(pictures), most)

    def work(place: int, tiles: list[Tensor]) -> object:
        with gathering.member(place):
            try:
                return [through(network.run, tile) for tile in tiles]
            except MemoryError as error:
                return error

    with ThreadPoolExecutor(len(pictures)) as threads:
        return list(threads.map(work, range(len(pictures)), pictures, timeout=30))


def same(found: object, pictures: list[list[Tensor]]) -> bool:
    assert isinstance(found, list)
    return all(
        torch.equal(one, 2 * tile)
        for results, tiles in zip(found, pictures, strict=True)
        for one, tile in zip(results, tiles, strict=True)
    )


def test_alone_nothing_is_gathered() -> None:
    network = Network()
    assert torch.equal(through(network.run, torch.ones(2, 3)), torch.full((2, 3), 2.0))
    assert network.sizes == [2]


@pytest.mark.parametrize(("most", "sizes"), [(8, [4]), (2, [2, 2]), (3, [3, 1]), (1, [1] * 4)])
def test_pictures_of_one_size_go_together(most: int, sizes: list[int]) -> None:
    network = Network()
    pictures = [[torch.rand(1, 3, 5, 7)] for _ in range(4)]
    assert same(gathered(network, pictures, most), pictures)
    assert network.sizes == sizes


def test_sizes_are_not_mixed() -> None:
    network = Network()
    pictures = [[torch.rand(1, 3, 5, width)] for width in (7, 8, 7, 8, 9)]
    assert same(gathered(network, pictures, 8), pictures)
    assert sorted(network.sizes) == [1, 2, 2]


@pytest.mark.parametrize("repeat", range(5))
def test_who_goes_with_whom_does_not_depend_on_who_is_first(repeat: int) -> None:
    network = Network()
    pictures = [[torch.rand(1, 3, 4, 4)] * count for count in (3, 1, 2, 0)]
    assert same(gathered(network, pictures, 8), pictures)
    assert network.sizes == [3, 2, 1]


def test_what_fails_together_is_tried_alone() -> None:
    """One picture that cannot be done takes no other with it."""
    network = Network(fails=lambda image: bool((image < 0).any()))
    pictures = [[torch.ones(1, 3)], [-torch.ones(1, 3)], [torch.ones(1, 3)]]
    first, second, third = gathered(network, pictures, 8)
    assert same([first, third], [pictures[0], pictures[2]])
    assert isinstance(second, MemoryError)


def test_nobody_waits_for_one_who_left() -> None:
    network = Network()
    gathering = Gathering(2, 8)
    with gathering.member(0):
        pass
    with gathering.member(1):
        assert torch.equal(through(network.run, torch.ones(1)), torch.full((1,), 2.0))
    assert threading.active_count() < 50
