"""Every solver against an oracle, and what all of them promise."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage import data, restoration

from unblur.blur import Field, kernels
from unblur.deconvolve import hyper_laplacian, local_wiener, richardson_lucy, tv, wiener
from unblur.errors import Cancelled, KernelError, ParameterError

SOLVERS = {
    "wiener": wiener,
    "richardson-lucy": richardson_lucy,
    "tv": tv,
    "hyper-laplacian": hyper_laplacian,
    "local-wiener": local_wiener,
}
each = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)


@pytest.fixture(scope="module")
def sharp():
    return torch.from_numpy(data.camera()[100:260, 140:300] / 255.0).float()[None, None]


def blurred_inside(image, kernel, margin=16):
    """The blur of a larger scene, of which only the inside is seen."""
    whole = convolve(image[0, 0].numpy(), kernel.numpy(), mode="reflect")
    return torch.from_numpy(whole)[None, None, margin:-margin, margin:-margin]


def psnr(a, b):
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


@each
def test_it_restores(solver, sharp):
    kernel = kernels.shake(size=11, seed=3).pixels
    seen = blurred_inside(sharp, kernel)
    truth = sharp[..., 16:-16, 16:-16]
    kwargs = {"iterations": 40} if solver is richardson_lucy else {"noise_std": 0.002}
    restored = solver(seen, kernel, **kwargs)
    assert restored.shape == seen.shape
    assert restored.dtype == seen.dtype
    assert psnr(restored, truth) > psnr(seen, truth) + 3


@each
def test_the_border_does_not_ring(solver, sharp):
    """A bright bar touches the frame: a circular boundary would smear it to the other side."""
    scene = torch.full((1, 1, 96, 96), 0.3)
    scene[..., :40, 30:50] = 0.9
    kernel = kernels.motion(length=13, angle=70).pixels
    seen = blurred_inside(scene, kernel)
    restored = solver(seen, kernel)
    far = restored[..., -12:, :]
    assert float((far - 0.3).abs().max()) < 0.06


@each
def test_a_field_of_one_kernel_is_that_kernel(solver, sharp):
    kernel = kernels.gaussian(1.2).pixels
    seen = blurred_inside(sharp, kernel)[..., :64, :72]
    one = solver(seen, kernel)
    field = solver(seen, Field.uniform(kernel))
    assert float((one - field).abs().mean()) < 2e-3


@each
def test_a_field_beats_its_mean_kernel(solver, sharp):
    cells = [[kernels.motion(length=n, angle=20).crop(15) for n in (2, 6, 12)]]
    field = Field.of(cells)
    seen = field.operator((160, 160), "reflect").forward(sharp)
    mean = field.kernels.mean(dim=(0, 1, 2))
    assert psnr(solver(seen, field), sharp) > psnr(solver(seen, mean), sharp) + 0.5


@each
def test_clipped_pixels_do_not_pull(solver):
    scene = torch.full((1, 1, 80, 80), 0.2)
    scene[..., 36:44, 36:44] = 2.0
    kernel = kernels.disk(radius=4).pixels
    light = torch.from_numpy(convolve(scene[0, 0].numpy(), kernel.numpy(), mode="reflect"))
    seen = light.clamp(max=1)[None, None]
    dark = torch.ones(80, 80, dtype=torch.bool)
    dark[33:47, 33:47] = False
    kwargs = {"iterations": 60} if solver is richardson_lucy else {"noise_std": 0.002}
    naive = solver(seen, kernel, **kwargs)
    aware = solver(seen, kernel, clipped=seen >= 0.999, **kwargs)
    wrong = [float((found - scene)[0, 0][dark].abs().max()) for found in (naive, aware)]
    assert wrong[1] < 0.8 * wrong[0]
    assert wrong[1] < 0.12
    assert float(aware.max()) > 1.5


@each
def test_ignored_pixels_say_nothing(solver, sharp):
    kernel = kernels.gaussian(1.0).pixels
    seen = blurred_inside(sharp, kernel)[..., :64, :64]
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[..., 20:24, 20:24] = True
    spoiled = torch.where(mask, torch.ones(()), seen)
    # The mean of what surrounds the hole is a fair place to start from.
    found = solver(spoiled, kernel, ignored=mask)
    clean = solver(seen, kernel)
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[14:30, 14:30] = False
    assert float((found - clean)[0, 0][outside].abs().max()) < 0.1


@each
def test_channels_may_have_kernels_of_their_own(solver, sharp):
    colour = sharp.expand(1, 3, -1, -1)[..., :48, :48]
    stack = torch.stack([kernels.gaussian(sigma).crop(13).pixels for sigma in (0.5, 1.0, 1.5)])
    together = solver(colour, stack)
    alone = [solver(colour[:, i : i + 1], stack[i]) for i in range(3)]
    # Rounding may decide which entry of the table of proximal maps is read.
    tolerance = 2e-4 if solver is hyper_laplacian else 2e-5
    np.testing.assert_allclose(together, torch.cat(alone, 1), atol=tolerance)


@each
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5)])
def test_tiny_pictures_keep_their_size_and_stay_finite(solver, size):
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    restored = solver(image, kernels.disk(radius=3).pixels)
    assert restored.shape == image.shape
    assert bool(torch.isfinite(restored).all())


@each
def test_it_is_deterministic_and_leaves_its_inputs_alone(solver, sharp):
    image, kernel = sharp[..., :40, :50].clone(), kernels.motion(length=7, angle=10).pixels
    copies = image.clone(), kernel.clone()
    first, second = solver(image, kernel), solver(image, kernel)
    assert torch.equal(first, second)
    assert torch.equal(image, copies[0])
    assert torch.equal(kernel, copies[1])


@each
def test_progress_can_stop_it(solver, sharp):
    def stop(stage, fraction):
        if fraction > 0:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        solver(sharp[..., :40, :40], kernels.disk(radius=2).pixels, progress=stop)


@each
def test_faults_are_named(solver, sharp):
    kernel = kernels.disk(radius=2).pixels
    with pytest.raises(ParameterError, match="image must be"):
        solver(sharp[0], kernel)
    with pytest.raises(KernelError, match="odd sides"):
        solver(sharp, torch.ones(4, 4) / 16)
    with pytest.raises(KernelError, match="channels"):
        solver(sharp, kernel.expand(3, -1, -1))
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="noise_std"):
            solver(sharp, kernel, noise_std=bad)


@pytest.mark.parametrize("solver", [richardson_lucy, tv, hyper_laplacian])
def test_no_iterations_are_refused(solver, sharp):
    with pytest.raises(ParameterError, match="iterations must be at least 1"):
        solver(sharp, kernels.disk(radius=2).pixels, iterations=0)


def test_richardson_lucy_is_scikit_images(sharp):
    """Within a dark border a circular and a zero boundary are the same thing."""
    kernel = kernels.shake(size=9, seed=1).pixels
    image = torch.nn.functional.pad(sharp[..., :80, :80], (12, 12, 12, 12))
    seen = torch.from_numpy(convolve(image[0, 0].numpy(), kernel.numpy(), mode="constant"))
    seen = seen.clamp(min=0)
    wanted = restoration.richardson_lucy(seen.numpy(), kernel.numpy(), num_iter=30, clip=False)
    found = richardson_lucy(seen[None, None], kernel, iterations=30, start=0.5, boundary="periodic")
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-4)


def test_richardson_lucy_keeps_the_light_and_its_sign(sharp):
    kernel = kernels.disk(radius=3).pixels
    found = richardson_lucy(sharp, kernel, boundary="periodic", acceleration=True)
    assert float(found.min()) >= 0
    assert abs(float(found.sum() / sharp.sum()) - 1) < 1e-3


def test_richardson_lucy_stops_at_the_noise(sharp):
    kernel = kernels.gaussian(1.5).pixels
    generator = torch.Generator().manual_seed(0)
    seen = blurred_inside(sharp, kernel)
    seen = seen + 0.03 * torch.randn(seen.shape, generator=generator)
    truth = sharp[..., 16:-16, 16:-16]
    stopped = richardson_lucy(seen, kernel, iterations=200, noise_std=0.03)
    assert psnr(stopped, truth) > psnr(richardson_lucy(seen, kernel, iterations=200), truth) + 2


def test_wiener_is_its_formula(sharp):
    image = sharp[..., :48, :64].double()
    kernel = kernels.gaussian(1.3).pixels.double()
    found = wiener(image, kernel, regularization=0.01, penalty="flat", boundary="periodic")
    padded = torch.zeros(48, 64, dtype=torch.float64)
    h, w = kernel.shape
    padded[:h, :w] = kernel
    spectrum = torch.fft.fft2(padded.roll((-(h // 2), -(w // 2)), (0, 1)))
    ratio = spectrum.conj() / (spectrum.abs() ** 2 + 0.01)
    wanted = torch.fft.ifft2(torch.fft.fft2(image) * ratio).real
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_hyper_laplacian_refuses_exponents_outside_its_model(sharp):
    with pytest.raises(ParameterError, match="exponent"):
        hyper_laplacian(sharp, kernels.disk(radius=2).pixels, exponent=1.0)
