import json
import os

import numpy as np
import pytest
import scipy.ndimage
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unblur.blur import Kernel, Record, editing, kernels, validate_kernel
from unblur.errors import KernelError, OutputError, ParameterError

masses = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.floats(0, 100, allow_subnormal=False),
).filter(lambda values: values.max() > 1e-3)


def record():
    return Record("l0", {"gamma": 20.0}, (1, 2, 30, 40), 0.75, "ab" * 32, "by hand")


def centroid(pixels):
    return np.array(scipy.ndimage.center_of_mass(pixels.numpy())) - np.array(pixels.shape) // 2


@given(masses)
def test_every_kernel_is_odd_non_negative_and_of_mass_one(values):
    before = values.copy()
    kernel = Kernel.from_array(values)
    assert all(side % 2 == 1 for side in kernel.size)
    assert kernel.pixels.dtype == torch.float32
    assert float(kernel.pixels.min()) >= 0
    assert float(kernel.pixels.double().sum()) == pytest.approx(1, abs=1e-6)
    height, width = values.shape
    expected = values / values.sum()
    assert np.allclose(kernel.pixels[:height, :width], expected, atol=1e-6)
    assert np.array_equal(values, before)


def test_an_even_side_keeps_the_origin_at_half_of_what_was_given():
    given_pixels = np.zeros((4, 6))
    given_pixels[2, 3] = 1
    kernel = Kernel.from_array(given_pixels)
    assert kernel.size == (5, 7)
    assert float(kernel.pixels[5 // 2, 7 // 2]) == 1
    assert float(kernel.pixels[4].sum() + kernel.pixels[:, 6].sum()) == 0


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 3)), "must have mass; all its values are zero"),
        (
            [[0.0, -1.0], [1.0, 1.0]],
            "must not be negative; its least value is -1 against a maximum of 1",
        ),
        ([[-1.0, -2.0]], "must not be negative; its least value is -2 against a maximum of -1"),
        ([[np.nan, 1.0]], "must be finite; 1 of its values are NaN or infinity"),
        ([[np.inf, np.nan]], "must be finite; 2 of its values"),
        (np.ones((3, 3, 3)), r"must be grey.*got colour, of shape \(3, 3, 3\).*Field"),
        (np.ones((3, 5, 5)), "must be grey"),
        (np.ones(5), r"must be 2-D.*got shape \(5,\)"),
        (np.ones((1, 5, 5)), r"must be 2-D.*got shape \(1, 5, 5\)"),
        (np.ones((0, 4)), "at least one pixel"),
        (np.ones((2, 3000)), "sides are at most 2047 pixels.*is this the picture itself"),
        ("abc", "array of real numbers.*str"),
        (None, "array of real numbers.*NoneType"),
        ([[1j]], "array of real numbers.*complex"),
        (torch.ones(1, 1, dtype=torch.complex64), "real numbers; got complex"),
        ([[1.0], [1.0, 2.0]], r"numbers of shape \(height, width\)"),
    ],
)
def test_every_fault_has_its_own_sentence(array, message):
    with pytest.raises(KernelError, match=message):
        Kernel.from_array(array)


def test_rounding_below_zero_is_forgiven_and_extreme_scales_are_normalised():
    assert Kernel.from_array([[1.0, -1e-7, 0.0]]).pixels.tolist() == [[1.0, 0.0, 0.0]]
    for scale in (1e308, 1e-300):
        assert Kernel.from_array(np.full((3, 3), scale)).pixels.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "array",
    [
        np.ones((3, 3), np.uint8),
        np.ones((3, 3), np.uint16),
        np.ones((3, 3), bool),
        np.ones((3, 3), np.float16),
        torch.ones(3, 3, dtype=torch.int64),
        torch.ones(3, 3, dtype=torch.float64, requires_grad=True),
        [[1, 1, 1]] * 3,
        Kernel(torch.full((3, 3), 1 / 9)),
    ],
)
def test_any_kind_of_number_is_taken(array):
    assert torch.allclose(validate_kernel(array), torch.full((3, 3), 1 / 9))


