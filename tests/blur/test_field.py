import os

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from unblur.blur import (
    Convolution,
    Field,
    Kernel,
    Record,
    camera_shake,
    kernels,
    lens_field,
    random_lens_field,
    rotation_field,
)
from unblur.errors import InputError, KernelError, OutputError, ParameterError

BOUNDARIES = ["periodic", "zero", "replicate", "reflect"]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def random_field(rows, columns, height, width, channels=1, window="hann"):
    grid = random(rows, columns, channels, height, width, seed=7).abs()
    return Field.of(grid, window=window)


def brute_force(field, image, boundary):
    """Sum over cells of window times convolved frame, without any patch."""
    size = tuple(image.shape[-2:])
    vertical, horizontal = field.windows(size)
    result = torch.zeros_like(image)
    for i in range(field.grid[0]):
        for j in range(field.grid[1]):
            kernel = field.kernels[i, j]
            kernel = kernel[0] if kernel.shape[0] == 1 else kernel
            blurred = Convolution.of(kernel, size, boundary).forward(image)
            result += vertical[i][:, None] * horizontal[j][None, :] * blurred
    return result


@given(
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["hann", "linear"]),
)
def test_windows_sum_to_one(grid, size, window):
    vertical, horizontal = random_field(*grid, 3, 3, window=window).windows(size)
    total = torch.einsum("rh,cw->hw", vertical, horizontal)
    assert float((total - 1).abs().max()) < 1e-14
    assert float(vertical.min()) >= 0
    assert vertical.shape == (grid[0], size[0])


@pytest.mark.parametrize("window", ["hann", "linear"])
def test_a_window_is_one_at_its_centre_and_zero_at_its_neighbours(window):
    vertical, _ = random_field(3, 1, 1, 1, window=window).windows((27, 1))
    for cell, pixel in enumerate((4, 13, 22)):
        assert vertical[:, pixel].tolist() == [float(n == cell) for n in range(3)]
    assert vertical[0, :4].tolist() == [1.0] * 4
    middle = (vertical[0, 8] + vertical[0, 9]) / 2
    assert float(middle) == pytest.approx(0.5)


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 33), st.integers(1, 33)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.sampled_from(BOUNDARIES),
    st.sampled_from([1, 3]),
)
def test_patches_agree_with_brute_force(grid, size, half, boundary, channels):
    field = random_field(*grid, 2 * half[0] + 1, 2 * half[1] + 1, channels)
    image = random(2, 3, *size)
    blurred = field.operator(size, boundary).forward(image)
    assert torch.allclose(blurred, brute_force(field, image, boundary), atol=1e-12)


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 33), st.integers(1, 33)),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    st.sampled_from(BOUNDARIES),
)
def test_the_adjoint_is_exact(grid, size, half, boundary):
    field = random_field(*grid, 2 * half[0] + 1, 2 * half[1] + 1)
    for dtype, limit in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        operator = field.to(dtype).operator(size, boundary)
        u, v = random(2, 2, *size, seed=1, dtype=dtype), random(2, 2, *size, seed=2, dtype=dtype)
        blurred = operator.forward(u)
        left = (blurred.double() * v.double()).sum()
        right = (u.double() * operator.adjoint(v).double()).sum()
        assert float((left - right).abs()) < limit * float(blurred.double().norm() * v.norm())


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_uniform_field_is_the_convolution(boundary):
    kernel = kernels.shake(11, seed=3)
    image = random(1, 3, 40, 37, dtype=torch.float32)
    expected = Convolution.of(kernel.pixels, (40, 37), boundary)
    repeated = Field.of([[kernel] * 3] * 2)
    for field in (Field.uniform(kernel), Field.uniform(kernel.pixels), repeated):
        operator = field.operator((40, 37), boundary)
        assert operator.size == (40, 37)
        assert torch.allclose(operator.forward(image), expected.forward(image), atol=2e-6)
        assert torch.allclose(operator.adjoint(image), expected.adjoint(image), atol=2e-6)
    assert Field.uniform(kernel).record == kernel.record


