"""What the camera does to light, against hand-made values, other formulas and the real codec."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from unblur.blur.synthesis.camera import (
    expand_highlights,
    sensor_noise,
    to_light,
    to_values,
    tone,
    untone,
)
from unblur.blur.synthesis.compression import compress
from unblur.photo.transfer import SRGB

RAMP = torch.linspace(0, 1, 1001).reshape(1, 1, 1, -1)


def one(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), value)


def test_light_and_values_are_those_of_srgb() -> None:
    torch.testing.assert_close(to_light(RAMP), SRGB.to_linear(RAMP), rtol=0, atol=1e-6)
    torch.testing.assert_close(to_values(RAMP), SRGB.to_encoded(RAMP), rtol=0, atol=1e-6)
    assert to_values(torch.tensor([-1.0, 7.0])).tolist() == [0.0, pytest.approx(1)]


@pytest.mark.parametrize("brightness", [-0.5, 0.0, 1.0])
@pytest.mark.parametrize("contrast", [0.6, 1.0, 2.0])
def test_tone_curves_rise_smoothly_and_can_be_undone(brightness: float, contrast: float) -> None:
    curve = tone(RAMP.double(), one(brightness).double(), one(contrast).double()).flatten()
    assert float(curve[0]) == 0
    assert float(curve[-1]) == pytest.approx(1)
    steps = curve.diff()
    assert float(steps.min()) > 0
    # No step is more than a few per cent larger than the one before: there is no kink.
    assert float((steps[1:] / steps[:-1] - 1).abs().max()) < 0.03
    back = untone(curve.reshape(RAMP.shape), one(brightness).double(), one(contrast).double())
    torch.testing.assert_close(back, RAMP.double(), rtol=0, atol=1e-6)


def test_a_tone_curve_by_hand() -> None:
    """Contrast 2 has slope 2 in the middle: at 1/4, 0.25 / (2 - 2 * 0.25) = 1/6."""
    values = torch.tensor([0.25, 0.5, 0.75]).reshape(1, 1, 1, 3)
    found = tone(values, one(0), one(2)).flatten().tolist()
    assert found == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    # Brightness 1: y * 2 / (1 + y).
    assert tone(values, one(1), one(1)).flatten().tolist() == pytest.approx([0.4, 2 / 3, 6 / 7])


def test_highlights_keep_their_hue_and_leave_the_rest() -> None:
    light = torch.tensor([[0.5, 0.9, 1.0], [0.5, 0.3, 0.5], [0.1, 0.0, 0.25]]).reshape(1, 3, 1, 3)
    found = expand_highlights(light, one(5), 0.8)
    assert torch.equal(found[..., 0], light[..., 0])
    # Halfway from 0.8 to 1: 1 + 4 / 4.
    torch.testing.assert_close(found[..., 1], 2 * light[..., 1])
    torch.testing.assert_close(found[..., 2], 5 * light[..., 2])


@pytest.mark.parametrize("level", [0.0, 0.1, 0.8])
def test_the_noise_has_the_variance_of_photons_and_of_reading(level: float) -> None:
    light = torch.full((2, 3, 300, 300), level)
    gain, read = torch.tensor([1e-3, 1e-2]), torch.tensor([5e-3, 1e-2])
    noisy = sensor_noise(light, gain[:, None, None, None], read[:, None, None, None], [1, 2])
    error = (noisy - light).double()
    wanted = gain * level + read**2
    # 270,000 values: the variance is known to 0.3 per cent, the mean to 0.2 of a spread.
    np.testing.assert_allclose(error.var((1, 2, 3)), wanted, rtol=0.012)
    assert float((error.mean((1, 2, 3)) / wanted.sqrt()).abs().max()) < 0.008
    assert abs(float(torch.corrcoef(error.flatten(1))[0, 1])) < 0.01
    neighbours = torch.stack((error[:, :, :-1].flatten(), error[:, :, 1:].flatten()))
    assert abs(float(torch.corrcoef(neighbours)[0, 1])) < 0.01


def test_noise_follows_its_seed_alone() -> None:
    light = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    both = sensor_noise(light, one(0.01), one(0.01), [3, 4])
    assert torch.equal(sensor_noise(light[1:], one(0.01), one(0.01), [4]), both[1:])


def pillow(picture: torch.Tensor, quality: int) -> np.ndarray:
    stored = (picture * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = BytesIO()
    subsampling = 2 if quality < 90 else 0
    Image.fromarray(stored).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer)).astype(np.float64)


@pytest.mark.parametrize("quality", [10, 49, 50, 75, 89, 90, 98, 100])
@pytest.mark.parametrize("cut", [(96, 128), (91, 117)])
def test_compression_is_that_of_the_codec(
    photograph: np.ndarray, quality: int, cut: tuple[int, int]
) -> None:
    """Both round, in other places: they agree to under a level, and far below their loss."""
    picture = torch.from_numpy(photograph[: cut[0], : cut[1]].copy()).permute(2, 0, 1) / 255
    found = compress(picture[None], torch.tensor([quality]))[0] * 255
    wanted = pillow(picture, quality)
    error = found.permute(1, 2, 0).double().numpy() - wanted
    loss = (picture * 255).permute(1, 2, 0).numpy() - wanted
    assert np.abs(error).mean() < 0.8
    assert np.abs(error.mean((0, 1))).max() < 0.4
    if quality < 98:
        assert (error**2).mean() < 0.1 * (loss**2).mean()
    assert torch.equal(found.round(), found)


def test_each_picture_has_its_own_quality(photograph: np.ndarray) -> None:
    picture = torch.from_numpy(photograph.copy()).permute(2, 0, 1)[None] / 255
    both = compress(picture.repeat(3, 1, 1, 1), torch.tensor([30, 95, 80]))
    for n, quality in enumerate((30, 95, 80)):
        alone = compress(picture, torch.tensor([quality]))
        assert float((alone[0] != both[n]).float().mean()) < 1e-3
    errors = (both - picture).square().mean((1, 2, 3))
    assert float(errors[0]) > 2 * float(errors[2]) > 4 * float(errors[1])
