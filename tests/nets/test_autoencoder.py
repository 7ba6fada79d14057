"""The autoencoder against the same network in Keras; tiles; weights that do not fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unblur.errors import WeightsError
from unblur.nets.autoencoder import Autoencoder


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Keras on PyTorch, with its settings away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield pytest.importorskip("keras")


def published(keras: Any, width: int, latent: int) -> Any:
    """The network as the publication's appendix builds it, with weights that matter."""
    layers, widths = keras.layers, [width, 2 * width, 4 * width]
    inputs = x = layers.Input((128, 128, 3))
    for filters in widths:
        x = layers.Conv2D(filters, 3, strides=2, activation="relu", padding="same")(x)
    encoder = keras.Model(inputs, layers.Dense(latent)(layers.Flatten()(x)))
    code = layers.Input((latent,))
    x = layers.Reshape((16, 16, 4 * width))(layers.Dense(16 * 16 * 4 * width)(code))
    for filters in widths[::-1]:
        x = layers.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    output = layers.Conv2DTranspose(3, 3, activation="sigmoid", padding="same")(x)
    decoder = keras.Model(code, output)
    model = keras.Model(inputs, decoder(encoder(inputs)))
    draw = np.random.default_rng(0)
    for weight in model.weights:
        inputs = np.prod(weight.shape[:-1])
        weight.assign(draw.normal(0, 0.3 if weight.ndim == 1 else 1 / inputs**0.5, weight.shape))
    return model


def small(seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    network = Autoencoder(width=4, latent=8)
    for entry in network.parameters():
        torch.nn.init.normal_(entry, std=0.1)
    return network.eval()


def picture(*size: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("width", "latent"), [(4, 10), (64, 256)])
def test_the_same_as_in_keras(keras: Any, width: int, latent: int) -> None:
    model = published(keras, width, latent)
    weights = [weight.value.detach().cpu().numpy() for weight in model.weights]
    network = Autoencoder.from_keras(weights).eval()
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    expected = model(images.permute(0, 2, 3, 1)).detach().cpu().numpy()
    with torch.inference_mode():
        got = network.forward_tile(images).permute(0, 2, 3, 1).numpy()
    assert np.ptp(expected) > 0.2
    assert np.abs(expected[0] - expected[1]).max() > 0.01
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=0)
    assert sum(entry.numel() for entry in network.parameters()) == model.count_params()


def test_the_published_count_of_parameters() -> None:
    assert sum(entry.numel() for entry in Autoencoder().parameters()) == 34_951_683


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (100, 128), (129, 300), (227, 96), (224, 320)])
def test_any_size_comes_back_as_it_was(size: tuple[int, int]) -> None:
    image = torch.cat([picture(*size), picture(*size, seed=2)])
    before = image.clone()
    with torch.inference_mode():
        out = small()(image)
        alone = torch.cat([small()(one[None]) for one in image])
    assert out.shape == image.shape
    assert torch.isfinite(out).all()
    assert torch.equal(image, before)
    torch.testing.assert_close(out, alone, atol=1e-6, rtol=0)


def test_a_picture_of_one_tile_is_that_tile() -> None:
    image = picture(128, 128)
    with torch.inference_mode():
        assert torch.equal(small()(image), small().forward_tile(image))


def test_windows_blend_tiles_without_a_seam() -> None:
    """A network that gives a constant gives it everywhere: the windows sum to one."""
    network = small()
    torch.nn.init.zeros_(network.output.weight)
    with torch.inference_mode():
        out = network(picture(300, 410))
        constant = torch.sigmoid(network.output.bias)[None, :, None, None]
    torch.testing.assert_close(out, constant.expand_as(out), atol=1e-6, rtol=0)


def test_tiles_by_hand() -> None:
    """Two tiles side by side, the second filled up by reflection, crossing as sin^2 and cos^2."""
    network, image = small(), picture(128, 200)
    mirrored = torch.cat([image, image[..., 175:199].flip(3)], dim=3)
    with torch.inference_mode():
        out = network(image)
        left = network.forward_tile(mirrored[..., :128])
        right = network.forward_tile(mirrored[..., 96:])
    torch.testing.assert_close(out[..., :96], left[..., :96])
    torch.testing.assert_close(out[..., 128:], right[..., 32:104])
    share = torch.sin((torch.arange(32) + 0.5) * torch.pi / 64) ** 2
    crossing = left[..., 96:] * (1 - share) + right[..., :32] * share
    torch.testing.assert_close(out[..., 96:128], crossing)


def test_a_part_that_begins_at_a_tile_agrees_with_the_whole() -> None:
    network, image = small(), picture(416, 500)
    step, halo = network.spec.multiple_of, network.spec.halo
    with torch.inference_mode():
        whole = network(image)
        part = network(image[..., step : step + 300, 2 * step :])
    core = (slice(None), slice(None), slice(halo, 300 - halo), slice(halo, None))
    expected = whole[..., step : step + 300, 2 * step :]
    torch.testing.assert_close(part[core], expected[core], atol=1e-6, rtol=0)


def test_gradients_reach_every_weight() -> None:
    network = small().train()
    network(picture(130, 128)).square().mean().backward()
    assert all(entry.grad is not None and entry.grad.any() for entry in network.parameters())


def test_weights_come_back_from_their_shapes_and_from_a_folder(tmp_path: Path) -> None:
    network, image = small(), picture(128, 128)
    state = network.state_dict()
    shapes = {name: tuple(entry.shape) for name, entry in state.items()}
    again = Autoencoder.from_shapes(shapes).fit(state).eval()
    network.save_pretrained(tmp_path / "saved")
    saved = Autoencoder.from_pretrained(tmp_path / "saved")
    with torch.inference_mode():
        assert torch.equal(again(image), network(image))
        assert torch.equal(saved(image), network(image))


@pytest.mark.parametrize("shapes", [{}, {"encoder.0.bias": (4,), "squeeze.bias": (8, 2)}])
def test_other_shapes_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(WeightsError, match=r"encoder\.0\.bias and squeeze.bias must be vectors"):
        Autoencoder.from_shapes(shapes)


def keras_arrays() -> list[np.ndarray]:
    kinds = [(3, 3, 3, 2), (3, 3, 2, 4), (3, 3, 4, 8), (2048, 5), (5, 2048)]
    kinds += [(3, 3, 8, 8), (3, 3, 4, 8), (3, 3, 2, 4), (3, 3, 3, 2)]
    ends = [2, 4, 8, 5, 2048, 8, 4, 2, 3]
    pairs = zip(kinds, ends, strict=True)
    return [np.zeros(shape, np.float32) for kind, end in pairs for shape in (kind, (end,))]


def test_arrays_of_keras_that_do_not_fit_are_refused() -> None:
    assert Autoencoder.from_keras(keras_arrays()).squeeze.out_features == 5
    swapped = keras_arrays()
    swapped[2] = swapped[2].transpose(0, 1, 3, 2)
    with pytest.raises(WeightsError, match=r"array 2 must be \(3, 3, 2, 4\), got \(3, 3, 4, 2\)"):
        Autoencoder.from_keras(swapped)
    with pytest.raises(WeightsError, match="kernel and bias in turn"):
        Autoencoder.from_keras(keras_arrays()[::-1])
    holed = keras_arrays()
    holed[4][0] = np.nan
    with pytest.raises(WeightsError, match=r"encoder\.2\.weight holds NaN"):
        Autoencoder.from_keras(holed)
