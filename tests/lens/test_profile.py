"""Profiles on disk, and for pictures that lie otherwise."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from unblur.blur import Field
from unblur.errors import InputError, KernelError, OutputError, ParameterError
from unblur.lens import LensProfile, Shot, shelf
from unblur.lens.prior import StoredPrior
from unblur.lens.shot import shot_of
from unblur.lens.turning import inverse_of, to_sensor, turned, upright
from unblur.photo import Carried, Photo
from unblur.photo.exif import encode
from unblur.photo.ifd import EXIF, Directory, Entry
from unblur.photo.pixels import upright as upright_pixels


def made(**changes: object) -> LensProfile:
    generator = torch.Generator().manual_seed(0)
    field = Field.of(torch.rand(2, 3, 3, 5, 5, generator=generator))
    profile = LensProfile(
        field,
        torch.rand(2, 3, generator=generator),
        (200, 300),
        Shot("Maker One", "Prime", 50.0, 2.8),
    )
    return replace(profile, **changes)  # type: ignore[arg-type]


def photo(size: tuple[int, int], channels: int = 3, **carried: object) -> Photo:
    samples = torch.zeros(1, channels, *size, dtype=torch.uint8)
    return Photo(samples, carried=Carried(**carried))  # type: ignore[arg-type]


def exif(camera: str, lens: str, focal: tuple[int, int]) -> bytes:
    def text(words: str) -> Entry:
        data = words.encode() + b"\0"
        return Entry(2, len(data), data)

    ratio = Entry(5, 1, focal[0].to_bytes(4, "little") + focal[1].to_bytes(4, "little"))
    inner = Directory({37386: ratio, 42036: text(lens)})
    make, _, _ = camera.partition(" ")
    return encode(Directory({271: text(make), 272: text(camera)}, {EXIF: inner}))


def test_a_saved_profile_comes_back(tmp_path: Path) -> None:
    levels = (torch.rand(1, 2, 4, 6), torch.rand(1, 4, 4, 6), torch.rand(1, 8, 4, 6))
    profile = made(prior=StoredPrior(levels, "abc"), measured={"gain": [1.0]}, orientation=6)
    path = tmp_path / "lens.safetensors"
    profile.save(path)
    found = LensProfile.load(path)
    torch.testing.assert_close(found.field.kernels, profile.field.kernels)
    torch.testing.assert_close(found.confidence, profile.confidence)
    assert (found.frame, found.shot, found.orientation) == ((200, 300), profile.shot, 6)
    assert found.measured == {"gain": [1.0]}
    assert found.prior is not None
    assert found.prior.weights == "abc"
    assert all(a.equal(b) for a, b in zip(found.prior.levels, levels, strict=True))
    with pytest.raises(OutputError, match="exists"):
        profile.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["lens.safetensors"]


def damaged(tmp_path: Path, change: str) -> Path:
    path = tmp_path / "lens.safetensors"
    made().save(path)
    if change == "missing":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif change == "a field":
        path.unlink()
        made().field.save(path)
    else:
        tensors = safetensors.torch.load(path.read_bytes())
        with safetensors.safe_open(path, "pt") as file:
            notes = json.loads(file.metadata()["profile"])
        if change == "kernels":
            tensors["kernels"] = torch.full_like(tensors["kernels"], torch.nan)
        elif change == "confidence":
            tensors["confidence"] = torch.zeros(3, 3)
        elif change == "frame":
            notes["frame"] = [0, "x"]
        elif change == "orientation":
            notes["orientation"] = 9
        elif change == "shot":
            notes["shot"] = None
        elif change == "prior":
            notes["prior_weights"] = "abc"
        header = {"format": "unblur-lens-1", "profile": json.dumps(notes)}
        path.write_bytes(safetensors.torch.save(tensors, header))
    return path


@pytest.mark.parametrize(
    "change",
    ["missing", "cut", "a field", "kernels", "confidence", "frame", "orientation", "shot", "prior"],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(KernelError, match=r"lens.safetensors"):
        LensProfile.load(damaged(tmp_path, change))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_field_is_turned_as_pictures_are(orientation: int) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(1, 4, 6, 1)
    wanted = upright_pixels(pixels.copy(), orientation)[0, 0]
    assert turned(torch.from_numpy(pixels[0, :, :, 0].copy()), orientation).equal(wanted)
    there = turned(torch.arange(6).reshape(2, 3), orientation)
    assert turned(there, inverse_of(orientation)).equal(torch.arange(6).reshape(2, 3))
    field = made().field
    assert to_sensor(upright(field, orientation), orientation).kernels.equal(field.kernels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_blurring_and_turning_commute(orientation: int) -> None:
    field = made().field
    stored = torch.rand(1, 3, 20, 30)
    blurred = field.operator((20, 30), "replicate").forward(stored)
    turned_size = (20, 30) if orientation < 5 else (30, 20)
    after = upright(field, orientation).operator(turned_size, "replicate")
    torch.testing.assert_close(
        after.forward(turned(stored, orientation).contiguous()), turned(blurred, orientation)
    )


def test_the_field_fits_other_frames() -> None:
    profile = made()
    assert profile.field_for(photo((200, 300))).kernels.equal(profile.field.kernels)
    half = profile.field_for(photo((100, 150)))
    torch.testing.assert_close(half.kernels, profile.field.resize(0.5).kernels)
    portrait = profile.field_for(photo((300, 200), orientation=6))
    assert portrait.kernels.equal(upright(profile.field, 6).kernels)
    grey = profile.field_for(photo((200, 300), channels=1))
    assert grey.channels == 1
    torch.testing.assert_close(grey.kernels.sum((-2, -1)), torch.ones(2, 3, 1))
    with pytest.raises(InputError, match="uncut"):
        profile.field_for(photo((200, 200)))


def test_what_contradicts_the_profile_is_said() -> None:
    profile = made()
    agreed = photo((200, 300), exif=exif("Maker One", "Prime", (50, 1)))
    assert profile.warnings_for(agreed) == ()
    other = photo((200, 300), exif=exif("Maker One", "Zoom", (70, 2)))
    warnings = profile.warnings_for(other)
    assert len(warnings) == 2
    assert "the lens is Zoom, not Prime" in warnings[0]
    assert "the focal length is 35, not 50" in warnings[1]
    assert "held" in profile.warnings_for(photo((300, 200)))[0]
    assert profile.warnings_for(photo((200, 300))) == ()


def test_names_come_from_the_metadata() -> None:
    found = shot_of(photo((8, 8), exif=exif("Maker One", "Prime", (35, 2))))
    assert found == Shot("Maker One", "Prime", 17.5, None)
    assert shot_of(photo((8, 8), exif=b"Exif\0\0rubbish")) == Shot()


def test_profiles_are_kept_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "home"))
    assert shelf.profiles() == ()
    for number, aperture in enumerate((2.8, 8.0)):
        made(shot=Shot("Maker One", "Prime", 50.0, aperture)).save(
            tmp_path / f"{number}.safetensors"
        )
        shelf.add(tmp_path / f"{number}.safetensors")
    (shelf.folder() / "broken.safetensors").write_bytes(b"no")
    kept = shelf.profiles()
    assert [each.profile is None for each in kept] == [True, False, False]
    assert shelf.find(Shot("maker one", "PRIME", 50.0, 8.0)).shot.aperture == 8.0
    assert shelf.find(Shot("Maker One")).shot.camera == "Maker One"
    for shot, reason in ((Shot(), "metadata"), (Shot("Other", "Prime"), "no lens profile is for")):
        with pytest.raises(KernelError, match=reason):
            shelf.find(shot)
    made(shot=Shot()).save(tmp_path / "nameless.safetensors")
    with pytest.raises(ParameterError, match="neither camera nor lens"):
        shelf.add(tmp_path / "nameless.safetensors")
    with pytest.raises(OutputError, match="exists"):
        shelf.add(tmp_path / "0.safetensors")


def test_only_the_profile_that_is_found_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path))
    for lens in ("Prime", "Zoom"):
        made(shot=Shot("Maker One", lens)).save(tmp_path / f"{lens}.safetensors")
        shelf.add(tmp_path / f"{lens}.safetensors")
    read = []
    load = LensProfile.load

    def counted(path: Path) -> LensProfile:
        read.append(path)
        return load(path)

    monkeypatch.setattr(LensProfile, "load", staticmethod(counted))
    found = shelf.find(Shot("Maker One", "Zoom"))
    assert found.shot.lens == "Zoom"
    assert shelf.find(Shot("Maker One", "Zoom")) is found
    assert len(read) == 1
    brighter = made(shot=Shot("Maker One", "Zoom"), confidence=torch.full((2, 3), 0.25))
    brighter.save(shelf.folder() / "maker-one-zoom.safetensors", overwrite=True)
    assert float(shelf.find(Shot("Maker One", "Zoom")).confidence.max()) == 0.25


def test_a_kept_profile_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path))
    made(shot=Shot("Maker One", "Prime")).save(tmp_path / "outside.safetensors")
    for name in ("maker-one-prime", "maker-one-prime.safetensors", None):
        kept = shelf.add(tmp_path / "outside.safetensors")
        assert shelf.remove(name or str(kept)) == kept
        assert not kept.exists()
    for name in ("maker-one-prime", "../outside", str(tmp_path / "outside.safetensors")):
        with pytest.raises(KernelError, match="is kept"):
            shelf.remove(name)
    assert (tmp_path / "outside.safetensors").exists()


def test_the_picture_shows_confidence() -> None:
    profile = made(confidence=torch.tensor([[0.0, 0.5, 1.0]] * 2))
    drawn = profile.show()
    height, width = drawn.shape[1:]
    assert drawn.dtype == torch.uint8
    columns = [
        drawn[:, :, width * n // 3 : width * (n + 1) // 3].float().mean((1, 2)) for n in (0, 2)
    ]
    red_first, red_last = (float(each[0] - each[1]) for each in columns)
    assert red_first > red_last
    assert height * 3 == pytest.approx(width * 2, abs=10)
