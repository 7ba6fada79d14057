"""What is timed, and how often; not how long it takes."""

import numpy as np
import pytest
import torch

from unblur.evaluate import timing
from unblur.evaluate.contender import Contender
from unblur.photo import Photo


@pytest.mark.parametrize("size", [(720, 1280), (100, 90), (1, 1), (2, 3000), (1000, 5)])
def test_a_frame_has_its_size_and_begins_with_the_picture(size: tuple[int, int]) -> None:
    samples = torch.randint(0, 256, (1, 3, *size), generator=torch.Generator().manual_seed(0))
    photo = Photo(samples.to(torch.uint8))
    framed = timing.frame(photo)
    assert framed.size == (720, 1280)
    height, width = min(size[0], 720), min(size[1], 1280)
    assert torch.equal(framed.samples[..., :height, :width], photo.samples[..., :height, :width])


def test_one_run_does_not_count(photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo(torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None])
    seen: list[str] = []
    found = timing.measure(Contender("input", "input"), photo, lambda stage, _: seen.append(stage))
    assert (found.runs, found.size) == (5, (96, 128))
    assert seen == ["input: time"] * 6
    assert found.device.endswith("threads")
    monkeypatch.setattr(timing, "_ENOUGH", -1.0)
    assert timing.measure(Contender("input", "input"), photo).runs == 1
