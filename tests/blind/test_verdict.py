"""Whether there is a blur to remove."""

import pytest
import torch

from unblur.blind.estimate import Estimate
from unblur.blind.score import Score
from unblur.blind.settings import Settings
from unblur.blind.verdict import nothing_to_remove


def found(kernel: torch.Tensor, *, texture: float, agreement: float) -> Estimate:
    score = Score(
        residual=1.0,
        sparsity=texture * 0.1,
        contrast=0.1,
        edges=0.1,
        edge_contrast=0.1,
        before=0.1,
        agreement=agreement,
        noise_std=0.01,
    )
    return Estimate(kernel, score, Settings(), cost=0.0)


@pytest.mark.parametrize(
    ("texture", "agreement", "word"),
    [
        (1.1, 0.1, None),  # defocus: the spectrum says little, and there is little texture
        (1.6, 0.0, None),
        (2.3, 0.8, None),  # a long shake without noise
        (2.3, 0.5, "2.3 times as much texture"),  # a sharp picture of fine texture
        (1.9, 0.2, None),
        (2.1, 0.2, "2.1 times as much texture"),
        (6.0, 0.9, "6.0 times as much texture"),
    ],
)
def test_texture_needs_the_word_of_the_spectrum(
    texture: float, agreement: float, word: str | None
) -> None:
    reason = nothing_to_remove(
        found(torch.full((9, 9), 1 / 81), texture=texture, agreement=agreement)
    )
    assert (reason is None) if word is None else (reason is not None and word in reason)


def test_a_kernel_of_hardly_more_than_a_pixel_is_that_of_a_sharp_picture() -> None:
    kernel = torch.full((5, 5), 0.7 / 24)
    kernel[2, 2] = 0.3
    reason = nothing_to_remove(found(kernel, texture=1.0, agreement=0.9))
    assert reason is not None
    assert "30% in one" in reason