def test_the_default_frame_is_periodic():
    field = random_field(2, 2, 5, 5)
    image = random(1, 1, 16, 16)
    assert torch.equal(
        field.operator((16, 16)).forward(image),
        field.operator((16, 16), "periodic").forward(image),
    )


def test_a_constant_stays_constant():
    operator = random_field(3, 4, 7, 5).operator((50, 60), "replicate")
    constant = torch.full((1, 1, 50, 60), 0.3, dtype=torch.float64)
    assert torch.allclose(operator.forward(constant), constant)


def test_at_blends_as_the_windows_do():
    field = random_field(3, 2, 3, 5, channels=3)
    size = (30, 20)
    vertical, horizontal = field.windows(size)
    for y, x in ((0, 0), (7, 13), (29, 19), (15, 10)):
        expected = torch.einsum("rckhw,r,c->khw", field.kernels, vertical[:, y], horizontal[:, x])
        assert torch.allclose(field.at((y + 0.5) / 30, (x + 0.5) / 20), expected, atol=1e-12)
    assert torch.allclose(field.at(0.5, 0.25), field.kernels[1, 0])
    with pytest.raises(ParameterError, match="y must be a number from 0 to 1; got 2"):
        field.at(2, 0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_part_of_the_frame_is_blurred_as_in_the_whole(boundary):
    field = random_field(4, 5, 5, 5)
    image = random(1, 1, 48, 60)
    whole = field.operator((48, 60), boundary).forward(image)
    x, y, width, height = 21, 10, 30, 25
    part = field.restrict((x, y, width, height), (48, 60))
    assert part.restrict((1, 2, 3, 4), (height, width)).windows((4, 3))[0].shape == (4, 4)
    operator = part.operator((height, width), "zero")
    assert operator.spectra.shape[1] == 4
    blurred = operator.forward(image[..., y : y + height, x : x + width])
    inside = (..., slice(2, -2), slice(2, -2))
    expected = whole[..., y : y + height, x : x + width]
    assert torch.allclose(blurred[inside], expected[inside], atol=1e-12)
    with pytest.raises(ParameterError, match="region must be"):
        field.restrict((0, 0, 0, 5), (48, 60))


def test_an_extended_frame_is_blurred_alike_inside():
    field = random_field(3, 3, 5, 5)
    image = random(1, 1, 30, 40)
    frame = torch.zeros(1, 1, 45, 64, dtype=torch.float64)
    frame[..., 6:36, 8:48] = image
    extended = field.extend((30, 40), (6, 8), (45, 64))
    blurred = extended.operator((45, 64)).forward(frame)[..., 6:36, 8:48]
    assert torch.allclose(blurred, field.operator((30, 40), "zero").forward(image), atol=1e-12)
    back = extended.restrict((8, 6, 40, 30), (45, 64))
    assert back.box == pytest.approx(field.box)


def test_the_box_may_lie_beside_the_frame():
    field = random_field(3, 3, 3, 3).restrict((200, 200, 10, 10), (30, 30))
    operator = field.operator((10, 10), "zero")
    assert operator.spectra.shape[:2] == (1, 1)
    image = random(1, 1, 10, 10)
    expected = Convolution.of(field.kernels[2, 2, 0], (10, 10), "zero").forward(image)
    assert torch.allclose(operator.forward(image), expected, atol=1e-12)


def test_resize_scales_every_kernel():
    field = Field.of([[kernels.gaussian(1), kernels.gaussian(2)]])
    resized = field.resize(2)
    assert float(resized.kernels.sum((-2, -1)).sub(1).abs().max()) < 1e-5
    expected = kernels.gaussian(2).resize(2).pixels
    assert torch.allclose(resized.kernels[0, 1, 0], expected, atol=1e-6)


def test_fields_of_kernels_of_different_sizes_share_the_largest():
    field = Field.of([[kernels.motion(3), kernels.motion(9, 90)]])
    assert field.kernel_size == (9, 3)
    assert field.channels == 1
    assert field.device == torch.device("cpu")
    assert torch.equal(field.to("cpu").kernels, field.kernels)
    even = Field.of(torch.ones(1, 2, 2, 4, dtype=torch.float64))
    assert even.kernel_size == (3, 5)
    assert float(even.kernels[0, 0, 0, 1, 2]) == 1 / 8


@pytest.mark.parametrize(
    ("kernels_", "message"),
    [
        (torch.ones(3, 3), r"kernels must have shape \(rows, columns, h, w\).*got \(3, 3\)"),
        (torch.ones(1, 1, 2, 3, 3), "1 or 3 channels"),
        (torch.ones(1, 0, 3, 3), "must have shape"),
        (-torch.ones(1, 2, 3, 3), "the kernel in row 0, column 0 of the field: .*negative"),
        ([[]], "rows of one length"),
        ([[Kernel.identity()], []], "rows of one length"),
    ],
)
def test_kernels_are_checked_cell_by_cell(kernels_, message):
    with pytest.raises(KernelError, match=message):
        Field.of(kernels_)
    bad = torch.ones(2, 2, 3, 3)
    bad[1, 0] = 0
    with pytest.raises(KernelError, match=r"row 1, column 0 of the field: .*mass"):
        Field.of(bad)


def test_faults_of_parameters_are_named():
    with pytest.raises(ParameterError, match="window must be hann or linear; got 'box'"):
        Field.of(torch.ones(1, 1, 3, 3), window="box")
    field = random_field(2, 2, 3, 3, channels=3)
    with pytest.raises(ParameterError, match="boundary must be one of"):
        field.operator((9, 9), "wrap")
    operator = field.operator((9, 9))
    with pytest.raises(InputError, match="image must have 3 channels"):
        operator.forward(torch.ones(1, 1, 9, 9))
    with pytest.raises(InputError, match=r"got \(1, 3, 9, 10\)"):
        operator.adjoint(torch.ones(1, 3, 9, 10))


def test_a_saved_field_comes_back(tmp_path):
    field = lens_field(30, (1.02, 0.99), (200, 300), (2, 3)).restrict((10, 20, 90, 80), (200, 300))
    field.save(tmp_path / "lens.safetensors")
    loaded = Field.load(tmp_path / "lens.safetensors")
    assert torch.allclose(loaded.kernels, field.kernels, atol=1e-7)
    assert loaded.box == field.box
    assert loaded.window == "hann"
    assert loaded.record == field.record
    with pytest.raises(OutputError, match="exists"):
        field.save(tmp_path / "lens.safetensors")
    field.save(tmp_path / "lens.safetensors", overwrite=True)
    assert os.listdir(tmp_path) == ["lens.safetensors"]


def test_files_that_are_no_field_are_refused(tmp_path):
    good = {"box": "[0, 0, 1, 1]"}
    kernel = {"kernels": torch.ones(1, 1, 1, 3, 3)}
    files = {
        "text": b"hello",
        "cut": safetensors.torch.save(kernel, good)[:-4],
        "other": safetensors.torch.save({"weights": torch.ones(3)}, good),
        "no box": safetensors.torch.save(kernel),
        "odd box": safetensors.torch.save(kernel, {"box": '["a", 0, 1, 1]'}),
        "flat box": safetensors.torch.save(kernel, {"box": "[0, 0, 0, 1]"}),
        "zeros": safetensors.torch.save({"kernels": torch.zeros(1, 1, 1, 3, 3)}, good),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(KernelError):
            Field.load(tmp_path / name)
    with pytest.raises(KernelError, match="missing is not a field that can be read"):
        Field.load(tmp_path / "missing")
    (tmp_path / "plain").write_bytes(safetensors.torch.save(kernel, good))
    assert Field.load(tmp_path / "plain").record == Record("file", {"name": "plain"})


def test_a_shift_is_one_motion_kernel_everywhere():
    field = camera_shake([[0, -2, 0], [0, 2, 0]], (100, 140), (2, 3))
    assert field.grid == (2, 3)
    assert torch.allclose(field.kernels, field.kernels[:1, :1].expand_as(field.kernels))
    expected = torch.tensor([0.5, 1, 1, 1, 0.5]) / 4
    assert torch.allclose(field.at(0.5, 0.5)[0, 0], expected)


def test_a_single_pose_is_a_linear_shift():
    field = camera_shake([[0.25, -1, 0]], (50, 50), (1, 1))
    kernel = field.kernels[0, 0, 0]
    assert kernel.shape == (3, 3)
    assert kernel[:, 0].tolist() == [0.0, 0.75, 0.25]


def test_a_roll_blurs_along_circles_about_the_centre():
    field = rotation_field(2, (300, 300), (3, 3))
    assert float(field.kernels[1, 1, 0].max()) == 1
    right, top, corner = field.kernels[1, 2, 0], field.kernels[0, 1, 0], field.kernels[2, 2, 0]
    length = 100 * np.radians(2)
    # At the right of the centre the picture moves up and down, above it left and right.
    assert float(right.sum(1).gt(1e-3).sum()) == 5
    assert float(right.sum(0).max()) > 0.95
    assert float(top.sum(0).gt(1e-3).sum()) == 5
    assert torch.allclose(top, torch.rot90(right), atol=1e-6)
    assert corner.gt(1e-3).sum() > right.gt(1e-3).sum()
    variance = (right.sum(1) * torch.arange(-(len(right) // 2), len(right) // 2 + 1) ** 2).sum()
    assert float(variance) == pytest.approx(length**2 / 12 + 1 / 6, rel=0.02)


def test_the_roll_is_counter_clockwise():
    # From 0 to +1 degree a point at the right moves upwards: to smaller rows.
    field = camera_shake([[0, 0, 0], [0, 0, 1]], (600, 600), (1, 3))
    kernel = field.kernels[0, 2, 0]
    rows = torch.arange(-(len(kernel) // 2), len(kernel) // 2 + 1)
    assert float((kernel.sum(1) * rows).sum()) == pytest.approx(-200 * np.radians(1) / 2, rel=1e-3)


def test_time_between_poses_weights_the_path():
    field = camera_shake([[0, 0, 0], [0, 4, 0], [0, 8, 0]], (40, 40), (1, 1), weights=[3, 1])
    kernel = field.kernels[0, 0, 0, 0]
    centre = len(kernel) // 2
    assert float(kernel[: centre + 4].sum() + kernel[centre + 4] / 2) == pytest.approx(
        0.75, abs=0.05
    )


def test_the_lens_blurs_along_its_stretch_and_not_at_the_centre():
    size, grid = (301, 301), (3, 3)
    flat = lens_field(0, (1.04, 1.0), size, grid)
    assert float(flat.kernels[1, 1, 0].max()) == 1
    assert float(flat.kernels[0, 1, 0].max()) == pytest.approx(1)
    right, left = flat.kernels[1, 2, 0], flat.kernels[1, 0, 0]
    assert flat.kernel_size[0] == 1
    assert torch.allclose(right, left.flip(1), atol=1e-6)
    columns = torch.arange(-(right.shape[1] // 2), right.shape[1] // 2 + 1)
    assert float((right[0] * columns).sum()) == pytest.approx(0.04 * 301 / 3 / 2, rel=1e-4)
    turned = lens_field(90, (1.04, 1.0), size, grid)
    assert torch.allclose(turned.kernels[2, 1, 0].flatten(), right.flatten(), atol=1e-5)
    both = lens_field(27, (1.03, 1.03), size, grid)
    diagonal = both.kernels[0, 2, 0]
    # An even stretch does not depend on the angle, and blurs outwards: up and to the right.
    assert torch.allclose(both.kernels, lens_field(0, (1.03, 1.03), size, grid).kernels, atol=1e-5)
    half = len(diagonal) // 2
    assert float(diagonal[: half + 1, half:].sum()) == pytest.approx(1)


def test_the_lens_is_equation_16():
    angle, scales, size = 33.0, (1.03, 0.98), (400, 600)
    field = lens_field(angle, scales, size, (4, 6))
    turn = np.radians(angle)
    # Columns of the plane with y up, in which the angle is counter-clockwise.
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    model = np.linalg.inv(rotation) @ np.diag(scales) @ rotation
    for i, j in ((0, 0), (1, 4), (3, 2)):
        x, y = (j + 0.5) * 100 - 300, 200 - (i + 0.5) * 100
        shift = model @ (x, y) - (x, y)
        kernel = field.kernels[i, j, 0].double().numpy()
        rows, columns = np.indices(kernel.shape) - np.array(kernel.shape)[:, None, None] // 2
        mean = np.array([(columns * kernel).sum(), -(rows * kernel).sum()])
        assert np.allclose(mean, shift / 2, atol=1e-4)


def test_a_lens_may_have_one_stretch_a_channel():
    field = lens_field(0, [(1.0, 1.0), (1.01, 1.01), (1.02, 1.02)], (200, 200), (2, 2))
    assert field.channels == 3
    assert float(field.kernels[0, 0, 0].max()) == 1
    assert float(field.kernels[0, 0, 2].max()) < float(field.kernels[0, 0, 1].max()) < 1


def test_random_lenses_follow_their_seed():
    first = random_lens_field((100, 100), (2, 2), seed=5)
    assert torch.equal(first.kernels, random_lens_field((100, 100), (2, 2), seed=5).kernels)
    other = random_lens_field((100, 100), (2, 2), generator=torch.Generator().manual_seed(6))
    assert first.record.parameters["angle"] != other.record.parameters["angle"]
    assert all(0.99 <= s <= 1.01 for s in first.record.parameters["scales"][0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: camera_shake([[1, 2]], (9, 9)), r"poses must have shape \(N, 3\)"),
        (lambda: camera_shake("x", (9, 9)), "poses must be numbers"),
        (lambda: camera_shake([[1, 2, np.nan]], (9, 9)), "poses must be finite"),
        (lambda: camera_shake([[0, 0, 0]], (9, 0)), r"size \(width\)"),
        (lambda: camera_shake([[0, 0, 0]], (9, 9), (0, 2)), r"grid \(height\)"),
        (
            lambda: camera_shake([[0, 0, 0], [0, 9, 0]], (9, 9), kernel_size=5),
            "needs 19 pixels; at most 5",
        ),
        (
            lambda: camera_shake([[0, 0, 0], [0, 9, 0]], (9, 9), kernel_size=4),
            "kernel_size must be odd",
        ),
        (lambda: camera_shake([[0, 0, 0], [0, 1e5, 0]], (9, 9)), "at most 2047"),
        (lambda: camera_shake([[0, 0, 0]] * 3, (9, 9), weights=[1]), "weights must be 2 times"),
        (lambda: camera_shake([[0, 0, 0]] * 2, (9, 9), weights=[0]), "not be all zero"),
        (lambda: rotation_field(500, (9, 9)), "degrees must be a number from -180 to 180"),
        (lambda: rotation_field(1, (9, 9), translation=(0, np.nan)), "translation"),
        (lambda: lens_field(0, (3, 1), (9, 9)), "scales must be a number from 0.5 to 2; got 3"),
        (lambda: lens_field(0, (1, 1, 1), (9, 9)), r"scales must be two factors, or \(3, 2\)"),
        (lambda: lens_field("x", (1, 1), (9, 9)), "angle"),
        (lambda: random_lens_field((9, 9), strength=1), "strength must be a number from 0 to 0.5"),
    ],
)
def test_a_wrong_parameter_of_a_source_is_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_inputs_stay():
    image = random(1, 1, 20, 20)
    field = random_field(2, 2, 3, 3)
    before, pixels = image.clone(), field.kernels.clone()
    operator = field.operator((20, 20))
    operator.adjoint(operator.forward(image))
    field.resize(0.5)
    assert torch.equal(image, before)
    assert torch.equal(field.kernels, pixels)
