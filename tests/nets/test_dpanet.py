"""DPA-Net as a whole: sizes, priors given and found, shapes of checkpoints, tiles."""

import pytest
import torch
from torch.export import Dim

from unblur.errors import ParameterError, WeightsError
from unblur.nets.blind_wiener import HOP, BlindWiener
from unblur.nets.dpanet import WIDTHS, DPANet, resample_prior
from unblur.nets.network import pad_to_multiple


def network(*, blind=True, blocks=1, prior_blocks=1, width=2, step=1, wiener=False):
    """A network that changes something, the same each time."""
    generator = torch.Generator().manual_seed(0)
    built = DPANet(
        width=width,
        blocks=blocks,
        prior_blocks=prior_blocks,
        blind=blind,
        step=step,
        wiener=wiener,
    ).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            values = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(values / (4 * max(parameter.numel(), 1) ** 0.5))
    return built.requires_grad_(requires_grad=False)


def pictures(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def shapes_of(built):
    return {name: tuple(entry.shape) for name, entry in built.state_dict().items()}


@pytest.mark.parametrize(("step", "wiener"), [(1, False), (2, False), (2, True)])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (8, 8), (13, 30)])
def test_any_size(size, step, wiener):
    image = pictures(2, 3, *size)
    before = image.clone()
    restored = network(step=step, wiener=wiener)(image)
    assert restored.shape == image.shape
    assert torch.isfinite(restored).all()
    assert torch.equal(image, before)
    # As if the picture had been extended before.
    whole = network(step=step, wiener=wiener)(pad_to_multiple(image, 4 * step))
    torch.testing.assert_close(restored, whole[..., : size[0], : size[1]])


@pytest.mark.parametrize("blind", [True, False])
def test_before_training_nothing_is_changed(blind):
    image, other = pictures(2, 1, 3, 9, 14)
    built = DPANet(width=4, blocks=2, prior_blocks=1, blind=blind)
    prior = built.prior(image) if blind else built.prior(other, image)
    assert torch.equal(built.restore(image, prior), image)


def test_pictures_of_a_batch_do_not_meet():
    images = pictures(3, 3, 12, 16)
    built = network()
    alone = torch.cat([built(image[None]) for image in images])
    torch.testing.assert_close(built(images), alone)


def test_a_prior_found_once_gives_what_the_whole_gives():
    image = pictures(1, 3, 13, 18)
    built = network()
    assert torch.equal(built.restore(image, built.prior(image)), built(image))


def test_a_calibrated_network_uses_its_pair_in_order():
    sharp, blurred, image = pictures(3, 1, 3, 12, 16)
    built = network(blind=False)
    found = built.restore(image, built.prior(sharp, blurred))
    turned = built.restore(image, built.prior(blurred, sharp))
    assert found.shape == image.shape
    assert not torch.allclose(found, turned)
    stacked = built.estimator(torch.cat((sharp, blurred), dim=1))
    assert torch.equal(found, built.restorer(image, stacked))


def test_a_prior_is_resampled_to_the_frame():
    """Columns 0, 1 become 0, 1/4, 3/4, 1 at twice the size; a prior of the size stays."""
    built = network()
    image = pictures(1, 3, 16, 16)
    prior = built.prior(pictures(1, 3, 8, 8))
    fitted = resample_prior(prior, (16, 16))
    assert [tuple(level.shape) for level in fitted] == [(1, 2, 16, 16), (1, 4, 8, 8), (1, 8, 4, 4)]
    assert torch.equal(built.restore(image, prior), built.restore(image, fitted))
    ramp = torch.tensor([[[[0.0, 1.0]]]])
    _, _, coarse = resample_prior((ramp, ramp, ramp), (4, 16))
    torch.testing.assert_close(coarse, torch.tensor([[[[0.0, 0.25, 0.75, 1.0]]]]))
    assert all(a is b for a, b in zip(resample_prior(fitted, (16, 16)), fitted, strict=True))