def test_fit_names_both_sizes():
    kernel = Kernel.from_array(np.ones((3, 7)))
    kernel.check_fits((3, 7))
    with pytest.raises(KernelError, match=r"larger than the picture: 3 x 7 .* against 9 x 6"):
        kernel.check_fits((9, 6))


@pytest.mark.parametrize("name", ["k.tif", "k.TIFF", "k.npy"])
def test_a_saved_kernel_comes_back_exactly_with_its_record(tmp_path, name):
    kernel = Kernel(kernels.motion(7, 33).pixels, record())
    kernel.save(tmp_path / name)
    loaded = Kernel.load(tmp_path / name)
    assert torch.equal(loaded.pixels, kernel.pixels)
    assert loaded.record == record()
    assert os.listdir(tmp_path) == [name]


def test_other_programs_read_what_is_saved(tmp_path):
    kernel = Kernel(kernels.disk(3).pixels, record())
    kernel.save(tmp_path / "k.npy")
    kernel.save(tmp_path / "k.tif")
    kernel.save(tmp_path / "k.png")
    assert np.array_equal(np.load(tmp_path / "k.npy"), kernel.pixels.numpy())
    with tifffile.TiffFile(tmp_path / "k.tif") as file:
        assert np.array_equal(file.asarray(), kernel.pixels.numpy())
        assert json.loads(file.pages[0].description)["parameters"] == {"gamma": 20.0}
    loaded = Kernel.load(tmp_path / "k.png")
    assert torch.allclose(loaded.pixels, kernel.pixels, atol=2e-4)
    assert loaded.record == Record("file", {"name": "k.png"})


def test_bare_arrays_and_pictures_load_whatever_they_are_called(tmp_path):
    import imageio.v3 as iio

    values = (np.arange(15).reshape(3, 5) * 10).astype(np.uint8)
    expected = Kernel.from_array(values).pixels
    np.save(tmp_path / "bare.npy", values.astype(np.float64))
    (tmp_path / "bare.npy").rename(tmp_path / "bare.tif")
    assert torch.allclose(Kernel.load(tmp_path / "bare.tif").pixels, expected)
    iio.imwrite(tmp_path / "grey.png", values)
    iio.imwrite(tmp_path / "rgb.png", np.repeat(values[:, :, None], 3, axis=2))
    tifffile.imwrite(tmp_path / "float.tif", values.astype(np.float32))
    for name in ("grey.png", "rgb.png", "float.tif"):
        assert torch.allclose(Kernel.load(tmp_path / name).pixels, expected, atol=1e-6), name
    iio.imwrite(tmp_path / "k.jpg", np.kron(np.eye(2), np.full((8, 8), 200)).astype(np.uint8))
    assert Kernel.load(tmp_path / "k.jpg").size == (17, 17)


