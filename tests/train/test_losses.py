"""Losses against sums by hand and another library's filters."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from unblur.errors import ParameterError
from unblur.train.losses import LOSSES, charbonnier, edge, multi_level, negative_psnr

PAIR = torch.rand(2, 2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def test_charbonnier_is_the_mean_of_roots() -> None:
    output, truth = PAIR.double()
    wanted = np.sqrt((output - truth).numpy() ** 2 + 1e-6).mean()
    assert charbonnier(output, truth).item() == pytest.approx(wanted, rel=1e-12)


def test_the_edge_loss_sees_what_a_laplacian_leaves() -> None:
    output, truth = PAIR.double()
    taps = np.outer(w := np.array([0.05, 0.25, 0.4, 0.25, 0.05]), w)

    def laplacian(picture: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                [plane - ndimage.convolve(plane, taps, mode="nearest") for plane in one]
                for one in picture
            ]
        )

    change = laplacian(output.numpy()) - laplacian(truth.numpy())
    wanted = np.sqrt(change**2 + 1e-6).mean()
    assert edge(output, truth).item() == pytest.approx(wanted, rel=1e-9)
    assert LOSSES["charbonnier-edge"](output, truth).item() == pytest.approx(
        charbonnier(output, truth).item() + 0.05 * wanted, rel=1e-9
    )


def test_the_psnr_loss_is_minus_the_metric() -> None:
    from unblur.metrics import psnr

    output, truth = PAIR
    assert negative_psnr(output, truth).item() == pytest.approx(
        -psnr(output, truth).mean().item(), abs=1e-4
    )


def test_the_calm_psnr_loss_stops_at_50_db() -> None:
    truth = PAIR[1]
    assert LOSSES["psnr-50"](truth, truth).item() == pytest.approx(-50)
    assert LOSSES["psnr-50"](truth + 0.1, truth).item() == pytest.approx(-20, abs=0.01)


def test_levels_are_compared_with_the_truth_at_their_resolution() -> None:
    truth = PAIR[0, :, :, :8, :8]
    half = truth.reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    assert multi_level("l1", [truth + 0.25, half - 0.5], truth).item() == pytest.approx(
        0.75, rel=1e-5
    )


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ParameterError, match="loss must be one of l1, mse"):
        multi_level("l3", [PAIR[0]], PAIR[1])
    with pytest.raises(ParameterError, match="whole fraction"):
        multi_level("l1", [PAIR[0, :, :, :5]], PAIR[1])
