"""Training pairs: the stages, their order, and what may depend on what."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from unblur.blur.depth import Defocus
from unblur.blur.kernels import gaussian, shake
from unblur.blur.synthesis import DEFAULT_SHARES, Plan, Synthesis, draw, render, synthesise
from unblur.errors import InputError, KernelError, NonFiniteInput, ParameterError
from unblur.photo.transfer import SRGB

# Light in, light out: nothing but the blur.
BARE = Synthesis(
    linear=False, tone=0, highlights=0, clip=False, noise=0, levels=0, jpeg=0, margin=8, bank=2
)


def crops(count: int, side: int = 48, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_picture_is_convolved_with_its_own_kernel() -> None:
    pictures = crops(3)
    kernels = [shake(17, seed=1).pixels, gaussian(1.5, 0.5, 30).pixels, torch.eye(5) / 5]
    sample = render(pictures, [Plan("shake", kernel=kernel) for kernel in kernels], BARE)
    for n, kernel in enumerate(kernels):
        for channel in range(3):
            wanted = convolve(pictures[n, channel].double().numpy(), kernel.double().numpy())
            np.testing.assert_allclose(
                sample.blurred[n, channel], wanted[8:-8, 8:-8], rtol=0, atol=2e-6
            )
    assert torch.equal(sample.sharp, pictures[..., 8:-8, 8:-8])


def test_the_border_is_real() -> None:
    """What lies beyond the patch comes from the crop, and nothing from the other side of it."""
    pictures = crops(1)
    kernel = torch.zeros(17, 17)
    kernel[0, 0] = 1  # moves the picture by 8 pixels up and left
    sample = render(pictures, [Plan("shake", kernel=kernel)], BARE)
    torch.testing.assert_close(sample.blurred, pictures[..., 16:, 16:], rtol=0, atol=1e-6)


def test_bare_settings_and_no_blur_change_nothing() -> None:
    pictures = crops(4)
    sample = synthesise(pictures, replace(BARE, shares={"none": 1}), seeded(0))
    assert torch.equal(sample.blurred, pictures[..., 8:-8, 8:-8])
    assert torch.equal(sample.sharp, sample.blurred)
    assert sample.kinds == ("none",) * 4


@pytest.mark.parametrize("stage", ["linear", "tone", "highlights", "clip", "levels"])
def test_without_blur_and_noise_the_other_stages_agree_on_both_pictures(stage: str) -> None:
    on: dict[str, dict[str, object]] = {
        "linear": {"linear": True},
        "tone": {"linear": True, "tone": 1},
        "highlights": {"linear": True, "highlights": 1, "clip": True},
        "clip": {"clip": True},
        "levels": {"linear": True, "tone": 1, "levels": 255},
    }
    settings = replace(BARE, shares={"none": 1}, **on[stage])  # type: ignore[arg-type]
    pictures = (crops(4) * 255).round() / 255
    sample = synthesise(pictures, settings, seeded(3))
    torch.testing.assert_close(sample.blurred, sample.sharp, rtol=0, atol=5e-6)
    if stage != "highlights":
        torch.testing.assert_close(sample.sharp, pictures[..., 8:-8, 8:-8], rtol=0, atol=0)


def test_the_same_seed_gives_the_same_bytes() -> None:
    pictures = (crops(6, 96) * 255).to(torch.uint8)
    settings = Synthesis(margin=16, bank=2, jpeg=1)
    first, again, other = (synthesise(pictures, settings, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first.blurred, again.blurred)
    assert torch.equal(first.sharp, again.sharp)
    assert torch.equal(first.kernels, again.kernels)
    assert not torch.equal(first.blurred, other.blurred)


def test_a_pair_does_not_depend_on_its_neighbours() -> None:
    pictures = crops(9, 96)
    settings = Synthesis(
        margin=16, bank=2, noise=1, shares=dict.fromkeys(DEFAULT_SHARES, 1.0) | {"frames": 0}
    )
    plans = draw(settings, 9, (64, 64), seeded(7))
    together = render(pictures, plans, settings)
    for n in (0, 4, 8):
        alone = render(pictures[n : n + 1], plans[n : n + 1], settings)
        torch.testing.assert_close(alone.blurred[0], together.blurred[n], rtol=0, atol=1 / 254)
        # A value on the edge between two levels may fall to either side; few do.
        assert float((alone.blurred[0] != together.blurred[n]).float().mean()) < 1e-3
        assert torch.equal(alone.sharp[0], together.sharp[n])


def test_pictures_and_plans_are_not_changed() -> None:
    pictures = crops(4, 96)
    before = pictures.clone()
    synthesise(pictures, Synthesis(margin=16, bank=2, highlights=1, noise=1, jpeg=1), seeded(0))
    assert torch.equal(pictures, before)


def test_the_shares_are_kept() -> None:
    settings = Synthesis(margin=16, bank=2)
    kinds = Counter(plan.kind for plan in draw(settings, 1500, (32, 32), seeded(1), frames=True))
    total = sum(DEFAULT_SHARES.values())
    for kind, share in DEFAULT_SHARES.items():
        probability = share / total
        spread = math.sqrt(1500 * probability * (1 - probability))
        assert abs(kinds[kind] - 1500 * probability) < 4 * spread


def test_without_frames_about_a_fifth_stays_unblurred() -> None:
    probabilities = Synthesis().probabilities()
    assert probabilities["none"] == pytest.approx(0.2)
    assert "frames" not in probabilities
    assert math.fsum(probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["shake", "motion", "disk", "gaussian"])
def test_kernels_have_mass_one_and_the_sizes_asked_for(kind: str) -> None:
    settings = Synthesis(shares={kind: 1}, bank=8)  # type: ignore[dict-item]
    sides = []
    for plan in draw(settings, 60, (64, 64), seeded(2)):
        kernel = plan.kernel
        assert kernel is not None
        assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
        assert float(kernel.min()) >= 0
        assert max(kernel.shape) <= 2 * settings.margin + 1
        sides.append(max(int(kernel.any(axis).sum()) for axis in (0, 1)))
    assert min(sides) < 13
    assert max(sides) > (25 if kind != "gaussian" else 20)


def test_a_shaken_kernel_has_its_extent_and_its_mean_in_the_middle() -> None:
    settings = Synthesis(shares={"shake": 1}, shake=(21, 21), bank=8)
    for plan in draw(settings, 20, (64, 64), seeded(3)):
        kernel = plan.kernel
        assert kernel is not None
        sides = [int(kernel.any(axis).sum()) for axis in (0, 1)]
        # 21 pixels of path touch 22 or 23 columns, linearly shared.
        assert max(sides) in (22, 23)
        y = torch.arange(kernel.shape[0]) - kernel.shape[0] // 2
        x = torch.arange(kernel.shape[1]) - kernel.shape[1] // 2
        assert float((kernel.sum(1) * y).sum()) == pytest.approx(0, abs=1e-3)
        assert float((kernel.sum(0) * x).sum()) == pytest.approx(0, abs=1e-3)


def test_kernels_of_the_sample() -> None:
    kernel = torch.eye(5) / 5
    plans = [Plan(), Plan("motion", kernel=kernel), Plan("lens", path=torch.eye(3)[None])]
    sample = render(crops(3), plans, BARE)
    assert sample.kernels.shape == (3, 17, 17)
    assert sample.kernels[0, 8, 8] == 1
    assert torch.equal(sample.kernels[1, 6:11, 6:11], kernel)
    assert sample.kernels.sum((1, 2)).tolist() == pytest.approx([1, 1, 0])


def test_frames_are_averaged_in_light() -> None:
    frames = torch.rand(2, 5, 3, 32, 32, generator=seeded(0))
    settings = replace(BARE, linear=True, shares={"frames": 1})
    sample = synthesise(frames, settings, seeded(1))
    wanted = SRGB.to_encoded(SRGB.to_linear(frames).mean(1))[..., 8:-8, 8:-8]
    torch.testing.assert_close(sample.blurred, wanted, rtol=0, atol=2e-6)
    assert torch.equal(sample.sharp, frames[:, 2, :, 8:-8, 8:-8])
    assert not torch.allclose(sample.blurred, frames.mean(1)[..., 8:-8, 8:-8], atol=0.01)


def test_other_kinds_blur_the_middle_frame() -> None:
    frames = torch.rand(1, 3, 3, 32, 32, generator=seeded(0))
    plans = [Plan("gaussian", kernel=gaussian(1).pixels)]
    one = render(frames[:, 1], plans, BARE)
    assert torch.equal(render(frames, plans, BARE).blurred, one.blurred)


def test_saturation_happens_after_the_blur() -> None:
    """A white point of eight times white, over a box of nine: the light of eight is shared."""
    picture = torch.zeros(1, 3, 33, 33)
    picture[..., 16, 16] = 1
    plan = Plan("disk", kernel=torch.full((3, 3), 1 / 9), boost=8)
    settings = replace(BARE, clip=True)
    found = render(picture, [plan], settings)
    assert float(found.blurred[0, 0, 8, 8]) == pytest.approx(8 / 9, abs=1e-6)
    assert float(found.sharp[0, 0, 8, 8]) == 1
    brighter = render(picture, [replace(plan, boost=20.0)], settings)
    torch.testing.assert_close(brighter.blurred[0, 0, 7:10, 7:10], torch.ones(3, 3))
    assert float(brighter.blurred[0, 0, 6, 6]) == pytest.approx(0, abs=1e-6)


def test_defocus_by_depth_uses_the_crop_for_its_border() -> None:
    pictures = crops(1)
    flat = Defocus.of(torch.full((4, 4), 1.0), 3.0, focus=0.0)
    found = render(pictures, [Plan("depth", defocus=flat)], BARE)
    from unblur.blur.kernels import disk

    uniform = render(pictures, [Plan("disk", kernel=disk(3.0).pixels)], BARE)
    torch.testing.assert_close(found.blurred, uniform.blurred, rtol=0, atol=2e-6)


def test_eight_bits_and_floats_are_the_same_pictures() -> None:
    stored = (crops(2) * 255).round().to(torch.uint8)
    settings = Synthesis(margin=8, bank=2, highlights=0)
    whole = synthesise(stored, settings, seeded(0))
    floats = synthesise(stored.float() / 255, settings, seeded(0))
    assert torch.equal(whole.blurred, floats.blurred)
    assert torch.equal(whole.sharp, stored[..., 8:-8, 8:-8].float() / 255)


@pytest.mark.parametrize(
    ("pictures", "error"),
    [
        (torch.zeros(1, 1, 40, 40), InputError),
        (torch.zeros(3, 40, 40), InputError),
        (torch.zeros(1, 3, 40, 40, dtype=torch.int32), InputError),
        (torch.zeros(1, 3, 16, 40), InputError),
        (torch.zeros(0, 3, 40, 40), InputError),
        (torch.full((1, 3, 40, 40), math.nan), NonFiniteInput),
    ],
)
def test_pictures_that_cannot_be_used(pictures: torch.Tensor, error: type[Exception]) -> None:
    with pytest.raises(error, match="pictures"):
        synthesise(pictures, BARE, seeded(0))


def test_plans_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="plans must be one a picture: 2; got 1"):
        render(crops(2), [Plan()], BARE)
    with pytest.raises(KernelError, match="17 pixels"):
        render(crops(1), [Plan("disk", kernel=torch.ones(19, 19) / 361)], BARE)
    with pytest.raises(InputError, match="T > 1"):
        render(crops(1), [Plan("frames")], BARE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": {"wobble": 1}}, "no kind 'wobble'"),
        ({"shares": {"motion": -1}}, "shares"),
        ({"jpeg": 1.5}, "jpeg"),
        ({"margin": -1}, "margin"),
        ({"gain": (0.0, 1.0)}, "gain"),
        ({"disk": (5, 2)}, "low <= high"),
        ({"disk": 5}, "disk must be a range"),
        ({"threshold": 1}, "threshold"),
        ({"levels": 2.5}, "levels"),
    ],
)
def test_settings_that_are_not_possible(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Synthesis(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("shares", [{}, {"frames": 1}, {"motion": 0}])
def test_something_must_be_left_to_draw(shares: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="shares must give some kind"):
        draw(replace(BARE, shares=shares), 1, (32, 32), seeded(0))


@pytest.mark.parametrize("margin", [0, 1, 3])
def test_no_blur_reaches_farther_than_the_margin(margin: int) -> None:
    settings = replace(BARE, margin=margin, shares=dict.fromkeys(DEFAULT_SHARES, 1.0))
    pictures = crops(40, 20 + 2 * margin)
    sample = synthesise(pictures, settings, seeded(4))
    assert sample.blurred.shape == (40, 3, 20, 20)
    assert bool(torch.isfinite(sample.blurred).all())
    if margin == 0:
        torch.testing.assert_close(sample.blurred, pictures, rtol=0, atol=1e-4)
