"""The accuracy that is none, against Keras and by hand."""

import numpy as np
import torch

from unblur.train.scores import SCORES, dominant_channel_accuracy


def test_it_is_what_keras_calls_accuracy() -> None:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    from keras.metrics import CategoricalAccuracy

    image, truth = torch.rand(2, 1, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    metric = CategoricalAccuracy()
    metric.update_state(truth.permute(0, 2, 3, 1).numpy(), image.permute(0, 2, 3, 1).numpy())
    ours = dominant_channel_accuracy(image, truth).item()
    assert abs(ours - float(metric.result())) < 1e-6
    assert 0 < ours < 1


def test_it_does_not_see_blur() -> None:
    flat = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 16, 16)
    noise = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    assert dominant_channel_accuracy(flat, flat - noise).item() == 1


def test_equal_pictures_have_a_finite_score() -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert np.isfinite([float(score(picture, picture)) for score in SCORES.values()]).all()
