"""What every method of the catalogue keeps, whatever it does to the picture in between."""

import dataclasses
import inspect
import json
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import unblur
from unblur.blur import Kernel, kernels
from unblur.errors import (
    Cancelled,
    InputError,
    KernelError,
    NonFiniteInput,
    ParameterError,
    WeightsError,
)
from unblur.photo import Photo, write
from unblur.restore.catalogue import DEFAULT, METHODS, find
from unblur.restore.method import Method
from unblur.restore.parameters import Parameter, parse, schema

SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5)]
PRIMES = [(17, 61), (31, 19), (47, 53)]
# Restored floats may overshoot [0, 1], but never so far that they are refused as an input.
LOWEST, HIGHEST = -2.0, 4.0
# What belongs to a call, not to the method.
RUNNING = frozenset(inspect.signature(unblur.load("l0")).parameters)

each_method = pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
each_known = pytest.mark.parametrize(
    "method",
    [method for method in METHODS if method.needs_kernel],
    ids=[method.name for method in METHODS if method.needs_kernel],
)
each_blind = pytest.mark.parametrize(
    "method",
    [method for method in METHODS if not (method.needs_kernel or method.needs_weights)],
    ids=lambda method: method.name,
)
each_classical = pytest.mark.parametrize(
    "method",
    [method for method in METHODS if not method.needs_weights],
    ids=lambda method: method.name,
)
each_network = pytest.mark.parametrize(
    "method",
    [method for method in METHODS if method.needs_weights],
    ids=lambda method: method.name,
)

pytestmark = pytest.mark.usefixtures("tiny_weights")


def motion() -> Kernel:
    """5 x 5 pixels."""
    return kernels.motion(length=5, angle=40)


def fitting(size: tuple[int, int]) -> Kernel:
    """A kernel that is no larger than a picture of `size`."""
    rows, columns = (3 if side >= 3 else 1 for side in size)
    return Kernel.from_array(np.ones((rows, columns)))


@cache
def warm(name: str) -> Callable[..., unblur.Result]:
    """A network is slow to start, and a law below says that a loaded one gives the same."""
    return unblur.load(name, precision="float32")


def restore(method: Method, image: Any, kernel: Any = None, **options: Any) -> unblur.Result:
    if method.needs_kernel:
        options["kernel"] = motion() if kernel is None else kernel
    if method.needs_weights:
        if RUNNING.issuperset(options):
            return warm(method.name)(image, **options)
        options = {"precision": "float32", **options}
    return unblur.deblur(image, method.name, **options)


def picture(dtype: type = np.uint8, channels: int = 3) -> np.ndarray:
    """A blurred photograph, (28, 36) or (28, 36, C)."""
    colour = unblur.blur(data.astronaut()[100:156:2, 180:252:2], motion())
    if channels == 1:
        colour = colour[..., 1]
    if channels in (2, 4):
        colour = colour[..., : channels - 1]
        alpha = np.full((*colour.shape[:2], 1), 255, np.uint8)
        alpha[:9, :12], alpha[9:14] = 0, 130
        colour = np.concatenate([colour, alpha], -1)
    if dtype == np.uint16:
        return colour.astype(np.uint16) * 257
    return (colour / 255).astype(dtype) if np.issubdtype(dtype, np.floating) else colour


ARRAYS = {
    f"{np.dtype(dtype).name}-{channels}": (dtype, channels)
    for dtype in (np.uint8, np.uint16, np.float32, np.float64)
    for channels in (1, 3, 4)
} | {"uint8-2": (np.uint8, 2)}


@each_method
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_keep_their_shape_and_dtype_and_are_not_touched(method: Method, kind: str) -> None:
    image = picture(*ARRAYS[kind])
    before = image.copy()
    found = restore(method, image).image
    assert isinstance(found, np.ndarray)
    assert found.shape == image.shape
    assert found.dtype == image.dtype
    assert not np.shares_memory(found, image)
    np.testing.assert_array_equal(image, before)
    assert np.isfinite(found).all()
    if np.issubdtype(found.dtype, np.floating):
        assert found.min() >= LOWEST
        assert found.max() <= HIGHEST


