"""MPRNet against what the released network returned, and in any size, form and width."""

import json
import runpy

import numpy as np
import pytest
import torch
from skimage import data

from unblur.errors import WeightsError
from unblur.nets.local_statistics import Mean
from unblur.nets.mprnet import MPRNet


def random(*shape, dtype=torch.float32):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def small():
    torch.manual_seed(0)
    return MPRNet(n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4).eval()


def shapes_of(network):
    return {name: tuple(entry.shape) for name, entry in network.state_dict().items()}


@pytest.mark.shared
def test_all_stages_are_those_of_the_released_network(shared):
    folder = shared / "reference"
    rule = runpy.run_path(str(folder / "golden_weights.py"))
    shapes = json.loads((folder / "mprnet" / "state_dict.json").read_text())
    network = MPRNet.from_shapes({name: tuple(shape) for name, shape in shapes.items()})
    assert list(network.state_dict()) == list(shapes)
    state = {name: rule["golden_weight"](name, tuple(shape)) for name, shape in shapes.items()}
    network.fit({name: torch.from_numpy(entry) for name, entry in state.items()}).eval()
    with torch.inference_mode():
        found = network.stages(torch.from_numpy(rule["golden_input"]((1, 3, 64, 96))))
    with np.load(folder / "mprnet" / "golden.npz") as golden:
        for name, stage in zip(("stage1", "stage2", "stage3"), found, strict=True):
            wanted = golden[name]
            assert np.abs(stage.numpy() - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("widths", [(96, 48, 32), (80, 48, 32), (40, 20, 16)])
def test_widths_come_from_the_shapes(widths):
    with torch.device("meta"):
        shapes = shapes_of(MPRNet(*widths))
        found = MPRNet.from_shapes(shapes)
    assert shapes_of(found) == shapes
    assert found.shallow_feat1[0].out_channels == widths[0]
    assert found.tail.in_channels == widths[0] + widths[2]


def test_shapes_that_do_not_fit_are_named():
    shapes = shapes_of(small())
    with pytest.raises(WeightsError, match=r"shallow_feat1.0.weight must .*, and is missing"):
        MPRNet.from_shapes({})
    with pytest.raises(WeightsError, match=r"concat23.weight must .* four axes, got \(9,\)"):
        MPRNet.from_shapes({**shapes, "concat23.weight": (9,)})
    with pytest.raises(WeightsError, match=r"and no fewer in the second and third, got \[3, "):
        MPRNet.from_shapes({**shapes, "shallow_feat1.0.weight": (3, 3, 3, 3)})
    with pytest.raises(WeightsError, match=r"tail.weight missing"):
        MPRNet.from_shapes({name: shape for name, shape in shapes.items() if name != "tail.weight"})
    with pytest.raises(WeightsError, match=r"tail.bias unknown"):
        MPRNet.from_shapes({**shapes, "tail.bias": (3,)})
    with pytest.raises(WeightsError, match=r"tail.weight must be \(3, 12, 3, 3\), got \(3, 9, 3"):
        MPRNet.from_shapes({**shapes, "tail.weight": (3, 9, 3, 3)})


def test_one_slope_serves_all_blocks():
    network = small()
    slopes = [name for name in network.state_dict() if name.endswith("body.1.weight")]
    assert len(slopes) == 55
    assert sum(parameter.shape == (1,) for parameter in network.parameters()) == 1
    once = {name: e for name, e in network.state_dict().items() if name not in slopes[1:]}
    other = small().fit({**once, slopes[0]: torch.tensor([0.5])})
    assert all(float(other.state_dict()[name]) == 0.5 for name in slopes)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), (16, 24)])
@pytest.mark.parametrize("window", [None, 8])
def test_any_size_comes_back_and_no_picture_changes_another(size, window):
    network = small().local(window)
    images = random(2, 3, *size)
    kept = images.clone()
    with torch.inference_mode():
        stages = network.stages(images)
        alone = torch.cat([network(image[None]) for image in images])
        assert torch.equal(stages[-1], network(images))
    assert [stage.shape for stage in stages] == [images.shape] * 3
    assert torch.equal(images, kept)
    np.testing.assert_allclose(stages[-1], alone, atol=1e-5)


def test_padding_reflects_to_multiples_of_eight():
    network = small()
    image = random(1, 3, 13, 20)
    padded = np.pad(image.numpy(), ((0, 0), (0, 0), (0, 3), (0, 4)), mode="reflect")
    with torch.inference_mode():
        whole = network(torch.from_numpy(padded))
        np.testing.assert_allclose(network(image), whole[..., :13, :20], atol=1e-6)