def test_pictures_that_are_no_kernel_are_refused(tmp_path):
    import imageio.v3 as iio

    colour = np.zeros((5, 5, 3), np.uint8)
    colour[..., 0] = 200
    iio.imwrite(tmp_path / "colour.png", colour)
    tifffile.imwrite(tmp_path / "pages.tif", np.ones((2, 5, 5), np.float32))
    iio.imwrite(tmp_path / "large.png", np.ones((10, 2048), np.uint8))
    (tmp_path / "text.png").write_bytes(b"hello, this is text")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "nan.npy", np.full((3, 3), np.nan))
    np.save(tmp_path / "whole.npy", np.ones((9, 9)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-5])
    (tmp_path / "header.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:20])
    huge = (tmp_path / "whole.npy").read_bytes().replace(b"(9, 9)", b"(99999999, 99999999)")
    (tmp_path / "huge.npy").write_bytes(huge)
    np.save(tmp_path / "object.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    for name, message in {
        "colour.png": "colour.png is a colour picture",
        "pages.tif": "holds 2 pictures",
        "large.png": "2048 x 10 pixels; a kernel's sides are at most 2047",
        "text.png": "neither a picture nor a NumPy array",
        "empty.npy": "empty.npy is empty",
        "nan.npy": "nan.npy: a kernel must be finite",
        "cut.npy": "cut.npy is cut off",
        "header.npy": "not a whole NumPy array",
        "huge.npy": "huge.npy is",
        "object.npy": "object.npy is not a whole NumPy array",
        "missing.npy": "cannot read the kernel missing.npy: No such file",
    }.items():
        with pytest.raises(KernelError, match=message):
            Kernel.load(tmp_path / name)
    with open(tmp_path / "sparse.npy", "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(KernelError, match="too large for a kernel"):
        Kernel.load(tmp_path / "sparse.npy")


def test_saving_never_leaves_half_a_file(tmp_path):
    kernel = Kernel.identity()
    with pytest.raises(OutputError, match=r"saved as .tif, .tiff, .npy or .png; got 'k.gif'"):
        kernel.save(tmp_path / "k.gif")
    with pytest.raises(OutputError, match=r"cannot be written: No such file"):
        kernel.save(tmp_path / "nowhere" / "k.npy")
    kernel.save(tmp_path / "k.npy")
    first = (tmp_path / "k.npy").read_bytes()
    with pytest.raises(OutputError, match="exists already; choose another name or allow"):
        kernels.motion(5).save(tmp_path / "k.npy")
    assert (tmp_path / "k.npy").read_bytes() == first
    kernels.motion(5).save(tmp_path / "k.npy", overwrite=True)
    assert Kernel.load(tmp_path / "k.npy").size == (1, 5)
    assert os.listdir(tmp_path) == ["k.npy"]
    with pytest.raises(KernelError, match="record cannot be written as JSON"):
        Kernel(torch.ones(1, 1), Record("x", {"a": object()})).save(tmp_path / "b.npy")
    assert os.listdir(tmp_path) == ["k.npy"]


@pytest.mark.parametrize(
    "text",
    ["", "a holiday", "[1, 2]", '{"a": 1}', '{"method": 3}', "[" * 100_000],
)
def test_foreign_notes_are_no_record(text):
    assert Record.from_json(text) is None


def test_odd_entries_of_a_record_are_dropped():
    text = '{"method": "m", "parameters": 3, "region": [1, 2], "confidence": "x", "note": null}'
    assert Record.from_json(text) == Record("m")
    assert Record.from_json('{"method": "m", "region": [1, 2, "a", 3]}') == Record("m")


@given(masses, st.booleans())
def test_centring_brings_the_centroid_home_and_keeps_the_mass(values, subpixel):
    kernel = Kernel.from_array(values)
    centred = kernel.centre(subpixel)
    assert float(centred.pixels.sum()) == pytest.approx(1, abs=1e-5)
    limit = 1e-3 if subpixel else 0.5 + 1e-3
    assert np.abs(centroid(centred.pixels)).max() <= limit
    if not subpixel:
        before, after = kernel.pixels[kernel.pixels > 0], centred.pixels[centred.pixels > 0]
        assert torch.allclose(before, after, atol=1e-6)


def test_cleaning_drops_faint_values_and_islands():
    pixels = torch.zeros(9, 9)
    pixels[3, 3], pixels[4, 4], pixels[5, 4] = 4, 4, 4  # one component through a corner
    pixels[0, 8] = 1.2  # an island of 9 %
    pixels[8, 0] = 2.0  # an island of 15 %
    pixels[4, 5] = 0.19  # faint: under 0.05 x 4
    cleaned = editing.clean(pixels)
    assert float(cleaned[0, 8]) == 0
    assert float(cleaned[4, 5]) == 0
    assert float(cleaned[8, 0]) == pytest.approx(2 / 14)
    assert float(cleaned.sum()) == pytest.approx(1)
    assert torch.allclose(editing.clean(pixels, 0, 0), pixels / pixels.sum())
    assert (editing.clean(pixels, 0, 1) > 0).sum() == 4
    with pytest.raises(ParameterError, match="threshold must be a number from 0 to 1; got 2"):
        editing.clean(pixels, threshold=2)
    with pytest.raises(ParameterError, match="isolated must be a number from 0 to 1; got nan"):
        editing.clean(pixels, isolated=float("nan"))


@given(masses, st.floats(0.2, 4))
def test_resizing_keeps_mass_and_scales_place_and_spread(values, scale):
    kernel = Kernel.from_array(values)
    resized = kernel.resize(scale)
    assert float(resized.pixels.sum()) == pytest.approx(1, abs=1e-5)
    slack = 1e-3 if scale <= 1 else 0.5 * scale
    assert np.abs(centroid(resized.pixels) - scale * centroid(kernel.pixels)).max() <= slack


def test_resizing_matches_the_kernel_of_the_other_scale():
    large, small = kernels.gaussian(4), kernels.gaussian(2)
    assert torch.allclose(large.resize(0.5).crop(small.size).pixels, small.pixels, atol=4e-3)
    assert torch.allclose(small.resize(2).crop(large.size).pixels, large.pixels, atol=1.5e-3)
    assert torch.allclose(small.resize(1).pixels, small.pixels)
    for scale in (0, -1, float("nan"), "2"):
        with pytest.raises(ParameterError, match="scale must be a number"):
            small.resize(scale)
    with pytest.raises(ParameterError, match=r"scale 1000 makes a kernel .* at most 2047"):
        small.resize(1000)


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 135, 180, 200, 270, 359, -30])
def test_rotation_agrees_with_the_kernel_made_at_that_angle(angle):
    base = kernels.gaussian(5, 2, 20)
    turned = base.rotate(angle)
    expected = kernels.gaussian(5, 2, 20 + angle)
    assert float(turned.pixels.sum()) == pytest.approx(1, abs=1e-5)
    assert torch.allclose(turned.crop(45).pixels, expected.crop(45).pixels, atol=8e-4)


