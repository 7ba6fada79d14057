"""Writing: whole files, what formats hold, the same bytes each time."""

import io
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from unblur import files
from unblur.errors import OutputError, ParameterError, UnsupportedFormat
from unblur.photo import Carried, Photo, encoding, read, vips, write


def photo_of(channels: int = 3, dtype: torch.dtype = torch.uint8, **carried: Any) -> Photo:
    y, x = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    image = torch.stack([x / 31, y / 23, (x + y) / 54])[:channels]
    depth = {torch.uint8: 8, torch.uint16: 16, torch.float32: 32}[dtype]
    return replace(Photo.from_tensor(image, depth=depth), carried=Carried(**carried))  # type: ignore[arg-type]


def written(photo: Photo, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    write(stream, photo, format=kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("a.jpg", b"\xff\xd8"),
        ("a.JPEG", b"\xff\xd8"),
        ("a.png", b"\x89PNG"),
        ("a.tif", b"II*"),
        ("a.tiff", b"II*"),
        ("a.webp", b"RIFF"),
        ("a.avif", b"\0\0\0"),
        ("a.gif", b"GIF89a"),
    ],
)
def test_the_extension_decides(name: str, magic: bytes, tmp_path: Path) -> None:
    write(tmp_path / name, photo_of())
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert os.listdir(tmp_path) == [name]


def test_the_format_can_be_given(tmp_path: Path) -> None:
    for given in ("png", "PNG", ".png"):
        write(tmp_path / "x.jpg", photo_of(), format=given, overwrite=True)
        assert (tmp_path / "x.jpg").read_bytes()[1:4] == b"PNG"
    stream = io.BytesIO()
    write(stream, photo_of(format="webp"))
    assert stream.getvalue()[8:12] == b"WEBP"


@pytest.mark.parametrize("name", ["x.heic", "x.bmp", "x", "x.dng"])
def test_unknown_extensions(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"use one of \.jpg, .*\.png"):
        write(tmp_path / name, photo_of())
    with pytest.raises(UnsupportedFormat, match="format 'bmp'"):
        write(tmp_path / "x.png", photo_of(), format="bmp")
    with pytest.raises(UnsupportedFormat):
        write(io.BytesIO(), photo_of())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "avif", "gif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_the_same_photo_gives_the_same_bytes(
    kind: str, channels: int, dtype: torch.dtype, tmp_path: Path
) -> None:
    photo = photo_of(channels, dtype)
    before = photo.samples.clone()
    data = written(photo, kind, note="unblur l0")
    assert written(photo, kind, note="unblur l0") == data
    shuffled = replace(photo, samples=photo.samples.transpose(2, 3).contiguous().transpose(2, 3))
    assert written(shuffled, kind, note="unblur l0") == data
    write(tmp_path / "x", photo, format=kind, note="unblur l0")
    assert (tmp_path / "x").read_bytes() == data
    assert torch.equal(photo.samples, before)
    again = read(data)
    assert again.size == photo.size
    if kind != "gif":
        reference = read(written(photo, "png"))
        assert abs(again.linear().mean() - reference.linear().mean()) < 0.02


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless(dtype: torch.dtype, kind: str, channels: int) -> None:
    photo = photo_of(channels, dtype)
    data = written(photo, kind)
    assert torch.equal(read(data).samples, photo.samples)
    if dtype == torch.uint8:
        oracle = np.asarray(Image.open(io.BytesIO(data))).reshape(24, 32, channels)
        assert np.array_equal(photo.samples[0].permute(1, 2, 0).numpy(), oracle)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_alpha_beside_the_samples(channels: int, dtype: torch.dtype) -> None:
    photo = photo_of(channels, dtype)
    photo = replace(photo, alpha=photo.samples[:, :1].roll(5, 3))
    again = read(written(photo, "tiff"))
    assert again.alpha is not None
    assert torch.equal(again.samples, photo.samples)
    assert torch.equal(again.alpha, photo.alpha)


def test_jpeg_has_full_colour_from_quality_90() -> None:
    for quality, sampling in ((95, 1), (90, 1), (89, 2)):
        opened = Image.open(io.BytesIO(written(photo_of(), "jpeg", quality=quality)))
        assert opened.layer[0][1] == sampling  # type: ignore[attr-defined]


def test_tiff_is_deflated_and_grows_big() -> None:
    for dtype, predictor in ((torch.uint8, 2), (torch.uint16, 2), (torch.float32, 1)):
        with tifffile.TiffFile(io.BytesIO(written(photo_of(dtype=dtype), "tiff"))) as file:
            page = file.pages[0]
            assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            assert page.predictor == predictor
    huge = Photo(torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(1, 3, 40000, 40000))
    options, _ = encoding._options(huge, "tiff", 95)
    assert options["bigtiff"]
    assert not encoding._options(photo_of(), "tiff", 95)[0]["bigtiff"]


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_is_lossless_where_the_source_was(lossless: bool) -> None:
    data = written(photo_of(lossless=lossless), "webp")
    assert (b"VP8L" in data[:40]) == lossless
    again = read(data)
    assert again.carried.lossless == lossless
    assert torch.equal(again.samples, photo_of().samples) == lossless


