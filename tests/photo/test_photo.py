"""Photo: what it promises about its pixels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from unblur.errors import InputError, NonFiniteInput
from unblur.photo import Carried, Photo, vips


def random(*shape: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if dtype == torch.float32:
        return torch.rand(*shape, generator=generator)
    top = 256 if dtype == torch.uint8 else 65536
    return torch.randint(top, shape, generator=generator, dtype=torch.int32).to(dtype)


@pytest.mark.parametrize(
    ("dtype", "depth"), [(torch.uint8, 8), (torch.uint16, 16), (torch.float32, 32)]
)
def test_facts(dtype: torch.dtype, depth: int) -> None:
    photo = Photo(random(2, 3, 4, 5, dtype=dtype))
    assert (photo.size, photo.depth, photo.pages) == ((4, 5), depth, 2)
    assert photo.transfer.name == ("linear" if depth == 32 else "sRGB")
    for values in (photo.encoded(), photo.linear()):
        assert values.dtype == torch.float32
        assert values.shape == (2, 3, 4, 5)
        assert values.is_contiguous()


def test_encoded_is_a_division() -> None:
    samples = random(1, 3, 30, 40, dtype=torch.uint16)
    assert torch.equal(Photo(samples).encoded(), samples.float() / 65535)
    assert torch.equal(Photo(samples.float()).encoded(), samples.float())


def test_linear_of_integers_is_linear_of_their_values() -> None:
    photo = Photo(random(2, 3, 30, 40), carried=Carried(icc=vips.profile("p3")))
    assert torch.allclose(photo.linear(), photo.transfer.to_linear(photo.encoded()), atol=1e-7)


def test_nothing_changes() -> None:
    samples, alpha = random(1, 3, 6, 7), random(1, 1, 6, 7)
    photo = Photo(samples.clone(), alpha.clone(), Carried(comments=(("a", "b"),)), ("w",))
    image = photo.linear().mul_(0.5)
    again = photo.with_linear(image)
    image.zero_()
    assert torch.equal(photo.samples, samples)
    assert photo.alpha is not None
    assert torch.equal(photo.alpha, alpha)
    assert again.alpha is photo.alpha
    assert (again.carried, again.warnings) == (photo.carried, ("w",))
    assert not torch.equal(again.samples, samples)
    with pytest.raises(FrozenInstanceError):
        photo.alpha = None  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_new_pixels_are_clipped_and_rounded(dtype: torch.dtype) -> None:
    top = torch.iinfo(dtype).max
    photo = Photo(torch.zeros(1, 1, 1, 5, dtype=torch.int32).to(dtype))
    values = torch.tensor([-1.0, 0.0, 0.25, 1.0, 9.0]).view(1, 1, 1, 5)
    expected = [0, 0, round(0.25 * top), top, top]
    assert photo.with_encoded(values).samples.flatten().tolist() == expected
    assert photo.with_linear(values).samples.flatten().tolist()[::4] == [0, top]


def test_float_photos_are_not_clipped() -> None:
    photo = Photo(torch.zeros(1, 1, 1, 3))
    values = torch.tensor([-1.0, 0.5, 9.0]).view(1, 1, 1, 3)
    assert torch.equal(photo.with_linear(values).samples, values)


def test_refusals() -> None:
    photo = Photo(random(1, 3, 6, 7))
    with pytest.raises(InputError, match=r"shape \(1, 3, 6, 7\), got torch.float32 \(1, 3, 6, 8\)"):
        photo.with_linear(torch.zeros(1, 3, 6, 8))
    with pytest.raises(InputError, match=r"got torch.uint8"):
        photo.with_encoded(photo.samples)
    with pytest.raises(NonFiniteInput):
        photo.with_linear(torch.full((1, 3, 6, 7), torch.nan))
    for wrong in (torch.zeros(1, 2, 6, 7), torch.zeros(3, 6, 7), torch.zeros(1, 3, 6, 7).double()):
        with pytest.raises(InputError, match="samples must be"):
            Photo(wrong)
    with pytest.raises(InputError, match="empty"):
        Photo(torch.zeros(1, 3, 0, 7))
    with pytest.raises(InputError, match="alpha must be"):
        replace(photo, alpha=torch.zeros(1, 1, 6, 7))


def test_from_tensor() -> None:
    image = random(3, 6, 7, dtype=torch.float32)
    photo = Photo.from_tensor(image)
    assert torch.equal(photo.samples[0], (image * 255).round().to(torch.uint8))
    assert Photo.from_tensor(image, depth=16).depth == 16
    floats = Photo.from_tensor(image[None] * 2, depth=32)
    assert torch.equal(floats.samples, image[None] * 2)
    assert floats.transfer.name == "sRGB"
    for wrong in (torch.zeros(2, 6, 7), torch.zeros(6, 7), torch.zeros(3, 6, 7, dtype=torch.uint8)):
        with pytest.raises(InputError):
            Photo.from_tensor(wrong)
    with pytest.raises(InputError, match="depth must be 8, 16 or 32"):
        Photo.from_tensor(image, depth=10)  # type: ignore[arg-type]


def test_what_the_caller_says_comes_first() -> None:
    carried = Carried(icc=vips.profile("p3"))
    assert Photo(random(1, 3, 2, 2), carried=carried).transfer.name == "ICC"
    told = replace(carried, encoding="linear")
    assert Photo(random(1, 3, 2, 2), carried=told).transfer.name == "linear"


def test_concurrent_equals_serial() -> None:
    photos = [Photo(random(1, 3, 40 + k, 50)) for k in range(8)]
    serial = [photo.with_linear(photo.linear() * 0.7).samples for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda p: p.with_linear(p.linear() * 0.7).samples, photos))
    assert all(torch.equal(a, b) for a, b in zip(serial, found, strict=True))