def test_rotation_by_right_angles_is_exact():
    kernel = kernels.shake(15, seed=2)
    assert torch.equal(kernel.rotate(90).pixels, torch.rot90(kernel.pixels))
    assert torch.equal(kernel.rotate(90).rotate(-90).pixels, kernel.pixels)
    with pytest.raises(ParameterError, match="angle must be a number"):
        kernel.rotate(float("inf"))


def test_crop_cuts_and_pads_about_the_centre():
    kernel = Kernel.from_array(np.arange(1, 26).reshape(5, 5))
    assert torch.allclose(
        kernel.crop(3).pixels, kernel.pixels[1:4, 1:4] / kernel.pixels[1:4, 1:4].sum()
    )
    assert torch.allclose(kernel.crop((9, 5)).pixels[2:7], kernel.pixels)
    for size, message in {
        4: "must be odd.*use 3 or 5",
        0: "whole number",
        (3,): "one side or a pair",
    }.items():
        with pytest.raises(ParameterError, match=message):
            kernel.crop(size)
    ring = np.ones((5, 5))
    ring[1:4, 1:4] = 0
    with pytest.raises(KernelError, match="no mass is left"):
        Kernel.from_array(ring).crop(3)


def test_flip_and_show_and_the_inputs_of_edits_stay():
    kernel = kernels.shake(9, seed=4)
    before = kernel.pixels.clone()
    assert torch.equal(kernel.flip().pixels, torch.rot90(kernel.pixels, 2))
    assert torch.equal(kernel.flip(horizontal=False).pixels, kernel.pixels.flip(0))
    assert torch.equal(kernel.flip(vertical=False).pixels, kernel.pixels.flip(1))
    assert torch.equal(kernel.flip(False, False).pixels, kernel.pixels)
    shown = kernel.show()
    assert shown.dtype == torch.uint8
    assert shown.shape == (261, 261)
    assert int(shown.max()) == 255
    kernel.centre()
    kernel.clean()
    kernel.resize(0.7)
    kernel.rotate(12)
    assert torch.equal(kernel.pixels, before)
    assert kernel.rotate(12).record == kernel.record
    assert kernel.to("cpu").device == torch.device("cpu")
