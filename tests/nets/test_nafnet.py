"""NAFNet against what the released network returned, and in any size, form and width."""

import json
import runpy

import numpy as np
import pytest
import torch

from unblur.errors import WeightsError
from unblur.nets.local_statistics import Mean
from unblur.nets.nafnet import NAFNet


def random(*shape, dtype=torch.float32):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def small(**options):
    torch.manual_seed(0)
    network = NAFNet(**{"width": 4, "encoder": [1, 2], "middle": 1, "decoder": [1, 1], **options})
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("beta", "gamma")):  # 0 at the start of training: no block would act
                parameter.fill_(0.7)
    return network.eval()


def shapes_of(network):
    return {name: tuple(entry.shape) for name, entry in network.state_dict().items()}


@pytest.mark.shared
def test_the_picture_is_that_of_the_released_network(shared):
    folder = shared / "reference"
    rule = runpy.run_path(str(folder / "golden_weights.py"))
    shapes = json.loads((folder / "nafnet" / "state_dict_width32.json").read_text())
    network = NAFNet.from_shapes({name: tuple(shape) for name, shape in shapes.items()})
    assert list(network.state_dict()) == list(shapes)
    state = {name: rule["golden_weight"](name, tuple(shape)) for name, shape in shapes.items()}
    network.fit({name: torch.from_numpy(entry) for name, entry in state.items()}).eval()
    with torch.inference_mode():
        found = network(torch.from_numpy(rule["golden_input"]((1, 3, 70, 90)))).numpy()
    with np.load(folder / "nafnet" / "golden_width32.npz") as golden:
        wanted = golden["output"]
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("width", [32, 64])
def test_width_and_depths_come_from_the_shapes(width):
    with torch.device("meta"):
        shapes = shapes_of(NAFNet(width))
        found = NAFNet.from_shapes(shapes)
    assert shapes_of(found) == shapes
    assert found.intro.out_channels == width
    assert found.depths == ((1, 1, 1, 28), 1, (1, 1, 1, 1))


def test_shapes_that_do_not_fit_are_named():
    shapes = shapes_of(small())
    with pytest.raises(WeightsError, match=r"intro.weight must be .* got None and 0 levels"):
        NAFNet.from_shapes({})
    with pytest.raises(WeightsError, match=r"ending.bias missing"):
        NAFNet.from_shapes({name: shape for name, shape in shapes.items() if name != "ending.bias"})
    with pytest.raises(WeightsError, match=r"ups.0.0.weight must be \(32, 16, 1, 1\)"):
        NAFNet.from_shapes({**shapes, "ups.0.0.weight": (32, 8, 1, 1)})


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), (16, 24)])
@pytest.mark.parametrize("window", [None, 8])
def test_any_size_comes_back_and_no_picture_changes_another(size, window):
    network = small().local(window)
    images = random(2, 3, *size)
    kept = images.clone()
    with torch.inference_mode():
        found = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert found.shape == images.shape
    assert torch.equal(images, kept)
    assert not torch.allclose(found, images, atol=1e-3)
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_padding_is_zeros_to_multiples():
    network = small()
    image = random(1, 3, 14, 21)
    with torch.inference_mode():
        whole = network(torch.nn.functional.pad(image, (0, 3, 0, 2)))
        np.testing.assert_allclose(network(image), whole[..., :14, :21], atol=1e-6)


def test_one_level_pads_to_the_grid_of_windows():
    network = small(encoder=[1], decoder=[1]).local(8)
    assert network.spec.multiple_of == 4
    assert network(random(1, 3, 6, 30)).shape == (1, 3, 6, 30)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_pixels_are_normalised_over_their_channels(form):
    features = random(2, 8, 5, 6).contiguous(memory_format=form)
    norm = small().encoders[1][0].norm1
    mean, variance = features.mean(1, keepdim=True), features.var(1, keepdim=True, correction=0)
    with torch.no_grad():
        np.testing.assert_allclose(
            norm(features), (features - mean) / (variance + 1e-6).sqrt(), atol=1e-5
        )


def test_a_window_as_large_as_the_picture_is_the_network_itself():
    network = small()
    image = random(1, 3, 24, 40)
    with torch.inference_mode():
        whole = network(image)
        assert torch.equal(network.local(40)(image), whole)
        assert not torch.allclose(network.local(16)(image), whole, atol=1e-5)
        assert torch.equal(network.local(None)(image), whole)


@pytest.mark.parametrize("depths", [([1, 2], 1, [2, 1]), ([1, 1, 3], 2, [1, 1, 1])])
def test_the_halo_is_the_radius_of_the_receptive_field(depths):
    encoder, middle, decoder = depths
    network = small(encoder=encoder, middle=middle, decoder=decoder).double()
    for module in network.modules():
        if isinstance(module, Mean):
            module.register_forward_hook(lambda module, inputs, means: torch.ones_like(means))
    reach = 0
    for place in range(80, 88):
        image = random(1, 3, 8, 168, dtype=torch.float64).requires_grad_()
        network(image)[..., place].sum().backward()
        seen = torch.nonzero(image.grad.abs().amax(dim=(0, 1, 2))).flatten()
        reach = max(reach, place - int(seen[0]), int(seen[-1]) - place)
    assert reach == network.spec.halo


def test_tiles_agree_with_the_whole():
    network = small().local(32)
    halo, side = network.spec.halo, 64
    image = random(1, 3, 16, 4 * side + 2 * halo)
    start = halo + side
    with torch.inference_mode():
        whole = network(image)
        tile = network(image[..., start - halo : start + side + halo])
    difference = tile[..., halo : halo + side] - whole[..., start : start + side]
    assert halo % network.spec.multiple_of == start % network.spec.multiple_of == 0
    assert (whole - image).abs().max() > 0.1
    assert float(difference.abs().max()) < 0.5 / 255
    assert not network.spec.global_statistics


def test_what_running_it_needs():
    with torch.device("meta"):
        network = NAFNet()
        assert NAFNet(64).spec.bytes_per_pixel == 2 * network.spec.bytes_per_pixel
    assert network.spec.multiple_of == 16
    assert network.spec.global_statistics
    # 1 + 2 + 4 + 28 x 8 down, 16, 8 + 4 + 2 + 1 up, 2 outermost, 15 of the coarsest grid.
    assert network.spec.halo == 279
    assert network.local().spec.halo == 384 // 2 + 128


def test_it_is_saved_and_loaded_again(tmp_path):
    network = small()
    network.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["encoder"] == [1, 2]
    again = NAFNet.from_pretrained(tmp_path).eval()
    image = random(1, 3, 9, 11)
    with torch.inference_mode():
        assert torch.equal(again(image), network(image))


def test_the_licence_of_the_weights_is_said():
    assert NAFNet.licence == "MIT"
    assert NAFNet.title == "NAFNet"
