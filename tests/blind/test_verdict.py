"""Whether there is a blur to remove."""

import pytest
import torch

from unblur.blind.estimate import Estimate
from unblur.blind.score import Score
from unblur.blind.settings import Settings
from unblur.blind.verdict import nothing_to_remove


def found(
    kernel: torch.Tensor, *, texture: float, agreement: float, residual: float = 1.0
) -> Estimate:
    score = Score(
        residual=residual,
        sparsity=texture * 0.1,
        contrast=0.1,
        edges=0.1,
        edge_contrast=0.1,
        before=0.1,
        agreement=agreement,
        noise_std=0.01,
    )
    return Estimate(kernel, kernel, score, Settings(), cost=0.0)


@pytest.mark.parametrize(
    ("texture", "agreement", "word"),
    [
        (1.1, 0.1, None),  # defocus: the spectrum says little, and there is little texture
        (1.6, 0.0, None),
        (2.3, 0.8, None),  # a long shake without noise
        (2.3, 0.5, "2.3 times its fine detail"),  # a sharp picture of fine texture
        (1.9, 0.2, None),
        (2.1, 0.2, "2.1 times its fine detail"),
        (6.0, 0.9, "6.0 times its fine detail"),
    ],
)
def test_texture_needs_the_word_of_the_spectrum(
    texture: float, agreement: float, word: str | None
) -> None:
    reason = nothing_to_remove(
        found(torch.full((9, 9), 1 / 81), texture=texture, agreement=agreement)
    )
    if word is None:
        assert reason is None
    else:
        assert reason is not None
        assert word in reason
        assert "lines and grain that are not in the picture" in reason
        assert reason.endswith("a kernel size insists (--kernel-size 25)")


def test_a_kernel_of_hardly_more_than_a_pixel_is_that_of_a_sharp_picture() -> None:
    kernel = torch.full((5, 5), 0.7 / 24)
    kernel[2, 2] = 0.3
    reason = nothing_to_remove(found(kernel, texture=1.0, agreement=0.9))
    assert reason is not None
    assert "30% in one" in reason


def test_what_no_single_blur_explains_is_said_in_plain_words() -> None:
    kernel = torch.full((9, 9), 1 / 81)
    reason = nothing_to_remove(found(kernel, texture=1.0, agreement=0.9, residual=2.5))
    assert reason is not None
    assert "no single blur fits the picture, parts of which may have moved" in reason
    assert reason.endswith("a kernel size insists (--kernel-size 25)")
