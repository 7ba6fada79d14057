"""Reading: every kind of source and format, against independent decoders."""

import io
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from unblur.errors import InputError, ParameterError
from unblur.photo import Photo, read, write


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def saved(array: np.ndarray, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def pixels(photo: Photo) -> np.ndarray:
    return photo.samples[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("shape", [(40, 60, 3), (40, 60)], ids=["rgb", "grey"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_pixels(shape: tuple[int, ...], kind: str, options: dict[str, Any]) -> None:
    data = saved(noise(*shape), kind, **options)
    photo = read(data)
    oracle = np.asarray(Image.open(io.BytesIO(data)))
    found = pixels(photo)
    if oracle.ndim == 2:
        oracle = oracle[..., None]
    assert np.array_equal(found, oracle)
    assert photo.warnings == ()
    assert photo.carried.format == kind.lower()
    assert photo.carried.lossless == (kind != "JPEG")
    assert photo.alpha is None


@pytest.mark.parametrize(
    ("kind", "options", "coarse"),
    [
        ("JPEG", {"subsampling": "4:2:0"}, True),
        ("JPEG", {"subsampling": "4:2:2"}, False),
        ("JPEG", {"subsampling": "4:4:4"}, False),
        ("PNG", {}, False),
    ],
)
def test_coarse_colour(kind: str, options: dict[str, Any], coarse: bool) -> None:
    assert read(saved(noise(40, 60, 3), kind, **options)).carried.coarse_colour == coarse
    assert not read(saved(noise(40, 60), kind)).carried.coarse_colour


@pytest.mark.parametrize("quality", [50, 85, 95, 100])
@pytest.mark.parametrize("shape", [(40, 60, 3), (40, 60)], ids=["rgb", "grey"])
def test_steps_of_a_jpeg(quality: int, shape: tuple[int, ...]) -> None:
    data = saved(noise(*shape), "JPEG", quality=quality)
    tables = Image.open(io.BytesIO(data)).quantization  # type: ignore[attr-defined]
    assert read(data).carried.step == pytest.approx(sum(tables[0]) / 64)
    assert read(saved(noise(*shape), "PNG")).carried.step == 0


def test_interlaced_png() -> None:
    from unblur.photo import vips

    array = noise(41, 63, 3)
    data = vips.from_array(array.reshape(41, 63, 3)).pngsave_buffer(interlace=True)
    assert np.array_equal(pixels(read(data)), array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (32, 32), "compression": "zlib"},
        {"planarconfig": "separate"},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"rowsperstrip": 1},
    ],
    ids=str,
)
def test_tiff_layouts(dtype: Any, options: dict[str, Any]) -> None:
    array = noise(70, 50, 3, dtype=dtype)
    stored = array.transpose(2, 0, 1) if "planarconfig" in options else array
    stream = io.BytesIO()
    tifffile.imwrite(stream, stored, photometric="rgb", **options)
    photo = read(stream.getvalue())
    assert np.array_equal(pixels(photo), array)
    assert photo.warnings == ()


def test_tiff_miniswhite_and_half_floats() -> None:
    array = noise(7, 9)
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, photometric="miniswhite")
    assert np.array_equal(pixels(read(stream.getvalue()))[..., 0], 255 - array)
    half = (array / 200).astype(np.float16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, half, photometric="minisblack")
    photo = read(stream.getvalue())
    assert np.array_equal(pixels(photo)[..., 0], half.astype(np.float32))
    assert "16-bit floats" in photo.warnings[0]


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_many_bits(bits: int) -> None:
    """White is white, and writing gives the same levels again."""
    levels = (noise(32, 48, 3, dtype=np.uint16) >> 8 << 8) | 0xFF
    levels[:8] = 65535
    from unblur.photo import vips

    image = vips.from_array(np.ascontiguousarray(levels))
    data = image.heifsave_buffer(compression="av1", bitdepth=bits, lossless=True)
    photo = read(data)
    assert (photo.depth, photo.carried.bits) == (16, bits)
    assert int(photo.samples.int().max()) == 65535
    assert np.array_equal(pixels(photo) >> (16 - bits), levels >> (16 - bits))
    stream = io.BytesIO()
    assert write(stream, photo, format="avif") == ()
    assert read(stream.getvalue()).carried.bits == bits