def test_a_tile_with_its_part_of_the_prior_is_a_part_of_the_whole():
    built = network(blind=False).local(8)
    image = pictures(1, 3, 16, 200)
    prior = built.prior(*pictures(2, 1, 3, 16, 200))
    halo = -(-built.spec.halo // 4) * 4
    start, stop = 100 - halo, 112 + halo
    part = tuple(
        level[..., start // 2**index : stop // 2**index] for index, level in enumerate(prior)
    )
    tile = built.restore(image[..., start:stop], part)[..., halo : halo + 12]
    torch.testing.assert_close(tile, built.restore(image, prior)[..., 100:112])


@pytest.mark.parametrize("depths", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("step", [1, 2])
def test_the_halo_is_how_far_a_pixel_sees(depths, step):
    built = network(blocks=depths[0], prior_blocks=depths[1], step=step).double()
    for attend in built.restorer.attend:
        attend.pool = torch.nn.Identity()  # global means left aside
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.fill_(0.01)  # nothing cancels, no unit is off
    reach = []
    for column in range(200, 208):
        image = torch.rand(1, 3, 8, 400, dtype=torch.float64, requires_grad=True)
        built(image)[..., 1, column].sum().backward()
        seen = image.grad.abs().sum((0, 1, 2)).nonzero().flatten()
        reach += [column - int(seen.min()), int(seen.max()) - column]
    assert max(reach) == built.spec.halo


def test_the_spec_follows_the_window():
    built = DPANet(width=16, blocks=10)
    whole = built.spec
    assert (whole.multiple_of, whole.halo, whole.global_statistics) == (4, 174, True)
    local = built.local(384).spec
    assert (local.halo, local.global_statistics) == (174 + 192, False)
    assert built.local(None).spec == whole
    squares = DPANet(width=16, blocks=10, step=2)
    assert (squares.spec.multiple_of, squares.spec.halo) == (8, 2 * 174 + 1)
    assert squares.local(384).spec.halo == 349 + 192
    assert {attend.pool.window for attend in squares.restorer.attend} == {192}


def test_squares_of_pixels_are_pixels_of_more_channels():
    """What the network makes of squares is what its parts make of a picture of 12 channels."""
    built, image = network(step=2), pictures(1, 3, 16, 24)
    squares = torch.cat(
        [image[:, c : c + 1, y::2, x::2] for c in range(3) for y in (0, 1) for x in (0, 1)], dim=1
    )
    restored = built.restorer(squares, built.estimator(squares))
    found = built(image)
    torch.testing.assert_close(found[:, 1, 1::2, 0::2], restored[:, 4 + 2])
    assert not torch.equal(found, image)


def test_with_a_filter_both_parts_see_what_it_deconvolved_and_what_it_added():
    built, image = network(step=2, wiener=True), pictures(1, 3, 16, 24)
    change = built.blind_wiener(image)
    assert change.abs().max() > 1e-6
    plain = network(step=2)
    for name, part in (("restorer", built.restorer), ("estimator", built.estimator)):
        kept = {key: value.clone() for key, value in part.state_dict().items()}
        first = "encoder.extract.first.weight"
        kept[first] = kept[first][:, :12]
        getattr(plain, name).load_state_dict(kept)
        with torch.no_grad():
            part.encoder.extract.first.weight[:, 12:] = 0
    torch.testing.assert_close(built(image), plain(image + change))
    with torch.no_grad():
        built.restorer.encoder.extract.first.weight[:, 12:] = 0.5
    assert not torch.allclose(built(image), plain(image + change))


def test_the_halo_of_a_filter_is_how_far_a_pixel_sees():
    """Windows over a pixel reach 127 pixels, and those beside them whose powers count 64 more."""
    built = network(step=2, wiener=True)
    assert built.spec.halo - network(step=2).spec.halo == BlindWiener.halo
    image = torch.rand(1, 3, 8, 800, requires_grad=True)
    built.blind_wiener(image)[..., 3, 384:448].sum().backward()
    seen = image.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (448 - BlindWiener.halo, 383 + BlindWiener.halo)
    # Tiles begin where windows do.
    assert built.spec.multiple_of == HOP


def test_it_says_how_likely_there_is_no_blur():
    built, image = network(step=2, wiener=True), pictures(1, 3, 100, 130)
    seen = built.blind_wiener.seen(image)
    # One class of all would have as much as another without weights.
    with torch.no_grad():
        for entry in (built.blind_wiener.blur.weight, built.blind_wiener.blur.bias):
            entry.zero_()
        assert built.unblurred(image) == pytest.approx(1 / 255, rel=1e-3)
        built.blind_wiener.blur.bias[-1] = 100
    assert built.unblurred(image) == pytest.approx(1)
    assert built.blind_wiener.unblurred(image).shape == seen.shape[:3]
    assert network(step=2).unblurred(image) is None


def test_a_filter_is_for_squares_of_pixels():
    with pytest.raises(ParameterError, match="wiener must be false where step is 1"):
        DPANet(wiener=True)


def test_squares_are_for_the_blind_form():
    with pytest.raises(ParameterError, match="step must be 1, or 2 in a blind network, got 2"):
        DPANet(blind=False, step=2)


@pytest.mark.parametrize(
    ("blind", "step", "wiener"),
    [(True, 1, False), (True, 2, False), (True, 2, True), (False, 1, False)],
)
def test_shapes_give_the_network_back(blind, step, wiener):
    built = network(blind=blind, blocks=3, prior_blocks=2, width=4, step=step, wiener=wiener)
    found = DPANet.from_shapes(shapes_of(built)).fit(built.state_dict())
    assert (found.width, found.blocks, found.prior_blocks, found.blind) == (4, 3, 2, blind)
    assert (found.step, found.wiener) == (step, wiener)
    assert all(
        torch.equal(a, b) for a, b in zip(found.parameters(), built.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "estimator.encoder.extract.first.weight"),
        ({"estimator.encoder.extract.first.weight": (2, 4, 3, 3)}, "3, 6, 12 or 16"),
        ({"estimator.encoder.extract.first.weight": (3, 3, 3, 3)}, "must be"),
        ({"restorer.change.0.bias": (4,)}, "restorer.change.0.bias must be"),
        ({"restorer.other": (4,)}, "unknown"),
    ],
)
def test_shapes_of_another_network_are_refused(change, message):
    shapes = {**shapes_of(DPANet(width=2, blocks=1)), **change} if change else {"weight": (2,)}
    with pytest.raises(WeightsError, match=message):
        DPANet.from_shapes(shapes)


def test_a_missing_entry_is_refused():
    shapes = shapes_of(DPANet(width=2, blocks=2))
    del shapes["restorer.encoder.refine.1.blocks.1.first.weight"]
    with pytest.raises(WeightsError, match="missing"):
        DPANet.from_shapes(shapes)


def test_the_wrong_number_of_pictures_is_refused():
    image = pictures(1, 3, 8, 8)
    with pytest.raises(ParameterError, match="sharp and blurred"):
        network(blind=False).prior(image)
    with pytest.raises(ParameterError, match="blurred picture"):
        network().prior(image, image)
    with pytest.raises(ParameterError, match=r"prior\(sharp, blurred\)"):
        network(blind=False)(image)


def test_the_variants_have_the_widths_of_the_finest_level():
    assert {name: DPANet(width=width, blocks=1).width for name, width in WIDTHS.items()} == {
        "small": 16,
        "base": 32,
    }


def test_half_precision_keeps_the_picture_and_rounds_the_change():
    image = pictures(1, 3, 16, 20)
    exact = network()(image)
    rounded = network().bfloat16()(image)
    assert rounded.dtype == torch.float32
    change = (exact - image).abs().max()
    assert change > 1e-3
    assert (rounded - exact).abs().max() < 0.1 * change
    untrained = DPANet(width=2, blocks=1).bfloat16()
    assert torch.equal(untrained(image), image)


def test_channels_last_stays_and_gives_the_same():
    image = pictures(1, 3, 16, 20)
    built = network()
    expected = built(image)
    layouts = []
    built.restorer.fuse[0].register_forward_hook(
        lambda _module, _inputs, output: layouts.append(
            output.is_contiguous(memory_format=torch.channels_last)
        )
    )
    found = built.to(memory_format=torch.channels_last)(image.to(memory_format=torch.channels_last))
    assert layouts == [True]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("step", "wiener"), [(1, False), (2, True)])
def test_it_exports_with_free_sides(step, wiener):
    built = network(step=step, wiener=wiener)
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    exported = torch.export.export(
        built, (pictures(2, 3, 37, 46),), dynamic_shapes=(free,)
    ).module()
    # A single block in a direction would be another graph.
    for shape in ((1, 3, 21, 22), (3, 3, 9, 15), (2, 3, 10, 11) if wiener else (2, 3, 5, 6)):
        image = pictures(*shape)
        torch.testing.assert_close(exported(image), built(image))