@each_method
@pytest.mark.parametrize(
    "image",
    [
        picture().transpose(1, 0, 2),
        picture()[::-1, ::-1],
        np.asfortranarray(picture(np.float32)),
        picture(np.uint16).astype(">u2"),
        picture(np.float16),
    ],
    ids=["transposed", "mirrored", "fortran", "big-endian", "half"],
)
def test_unusual_layouts_are_as_good_as_plain_ones(method: Method, image: np.ndarray) -> None:
    found = restore(method, image).image
    plain = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, restore(method, plain).image)


@each_method
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pil_images_keep_their_mode_and_size(method: Method, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(picture(np.uint16, 1))
    else:
        image = Image.fromarray(picture(np.uint8, 4)).convert(mode)
    assert image.mode == mode
    before = image.tobytes()
    found = restore(method, image).image
    assert isinstance(found, Image.Image)
    assert (found.mode, found.size) == (image.mode, image.size)
    assert image.tobytes() == before


@each_method
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(28, 36), (3, 28, 36), (2, 3, 28, 36), (1, 4, 28, 36)])
def test_tensors_keep_their_shape_and_dtype(
    method: Method, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    numpy_dtype = {torch.uint8: np.uint8, torch.uint16: np.uint16}.get(dtype, np.float32)
    if len(shape) == 2:
        image = torch.from_numpy(picture(numpy_dtype, 1))
    else:
        planes = picture(numpy_dtype, shape[-3]).transpose(2, 0, 1)
        image = torch.from_numpy(np.broadcast_to(planes, shape).copy())
    image = image.to(dtype)
    before = image.clone()
    found = restore(method, image).image
    assert isinstance(found, torch.Tensor)
    assert (found.shape, found.dtype, found.device) == (image.shape, image.dtype, image.device)
    assert torch.equal(image, before)
    assert bool(torch.isfinite(found.double()).all())


@each_method
def test_gradients_of_the_caller_are_no_hindrance(method: Method) -> None:
    image = torch.from_numpy(picture(np.float32, 1)).requires_grad_()
    found = restore(method, image).image
    assert not found.requires_grad
    assert torch.equal(found, restore(method, image.detach()).image)


@each_method
def test_a_photo_comes_back_with_all_it_carries(method: Method) -> None:
    pages = torch.from_numpy(picture()).permute(2, 0, 1).float() / 255
    photo = Photo.from_tensor(pages, depth=16)
    before = photo.samples.clone()
    found = restore(method, photo).image
    assert isinstance(found, Photo)
    assert found.samples.dtype == photo.samples.dtype
    assert found.samples.shape == photo.samples.shape
    assert found.carried == photo.carried
    assert torch.equal(photo.samples.int(), before.int())


@each_method
def test_a_path_gives_what_its_pixels_give(method: Method, tmp_path: Any) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(picture()).save(path)
    kept = path.read_bytes()
    for source in (path, str(path)):
        found = restore(method, source).image
        assert isinstance(found, Photo)
        in_memory = restore(method, Image.fromarray(picture())).image
        np.testing.assert_array_equal(found.samples[0].permute(1, 2, 0), np.asarray(in_memory))
    write(tmp_path / "out.png", found)
    assert path.read_bytes() == kept


@each_method
@pytest.mark.parametrize("size", SIZES + PRIMES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_size_comes_back_finite(method: Method, size: tuple[int, int], dtype: type) -> None:
    noise = np.random.default_rng(0).random((*size, 3))
    image = (255 * noise).astype(dtype) if dtype == np.uint8 else noise.astype(dtype)
    found = restore(method, image, fitting(size)).image
    assert found.shape == image.shape
    assert np.isfinite(found).all()


@each_method
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grey=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_any_size_comes_back_finite(
    method: Method, size: tuple[int, int], grey: bool, seed: int
) -> None:
    shape = size if grey else (*size, 3)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    kernel = fitting(size)
    found = restore(method, image, kernel, tile=16 if seed % 2 else 0).image
    assert (found.shape, found.dtype) == (image.shape, image.dtype)


@each_method
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_same_seed_gives_the_same_bytes(method: Method, dtype: type) -> None:
    image = picture(dtype)
    first, second = (restore(method, image, seed=3) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    if first.kernel is not None and second.kernel is not None:
        assert torch.equal(first.kernel.pixels, second.kernel.pixels)


@each_method
def test_threads_at_once_give_what_one_gives(method: Method) -> None:
    images = [np.ascontiguousarray(picture()[:, shift:]) for shift in range(6)]
    serial = [restore(method, image).image.tobytes() for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda image: restore(method, image).image.tobytes(), images)
        assert list(together) == serial


@each_method
def test_a_batch_gives_what_its_pictures_give(method: Method) -> None:
    one = torch.from_numpy(picture(np.float32)).permute(2, 0, 1)
    other = one.flip(-1) * 0.8
    flat = torch.full_like(one, 0.25)
    found = restore(method, torch.stack([one, other, flat]))
    for got, image in zip(found.image, (one, other, flat), strict=True):
        assert torch.equal(got, restore(method, image).image)
    assert len(found.report.pages) == 3
    assert found.report.pages[0]["unchanged"] is None
    assert "flat" in found.report.pages[2]["unchanged"]


@each_method
def test_a_loaded_method_gives_what_a_call_gives(method: Method) -> None:
    kernel = motion() if method.needs_kernel else None
    options = {"precision": "float32"} if method.needs_weights else {"noise_std": 0.01}
    work = unblur.load(method.name, kernel=kernel, **options)
    for image in (picture(), picture(np.float32, 1)):
        direct = unblur.deblur(image, method.name, kernel=kernel, **options)
        np.testing.assert_array_equal(work(image).image, direct.image)


@each_method
@pytest.mark.parametrize("level", [0, 128, 255], ids=["black", "grey", "white"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)], ids=["grey", "colour"])
def test_a_flat_picture_comes_back_and_the_report_says_why(
    method: Method, level: int, dtype: type, shape: tuple[int, ...]
) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    image = np.full(shape, level / 255 * top, dtype)
    found = restore(method, image)
    np.testing.assert_array_equal(found.image, image)
    assert "flat" in (found.report.unchanged or "")


@each_method
def test_a_flat_colour_is_flat(method: Method) -> None:
    image = np.broadcast_to(np.array([200, 30, 90], np.uint8), (24, 30, 3))
    found = restore(method, image)
    np.testing.assert_array_equal(found.image, image)
    assert "flat" in (found.report.unchanged or "")


@each_method
def test_a_checkerboard_stays_finite_and_in_range(method: Method) -> None:
    board = (np.indices((32, 32)).sum(0) % 2).astype(np.float32)
    found = restore(method, board).image
    assert np.isfinite(found).all()
    assert found.min() >= LOWEST
    assert found.max() <= HIGHEST


@each_blind
@pytest.mark.parametrize("std", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("channels", [1, 3])
def test_pure_noise_comes_back_and_the_report_says_why(
    method: Method, std: float, channels: int
) -> None:
    noise = np.random.default_rng(1).normal(0.5, std, (64, 64, channels))
    image = np.clip(255 * noise, 0, 255).astype(np.uint8).squeeze()
    found = restore(method, image)
    assert "noise" in (found.report.unchanged or "")
    np.testing.assert_array_equal(found.image, image)


@each_blind
def test_a_sharp_photograph_comes_back_and_the_report_says_why(method: Method) -> None:
    image = data.astronaut()[60:156, 160:256]
    found = restore(method, image)
    assert "sharp" in (found.report.unchanged or "")
    np.testing.assert_array_equal(found.image, image)
    assert found.kernel is None


@each_blind
def test_a_shaken_photograph_does_not_come_back_as_it_was(method: Method) -> None:
    sharp = data.camera()[100:196, 150:246]
    blurred = unblur.blur(sharp, kernels.shake(size=9, seed=3))
    found = restore(method, blurred, kernel_size=9)
    assert found.report.unchanged is None
    assert found.kernel is not None
    assert found.kernel.size == (9, 9)
    assert (found.image != blurred).any()


@each_classical
@pytest.mark.parametrize("side", [1, 5])
def test_a_kernel_of_one_point_gives_the_picture_back(method: Method, side: int) -> None:
    point = np.zeros((side, side))
    point[side // 2, side // 2] = 1
    image = data.astronaut()[20:68, 120:184]
    found = unblur.deblur(image, method.name, kernel=point).image
    assert np.abs(found.astype(int) - image).max() <= 1


@each_method
def test_without_strength_the_picture_is_what_it_was(method: Method) -> None:
    for image in (picture(), picture(np.float32), picture(np.uint16, 4)):
        np.testing.assert_array_equal(restore(method, image, strength=0).image, image)
        np.testing.assert_array_equal(restore(method, image, strength=0.0).image, image)


@each_method
@pytest.mark.parametrize("strength", [0.25, 0.5, 0.9])
def test_strength_blends_the_picture_and_its_restoration(method: Method, strength: float) -> None:
    image = picture(np.float32)
    whole = restore(method, image).image
    found = restore(method, image, strength=strength).image
    np.testing.assert_allclose(found, image + strength * (whole - image), atol=1e-6)


@each_method
def test_masked_pixels_are_left_alone(method: Method) -> None:
    mask = np.zeros((28, 36), bool)
    mask[5:11, 7:20] = True
    for image in (picture(), picture(np.float32), picture(np.uint16, 4)):
        found = restore(method, image, mask=mask).image
        np.testing.assert_array_equal(found[mask], image[mask])
        assert (found[~mask] != image[~mask]).any()


@each_method
def test_what_is_masked_says_nothing_about_the_rest(method: Method) -> None:
    mask = np.zeros((28, 36), bool)
    mask[5:11, 7:20] = True
    image = picture()
    spoiled = image.copy()
    spoiled[mask] = np.random.default_rng(0).integers(0, 256, spoiled[mask].shape)
    clean, other = (restore(method, each, mask=mask).image for each in (image, spoiled))
    np.testing.assert_array_equal(clean[~mask], other[~mask])


@each_method
def test_everything_masked_leaves_everything(method: Method) -> None:
    image = picture()
    found = restore(method, image, mask=np.ones(image.shape[:2], bool)).image
    np.testing.assert_array_equal(found, image)


@each_method
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_alpha_and_what_it_hides_come_back(method: Method, dtype: type) -> None:
    image = picture(dtype, 4)
    found = restore(method, image).image
    np.testing.assert_array_equal(found[..., 3], image[..., 3])
    hidden = image[..., 3] == 0
    np.testing.assert_array_equal(found[hidden], image[hidden])


@each_method
@pytest.mark.parametrize("tile", [0, 24])
def test_colours_that_nobody_sees_do_not_leak(method: Method, tile: int) -> None:
    image = picture(np.uint8, 4)
    hidden = image[..., 3] == 0
    found = []
    for colour in (0, 255):
        painted = image.copy()
        painted[hidden, :3] = colour
        found.append(restore(method, painted, tile=tile).image[~hidden])
    np.testing.assert_array_equal(*found)


@each_method
def test_an_unknown_parameter_is_named_with_its_neighbour(method: Method) -> None:
    wrong, right = ("wieghts", "weights") if method.needs_weights else ("noise_sdt", "noise_std")
    with pytest.raises(ParameterError, match=f"'{wrong}'.*'{right}'"):
        restore(method, picture(), **{wrong: 0.1})


def out_of_range() -> list[Any]:
    cases = []
    for method in METHODS:
        for name, entry in schema(method.parameters)["properties"].items():
            bad: list[Any] = [[1], {}]
            if "minimum" in entry:
                bad += [entry["minimum"] - 1, math.nan, -math.inf, "abc", -1e308]
            if "maximum" in entry:
                bad += [entry["maximum"] + 1, 1e308, 10**400]
            if "enum" in entry:
                bad += ["nonsense", 3]
            cases.append(pytest.param(method, name, bad, id=f"{method.name}-{name}"))
    return cases


@pytest.mark.parametrize(("method", "name", "values"), out_of_range())
def test_a_parameter_out_of_range_is_named(method: Method, name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ParameterError, match=f"'{name}'"):
            restore(method, picture(), **{name: value})


@pytest.mark.parametrize(("method", "name", "values"), out_of_range())
def test_the_ends_of_a_range_belong_to_it(method: Method, name: str, values: list[Any]) -> None:
    entry = schema(method.parameters)["properties"][name]
    for value in [
        entry["default"],
        *(entry[end] for end in ("minimum", "maximum") if end in entry),
    ]:
        assert getattr(parse(method.parameters, {name: value}), name) == value


@each_known
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_the_ends_of_a_range_give_finite_pictures(method: Method, end: str) -> None:
    image = picture(np.float32, 1)
    for name, entry in schema(method.parameters)["properties"].items():
        if end not in entry or (name == "iterations" and end == "maximum"):
            continue
        found = restore(method, image, **{name: entry[end]}).image
        assert np.isfinite(found).all(), name


@each_method
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.5}, "strength"),
        ({"strength": math.nan}, "strength"),
        ({"strength": "much"}, "strength"),
        ({"tile": -1}, "tile"),
        ({"tile": 1}, "tile"),
        ({"tile": 64.0}, "tile"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"max_memory": "lots"}, "max_memory"),
        ({"max_memory": 0}, "max_memory"),
        ({"device": "abacus"}, "device"),
        ({"encoding": "gamma"}, "encoding"),
        ({"roi": (0, 0, 99, 20)}, "roi"),
        ({"roi": (0, 0, 4, 4)}, "roi"),
        ({"roi": (0, 0, 20)}, "roi"),
        ({"roi": 7}, "roi"),
        ({"mask": np.zeros((3, 3), bool)}, "mask"),
        ({"mask": np.full((28, 36), 0.5)}, "mask"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_bad_argument_is_named(method: Method, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        restore(method, picture(), **options)


@each_method
@pytest.mark.parametrize(
    ("image", "error"),
    [
        (None, InputError),
        (7, InputError),
        ([[0, 1], [1, 0]], InputError),
        (np.zeros((4,)), InputError),
        (np.zeros((0, 5), np.uint8), InputError),
        (np.zeros((5, 5, 7), np.uint8), InputError),
        (np.zeros((5, 5), np.int64), InputError),
        (np.zeros((5, 5), bool), InputError),
        (np.zeros((5, 5), complex), InputError),
        (np.zeros((5, 5), object), InputError),
        (np.full((5, 5), 128.0), InputError),
        (np.full((5, 5), np.nan), NonFiniteInput),
        (np.full((5, 5), np.inf), NonFiniteInput),
        (torch.zeros(1, 1, 1, 4, 4), InputError),
        (torch.zeros(2, 5, 4, 4), InputError),
        (torch.zeros(3, 4, 4, dtype=torch.int64), InputError),
        (Image.new("P", (5, 5)), InputError),
        (Image.new("1", (5, 5)), InputError),
    ],
    ids=lambda value: None if isinstance(value, type) else str(type(value).__name__),
)
def test_what_is_no_picture_is_refused(method: Method, image: Any, error: type) -> None:
    with pytest.raises(error, match="image"):
        restore(method, image)


@each_known
@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.zeros((3, 3)), "mass"),
        (np.full((3, 3), -1.0), "negative"),
        (np.full((3, 3), np.nan), "finite"),
        (np.ones((3, 3, 3)), "grey"),
        (np.ones(3), "2-D"),
        (np.ones((29, 3)), "larger than the picture"),
        (np.ones((3, 37)), "larger than the picture"),
    ],
    ids=["zeros", "negative", "nan", "colour", "1-d", "tall", "wide"],
)
def test_what_is_no_kernel_is_refused(method: Method, kernel: np.ndarray, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        restore(method, picture(), kernel)


@each_known
@pytest.mark.parametrize(
    "kernel",
    [5 * np.ones((3, 3)), np.ones((2, 4)), np.ones((1, 5)), np.ones((7, 3)), [[1, 2, 1]]],
    ids=["sum 45", "even", "row", "not square", "list"],
)
def test_what_can_be_made_a_kernel_is_taken(method: Method, kernel: Any) -> None:
    found = restore(method, picture(), kernel)
    assert found.kernel is not None
    assert abs(float(found.kernel.pixels.sum()) - 1) < 1e-5
    assert all(side % 2 for side in found.kernel.size)
    assert np.isfinite(found.image).all()


@each_known
def test_a_missing_kernel_is_asked_for(method: Method) -> None:
    with pytest.raises(ParameterError, match=f"kernel is missing.*'{DEFAULT}'"):
        unblur.deblur(picture(), method.name)


@each_method
def test_progress_rises_to_one(method: Method) -> None:
    seen: list[float] = []
    image = torch.from_numpy(picture(np.float32)).permute(2, 0, 1)
    restore(
        method,
        torch.stack([image, image.flip(-1)]),
        tile=32,
        progress=lambda stage, fraction: seen.append(fraction),
    )
    assert len(seen) >= 4
    assert seen == sorted(seen)
    assert seen[0] >= 0
    assert seen[-1] == 1.0


@each_method
@pytest.mark.parametrize("moment", [0, 0.3, 0.7])
def test_progress_can_cancel(method: Method, moment: float) -> None:
    def stop(stage: str, fraction: float) -> None:
        if fraction >= moment:
            raise Cancelled("enough")

    image = picture()
    before = image.copy()
    with pytest.raises(Cancelled, match="enough"):
        restore(method, image, progress=stop)
    np.testing.assert_array_equal(image, before)


@each_method
def test_flat_pictures_report_progress_too(method: Method) -> None:
    seen: list[float] = []
    restore(method, np.zeros((20, 20)), progress=lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert all(0 <= fraction <= 1 for fraction in seen)


@each_method
@pytest.mark.parametrize(
    "make",
    [
        picture,
        lambda: np.zeros((20, 20)),
        lambda: np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8),
        lambda: torch.rand(2, 3, 30, 30, generator=torch.Generator().manual_seed(0)),
    ],
    ids=["photograph", "flat", "noise", "batch"],
)
def test_the_report_is_json(method: Method, make: Callable[[], Any]) -> None:
    found = restore(method, make())
    record = found.report.as_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["method"] == method.name
    assert set(record["parameters"]) == {
        field.name for field in dataclasses.fields(method.parameters)
    }
    assert record["seconds"] >= 0
    assert record["peak_memory_bytes"] > 0
    assert {"unblur", "torch"} <= set(record["versions"])
    if record["unchanged"] is None and not method.needs_weights:
        assert record["kernel"]["size"] == list(found.kernel.size)


@each_method
def test_parameters_are_frozen_and_explained(method: Method) -> None:
    kind = method.parameters
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        assert get_origin(hints[field.name]) is Annotated
        declared = [part for part in get_args(hints[field.name]) if isinstance(part, Parameter)]
        assert len(declared) == 1
        assert declared[0].help.strip()
        assert not declared[0].help.endswith(".")
    assert parse(kind, {}) == kind()


@each_method
def test_the_schema_is_one(method: Method) -> None:
    described = schema(method.parameters)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["type"] == "object"
    assert described["additionalProperties"] is False
    for name, entry in described["properties"].items():
        kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
        assert set(kinds) <= {"integer", "number", "boolean", "string", "null"}
        assert entry["description"]
        default = entry["default"]
        assert default is not None or "null" in kinds
        if "enum" in entry:
            assert default in entry["enum"]
        elif default is not None and "minimum" in entry:
            assert entry["minimum"] <= default <= entry.get("maximum", math.inf), name


@each_method
def test_the_entry_is_complete(method: Method) -> None:
    assert find(method.name) is method
    assert find(method.name.upper().replace("-", "_")) is method
    assert method.name == method.name.lower()
    for line in (method.summary, method.when):
        assert line
        assert "\n" not in line
        assert not line.endswith(".")
    assert method.ready(method.parameters()) == (True, "")


def test_names_are_unique_and_the_default_finds_the_blur() -> None:
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names)
    assert not find(DEFAULT).needs_kernel


