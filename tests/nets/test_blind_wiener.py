"""The blind Wiener filter: inverses undo their blurs, spectra are those of FFTs, weights choose."""

import math

import pytest
import torch
from skimage import data
from torch import Tensor

from unblur.nets.blind_wiener import HOP, BlindWiener
from unblur.nets.inverses import BLURS, LEVELS, WINDOW, Blur, inverse_filters, transfer

CHOSEN = [*range(0, len(BLURS), 23), len(BLURS) - 1]


@pytest.fixture(scope="module")
def grey() -> Tensor:
    """A photograph at half its size, so that it is sharp: (256, 256)."""
    return torch.tensor(data.astronaut().reshape(256, 2, 256, 2, 3).mean((1, 3, 4)) / 255).float()


def blurred(grey: Tensor, blur: Blur, noise: float) -> Tensor:
    """As if the picture went on for ever."""
    frequency = torch.fft.fftfreq(grey.shape[0], dtype=torch.float64)
    kept = transfer(blur, frequency[:, None], frequency[None])
    drawn = torch.randn(grey.shape, generator=torch.Generator().manual_seed(0))
    return torch.fft.ifft2(torch.fft.fft2(grey) * kept).real.float() + noise * drawn


def choosing(index: int, level: int) -> BlindWiener:
    """A filter that takes each window to have one blur and one level of noise."""
    built = BlindWiener().requires_grad_(requires_grad=False)
    for layer in (built.blur, built.noise):
        layer.weight.zero_()
    built.blur.bias[index] = built.noise.bias[level] = 100
    return built


@pytest.mark.parametrize("index", CHOSEN)
def test_each_inverse_undoes_its_blur(grey, index):
    """With half a per cent of noise it takes a part of the error away.

    Inverses of long motion reach beyond a window unless they are careful.
    """
    long = BLURS[index].size > 8
    seen = blurred(grey, BLURS[index], 0.005)
    # The middle of the picture repeated, as it was blurred.
    image = seen.repeat(2, 2).roll((128, 128), (0, 1))
    found = (
        seen + choosing(index, 3 if long else 1)(image.expand(1, 3, -1, -1))[0, 0, 128:384, 128:384]
    )
    before, after = ((each - grey).square().mean() for each in (seen, found))
    assert after < (0.9 if long else 0.8) * before


def test_transfers_are_those_of_the_kernels():
    """Gaussians, a disk of radius 30 and a motion of 9 pixels, drawn, and their transforms."""
    place = torch.arange(-64, 64, dtype=torch.float64)
    down, across = place[:, None], place
    along, beside = (across + down) / 2**0.5, (down - across) / 2**0.5
    drawn = {
        Blur("gaussian", 3.0): torch.exp(-(down**2 + across**2) / (2 * 3.0**2)),
        Blur("gaussian", 4.0, 0.25, 0.5): torch.exp(-(along**2 + (2 * beside) ** 2) / (2 * 4.0**2)),
        Blur("disk", 30.0): (down**2 + across**2 <= 30.0**2).double(),
    }
    f = torch.fft.fftfreq(128, dtype=torch.float64)
    for blur, picture in drawn.items():
        found = torch.fft.fft2(torch.fft.ifftshift(picture / picture.sum())).real
        wanted = transfer(blur, f[:, None], f)
        torch.testing.assert_close(found[:8, :8], wanted[:8, :8], atol=1e-2, rtol=0)
    line = torch.zeros(128, dtype=torch.float64)
    line[:9] = 1 / 9
    none = torch.zeros((), dtype=torch.float64)
    across, down = transfer(Blur("motion", 9), none, f), transfer(Blur("motion", 9, 0.5), f, none)
    # A row of pixels has no frequencies between them, and a line does: at low ones they agree.
    torch.testing.assert_close(torch.fft.fft(line).abs()[:20], across.abs()[:20], atol=0.02, rtol=0)
    torch.testing.assert_close(down, across)