@pytest.mark.parametrize(
    ("kind", "depth"), [("jpeg", 8), ("webp", 8), ("gif", 8), ("png", 16), ("avif", 16)]
)
def test_depths_that_do_not_fit(kind: str, depth: int) -> None:
    photo = photo_of(dtype=torch.uint16, bits=16)
    stream = io.BytesIO()
    warnings = write(stream, photo, format=kind)
    again = read(stream.getvalue())
    assert again.depth == depth
    assert any("bits" in warning for warning in warnings) == (kind != "png")
    if kind == "webp":
        expected = (photo.encoded() * 255).round().to(torch.uint8)
        assert torch.equal(again.samples, expected)


def test_encoded_floats_get_a_profile_that_says_so() -> None:
    photo = Photo.from_tensor(torch.rand(3, 8, 8), depth=32)
    again = read(written(photo, "tiff"))
    assert torch.equal(again.samples, photo.samples)
    assert torch.allclose(again.linear(), photo.linear(), atol=1e-5)
    integers = read(written(photo, "png"))
    assert torch.allclose(integers.encoded(), photo.encoded(), atol=1e-5)


@pytest.mark.parametrize("background", [(1.0,), (1.0, 0.5, 0.0)])
def test_background(background: tuple[float, ...]) -> None:
    photo = photo_of()
    alpha = torch.zeros(1, 1, 24, 32, dtype=torch.uint8)
    alpha[..., 16:] = 128
    photo = replace(photo, alpha=alpha)
    data = written(photo, "png", background=background)
    again = read(data)
    assert again.alpha is None
    a = alpha.double() / 255
    colour = torch.tensor(background, dtype=torch.float64).view(1, -1, 1, 1)
    oracle = photo.samples.double() / 255 * a + colour * (1 - a)
    assert (again.samples - oracle * 255).abs().max() <= 0.5001


@pytest.mark.parametrize("background", [(), (1.0, 0.0), (2.0,), (float("nan"),), (-0.1, 0.0, 0.0)])
def test_wrong_background(background: tuple[float, ...]) -> None:
    photo = replace(photo_of(), alpha=torch.zeros(1, 1, 24, 32, dtype=torch.uint8))
    with pytest.raises(ParameterError, match="background must be 1 or 3 values"):
        written(photo, "jpeg", background=background)


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_wrong_quality(quality: int) -> None:
    with pytest.raises(ParameterError, match="quality must be from 1 to 100"):
        written(photo_of(), "jpeg", quality=quality)


def test_profiles_that_png_refuses_are_left_out_with_a_word() -> None:
    # The rendering intent must be one of four; other formats do not look.
    odd = vips.profile("p3")[:64] + b"\xff\xff\xff\xff" + vips.profile("p3")[68:]
    photo = photo_of(icc=odd)
    stream = io.BytesIO()
    warnings = write(stream, photo, format="png")
    kept = read(stream.getvalue()).carried.icc == odd
    assert kept or "PNG refuses" in warnings[0]
    assert read(written(photo, "jpeg")).carried.icc == odd


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already; choose another name or allow"):
        write(path, photo_of())
    assert path.read_bytes() == b"mine"
    dangling = tmp_path / "y.png"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        write(dangling, photo_of())
    assert sorted(os.listdir(tmp_path)) == ["x.png", "y.png"]


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    monkeypatch.setattr(files.os, "fsync", lambda _: path.write_bytes(b"theirs"))
    with pytest.raises(OutputError, match="exists already"):
        write(path, photo_of())
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["x.png"]


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", refuse)
    write(tmp_path / "x.png", photo_of())
    assert os.listdir(tmp_path) == ["x.png"]
    assert read(tmp_path / "x.png").size == (24, 32)


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
def test_overwriting_keeps_permissions_and_links(tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    write(real, photo_of())
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~current_umask()
    real.chmod(0o640)
    link.symlink_to(real.name)
    write(link, photo_of(1), overwrite=True)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert read(real).samples.shape[1] == 1


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_leaves_what_was(
    overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    if overwrite:
        path.write_bytes(b"mine")

    def interrupt(*_: Any, **__: Any) -> None:
        assert len(list(tmp_path.glob(".x.png.*.part"))) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(vips, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(path, photo_of(), overwrite=overwrite)
    assert os.listdir(tmp_path) == (["x.png"] if overwrite else [])


def test_what_was_written_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = vips.save

    def truncated(image: Any, descriptor: int, *arguments: Any, **options: Any) -> None:
        real(image, descriptor, *arguments, **options)
        os.ftruncate(descriptor, 20)

    monkeypatch.setattr(vips, "save", truncated)
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "x.png", photo_of())
    assert os.listdir(tmp_path) == []


def test_streams_that_fail() -> None:
    class Full(io.RawIOBase):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write(Full(), photo_of(), format="png")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["x" * 255, "\u00e9" * 127, "\U0001f600" * 63, "a" + "\u00e9" * 127]
)
def test_temporary_names_fit(name: str) -> None:
    temporary = files._temporary_name(name)
    assert len(os.fsencode(temporary)) <= 255
    assert temporary.startswith(".")
    assert temporary.endswith(".part")
    temporary.encode("utf-8")


@pytest.mark.parametrize("kind", ["tiff", "gif", "webp"])
def test_pages(kind: str) -> None:
    samples = torch.cat([photo_of().samples.roll(k, 3) for k in range(3)])
    photo = Photo(samples, carried=Carried(delays=(50, 70, 90), loop=2))
    again = read(written(photo, kind))
    assert again.pages == 3
    if kind != "gif":
        assert torch.equal(again.samples, samples)
    if kind != "tiff":
        assert (again.carried.delays, again.carried.loop) == ((50, 70, 90), 2)
