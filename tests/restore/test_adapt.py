"""Pictures of every type, in and out again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from unblur.errors import InputError, NonFiniteInput, ParameterError
from unblur.photo import Photo
from unblur.restore.adapt import adapt


def values(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    drawn = np.random.default_rng(0).random(shape)
    if np.issubdtype(dtype, np.integer):
        return (drawn * np.iinfo(dtype).max).astype(dtype)
    return drawn.astype(dtype)


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, Image.Image):
        assert (a.mode, a.size) == (b.mode, b.size)
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, ">u2"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4), (1, 1)])
def test_arrays_go_in_and_come_out(dtype: Any, shape: tuple[int, ...]) -> None:
    image = values(shape, np.dtype(dtype).newbyteorder("=").type).astype(dtype)
    adapted = adapt(image)
    channels = shape[2] if len(shape) == 3 else 1
    assert adapted.photo.samples.shape == (1, channels - (channels % 2 == 0), *shape[:2])
    assert (adapted.photo.alpha is not None) == (channels in (2, 4))
    back = adapted.back(adapted.photo)
    if dtype == np.float64:
        np.testing.assert_allclose(back, image, rtol=1e-7)
        assert back.dtype == image.dtype
    else:
        same(back, image)
    assert back.flags.writeable
    assert back.flags.c_contiguous
    assert not np.shares_memory(back, image)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float16, torch.float32])
@pytest.mark.parametrize(
    "shape", [(5, 7), (1, 5, 7), (2, 5, 7), (3, 5, 7), (4, 5, 7), (2, 3, 5, 7)]
)
def test_tensors_go_in_and_come_out(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    image = (drawn * 255).to(dtype) if dtype in (torch.uint8, torch.uint16) else drawn.to(dtype)
    back = adapt(image).back(adapt(image).photo)
    assert (back.shape, back.dtype) == (image.shape, image.dtype)
    assert torch.equal(back, image)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pil_images_go_in_and_come_out(mode: str) -> None:
    image = Image.fromarray(values((5, 7), np.uint16))
    if mode != "I;16":
        image = Image.fromarray(values((5, 7, 4), np.uint8)).convert(mode)
    image.info["comment"] = "kept"
    back = adapt(image).back(adapt(image).photo)
    same(back, image)
    assert back.info["comment"] == "kept"


def test_a_path_is_read_and_a_photo_is_itself(tmp_path: Path) -> None:
    pixels = values((5, 7, 3), np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    for source in (path, str(path)):
        adapted = adapt(source)
        assert isinstance(adapted.photo, Photo)
        np.testing.assert_array_equal(adapted.photo.samples[0].permute(1, 2, 0), pixels)
        assert adapted.back(adapted.photo) is adapted.photo
    assert adapt(adapted.photo).photo is adapted.photo


def test_arrays_are_taken_as_they_are_unless_their_encoding_is_given() -> None:
    image = np.full((2, 2), 188, np.uint8)
    light = {
        encoding: float(adapt(image, encoding).photo.linear()[0, 0, 0, 0])
        for encoding in (None, "srgb", "linear")
    }
    assert light[None] == light["linear"] == pytest.approx(188 / 255)
    assert light["srgb"] == pytest.approx(0.503, abs=1e-3)


def test_pil_images_are_encoded_unless_it_is_said_otherwise() -> None:
    image = Image.new("L", (2, 2), 188)
    assert float(adapt(image).photo.linear()[0, 0, 0, 0]) == pytest.approx(0.503, abs=1e-3)
    assert float(adapt(image, "linear").photo.linear()[0, 0, 0, 0]) == pytest.approx(188 / 255)


@pytest.mark.parametrize("encoding", ["gamma", "", "sRGB", 1])
def test_an_encoding_that_is_none_is_refused(encoding: Any) -> None:
    with pytest.raises(ParameterError, match="encoding must be"):
        adapt(np.zeros((2, 2)), encoding)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((5, 5), np.int32), r"uint8, uint16 or floating point, got \S*int32"),
        (np.zeros((5, 5), np.uint32), r"uint8, uint16 or floating point, got \S*uint32"),
        (np.zeros((5, 5), bool), r"uint8, uint16 or floating point, got \S*bool"),
        (np.zeros((5, 5), complex), r"uint8, uint16 or floating point, got \S*complex"),
        (np.array([["a", "b"]]), "uint8, uint16 or floating point"),
        (np.zeros((5, 5, 5)), "1 or 3 channels"),
        (np.zeros((3, 5, 5)), "1 or 3 channels"),
        (np.zeros((5, 0)), "pixels"),
        (np.zeros((2, 2, 2, 2)), r"\(H, W\) or \(H, W, C\)"),
        (torch.zeros(4), r"\(H, W\), \(C, H, W\) or \(B, C, H, W\)"),
        (torch.zeros(0, 3, 4, 4), "pixels"),
        (torch.zeros(4, 4, dtype=torch.complex64), "uint8, uint16 or floating point"),
        (np.full((2, 2), 200.0), r"in \[0, 1\].*200 to 200"),
        (np.full((2, 2), -9.0), r"in \[0, 1\]"),
        (Image.new("P", (2, 2)), "convert"),
        (Image.new("CMYK", (2, 2)), "convert"),
        ([[0.5]], "got list"),
        (None, "got NoneType"),
        (5, "got int"),
    ],
    ids=range(19),
)
def test_what_is_no_picture_is_refused_in_words(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        adapt(image)


def test_what_is_not_finite_is_counted() -> None:
    image = np.zeros((4, 4))
    image[0, :3] = np.nan, np.inf, -np.inf
    with pytest.raises(NonFiniteInput, match="3 values"):
        adapt(image)


def test_a_little_outside_the_range_is_taken() -> None:
    image = np.array([[-0.3, 1.2]], np.float32)
    adapted = adapt(image)
    same(adapted.back(adapted.photo), image)
