"""The rows of the table of edge inputs that concern files, by their numbers."""

import io
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from unblur.errors import (
    CorruptImage,
    ImageTooLarge,
    InputError,
    MissingDependency,
    NonFiniteInput,
    OutputError,
    UnsupportedFormat,
)
from unblur.photo import Photo, read, vips, write


def noise(*shape: int, seed: int = 0, dtype: Any = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, top, shape, dtype=dtype)


def smooth(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    planes = [x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)]
    return np.stack(planes, -1).astype(np.uint8)


def saved(array: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def tiffed(array: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def written(photo: Photo, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    write(stream, photo, format=kind, **options)
    return stream.getvalue()


def pixels(photo: Photo, page: int = 0) -> np.ndarray:
    return photo.samples[page].permute(1, 2, 0).numpy()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, colour: int, extra: bytes, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def small_png(extra: bytes = b"") -> bytes:
    return png(8, 8, 8, 2, extra, bytes(25 * 8))


def tiff_pages(count: int, last: int = 0, *, offset: int | None = None, size: int = 16) -> bytes:
    """Write grey 4 x 4 pages that share one strip; the last directory points to `last`."""
    place = 8 + (2 + 12 * 9 + 4) * count if offset is None else offset
    tags = ((256, 4), (257, 4), (258, 8), (259, 1), (262, 1), (273, place), (277, 1), (278, 4))
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for page in range(count):
        out += struct.pack("<H", 9)
        for tag, value in (*tags, (279, size)):
            kind = 4 if tag in (273, 279) else 3
            out += struct.pack("<HHII", tag, kind, 1, value)
        following = 8 + (2 + 12 * 9 + 4) * (page + 1) if page + 1 < count else last
        out += struct.pack("<I", following)
    return bytes(out) + bytes(range(16))


def damaged_png() -> bytes:
    data = bytearray(saved(noise(20, 30, 3), "PNG"))
    place = data.index(b"IDAT")
    size = int.from_bytes(data[place - 4 : place], "big")
    data[place + 4 + size] ^= 1
    return bytes(data)


def damaged_tiff() -> bytes:
    data = bytearray(tiffed(noise(64, 64, 3), compression="zlib"))
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(8)
    return bytes(data)


JPEG = saved(noise(40, 60, 3), "JPEG", quality=95)
PNG = saved(noise(40, 60, 3), "PNG")
BIG_TIFF = tiffed(noise(200, 300, 3))

REFUSED = {
    "row-01-empty": (b"", CorruptImage, "empty"),
    "row-02-one-byte": (b"\xff", UnsupportedFormat, "no picture"),
    "row-02-random": (noise(5000, seed=3).tobytes(), UnsupportedFormat, "no picture"),
    "row-03-text": (b"hello, world\n" * 9, UnsupportedFormat, "no picture"),
    "row-03-html": (b"<!DOCTYPE html><html></html>", UnsupportedFormat, "HTML"),
    "row-03-svg": (b'<?xml version="1.0"?><svg width="9"/>', UnsupportedFormat, "SVG"),
    "row-03-pdf": (b"%PDF-1.7\n" + bytes(99), UnsupportedFormat, "PDF"),
    "row-03-eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", UnsupportedFormat, "PostScript"),
    "row-03-bmp": (saved(smooth(), "BMP"), UnsupportedFormat, "BMP"),
    "row-03-fits": (b"SIMPLE  =                    T" + bytes(99), UnsupportedFormat, "FITS"),
    "row-05-truncated-jpeg": (JPEG[: len(JPEG) // 2], CorruptImage, "premature end"),
    "row-05-jpeg-without-end": (JPEG[:-2], CorruptImage, "premature end"),
    "row-05-jpeg-header-only": (JPEG[:30], CorruptImage, "damaged"),
    "row-05-truncated-webp": (
        saved(noise(40, 60, 3), "WEBP")[:900],
        CorruptImage,
        "damaged",
    ),
    "row-05-truncated-gif": (saved(smooth(), "GIF")[:300], CorruptImage, "damaged"),
    "row-05-truncated-avif": (saved(smooth(), "AVIF")[:-200], CorruptImage, "damaged"),
    "row-06-png-bad-crc": (damaged_png(), CorruptImage, "damaged"),
    "row-06-png-without-iend": (PNG[:-12], CorruptImage, "end of the PNG is missing"),
    "row-06-truncated-png": (PNG[: len(PNG) // 2], CorruptImage, "end of the PNG is missing"),
    "row-08-png-60000": (png(60000, 60000, 8, 2, b"", bytes(100)), ImageTooLarge, "max_pixels"),
    "row-11-cyclic-tiff": (tiff_pages(3, 8), CorruptImage, "circle"),
    "row-11-self-tiff": (tiff_pages(1, 8), CorruptImage, "circle"),
    "row-11-many-directories": (tiff_pages(100_000), ImageTooLarge, "max_pages"),
    "row-11-directory-outside": (tiff_pages(1, 10**6), CorruptImage, "beyond the end"),
    "row-11-header-only": (b"II*\0\x08\0\0\0", CorruptImage, "beyond the end"),
    "row-12-strip-too-long": (tiff_pages(1, size=2**31), CorruptImage, "beyond the end"),
    "row-12-strip-outside": (tiff_pages(1, offset=2**31 + 9), CorruptImage, "beyond the end"),
    "row-12-strip-negative": (tiff_pages(1, offset=2**32 - 10), CorruptImage, "beyond the end"),
    "row-12-truncated-tiff": (BIG_TIFF[: len(BIG_TIFF) // 2], CorruptImage, "truncated"),
    "row-12-damaged-deflate": (damaged_tiff(), CorruptImage, "damaged"),
    "row-37-lab": (tiffed(smooth(), photometric="cielab"), UnsupportedFormat, "Lab"),
    "row-37-five-channels": (
        tiffed(noise(9, 8, 5), photometric="rgb", planarconfig="contig"),
        UnsupportedFormat,
        "5 channels",
    ),
    "row-37-three-channels-not-rgb": (
        tiffed(smooth(), photometric="minisblack", planarconfig="contig"),
        UnsupportedFormat,
        "3 channels",
    ),
    "row-37-signed": (tiffed(np.zeros((9, 9), np.int16)), UnsupportedFormat, "signed"),
    "row-37-32-bit-integers": (tiffed(np.zeros((9, 9), np.uint32)), UnsupportedFormat, "32-bit"),
    "row-37-doubles": (tiffed(np.zeros((9, 9))), UnsupportedFormat, "64-bit floats"),
    "row-40-png-pq": (
        small_png(chunk(b"cICP", bytes([9, 16, 0, 1]))),
        UnsupportedFormat,
        "PQ",
    ),
    "row-40-png-hlg": (
        small_png(chunk(b"cICP", bytes([9, 18, 0, 1]))),
        UnsupportedFormat,
        "HLG",
    ),
    "row-40-png-bt2020": (
        small_png(chunk(b"cICP", bytes([9, 13, 0, 1]))),
        UnsupportedFormat,
        "primaries 9",
    ),
    "row-41-apng": (
        small_png(chunk(b"acTL", struct.pack(">II", 4, 0))),
        UnsupportedFormat,
        "APNG",
    ),
}


@pytest.mark.parametrize(("data", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes, error: type[InputError], words: str, tmp_path: Path) -> None:
    """The name never matters; the message names the file and what is wrong, in one line."""
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(error, match=words) as caught:
        read(path)
    assert type(caught.value) is error
    assert "picture.png" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=words):
        read(data)
    with pytest.raises(error, match=words):
        read(io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(JPEG, "jpeg", id="row-04-jpeg"),
        pytest.param(PNG, "png", id="row-04-png"),
        pytest.param(saved(smooth(), "WEBP"), "webp", id="row-04-webp"),
        pytest.param(saved(smooth(), "AVIF"), "avif", id="row-04-avif"),
        pytest.param(saved(smooth(), "GIF"), "gif", id="row-04-gif"),
        pytest.param(BIG_TIFF, "tiff", id="row-04-tiff"),
    ],
)
@pytest.mark.parametrize("name", ["picture.png", "picture.svg", "picture", "page.html"])
def test_content_decides(data: bytes, kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert read(path).carried.format == kind


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG[: len(JPEG) // 2], id="row-05-truncated-jpeg"),
        pytest.param(PNG[: len(PNG) // 2], id="row-06-truncated-png"),
        pytest.param(PNG[:-12], id="row-06-png-without-iend"),
        pytest.param(damaged_png(), id="row-06-png-bad-crc"),
        pytest.param(BIG_TIFF[: len(BIG_TIFF) * 3 // 4], id="row-12-truncated-tiff"),
    ],
)
def test_salvage(data: bytes) -> None:
    photo = read(data, salvage=True)
    assert photo.size in {(40, 60), (20, 30), (200, 300)}
    assert "damaged" in photo.warnings[0]


def test_salvage_leaves_sound_files_alone() -> None:
    photo = read(JPEG, salvage=True)
    assert photo.warnings == ()
    assert torch.equal(photo.samples, read(JPEG).samples)


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    size = (len(content) + 2).to_bytes(2, "big")
    return data[:2] + bytes([0xFF, marker]) + size + content + data[2:]


XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'>%s</x:xmpmeta>"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(JPEG + b"garbage" * 9, "63 bytes behind", id="row-07-garbage"),
        pytest.param(with_segment(JPEG, 0xE2, b"MPF\0II*\0") + JPEG, "further", id="row-07-mpo"),
        pytest.param(
            with_segment(JPEG, 0xE1, XMP % b"hdrgm:Version='1.0'") + JPEG,
            "gain map",
            id="row-07-ultra-hdr",
        ),
        pytest.param(
            with_segment(JPEG, 0xE1, XMP % b"GCamera:MotionPhoto='1'") + b"\0\0\0\x18ftypmp42",
            "video",
            id="row-07-motion-photo",
        ),
    ],
)
def test_first_picture_only(data: bytes, words: str) -> None:
    photo = read(data)
    assert words in photo.warnings[0]
    assert torch.equal(photo.samples, read(JPEG).samples)
    assert photo.carried.xmp is None
    assert not read(written(photo, "jpeg")).warnings


def test_row_07_a_progressive_jpeg_and_padding_are_no_garbage() -> None:
    progressive = saved(smooth(), "JPEG", progressive=True)
    assert read(progressive + bytes(100)).warnings == ()


def test_row_07_real_mpo() -> None:
    first, second = Image.fromarray(smooth()), Image.fromarray(smooth()[::-1].copy())
    data = saved(first, "MPO", save_all=True, append_images=[second])
    photo = read(data)
    assert "further pictures" in photo.warnings[0]
    assert np.array_equal(pixels(photo), np.asarray(Image.open(io.BytesIO(data))))


def test_row_09_the_cap_is_a_cap() -> None:
    data = png(13000, 13000, 1, 0, b"", bytes(100))
    with pytest.raises(ImageTooLarge, match="13000 x 13000"):
        read(data, max_pixels=13000 * 13000 - 1)


def test_row_09_at_the_cap() -> None:
    data = saved(smooth(), "PNG")
    assert read(data, max_pixels=2400).size == (40, 60)
    with pytest.raises(ImageTooLarge, match="max_pixels=2399"):
        read(data, max_pixels=2399)


BOMBS = """
    import resource, struct, sys, zlib
    from unblur.errors import InputError
    from unblur.photo import read

    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    packer = zlib.compressobj(9)
    piece = bytes(1 << 22)
    bomb = b"".join(packer.compress(piece) for _ in range(250)) + packer.flush()
    bombs = {
        "zTXt": b"Comment\\0\\0" + bomb,
        "iCCP": b"x\\0\\0" + bomb,
        "iTXt": b"XML:com.adobe.xmp\\0\\1\\0\\0\\0" + bomb,
    }
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    def picture(extra):
        body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(bytes(200)))
        return b"\\x89PNG\\r\\n\\x1a\\n" + body + chunk(b"IEND", b"")
    read(picture(b""))
    before = peak()
    for name, data in bombs.items():
        try:
            photo = read(picture(chunk(name.encode(), data)))
        except InputError:
            continue
        assert photo.size == (8, 8) and photo.carried.icc is None and photo.carried.xmp is None
    print((peak() - before) // 1024)
"""


def test_row_10_bombs() -> None:
    """A gigabyte behind a megabyte: harmless, in far less than 256 MB."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(BOMBS)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 256


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 5), (97, 61)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "avif", "gif"])
def test_row_13_sizes(size: tuple[int, int], kind: str) -> None:
    photo = Photo.from_tensor(torch.rand(3, *size, generator=torch.Generator().manual_seed(0)))
    again = read(written(photo, kind))
    assert again.size == size
    if kind in ("png", "tiff", "webp"):
        assert torch.equal(again.samples, photo.samples)


@pytest.mark.parametrize(
    ("kind", "fits", "beyond"),
    [
        pytest.param("jpeg", 65500, 65501, id="row-15-jpeg"),
        pytest.param("jpeg", 65500, 70000, id="row-15-jpeg-70000"),
        pytest.param("webp", 16383, 20000, id="row-16-webp"),
        pytest.param("avif", 16384, 16385, id="row-16-avif"),
        pytest.param("gif", 65535, 65536, id="row-16-gif"),
    ],
)
def test_largest_sides(kind: str, fits: int, beyond: int, tmp_path: Path) -> None:
    assert read(written(flat(2, fits), kind)).size == (2, fits)
    path = tmp_path / "out"
    with pytest.raises(OutputError, match="use PNG or TIFF"):
        write(path, flat(2, beyond), format=kind)
    with pytest.raises(OutputError, match="use PNG or TIFF"):
        write(path, flat(beyond, 2), format=kind)
    assert list(tmp_path.iterdir()) == []


def flat(height: int, width: int) -> Photo:
    return Photo(torch.full((1, 1, height, width), 128, dtype=torch.uint8))


def test_row_18_bigtiff() -> None:
    array = noise(20, 30, 3, dtype=np.uint16)
    photo = read(tiffed(array, bigtiff=True))
    assert np.array_equal(pixels(photo), array)
    huge = tiff_pages(1)
    wide = huge.replace(struct.pack("<HHII", 256, 3, 1, 4), struct.pack("<HHII", 256, 4, 1, 10**5))
    wide = wide.replace(struct.pack("<HHII", 257, 3, 1, 4), struct.pack("<HHII", 257, 4, 1, 10**5))
    with pytest.raises(ImageTooLarge, match="10000000000 pixels"):
        read(wide)


def turned(orientation: int) -> Image.Image:
    """Store a scene so that `orientation` makes it upright."""
    upright = Image.fromarray(noise(16, 24, 3))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(undo[orientation]) if orientation in undo else upright


def with_orientation(value: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = value
    tags[0x010F] = "Acme"
    return tags.tobytes()


@pytest.mark.parametrize(
    "orientation", range(1, 9), ids=[f"row-{18 + k}-orientation-{k}" for k in range(1, 9)]
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_orientations(orientation: int, kind: str) -> None:
    options: dict[str, Any] = {"exif": with_orientation(orientation)}
    if kind == "TIFF":
        options = {"tiffinfo": {274: orientation, 271: "Acme"}}
    if kind == "WEBP":
        options["lossless"] = True
    photo = read(saved(turned(orientation), kind, **options))
    assert np.array_equal(pixels(photo), noise(16, 24, 3))
    assert photo.warnings == ()
    for out in ("png", "tiff", "webp"):
        again = read(written(photo, out))
        assert torch.equal(again.samples, photo.samples)
        opened = Image.open(io.BytesIO(written(photo, out)))
        assert opened.getexif()[0x0112] == 1
        assert opened.getexif()[0x010F] == "Acme"


@pytest.mark.parametrize(
    "orientation", range(1, 9), ids=[f"row-{18 + k}-orientation-{k}" for k in range(1, 9)]
)
def test_orientations_of_jpeg(orientation: int) -> None:
    data = saved(turned(orientation), "JPEG", quality=95, exif=with_orientation(orientation))
    photo = read(data)
    from PIL import ImageOps

    assert np.array_equal(pixels(photo), ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert photo.size == (16, 24)
    opened = Image.open(io.BytesIO(written(photo, "jpeg")))
    assert opened.getexif()[0x0112] == 1
    assert opened.size == (24, 16)


@pytest.mark.parametrize("value", [0, 9, 255], ids=lambda v: f"row-27-orientation-{v}")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientations_that_do_not_exist(value: int, kind: str) -> None:
    options: dict[str, Any] = {"exif": with_orientation(value)}
    if kind == "TIFF":
        options = {"tiffinfo": {274: value}}
    photo = read(saved(smooth(), kind, **options))
    assert photo.size == (40, 60)
    assert any(f"orientation {value}" in warning for warning in photo.warnings)


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\x7f" + bytes(30),
    ],
    ids=["row-27-no-header", "row-27-outside", "row-27-too-many"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_corrupt_exif(block: bytes, kind: str) -> None:
    if kind == "JPEG":
        data = with_segment(saved(smooth(), "JPEG"), 0xE1, block)
    else:
        data = small_png(chunk(b"eXIf", block.removeprefix(b"Exif\0\0")))
    photo = read(data)
    assert photo.carried.exif is None
    assert kind != "JPEG" or any("EXIF was dropped" in warning for warning in photo.warnings)
    assert read(written(photo, "jpeg")).size == photo.size


def png16(array: np.ndarray) -> bytes:
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    colour = {2: 0, 3: 2}[array.ndim]
    return png(width, height, 16, colour, b"", rows)


def test_row_28_rgb16_png() -> None:
    array = noise(64, 64, 3, dtype=np.uint16)
    photo = read(png16(array))
    assert photo.depth == 16
    assert np.array_equal(pixels(photo), array)
    again = read(written(photo.with_linear(photo.linear()), "png"))
    assert np.array_equal(pixels(again), array)
    assert len(np.unique(pixels(again))) > 1024


@pytest.mark.parametrize("order", ["<", ">"])
def test_row_29_grey16_tiff(order: Any) -> None:
    array = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = read(tiffed(array, byteorder=order))
    assert np.array_equal(pixels(photo)[..., 0], array)
    assert np.array_equal(tifffile.imread(io.BytesIO(written(photo, "tiff"))), array)


def test_row_29_grey16_png() -> None:
    array = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = read(png16(array))
    assert np.array_equal(pixels(photo)[..., 0], array)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written(photo, "png")))), array)


@pytest.mark.parametrize("channels", [1, 3])
def test_row_30_floats_keep_their_values(channels: int) -> None:
    array = np.linspace(-2, 900, 20 * 30 * channels, dtype=np.float32)
    array = array.reshape((20, 30, 3) if channels == 3 else (20, 30))
    photo = read(tiffed(array, photometric="rgb" if channels == 3 else "minisblack"))
    assert photo.depth == 32
    assert photo.transfer.name == "linear"
    assert np.array_equal(tifffile.imread(io.BytesIO(written(photo, "tiff"))), array)
    assert torch.equal(photo.with_linear(photo.linear()).samples, photo.samples)


def test_row_30_floats_to_integers_become_srgb() -> None:
    array = np.array([[-1.0, 0.0, 0.21404114, 1.0, 3.0]], np.float32)
    stream = io.BytesIO()
    warnings = write(stream, read(tiffed(array)), format="png")
    assert "sRGB" in warnings[0]
    found = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    assert np.abs(found.astype(int) - [[0, 0, 32768, 65535, 65535]]).max() <= 1


def test_row_31_not_finite() -> None:
    array = np.ones((6, 8, 3), np.float32)
    array[1, 2, 0], array[3, 3, 1] = np.nan, -np.inf
    array[..., 2] = np.nan
    data = tiffed(array, photometric="rgb")
    with pytest.raises(NonFiniteInput, match="50 values"):
        read(data)
    photo = read(data, nonfinite="fill")
    assert "50 values" in photo.warnings[0]
    assert torch.equal(photo.samples[:, :2], torch.ones(1, 2, 6, 8))
    assert torch.equal(photo.samples[:, 2:], torch.zeros(1, 1, 6, 8))


def test_row_31_fill_takes_the_nearest() -> None:
    array = np.array([[1, np.nan, np.nan, np.nan, 5]], np.float32)
    filled = read(tiffed(array), nonfinite="fill").samples[0, 0, 0]
    assert filled[[0, 1, 3, 4]].tolist() == [1, 1, 5, 5]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_row_32_few_bits(bits: int) -> None:
    values = noise(8, 16) >> (8 - bits)
    row_bits = np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(8, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in row_bits)
    photo = read(png(16, 8, bits, 0, b"", rows))
    assert photo.samples.shape[1] == 1
    assert f"{bits}-bit samples" in photo.warnings[0]
    assert np.array_equal(pixels(photo)[..., 0], values * (255 // (2**bits - 1)))


def test_row_32_bilevel_tiff() -> None:
    bilevel = Image.fromarray(noise(20, 30) > 128)
    photo = read(saved(bilevel, "TIFF"))
    assert np.array_equal(pixels(photo)[..., 0], np.asarray(bilevel) * np.uint8(255))
    assert "1-bit" in photo.warnings[0]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_row_32_palette(kind: str) -> None:
    indexed = Image.fromarray(smooth()).quantize(200)
    photo = read(saved(indexed, kind))
    assert np.array_equal(pixels(photo), np.asarray(indexed.convert("RGB")))
    assert "palette" in photo.warnings[0]


def test_row_33_palette_with_transparency() -> None:
    indexed = Image.fromarray(smooth()).quantize(16)
    data = saved(indexed, "PNG", transparency=bytes(range(0, 256, 16)))
    photo = read(data)
    oracle = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    assert photo.alpha is not None
    assert np.array_equal(pixels(photo), oracle[..., :3])
    assert np.array_equal(photo.alpha[0, 0].numpy(), oracle[..., 3])


@pytest.mark.parametrize("bands", [2, 4])
@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_row_34_alpha_is_kept_with_the_colour_below(bands: int, kind: str) -> None:
    array = noise(20, 30, bands)
    array[:10, ..., -1] = 0
    data = saved(array, "PNG")
    photo = read(data)
    assert photo.samples.shape[1] == bands - 1
    assert photo.alpha is not None
    again = read(written(photo, kind))
    assert again.alpha is not None
    assert torch.equal(again.alpha, photo.alpha)
    assert torch.equal(again.samples, photo.samples.expand_as(again.samples))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_row_34_premultiplied_tiff(dtype: Any) -> None:
    top = 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)
    alpha = np.tile(np.linspace(0.25, 1, 30), (20, 1))
    straight = np.full((20, 30, 3), 0.6)
    array = np.concatenate([straight * alpha[..., None], alpha[..., None]], -1) * top
    if dtype != np.float32:
        array = array.round()
    data = tiffed(array.astype(dtype), photometric="rgb", extrasamples=["assocalpha"])
    photo = read(data)
    assert photo.alpha is not None
    assert "straight" in photo.warnings[0]
    assert np.abs(photo.encoded().numpy() - 0.6).max() < 2.5 / 255 + (dtype != np.uint8) * 1e-4
    assert np.allclose(photo.alpha[0, 0].numpy() / top, alpha, atol=0.6 / min(top, 65535))


def test_row_35_alpha_to_jpeg(tmp_path: Path) -> None:
    array = np.zeros((8, 8, 4), np.uint8)
    array[..., 0], array[:4, :, 3] = 255, 255
    photo = read(saved(array, "PNG"))
    with pytest.raises(OutputError, match="background"):
        write(tmp_path / "a.jpg", photo)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "a.jpg", photo, background=(0.0, 1.0, 0.0), quality=100)
    found = np.asarray(Image.open(tmp_path / "a.jpg")).astype(int)
    assert np.abs(found[:4] - (255, 0, 0)).max() <= 3
    assert np.abs(found[4:] - (0, 255, 0)).max() <= 3


def lab(array: np.ndarray) -> np.ndarray:
    from skimage.color import rgb2lab

    return rgb2lab(array)


@pytest.mark.parametrize("profiled", [True, False], ids=["icc", "no-icc"])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_row_36_cmyk(profiled: bool, kind: str) -> None:
    press = vips.profile("cmyk")
    ink = np.concatenate([smooth() // 2, smooth()[..., ::-1][..., :1] // 4], -1)
    options: dict[str, Any] = {"icc_profile": press} if profiled else {}
    if kind == "JPEG":
        options |= {"quality": 100, "subsampling": 0}
    data = saved(Image.fromarray(ink, "CMYK"), kind, **options)
    photo = read(data)
    engine = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(press)),
        ImageCms.createProfile("sRGB"),
        "CMYK",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    oracle = ImageCms.applyTransform(Image.open(io.BytesIO(data)), engine)
    error = np.sqrt(((lab(pixels(photo)) - lab(np.asarray(oracle))) ** 2).sum(-1))
    assert error.max() < 3
    assert "CMYK" in photo.warnings[0]
    assert ("its profile" in photo.warnings[0]) == profiled
    assert photo.transfer.from_icc(photo.carried.icc or b"", 3) is not None
    written_again = Image.open(io.BytesIO(written(photo, "png")))
    assert written_again.info["icc_profile"][16:20] == b"RGB "


def test_row_37_ycbcr_tiff() -> None:
    data = saved(Image.fromarray(smooth()), "TIFF", compression="jpeg", quality=95)
    photo = read(data)
    oracle = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(pixels(photo) - oracle).max() <= 2


def grey_profile(gamma: float = 2.2) -> bytes:
    """Write a minimal grey profile: header, white point, tone curve."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    start = 128 + 4 + 24
    tags = struct.pack(">I", 2)
    tags += struct.pack(">4sII", b"wtpt", start, len(white))
    tags += struct.pack(">4sII", b"kTRC", start + len(white), len(curve))
    body = tags + white + curve
    header = bytearray(128)
    header[0:4] = struct.pack(">I", 128 + len(body))
    header[8:12], header[12:16], header[16:20] = b"\x02\x40\0\0", b"mntr", b"GRAY"
    header[20:24], header[36:40] = b"XYZ ", b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_row_38_grey_with_grey_profile(kind: str) -> None:
    profile = grey_profile()
    photo = read(saved(smooth()[..., 0], kind, icc_profile=profile))
    assert photo.samples.shape[1] == 1
    assert photo.carried.icc == profile
    assert photo.transfer.name == "ICC"
    x = photo.encoded()
    assert torch.allclose(photo.linear(), x ** (round(2.2 * 256) / 256), atol=1e-6)
    again = Image.open(io.BytesIO(written(photo, kind.lower())))
    assert again.mode == "L"
    assert again.info["icc_profile"] == profile


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_row_39_wide_profiles_are_kept(kind: str) -> None:
    profile = vips.profile("p3")
    photo = read(saved(smooth(), kind, icc_profile=profile))
    assert photo.carried.icc == profile
    assert photo.warnings == ()
    opened = Image.open(io.BytesIO(written(photo, kind.lower())))
    assert opened.info["icc_profile"] == profile


BROKEN = {
    "row-39-broken-icc": (b"not a profile" * 20, "damaged"),
    "row-39-short-icc": (vips.profile("p3")[:300], "damaged"),
    "row-39-grey-icc": (grey_profile(), "it is for GRAY"),
    "row-39-cmyk-icc": (vips.profile("cmyk"), "it is for CMYK"),
}


@pytest.mark.parametrize(("profile", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_row_39_broken_profiles_are_dropped(profile: bytes, words: str) -> None:
    photo = read(saved(smooth(), "JPEG", icc_profile=profile))
    assert photo.carried.icc is None
    assert photo.transfer.name == "sRGB"
    assert words in photo.warnings[0]


def test_row_39_large_profiles_are_dropped() -> None:
    good = vips.profile("p3")
    large = struct.pack(">I", 10 << 20) + good[4:] + bytes((10 << 20) - len(good))
    photo = read(saved(smooth(), "TIFF", icc_profile=large))
    assert photo.carried.icc is None
    assert "10485760 bytes" in photo.warnings[0]


@pytest.mark.parametrize("transfer", [16, 18])
def test_row_40_hdr_avif(transfer: int) -> None:
    data = bytearray(saved(smooth(), "AVIF"))
    place = data.index(b"colrnclx") + 8
    data[place : place + 4] = struct.pack(">HH", 9, transfer)
    with pytest.raises(UnsupportedFormat, match="HDR"):
        read(bytes(data))


def test_row_40_display_p3_without_profile_gets_one() -> None:
    photo = read(small_png(chunk(b"cICP", bytes([12, 13, 0, 1]))))
    assert photo.carried.icc == vips.profile("p3")


def frames() -> list[Image.Image]:
    return [Image.fromarray(np.roll(smooth(), 9 * k, 1)) for k in range(4)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_row_41_animations(kind: str) -> None:
    first, *rest = frames()
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = saved(
        first,
        kind,
        save_all=True,
        append_images=rest,
        duration=[40, 60, 80, 100],
        loop=3,
        **options,
    )
    photo = read(data)
    assert (photo.pages, photo.size) == (4, (40, 60))
    assert photo.carried.delays == (40, 60, 80, 100)
    opened = Image.open(io.BytesIO(data))
    for page in range(4):
        opened.seek(page)
        assert np.array_equal(pixels(photo, page), np.asarray(opened.convert("RGB")))
    again = Image.open(io.BytesIO(written(photo, kind.lower())))
    assert again.n_frames == 4
    assert again.info.get("loop") == opened.info.get("loop")
    durations = []
    for page in range(4):
        again.seek(page)
        again.load()
        durations.append(again.info["duration"])
        if kind == "WEBP":
            assert np.array_equal(np.asarray(again.convert("RGB")), pixels(photo, page))
    assert durations == [40, 60, 80, 100]


@pytest.mark.parametrize("kind", ["jpeg", "png", "avif"])
def test_row_41_animations_to_still_formats(kind: str) -> None:
    first, *rest = frames()
    photo = read(saved(first, "GIF", save_all=True, append_images=rest))
    with pytest.raises(OutputError, match="cannot hold 4 pages"):
        written(photo, kind)


def test_row_41_one_frame() -> None:
    photo = read(saved(smooth(), "GIF"))
    assert photo.pages == 1
    assert photo.carried.delays is None
    assert read(small_png(chunk(b"acTL", struct.pack(">II", 1, 0)))).pages == 1


def test_row_41_real_apng() -> None:
    first, *rest = frames()
    with pytest.raises(UnsupportedFormat, match="APNG"):
        read(saved(first, "PNG", save_all=True, append_images=rest))


def test_row_41_avif_sequence() -> None:
    first, *rest = frames()
    with pytest.raises(UnsupportedFormat, match="sequence"):
        read(saved(first, "AVIF", save_all=True, append_images=rest))


def gif(count: int, canvas: tuple[int, int], delay: int = 0) -> bytes:
    """Write a GIF of `count` frames of one pixel each."""
    frame = b"!\xf9\x04\0" + struct.pack("<H", delay) + b"\0\0" + b","
    frame += struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + frame * count + b";"


def test_row_42_many_frames() -> None:
    with pytest.raises(ImageTooLarge, match="max_pages=500"):
        read(gif(10_000, (4, 4)))
    assert read(gif(10, (4, 4))).pages == 10


def test_row_42_huge_canvas() -> None:
    with pytest.raises(ImageTooLarge, match="30000 x 30000 x 100 pages"):
        read(gif(100, (30_000, 30_000)))


def test_row_42_canvas_that_is_not_filled() -> None:
    with pytest.raises(UnsupportedFormat, match="3000 x 2000"):
        read(gif(2, (3000, 2000)))


def test_row_43_multipage() -> None:
    array = noise(3, 20, 30, 3)
    photo = read(tiffed(array, photometric="rgb"))
    assert photo.pages == 3
    assert np.array_equal(photo.samples.permute(0, 2, 3, 1).numpy(), array)
    assert np.array_equal(tifffile.imread(io.BytesIO(written(photo, "tiff"))), array)


@pytest.mark.parametrize("second", [noise(10, 30, 3), noise(20, 30)], ids=["size", "mode"])
def test_row_43_pages_that_differ(second: np.ndarray) -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(noise(20, 30, 3), photometric="rgb")
        writer.write(second)
    with pytest.raises(UnsupportedFormat, match="split it"):
        read(stream.getvalue())


def test_row_43_pages_turned_differently() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for orientation in (1, 6):
            writer.write(noise(20, 30), extratags=[(274, 3, 1, orientation, True)])
    with pytest.raises(UnsupportedFormat, match="orientations"):
        read(stream.getvalue())


def heif(array: np.ndarray, **options: Any) -> bytes:
    import pillow_heif

    stream = io.BytesIO()
    mode = "RGB;16" if array.dtype == np.uint16 else "RGB"
    picture = pillow_heif.from_bytes(mode, array.shape[1::-1], array.tobytes())
    picture.save(stream, quality=-1, chroma=444, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_row_44_heic_is_turned_once(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(turned(orientation)).save(
        stream, quality=-1, chroma=444, exif=with_orientation(orientation)
    )
    photo = read(stream.getvalue())
    assert photo.carried.format == "heif"
    assert np.abs(pixels(photo).astype(int) - noise(16, 24, 3)).max() <= 4
    opened = Image.open(io.BytesIO(written(photo, "jpeg")))
    assert opened.size == (24, 16)
    assert opened.getexif()[0x0112] == 1
    assert opened.getexif()[0x010F] == "Acme"


def test_row_44_heic_of_ten_bits() -> None:
    pytest.importorskip("pillow_heif")
    array = smooth().astype(np.uint16) * 257
    array[:8] = 65535
    photo = read(heif(array))
    assert (photo.depth, photo.carried.bits) == (16, 10)
    assert np.abs(pixels(photo).astype(int) - array).max() < 65535 // 100
    assert (pixels(photo)[:4] == 65535).mean() > 0.9


def test_row_44_heic_damaged() -> None:
    pytest.importorskip("pillow_heif")
    data = heif(smooth())
    with pytest.raises(CorruptImage, match="damaged"):
        read(data[: len(data) // 2])
    with pytest.raises(ImageTooLarge, match="max_pixels=100"):
        read(data, max_pixels=100)


def test_row_44_heic_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    data = heif(smooth())
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingDependency, match=r"pip install 'unblur\[heif\]'"):
        read(data)


def test_row_45_avif_grid() -> None:
    """A grid of 255 x 255 tiles that are not there ends in an error."""
    data = bytearray(saved(smooth(), "AVIF"))
    place = data.index(b"ispe") + 8
    data[place : place + 8] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    with pytest.raises(InputError):
        read(bytes(data))


def dng() -> bytes:
    sensor = (np.mgrid[:64, :96][1] * 300 + 2000).astype(np.uint16)
    stream = io.BytesIO()
    matrix = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    tags = [
        (50706, 1, 4, b"\1\4\0\0", True),
        (50707, 1, 4, b"\1\1\0\0", True),
        (50708, 2, 9, "Acme Raw", True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, bytes([0, 1, 1, 2]), True),
        (50721, 10, 9, matrix, True),
        (50778, 3, 1, 21, True),
        (50717, 4, 1, 65535, True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
        (274, 3, 1, 6, True),
    ]
    with tifffile.TiffWriter(stream) as writer:
        writer.write(sensor, photometric=32803, metadata=None, extratags=tags)
    return stream.getvalue()


def test_row_46_raw(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    (tmp_path / "x.jpg").write_bytes(dng())
    photo = read(tmp_path / "x.jpg")
    assert (photo.carried.format, photo.depth, photo.size) == ("raw", 16, (96, 64))
    assert photo.transfer.name == "sRGB"
    # The sensor's ramp runs from left to right; upright it runs from top to bottom.
    rows = photo.linear()[0, 1].mean(1)
    assert bool((rows[4:-4].diff() > 0).all())
    with pytest.raises(ImageTooLarge, match="max_pixels=100"):
        read(dng(), max_pixels=100)


def test_row_46_raw_truncated() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(CorruptImage, match="damaged"):
        read(dng()[:-4000])
    with pytest.raises(CorruptImage, match="damaged"):
        read(b"FUJIFILMCCD-RAW 0201" + bytes(999))


def test_row_46_raw_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MissingDependency, match=r"pip install 'unblur\[raw\]'"):
        read(dng())


@pytest.mark.parametrize("level", [0, 128, 255], ids=lambda v: f"row-47-constant-{v}")
@pytest.mark.parametrize("channels", [1, 3])
def test_constant_pictures(level: int, channels: int) -> None:
    photo = Photo(torch.full((1, channels, 9, 7), level, dtype=torch.uint8))
    again = read(written(photo.with_linear(photo.linear()), "png"))
    assert torch.equal(again.samples, photo.samples)


def test_row_48_checkerboard() -> None:
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    photo = read(saved(board, "PNG"))
    assert np.array_equal(pixels(photo.with_linear(photo.linear()))[..., 0], board)


NAMES = [
    "with space.png",
    "100%20 %s %d.png",
    "a#b?c.png",
    "\N{SNOWMAN}\N{WINKING FACE}.png",
    "e\u0301te\u0301.png",
    "line\nbreak.png",
    "-rf.png",
    "CON.png",
    "photo[page=1,n=-1].png",
    "comma,[strip].png",
    "x" * 251 + ".png",
    "\N{SNOWMAN}" * 83 + ".png",
    os.fsdecode(b"caf\xe9 \xff.png"),
    "..png",
    '\'quoted "name".png',
]


@pytest.mark.parametrize("name", NAMES, ids=[f"row-54-{k}" for k in range(len(NAMES))])
def test_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = Photo.from_tensor(torch.full((3, 4, 5), 0.5))
    write(name, photo, format="png")
    assert os.listdir(b".") == [os.fsencode(name)]
    assert read(name).size == (4, 5)
    assert read(Path(name)).size == (4, 5)
    write(name, photo, format="png", overwrite=True)
    with open(name, "r+b") as file:
        file.truncate(60)
    with pytest.raises(CorruptImage) as caught:
        read(name)
    assert str(caught.value).isprintable()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone.jpg"))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


UNOPENABLE: list[tuple[str, Callable[[Path], None], str]] = [
    ("directory", Path.mkdir, "a directory"),
    ("fifo", _fifo, "a pipe"),
    ("device", _device, "a device"),
    ("link-loop", _loop, "cannot be opened"),
    ("dangling-link", _dangling, "No such file"),
    ("missing", lambda path: None, "No such file"),
]


@pytest.mark.parametrize(
    ("make", "words"),
    [pytest.param(make, words, id=f"row-55-{name}") for name, make, words in UNOPENABLE],
)
@pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")
def test_only_regular_files_are_opened(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jpg"
    make(path)
    with pytest.raises(InputError, match=words) as caught:
        read(path)
    assert type(caught.value) is InputError


def test_row_55_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(JPEG)

    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read(path)


def test_row_55_endless_stream() -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert size == 4096, "only the beginning is looked at"
            return bytes(size)

    with pytest.raises(UnsupportedFormat, match="no picture"):
        read(Zeros())  # type: ignore[arg-type]


def test_row_55_null_in_a_name() -> None:
    with pytest.raises(InputError, match="null"):
        read("a\0b.png")


@pytest.mark.parametrize("overwrite", [False, True])
def test_row_56_a_full_disk_leaves_nothing(
    overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    if overwrite:
        path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write(path, flat(4, 4), overwrite=overwrite)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"old"] if overwrite else [])


LIMITED = """
    import resource, signal, sys, torch
    from unblur.errors import OutputError
    from unblur.photo import Photo, write

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    photo = Photo.from_tensor(torch.rand(3, 64, 64))
    for kind in ("jpeg", "png", "tiff", "webp", "avif", "gif"):
        try:
            write(sys.argv[1], photo, format=kind)
        except OutputError as error:
            print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_row_56_the_encoders_see_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(LIMITED)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, tmp_path / "x"], capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["gone/x.png", "file/x.png", "dir"], ids=lambda n: f"row-56-{n}")
def test_targets_that_cannot_be(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dir").mkdir()
    with pytest.raises(OutputError):
        write(tmp_path / name, flat(4, 4), format="png", overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dir", "file"]