def test_no_change_of_a_filter_lowers_the_expected_error():
    """The error of a filter is P (1 - G H)^2 + N G^2 at each frequency, with N / P as told."""
    f = torch.fft.fftfreq(WINDOW, dtype=torch.float64)[:, None]
    g = torch.fft.rfftfreq(WINDOW, dtype=torch.float64)[None]
    ratio = f.square() + g.square() + 1 / 128**2
    found = inverse_filters().double().unflatten(1, (WINDOW, WINDOW // 2 + 1)) + 1
    for index in (5, 300, 700):
        level, blur = divmod(index, len(BLURS) + 1)
        kept = transfer(BLURS[blur], f, g)

        def expected(
            inverse: Tensor, kept: Tensor = kept, noise: Tensor = LEVELS[level] * ratio
        ) -> Tensor:
            return (1 - inverse * kept).square() + noise * inverse.square()

        least = expected(found[index])
        for step in (-0.01, 0.01):
            assert (expected(found[index] + step) >= least).all()
    unblurred = found[len(BLURS)]
    torch.testing.assert_close(unblurred, 1 / (1 + LEVELS[0] * ratio), atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", [64, WINDOW])
def test_products_with_waves_are_fourier_transforms(side):
    built = BlindWiener()
    windows = torch.randn(2, 3, 1, side, side, generator=torch.Generator().manual_seed(0))
    real, imaginary = built._spectrum(windows)
    wanted = torch.fft.rfft2(windows)
    torch.testing.assert_close(torch.complex(real, imaginary), wanted, atol=1e-3, rtol=1e-4)
    if side == WINDOW:
        torch.testing.assert_close(built._picture(real, imaginary), windows, atol=1e-5, rtol=0)


def test_a_filter_acts_on_each_window_and_windows_add_up(grey):
    """In the middle, where no border is seen: what FFTs of overlapping windows give."""
    index, level = 40, 2
    found = choosing(index, level)(grey.expand(1, 3, -1, -1))[0, 0]
    part = inverse_filters()[level * (len(BLURS) + 1) + index].reshape(WINDOW, -1)
    wave = torch.hann_window(WINDOW)
    weights = wave[:, None] * wave
    wanted = torch.zeros_like(grey)
    for top in range(0, 129, HOP):
        for left in range(0, 129, HOP):
            place = (slice(top, top + WINDOW), slice(left, left + WINDOW))
            seen = grey[place] - (grey[place] * weights).sum() / weights.sum()
            wanted[place] += torch.fft.irfft2(torch.fft.rfft2(seen * weights) * part)
    inside = slice(HOP, -HOP)
    torch.testing.assert_close(found[inside, inside], wanted[inside, inside], atol=1e-5, rtol=0)


def test_learned_filters_are_added_by_their_shares(grey):
    """What is learned to be one of the known filters adds what that one does."""
    built, image = choosing(len(BLURS), 0), grey.expand(1, 3, -1, -1)
    wanted = built(image) + 2 * choosing(40, 3)(image)
    built.learned[5] = inverse_filters()[3 * (len(BLURS) + 1) + 40]
    built.share.bias[5] = 2
    torch.testing.assert_close(built(image), wanted, atol=1e-5, rtol=1e-4)


def test_what_is_seen_are_logarithms_of_mean_powers(grey):
    """Of a window in the middle: nine small windows in it, the same around, low frequencies."""
    picture = torch.cat((grey, grey.flip(1)), 1)
    seen = BlindWiener().seen(picture.expand(1, 3, -1, -1))
    # One more window on each side, of what is reflected.
    assert seen.shape == (1, 5, 9, 2 * 64 * 33 + 65 * 33)
    wave = torch.hann_window(64)

    def welch(top: int, left: int) -> Tensor:
        total = torch.zeros(64, 33)
        for down in (0, 32, 64):
            for across in (0, 32, 64):
                each = picture[top + down :, left + across :][:64, :64]
                total += torch.fft.rfft2((each - each.mean()) * wave[:, None] * wave).abs() ** 2
        return total / 9

    here, around, low = seen[0, 2, 3].split((64 * 33, 64 * 33, 65 * 33))
    places = [(top, left) for top in (0, 64, 128) for left in (64, 128, 192)]
    torch.testing.assert_close(here.exp(), welch(64, 128).flatten() + 1e-3, rtol=1e-3, atol=1e-3)
    wanted = torch.stack([welch(*place) for place in places]).mean(0)
    torch.testing.assert_close(around.exp(), wanted.flatten() + 1e-3, rtol=1e-3, atol=1e-3)
    wave = torch.hann_window(WINDOW)
    weights = wave[:, None] * wave
    power = torch.zeros(WINDOW, WINDOW // 2 + 1)
    for top, left in places:
        each = picture[top : top + WINDOW, left : left + WINDOW]
        each = (each - (each * weights).sum() / weights.sum()) * weights
        power += torch.fft.rfft2(each).abs().square() / 9
    rows = torch.cat((power[:33, :33], power[-32:, :33])).flatten()
    torch.testing.assert_close(low.exp(), rows + 1e-3, rtol=1e-3, atol=1e-3)


def test_a_flat_picture_gets_no_answer():
    assert BlindWiener()(torch.full((1, 3, 64, 72), 0.7)).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (7, 3), (64, 64), (65, 200)])
def test_any_size(size):
    found = BlindWiener()(torch.rand(2, 3, *size))
    assert found.shape == (2, 1, *size)
    assert torch.isfinite(found).all()


def test_pictures_of_a_batch_do_not_see_each_other():
    built, image = BlindWiener(), torch.rand(2, 3, 100, 90)
    torch.testing.assert_close(built(image)[1:], built(image[1:]), atol=1e-6, rtol=0)


def test_a_part_of_a_picture_gives_what_the_whole_does():
    """From a multiple of 64 on, farther from the cut than it sees."""
    built, image = BlindWiener(), torch.rand(1, 3, 70, 900)
    whole, part = built(image), built(image[..., 128:])
    kept = BlindWiener.halo
    torch.testing.assert_close(whole[..., 128 + kept :], part[..., kept:], atol=1e-6, rtol=0)


def test_it_stays_in_single_precision():
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        built = BlindWiener().to(dtype)
        assert {each.dtype for each in (*built.parameters(), *built.buffers())} == {torch.float32}
    image, built = torch.rand(1, 3, 64, 64), BlindWiener()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = built(image)
    assert torch.equal(lowered, built(image))
    with torch.device("meta"):
        assert {each.device.type for each in BlindWiener().buffers()} == {"meta"}


def test_filters_are_not_in_the_file_of_weights():
    names = {name.split(".")[0] for name in BlindWiener().state_dict()}
    assert names == {"first", "second", "blur", "noise", "share", "learned"}


def test_directions_are_turned_by_their_angles():
    """A quarter of a turn exchanges rows and columns."""
    f = torch.fft.fftfreq(32, dtype=torch.float64)
    for kind, ratio in (("motion", 1.0), ("gaussian", 0.4)):
        found = transfer(Blur(kind, 5, 0.5, ratio), f[:, None], f[None])
        wanted = transfer(Blur(kind, 5, 0.0, ratio), f[:, None], f[None]).T
        torch.testing.assert_close(found, wanted)
    assert math.isclose(float(transfer(Blur("disk", 4), f[:1], f[:1])), 1)