def test_sources(tmp_path: Path) -> None:
    data = saved(noise(20, 30, 3), "PNG")
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with path.open("rb") as stream:
        sources = [path, str(path), data, io.BytesIO(data), stream]
        photos = [read(source) for source in sources]
    assert all(torch.equal(photo.samples, photos[0].samples) for photo in photos)
    with pytest.raises(InputError, match="path, bytes or a binary stream, got int"):
        read(7)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="binary mode"):
        read(io.StringIO("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_pixels": 0}, "max_pixels"),
        ({"max_pages": 0}, "max_pages"),
        ({"nonfinite": "propagate"}, "nonfinite must be"),
        ({"encoding": "gamma"}, "encoding must be"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        read(saved(noise(2, 2), "PNG"), **options)


@pytest.mark.parametrize("encoding", ["auto", "srgb", "linear"])
def test_encoding(encoding: Any) -> None:
    photo = read(saved(noise(5, 5, 3), "PNG"), encoding=encoding)
    assert photo.transfer.name == {"auto": "sRGB", "srgb": "sRGB", "linear": "linear"}[encoding]
    floats = io.BytesIO()
    tifffile.imwrite(floats, np.ones((5, 5), np.float32))
    expected = "sRGB" if encoding == "srgb" else "linear"
    assert read(floats.getvalue(), encoding=encoding).transfer.name == expected


def test_samples_are_ours_to_keep(tmp_path: Path) -> None:
    """The photo survives its file, and does not keep it open."""
    array = noise(300, 200, 3)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, array, photometric="rgb")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    photo = read(path)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before
    path.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    assert np.array_equal(pixels(photo), array)


def test_files_are_not_leaked_by_errors(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors through /proc")
    path = tmp_path / "x.jpg"
    path.write_bytes(saved(noise(40, 60, 3), "JPEG")[:900])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(InputError):
            read(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_concurrent_equals_serial() -> None:
    files = [
        saved(noise(30 + k, 40, 3), kind) for k in range(4) for kind in ("JPEG", "PNG", "WEBP")
    ]
    serial = [read(data).samples for data in files]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda data: read(data).samples, files))
    assert all(torch.equal(a, b) for a, b in zip(serial, found, strict=True))


def test_an_error_leaves_nothing_for_the_next_one() -> None:
    """The messages of libvips pile up in one place of the process; only the last ones are told."""
    png = bytearray(saved(noise(40, 60, 3), "PNG"))
    png[-30] ^= 1
    read(bytes(png), salvage=True)
    with pytest.raises(InputError, match="JPEG"):
        read(saved(noise(40, 60, 3), "JPEG")[:900])


WRITING = """
    import sys, torch
    from unblur.photo import Photo, write

    row = torch.arange(4000 * 3, dtype=torch.int32).to(torch.uint8).view(1, 1, 4000, 3)
    for path, height in zip(sys.argv[1:], (8, 6000)):
        write(path, Photo(row.repeat(1, height, 1, 1).permute(0, 3, 1, 2)))
"""
READING = """
    import resource, sys
    from unblur.photo import read

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    read(sys.argv[1])
    before = peak()
    photo = read(sys.argv[2])
    print((peak() - before) / photo.samples.numel())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory the Linux way")
@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_a_large_picture_is_held_once(kind: str, tmp_path: Path) -> None:
    """A 24-megapixel picture takes little more than its 72 MB."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    paths = [tmp_path / f"small.{kind}", tmp_path / f"large.{kind}"]
    # Another process writes, so that its memory does not count.
    for script in (WRITING, READING):
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *paths]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 1.4


def test_what_a_decoder_says_is_one_line_with_single_spaces() -> None:
    from unblur.photo import vips

    said = vips.Error("\n  VipsJpeg:  premature end\tof  data \nmore")
    assert vips.explain(said) == "VipsJpeg: premature end of data"
