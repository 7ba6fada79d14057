"""Work side by side: in order, on one core each, and the caller's count of cores is kept."""

import threading

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import unblur
from unblur.blur import Field, kernels
from unblur.threads import side_by_side


@pytest.fixture
def cores():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_results_come_in_order_and_cores_are_given_back(cores):
    gate = threading.Barrier(3, timeout=20)

    def piece(number: int) -> tuple[int, int]:
        gate.wait()  # all three are there at once
        return number, torch.get_num_threads()

    found = side_by_side([lambda n=n: piece(n) for n in range(3)])
    assert found == [(0, 1), (1, 1), (2, 1)]
    assert torch.get_num_threads() == cores


def test_there_are_no_more_threads_than_cores(cores):
    names = side_by_side([lambda: threading.current_thread().name for _ in range(9)])
    assert len(names) == 9
    assert len(set(names)) <= cores


def test_a_piece_alone_has_all_cores(cores):
    assert side_by_side([torch.get_num_threads]) == [cores]


def test_pieces_within_a_piece_go_one_after_the_other(cores):
    def outer() -> list[str]:
        return side_by_side([lambda: threading.current_thread().name for _ in range(2)])

    for names in side_by_side([outer, outer]):
        assert names[0] == names[1]


def test_what_fails_is_raised_when_all_have_ended(cores):
    ended = threading.Event()

    def fails() -> None:
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        side_by_side([fails, ended.set])
    assert ended.is_set()


@pytest.mark.parametrize("clipped", [False, True])
def test_a_picture_is_the_same_on_one_core_and_on_more(clipped, monkeypatch):
    rng = np.random.default_rng(0)
    image = gaussian_filter(rng.random((260, 340)), 1.5).astype(np.float32)
    image = (image - image.min()) / np.ptp(image) * (1.2 if clipped else 0.9)
    image = (image.clip(0, 1) * 255).round().astype(np.uint8)
    field = Field.of([[kernels.gaussian(0.6 + 0.2 * (i + j)) for j in range(4)] for i in range(3)])
    results, tiles = [], []
    for cores in (1, 6):
        monkeypatch.setattr(torch, "get_num_threads", lambda cores=cores: cores)
        found = unblur.deblur(image, "tv", kernel=field)
        results.append(found.image)
        tiles.append(found.report.measured["tiles"])
    assert tiles[0] == tiles[1] > 2
    assert np.abs(results[0].astype(int) - results[1].astype(int)).max() <= 1
