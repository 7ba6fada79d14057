"""The bank of inverse filters, and what is mixed of it: filters undo blurs, weights choose."""

import math

import pytest
import torch
from skimage import data
from torch import Tensor

from unblur.nets.bank import BLURS, Bank, Mixture, inverse_filter, transfer


@pytest.fixture(scope="module")
def grey() -> Tensor:
    """A photograph at half its size, so that it is sharp: (256, 256)."""
    return torch.tensor(data.astronaut().reshape(256, 2, 256, 2, 3).mean((1, 3, 4)) / 255)


def frequencies(side: int = 192) -> tuple[Tensor, Tensor]:
    frequency = torch.fft.fftfreq(side, dtype=torch.float64)
    return frequency[:, None], frequency[None]


def filtered(grey: Tensor, *transfers: Tensor) -> Tensor:
    spectrum = torch.fft.fft2(grey)
    for each in transfers:
        spectrum = spectrum * each
    return torch.fft.ifft2(spectrum).real


@pytest.mark.parametrize(
    ("blur", "scale"), [*((each, 1) for each in BLURS[0]), *((each, 2) for each in BLURS[1])]
)
def test_each_filter_undoes_its_blur(grey, blur, scale):
    """With half a per cent of noise it takes a third of the error away, most of them two."""
    side = grey.shape[-1]
    down, across = frequencies(side)
    taps = inverse_filter(blur, (21, 31)[scale - 1], scale=scale)
    rows = torch.arange(-(len(taps) // 2), len(taps) // 2 + 1) * scale % side
    spread = torch.zeros(side, side, dtype=torch.float64)
    spread[rows[:, None], rows] = taps
    # What a filter of squares of two by two pixels sees.
    seen_as = (torch.cos(math.pi * down) * torch.cos(math.pi * across)) ** (scale - 1)
    noise = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).double()
    kept = filtered(grey, transfer(blur, down, across)) + 0.005 * noise
    blurred, sharp = filtered(kept, seen_as), filtered(grey, seen_as)
    found = blurred + filtered(blurred, torch.fft.fft2(spread).real)
    assert (found - sharp).square().mean() < 0.66 * (blurred - sharp).square().mean()


def test_transfers_are_those_of_the_kernels():
    """A Gaussian, a disk of radius 30 and a motion of 9 pixels, drawn, and their transforms."""
    place = torch.arange(-64, 64, dtype=torch.float64)
    square = place[:, None].square() + place.square()
    f, none = torch.fft.fftfreq(128, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    drawn = {"gaussian": torch.exp(-square / (2 * 3.0**2)), "disk": (square <= 30.0**2).double()}
    for kind, size in (("gaussian", 3.0), ("disk", 30.0)):
        kernel = torch.fft.ifftshift(drawn[kind] / drawn[kind].sum())
        found = torch.fft.fft2(kernel).real[0, :8]
        wanted = transfer((kind, size, 0), none, f[:8])
        torch.testing.assert_close(found, wanted, atol=1e-2, rtol=0)
    line = torch.zeros(128, dtype=torch.float64)
    line[:9] = 1 / 9
    across, down = transfer(("motion", 9, 0), none, f), transfer(("motion", 9, 4), f, none)
    # A row of pixels has no frequencies between them, and a line does: at low ones they agree.
    torch.testing.assert_close(torch.fft.fft(line).abs()[:20], across.abs()[:20], atol=0.02, rtol=0)
    torch.testing.assert_close(down, across)


def test_taps_solve_the_normal_equations():
    """No even change of the taps lowers the expected error, which is written out here."""
    blur, f = ("gaussian", 1.0, 0), torch.fft.fftfreq(128, dtype=torch.float64)
    power = 1 / (f[:, None].square() + f.square() + 1 / 128**2)
    kept = transfer(blur, f[:, None], f)

    def expected(taps: Tensor) -> float:
        taps = taps.clone()
        taps[4, 4] += 1
        whole = torch.zeros(128, 128, dtype=torch.float64)
        whole[:9, :9] = taps
        inverse = torch.fft.fft2(torch.roll(whole, (-4, -4), (0, 1))).real
        return float((power * (kept * inverse - 1).square() + 0.07 * inverse.square()).sum())

    taps = inverse_filter(blur, 9)
    least = expected(taps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        change = 0.01 * torch.randn(9, 9, generator=generator, dtype=torch.float64)
        change += change.flip(0, 1)
        # The sum stays 0.
        assert expected(taps + change - change.mean()) > least


def test_directions_are_those_of_their_angles():
    """Turned and mirrored filters are those that would be computed."""
    found = Bank().fine[:, 0].double()
    for index, blur in enumerate(BLURS[0]):
        torch.testing.assert_close(found[index], inverse_filter(blur, 21), atol=1e-3, rtol=0)


def test_a_flat_picture_gets_no_answer():
    for responses in Bank()(torch.full((1, 3, 64, 64), 0.7)):
        assert responses.abs().max() < 1e-4


def test_before_training_nothing_is_added():
    assert not Mixture()(torch.rand(1, 3, 64, 64)).any()


def test_a_weight_of_one_adds_that_response():
    mixture, image = Mixture().requires_grad_(requires_grad=False), torch.rand(1, 3, 32, 40)
    fine, coarse = mixture.bank(image)
    bias = mixture.choose[-1].bias
    bias[3] = 1
    torch.testing.assert_close(mixture(image), fine[:, 3:4])
    bias[3], bias[22 + 5] = 0, 1
    larger = torch.nn.functional.interpolate(coarse[:, 5:6], scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(mixture(image), larger)


def test_energies_are_logarithms_of_means_over_windows():
    mixture = Mixture()
    fine, coarse = torch.rand(1, 22, 400, 400), torch.rand(1, 39, 200, 200)
    found = mixture.energies(fine, coarse)
    assert found.shape == (1, 122, 50, 50)
    small = fine[0, 4, 8 * 18 : 8 * 33, 8 * 13 : 8 * 28].square().mean().log()
    large = coarse[0, 7, 4 * 13 : 4 * 38, 4 * 8 : 4 * 33].square().mean().log()
    torch.testing.assert_close(found[0, 4, 25, 20], small)
    torch.testing.assert_close(found[0, 61 + 22 + 7, 25, 20], large)


def test_it_stays_in_single_precision():
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        mixture = Mixture().to(dtype)
        kept = [*mixture.parameters(), *mixture.buffers()]
        assert {each.dtype for each in kept} == {torch.float32}
    assert {each.device.type for each in Mixture().to("meta").buffers()} == {"meta"}


def test_filters_are_not_in_the_file_of_weights():
    assert all(name.startswith("choose.") for name in Mixture().state_dict())
