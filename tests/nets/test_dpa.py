"""Feature fusion against NumPy; the restorer's three pictures."""

import numpy as np
import pytest
import torch

from unblur.nets.dpa import DPA, FeatureFusion
from unblur.nets.dpe import DPE


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def restorer(generator, width=2):
    """A restorer that changes something and, given what is positive, has every unit on."""
    module = DPA(width=width, blocks=1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.1 * torch.rand(parameter.shape, generator=generator))
    return module


def some_prior(generator, height, width, channels=2):
    return tuple(
        torch.rand(1, channels << level, height >> level, width >> level, generator=generator)
        for level in range(3)
    )


def test_feature_fusion_by_hand():
    """One coarse pixel of (1, 2) gives 2 by 2, the corners weighed 1, 2, 3, 4."""
    module = FeatureFusion(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.skip.weight.fill_(2)
        module.skip.bias.fill_(1)
        module.picture.weight.fill_(-3)
        module.enlarge.weight[0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        module.enlarge.weight[1] = 10
        module.block.second.bias.fill_(0.5)
        skip = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        picture = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
        found = module(skip, picture, torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1))
    fused = np.array([[2 + 1 + 1 + 20, 4 + 1 - 3 + 2 + 20], [6 + 1 + 3 + 20, 8 + 1 - 3 + 4 + 20]])
    np.testing.assert_allclose(found[0, 0], fused + 0.5)


def test_before_training_every_level_is_the_pyramid_of_the_input(generator):
    picture = torch.rand(2, 3, 8, 12, generator=generator)
    levels = DPA(width=2, blocks=1).levels(picture, DPE(width=2, blocks=1)(picture))
    for level, found in enumerate(levels):
        expected = torch.nn.functional.interpolate(picture, scale_factor=0.5**level, mode="area")
        torch.testing.assert_close(found, expected)


def test_the_result_is_the_finest_level(generator):
    picture = torch.rand(1, 3, 8, 12, generator=generator)
    prior = some_prior(generator, 8, 12)
    module = restorer(generator)
    levels = module.levels(picture, prior)
    assert [tuple(each.shape) for each in levels] == [(1, 3, 8, 12), (1, 3, 4, 6), (1, 3, 2, 3)]
    assert torch.equal(module(picture, prior), levels[0])
    assert not torch.allclose(levels[0], picture)


def test_the_prior_of_each_level_reaches_its_level_and_the_finer_ones(generator):
    picture = torch.rand(1, 3, 16, 16, generator=generator)
    prior = some_prior(generator, 16, 16)
    module = restorer(generator)
    with torch.no_grad():
        plain = module.levels(picture, prior)
        for changed in range(3):
            other = [each + (level == changed) for level, each in enumerate(prior)]
            found = module.levels(picture, tuple(other))
            moved = [not torch.equal(a, b) for a, b in zip(plain, found, strict=True)]
            assert moved == [level <= changed for level in range(3)]


def test_the_loss_on_the_levels_reaches_every_parameter(generator):
    picture = torch.rand(1, 3, 16, 16, generator=generator)
    module, estimator = restorer(generator, width=4), DPE(width=4, blocks=1)
    levels = module.levels(picture, estimator(picture))
    sum(((each - 0.5) ** 2).mean() for each in levels).backward()
    for part in (module, estimator):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
