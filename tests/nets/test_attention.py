"""Each attention against its equation, written out in NumPy."""

import numpy as np
import pytest
import torch

from unblur.nets.attention import Gate, ImageFusion, PriorAttention, SelfAttention
from unblur.nets.local_statistics import set_window

C, H, W = 4, 3, 5


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def settle(module, rng):
    """Give every parameter a known value, and all of them by name."""
    values = {}
    with torch.no_grad():
        for name, parameter in module.double().named_parameters():
            values[name] = rng.normal(size=tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values[name]))
    return values


def mix(values, name, features):
    """A 1 x 1 convolution of (C, H, W): at each pixel a matrix times the channels."""
    weight = values[f"{name}.weight"][:, :, 0, 0]
    return np.einsum("oc,chw->ohw", weight, features) + values[f"{name}.bias"][:, None, None]


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gate(values, name, features):
    return sigmoid(mix(values, f"{name}.2", relu(mix(values, f"{name}.0", features))))


def run(module, *arrays):
    with torch.no_grad():
        return module.double()(*(torch.from_numpy(array)[None] for array in arrays))[0].numpy()


def test_a_gate_by_hand():
    """Channels (1, 2): hidden 1 * 2 + 2 * 3 - 1 = 7, weight sigmoid(7 / 7 - 1) = 1/2."""
    module = Gate(2, 1)
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([2.0, 3.0]).reshape(1, 2, 1, 1))
        module[0].bias.fill_(-1)
        module[2].weight.fill_(1 / 7)
        module[2].bias.fill_(-1)
        assert module(torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)).item() == pytest.approx(0.5)
        # A negative hidden value is cut to 0, and sigmoid(-1) is left.
        left = module(torch.tensor([-1.0, 0.0]).reshape(1, 2, 1, 1)).item()
    assert left == pytest.approx(1 / (1 + np.e))


def test_self_attention_weighs_channels_then_pixels(rng):
    module = SelfAttention(C)
    values = settle(module, rng)
    features = rng.normal(size=(C, H, W))
    pooled = features.mean(axis=(1, 2), keepdims=True)  # equation 4
    weighed = features * gate(values, "channels", pooled)  # 5 and 6
    expected = weighed * gate(values, "pixels", weighed)  # 7 and 8
    np.testing.assert_allclose(run(module, features), expected, rtol=1e-9)


def test_self_attention_over_windows_knows_only_its_surroundings(rng):
    module = SelfAttention(C, share=0.5)
    settle(module, rng)
    with torch.no_grad():
        module.channels[0].bias.fill_(5)  # no unit is off
    set_window(module, 4)  # 2 of the features
    features = rng.normal(size=(C, 8, 8))
    other = features.copy()
    other[:, :, 6:] += 1
    before, after = run(module, features), run(module, other)
    np.testing.assert_allclose(before[:, :, :4], after[:, :, :4], atol=1e-12)
    assert abs(before - after)[:, :, 6:].min() > 0
    set_window(module, None)
    assert abs(run(module, features) - run(module, other))[:, :, :4].max() > 1e-6


def test_prior_attention_scales_and_shifts(rng):
    module = PriorAttention(C)
    values = settle(module, rng)
    features, prior = rng.normal(size=(2, C, H, W))
    attention = relu(mix(values, "attention.2", relu(mix(values, "attention.0", prior))))  # 12
    scale, shift = mix(values, "scale", attention), mix(values, "shift", attention)  # 13 and 14
    expected = features + features * scale + shift  # 15
    np.testing.assert_allclose(run(module, features, prior), expected, rtol=1e-9)


def test_prior_attention_by_hand():
    """One channel: d = 2, A = 3 (2 * 2 - 1) + 1 = 10, F = 5 + 5 * 0.2 * 10 + (10 - 4) = 21."""
    module = PriorAttention(1)
    weights = {"attention.0": (2, -1), "attention.2": (3, 1), "scale": (0.2, 0), "shift": (1, -4)}
    with torch.no_grad():
        for name, (weight, bias) in weights.items():
            module.get_submodule(name).weight.fill_(weight)
            module.get_submodule(name).bias.fill_(bias)
        found = module(torch.full((1, 1, 1, 1), 5.0), torch.full((1, 1, 1, 1), 2.0))
    assert found.item() == pytest.approx(21)


def test_one_prior_serves_a_batch(rng):
    module = PriorAttention(C)
    settle(module, rng)
    features = torch.from_numpy(rng.normal(size=(3, C, H, W)))
    prior = torch.from_numpy(rng.normal(size=(1, C, H, W)))
    with torch.no_grad():
        together = module(features, prior)
        alone = torch.cat([module(each[None], prior) for each in features])
    torch.testing.assert_close(together, alone)


def enlarged(picture, weight):
    """The transposed convolution of stride 2 of a picture whose rim is repeated, by its sum."""
    rim = np.pad(picture, ((0, 0), (1, 1), (1, 1)), mode="edge")
    channels, height, width = rim.shape
    total = np.zeros((channels, 2 * height + 2, 2 * width + 2))
    for i in range(height):
        for j in range(width):
            for row in range(4):
                for column in range(4):
                    total[:, 2 * i + row, 2 * j + column] += (
                        rim[:, i, j] @ weight[:, :, row, column]
                    )
    return total[:, 3:-3, 3:-3]


def test_image_fusion_blends_two_levels(rng):
    module = ImageFusion(C)
    values = settle(module, rng)
    features, coarse, fine = (rng.normal(size=shape) for shape in ((C, 4, 6), (3, 2, 3), (3, 4, 6)))
    level = gate(values, "level", features)  # equation 9
    larger = values["scale"] * enlarged(coarse, values["enlarge.weight"])  # 10
    expected = larger * level + fine * (1 - level)  # 11
    np.testing.assert_allclose(run(module, features, coarse, fine), expected, rtol=1e-8, atol=1e-12)


def test_image_fusion_begins_as_bilinear_interpolation(rng):
    module = ImageFusion(C)
    with torch.no_grad():
        module.level[2].weight.zero_()
        module.level[2].bias.fill_(50)  # all from the coarser level
    features, coarse, fine = (rng.random(shape) for shape in ((C, 6, 10), (3, 3, 5), (3, 6, 10)))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None], scale_factor=2, mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(run(module, features, coarse, fine), expected, atol=1e-12)
