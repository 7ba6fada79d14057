"""The residual blocks against convolutions summed in NumPy; the estimator's shape."""

import numpy as np
import pytest
import torch

from unblur.nets.dpe import (
    DPE,
    Encoder,
    FeatureExtraction,
    ResidualBlock,
    ResidualModule,
    level_widths,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def settle(module, rng):
    """Give every parameter a known value, and all of them by name."""
    values = {}
    with torch.no_grad():
        for name, parameter in module.double().named_parameters():
            values[name] = rng.normal(size=tuple(parameter.shape)) / 3
            parameter.copy_(torch.from_numpy(values[name]))
    return values


def convolve(values, name, features, stride=1):
    """A 3 x 3 convolution (as networks say: correlation) of (C, H, W) with zeros outside."""
    weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
    around = np.pad(features, ((0, 0), (1, 1), (1, 1)))
    height, width = features.shape[1:]
    total = np.zeros((len(weight), height, width)) + bias[:, None, None]
    for row in range(3):
        for column in range(3):
            part = around[:, row : row + height, column : column + width]
            total += np.einsum("oc,chw->ohw", weight[:, :, row, column], part)
    return total[:, ::stride, ::stride]


def block(values, name, features):
    hidden = np.maximum(convolve(values, f"{name}.first", features), 0)
    return features + convolve(values, f"{name}.second", hidden)


def run(module, array):
    with torch.no_grad():
        return module.double()(torch.from_numpy(array)[None])


def test_a_residual_block_by_hand():
    """One pixel: only the centres count. 2 + 3 relu(4 * 2 - 5) + 1 = 12; and -1 + 0 + 1 = 0."""
    module = ResidualBlock(1)
    with torch.no_grad():
        for layer, (weight, bias) in {module.first: (4, -5), module.second: (3, 1)}.items():
            layer.weight[...] = weight
            layer.bias[...] = bias
        assert module(torch.full((1, 1, 1, 1), 2.0)).item() == 12
        assert module(torch.full((1, 1, 1, 1), -1.0)).item() == 0


def test_a_residual_block(rng):
    module = ResidualBlock(2)
    values = {f"b.{name}": value for name, value in settle(module, rng).items()}
    features = rng.normal(size=(2, 5, 4))
    np.testing.assert_allclose(run(module, features)[0], block(values, "b", features), rtol=1e-9)


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_residual_module_has_a_skip_of_its_own(rng, blocks):
    module = ResidualModule(2, blocks=blocks)
    values = settle(module, rng)
    features = rng.normal(size=(2, 5, 4))
    refined = features
    for index in range(blocks):
        refined = block(values, f"blocks.{index}", refined)
    np.testing.assert_allclose(run(module, features)[0], features + refined, rtol=1e-9)


def test_a_residual_module_has_ten_blocks():
    assert len(ResidualModule(2).blocks) == 10


def test_a_block_leaves_its_input_alone(rng):
    features = torch.from_numpy(rng.normal(size=(1, 2, 5, 4))).float()
    before = features.clone()
    ResidualBlock(2)(features)
    assert torch.equal(features, before)


def test_feature_extraction(rng):
    module = FeatureExtraction(3, 2)
    values = settle(module, rng)
    picture = rng.normal(size=(3, 5, 4))
    expected = block(values, "block", convolve(values, "first", picture))
    np.testing.assert_allclose(run(module, picture)[0], expected, rtol=1e-9)


def encoded(values, prefix, picture):
    features = convolve(values, f"{prefix}extract.first", picture)
    features = block(values, f"{prefix}extract.block", features)
    outputs = []
    for level in range(3):
        if level:
            features = convolve(values, f"{prefix}down.{level - 1}", features, stride=2)
        features = features + block(values, f"{prefix}refine.{level}.blocks.0", features)
        outputs.append(features)
    return outputs


def test_an_encoder_refines_and_halves(rng):
    module = Encoder(3, 2, blocks=1)
    values = settle(module, rng)
    picture = rng.normal(size=(3, 8, 12))
    for found, expected in zip(run(module, picture), encoded(values, "", picture), strict=True):
        np.testing.assert_allclose(found[0], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("inputs", [3, 6])
def test_the_prior_is_one_convolution_of_each_module(rng, inputs):
    module = DPE(inputs, width=2, blocks=1)
    values = settle(module, rng)
    pictures = rng.normal(size=(inputs, 8, 4))
    outputs = encoded(values, "encoder.", pictures)
    for level, found in enumerate(run(module, pictures)):
        expected = convolve(values, f"prior.{level}", outputs[level])
        assert expected.shape == (level_widths(2)[level], 8 // 2**level, 4 // 2**level)
        np.testing.assert_allclose(found[0], expected, rtol=1e-8, atol=1e-10)
