import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from unblur.blur import Convolution, Operator, kernels
from unblur.blur.boundary import extend, fold
from unblur.errors import InputError, KernelError, ParameterError

BOUNDARIES = ["periodic", "zero", "replicate", "reflect"]
SCIPY = {"periodic": "wrap", "zero": "constant", "replicate": "nearest", "reflect": "mirror"}


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def kernel_of(height, width, seed=0, channels=None):
    shape = (height, width) if channels is None else (channels, height, width)
    kernel = random(*shape, seed=seed).abs()
    return kernel / kernel.sum((-2, -1), keepdim=True)


def gap(operator: Operator, channels=2, dtype=torch.float64):
    """How far <A u, v> and <u, A^T v> are apart, relative to |A u| |v|."""
    u = random(2, channels, *operator.size, seed=1, dtype=dtype)
    v = random(2, channels, *operator.size, seed=2, dtype=dtype)
    blurred = operator.forward(u)
    left = (blurred.double() * v.double()).sum()
    right = (u.double() * operator.adjoint(v).double()).sum()
    return float((left - right).abs() / (blurred.double().norm() * v.double().norm()))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("size", "shape"), [((17, 24), (5, 9)), ((31, 8), (1, 7)), ((6, 5), (3, 5))]
)
def test_forward_is_true_convolution(boundary, size, shape):
    image, kernel = random(2, 3, *size), kernel_of(*shape)
    blurred = Convolution.of(kernel, size, boundary).forward(image)
    for b in range(2):
        for c in range(3):
            expected = scipy.ndimage.convolve(
                image[b, c].numpy(), kernel.numpy(), mode=SCIPY[boundary]
            )
            assert np.allclose(blurred[b, c], expected, atol=1e-12)


@given(
    st.sampled_from(BOUNDARIES),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
)
def test_the_adjoint_is_exact_even_where_the_kernel_is_larger_than_the_frame(boundary, size, half):
    kernel = kernel_of(2 * half[0] + 1, 2 * half[1] + 1)
    assert gap(Convolution.of(kernel, size, boundary)) < 1e-10
    assert gap(Convolution.of(kernel.float(), size, boundary), dtype=torch.float32) < 1e-5


@given(
    st.sampled_from(BOUNDARIES),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(0, 25), st.integers(0, 25)),
)
def test_folding_is_the_adjoint_of_extending(boundary, size, margin):
    u = random(*size, seed=3)
    extended = extend(u, margin, boundary)
    assert extended.shape == (size[0] + 2 * margin[0], size[1] + 2 * margin[1])
    v = random(*extended.shape, seed=4)
    assert float((extended * v).sum()) == pytest.approx(
        float((u * fold(v, margin, boundary)).sum()), abs=1e-10
    )


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_extending_agrees_with_numpy(boundary):
    mode = {"periodic": "wrap", "zero": "constant", "replicate": "edge", "reflect": "reflect"}
    image = random(4, 6)
    expected = np.pad(image.numpy(), ((9, 9), (2, 2)), mode=mode[boundary])
    assert np.array_equal(extend(image, (9, 2), boundary), expected)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_one_kernel_a_channel(boundary):
    image, kernel = random(1, 3, 20, 22), kernel_of(5, 3, channels=3)
    blurred = Convolution.of(kernel, (20, 22), boundary).forward(image)
    for c in range(3):
        alone = Convolution.of(kernel[c], (20, 22), boundary).forward(image[:, c : c + 1])
        assert torch.allclose(blurred[:, c : c + 1], alone)
    assert gap(Convolution.of(kernel, (20, 22), boundary), channels=3) < 1e-10


@pytest.mark.parametrize("boundary", ["periodic", "replicate", "reflect"])
def test_a_constant_stays_and_the_identity_changes_nothing(boundary):
    constant = torch.full((1, 1, 12, 13), 0.7)
    kernel = kernels.shake(9, seed=1).pixels
    assert torch.allclose(Convolution.of(kernel, (12, 13), boundary).forward(constant), constant)
    image = random(1, 2, 12, 13, dtype=torch.float32)
    same = Convolution.of(torch.ones(1, 1), (12, 13), boundary).forward(image)
    assert torch.allclose(same, image, atol=1e-6)


def test_mass_is_kept_by_a_periodic_frame():
    image = random(1, 1, 15, 11).abs()
    operator = Convolution.of(kernel_of(7, 5), (15, 11), "periodic")
    assert float(operator.forward(image).sum()) == pytest.approx(float(image.sum()))


def test_precision_comes_from_the_image_and_inputs_stay():
    image = random(1, 1, 9, 9, dtype=torch.float32)
    before = image.clone()
    operator = Convolution.of(kernel_of(3, 3), (9, 9), "reflect")
    assert operator.forward(image).dtype == torch.float32
    assert operator.adjoint(image).dtype == torch.float32
    assert torch.equal(image, before)


def test_faults_are_named():
    kernel = torch.full((3, 3), 1 / 9)
    with pytest.raises(
        ParameterError, match=r"boundary must be one of periodic, zero, .*got 'wrap'"
    ):
        Convolution.of(kernel, (9, 9), "wrap")
    with pytest.raises(ParameterError, match=r"size must be a pair \(height, width\); got 9"):
        Convolution.of(kernel, 9, "zero")
    with pytest.raises(ParameterError, match=r"size \(width\) must be a whole number"):
        Convolution.of(kernel, (9, 0), "zero")
    with pytest.raises(KernelError, match=r"odd sides; got \(4, 3\)"):
        Convolution.of(torch.ones(4, 3), (9, 9), "zero")
    operator = Convolution.of(torch.ones(3, 3, 3) / 9, (9, 9), "zero")
    with pytest.raises(InputError, match=r"\(batch, channels, 9, 9\); got \(1, 3, 9, 8\)"):
        operator.forward(torch.ones(1, 3, 9, 8))
    with pytest.raises(InputError, match="image must have 3 channels, as the kernel has; got 1"):
        operator.adjoint(torch.ones(1, 1, 9, 9))