def test_a_window_as_large_as_the_picture_is_the_undivided_network():
    network = small()
    image = random(1, 3, 24, 40)
    with torch.inference_mode():
        divided = network(image)
        network.divided = False
        whole = network(image)
        # A quarter sees half of the window, and of an undivided picture all.
        assert torch.equal(network.local(80)(image), whole)
        assert not torch.allclose(whole, divided, atol=1e-5)
        assert torch.equal(network.local(None)(image), divided)


def test_parts_do_not_see_each_other_in_stage_one():
    network = small()
    image = random(1, 3, 16, 32)
    other = image.clone()
    other[..., 8:, :] = 0.5
    with torch.inference_mode():
        first, changed = network.stages(image)[0], network.stages(other)[0]
        assert torch.equal(first[..., :8, :], changed[..., :8, :])
        assert not torch.allclose(first[..., 8:, :], changed[..., 8:, :])


def test_the_radius_is_that_of_the_receptive_field():
    """Positive weights cannot cancel: a gradient is zero only where nothing is seen."""
    network = MPRNet(4, 1, 1).double()
    network.divided = False
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 1 / parameter[0].numel())
    for module in network.modules():
        if isinstance(module, Mean):
            module.register_forward_hook(lambda module, inputs, means: torch.ones_like(means))
    reach = 0
    for place in (236, 237, 238, 239):
        image = random(1, 3, 8, 480, dtype=torch.float64).requires_grad_()
        network(image)[..., place].sum().backward()
        seen = torch.nonzero(image.grad.abs().amax(dim=(0, 1, 2))).flatten()
        reach = max(reach, place - int(seen[0]), int(seen[-1]) - place)
    # Less than a pixel of the coarsest level is lost to rounding up.
    assert network.spec.radius - 4 < reach <= network.spec.radius == network.spec.halo


def test_tiles_agree_with_the_whole():
    network = small().local(32)
    with torch.no_grad():  # so that the first two stages and all means matter
        for parameter in network.parameters():
            parameter.mul_(1.5 if parameter.ndim == 4 else 1)
    halo, side = network.spec.halo, 64
    assert halo % network.spec.multiple_of == 0
    image = random(1, 3, 16, 2 * halo + 4 * side)
    start = halo + side
    with torch.inference_mode():
        whole = network(image)
        tile = network(image[..., start - halo : start + side + halo])
    difference = tile[..., halo : halo + side] - whole[..., start : start + side]
    assert (whole - image).abs().max() > 0.1
    assert float(difference.abs().max()) < 0.5 / 255
    assert not network.spec.global_statistics


@pytest.mark.parametrize(("contrast", "most"), [(1, 0.02), (6, 0.1)])
def test_what_is_beyond_the_halo_hardly_counts(contrast, most):
    """A tile whose edge is inside a photograph, whose change is of the size that deblurring makes.

    `contrast` multiplies what the attention makes of means.
    """
    network = MPRNet(16, 8, 8).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.ndim == 4:
                scale = (
                    0.06 if len(weights) == 3 else contrast if name.endswith("du.2.weight") else 1
                )
                weights.normal_(std=0.7 * scale / weights[0].numel() ** 0.5, generator=generator)
    strip = np.ascontiguousarray(np.tile(data.astronaut()[200:232], (1, 3, 1))[:, :1408])
    image = torch.from_numpy(strip).permute(2, 0, 1)[None].float() / 255
    network.local()
    start, halo = 640, network.spec.halo
    with torch.inference_mode():
        whole, tile = network(image), network(image[..., start:])
    change = float((whole - image).square().mean().sqrt())
    off = (tile - whole[..., start:])[..., halo:].abs().max()
    assert 0.03 < change < 0.12
    assert float(off) * 255 < most


def test_what_running_it_needs():
    network = small()
    assert network.spec.global_statistics
    assert network.spec.multiple_of == 8
    assert network.local().spec.halo == 384 // 2
    assert network.local(8).spec.halo == 32
    network.divided = True
    assert network.spec.global_statistics
    assert MPRNet(4, 4, 4).spec.bytes_per_pixel < network.spec.bytes_per_pixel


def test_it_is_saved_and_loaded_again(tmp_path):
    network = small()
    network.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["n_feat"] == 8
    again = MPRNet.from_pretrained(tmp_path).eval()
    image = random(1, 3, 9, 11)
    with torch.inference_mode():
        assert torch.equal(again(image), network(image))


def test_the_licence_of_the_weights_is_said():
    assert "non-commercial" in MPRNet.licence
    assert MPRNet.title == "MPRNet"