@each_method
def test_a_misspelt_method_is_named_with_its_neighbour(method: Method) -> None:
    with pytest.raises(ParameterError, match=f"did you mean.*{method.name}"):
        find(method.name + "x")


@each_known
@pytest.mark.parametrize("crop", [(192, 216), (432, 432)], ids=str)
def test_black_beside_white_does_not_make_it_diverge(method: Method, crop: tuple[int, int]) -> None:
    """A pattern that no blur of nine pixels can have made: black patches wider than the kernel."""
    y, x = (np.arange(start, start + 48) for start in crop)
    image = ((x * 4 // 7 ^ (y * 5 // 9)[:, None]) & 255).astype(np.uint8)
    found = restore(method, image / 255, kernels.disk(radius=4)).image
    assert np.isfinite(found).all()
    # The light stays: 30 steps of anything must not make a hundred times the brightest pixel of it.
    assert np.abs(found).max() < 100


@each_network
def test_a_network_takes_no_kernel(method: Method) -> None:
    with pytest.raises(ParameterError, match=f"kernel is not for method '{method.name}'"):
        unblur.deblur(picture(), method.name, kernel=motion())


@each_network
def test_a_network_without_weights_says_how_to_get_them(method: Method, no_weights: Path) -> None:
    name = method.parameters().weights
    ready, why = method.ready(method.parameters())
    assert not ready
    assert f"`unblur weights add {name} FILE`" in why
    with pytest.raises(WeightsError, match=re.escape(why)):
        unblur.deblur(picture(), method.name)
    with pytest.raises(WeightsError, match=re.escape(why)):
        unblur.load(method.name)


@each_network
def test_grey_is_colour_of_one_tone(method: Method) -> None:
    grey = picture(np.float32, 1)
    colour = np.repeat(grey[..., None], 3, -1)
    found = restore(method, grey).image
    mean = restore(method, colour).image.mean(-1)
    np.testing.assert_allclose(found, mean, atol=1e-6)


def strip(length: int) -> np.ndarray:
    """A long picture that varies along its length, (40, length, 3): tiles of it are quick."""
    rows, columns = np.indices((40, length))
    slow = columns / length
    planes = [rows * columns % 251, rows % 199 + 50 * slow, columns * 7 % 241 * slow]
    return (np.stack(planes, -1) / 255).astype(np.float32)


@each_network
def test_what_shares_a_batch_hardly_matters(method: Method) -> None:
    """Libraries may order sums otherwise in a batch: 1e-5 is a four-hundredth of a level."""
    options = {"tile": 300}
    one = restore(method, strip(2400), **options)
    several = restore(method, strip(2400), batch=3, **options)
    assert several.report.measured["tiles"] == one.report.measured["tiles"] > 4
    np.testing.assert_allclose(several.image, one.image, atol=1e-5)


@each_network
@pytest.mark.parametrize("axis", [0, 1])
def test_tiles_agree_with_the_whole(method: Method, axis: int) -> None:
    image = strip(1501) if axis else strip(1501).transpose(1, 0, 2)
    whole = restore(method, image)
    tiled = restore(method, image, tile=300)
    assert whole.report.measured["tiles"] == 1
    assert tiled.report.measured["tiles"] > 2
    assert not tiled.report.warnings
    assert np.abs(tiled.image - whole.image).max() < 0.05 / 255


@pytest.mark.parametrize("name", ["mprnet", "nafnet", "dpanet"])
def test_means_over_the_whole_picture_are_warned_about_in_tiles(name: str) -> None:
    options = {"local_statistics": False, "precision": "float32"}
    whole = unblur.deblur(strip(1501), name, **options)
    tiled = unblur.deblur(strip(1501), name, tile=300, **options)
    assert not whole.report.warnings
    assert tiled.report.measured["tiles"] > 1
    assert any("local_statistics=true" in text for text in tiled.report.warnings)
