"""Linear light and back: exact for every level, right against independent implementations."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from unblur.errors import InputError
from unblur.photo import Photo, Transfer, read, vips
from unblur.photo.carried import Carried
from unblur.photo.icc import describe_fault
from unblur.photo.transfer import LINEAR, SRGB


def curve(*values: int) -> bytes:
    """Write a curveType tag from its entries."""
    body = struct.pack(f">{len(values)}H", *values)
    return b"curv" + bytes(4) + struct.pack(">I", len(values)) + body


def parametric(kind: int, *values: float) -> bytes:
    body = struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + body


def xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def profile(*curves: bytes, space: bytes = b"RGB ") -> bytes:
    """Write a matrix or grey profile with the given tone curves."""
    tags = {b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    if space == b"RGB ":
        tags |= {b"rXYZ": xyz(0.436, 0.222, 0.014), b"gXYZ": xyz(0.385, 0.717, 0.097)}
        tags |= {b"bXYZ": xyz(0.143, 0.061, 0.714)}
        tags |= dict(zip((b"rTRC", b"gTRC", b"bTRC"), curves * (3 // len(curves)), strict=True))
    else:
        tags[b"kTRC"] = curves[0]
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = bytearray(128)
    header[0:4] = struct.pack(">I", 128 + len(table) + len(body))
    header[8:12], header[12:16], header[16:20] = b"\x04\x20\0\0", b"mntr", space
    header[20:24], header[36:40] = b"XYZ ", b"acsp"
    header[68:80] = xyz(0.9642, 1.0, 0.8249)[8:]
    return bytes(header) + table + body


SRGB_TABLE = curve(
    *np.rint(
        Photo(torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 256))
        .linear()
        .double()
        .numpy()
        .ravel()
        * 65535
    )
    .astype(int)
    .tolist()
)
CURVES = {
    "identity": curve(),
    "gamma-1.8": curve(round(1.8 * 256)),
    "gamma-2.2": curve(round(2.2 * 256)),
    "gamma-2.6": parametric(0, 2.6),
    "srgb": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "srgb-table": SRGB_TABLE,
    "type-4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
    "dark-plateau": curve(0, 0, 0, 5000, 20000, 65535),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("space", [b"RGB ", b"GRAY"])
def test_every_level_comes_back(name: str, dtype: torch.dtype, space: bytes) -> None:
    """Encoded, linear, encoded, quantised is the identity on all 256 or 65536 levels."""
    channels = 3 if space == b"RGB " else 1
    icc = profile(CURVES[name], space=space)
    assert describe_fault(icc, channels) is None
    levels = torch.arange(256 if dtype == torch.uint8 else 65536, dtype=torch.int32)
    samples = levels.to(dtype).view(1, 1, -1, 256).expand(1, channels, -1, -1)
    photo = Photo(samples, carried=Carried(icc=icc))
    assert photo.transfer.name == "ICC"
    linear = photo.linear()
    assert bool((linear.flatten(2).diff() > 0).all())
    assert float(linear.max()) == 1.0
    assert torch.equal(photo.with_linear(linear).samples.int(), samples.int())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("encoding", ["auto", "srgb", "linear"])
def test_every_level_comes_back_without_profile(dtype: torch.dtype, encoding: Any) -> None:
    levels = torch.arange(256 if dtype == torch.uint8 else 65536, dtype=torch.int32)
    photo = Photo(levels.to(dtype).view(1, 1, -1, 256), carried=Carried(encoding=encoding))
    assert photo.transfer.name == ("linear" if encoding == "linear" else "sRGB")
    assert torch.equal(photo.with_linear(photo.linear()).samples.int(), photo.samples.int())
    assert torch.equal(photo.with_encoded(photo.encoded()).samples.int(), photo.samples.int())


def test_srgb_is_the_standard() -> None:
    """IEC 61966-2-1 in double precision."""
    x = np.linspace(0, 1, 4097)
    oracle = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    found = SRGB.to_linear(torch.from_numpy(x).float().view(1, 1, -1))
    assert np.abs(found.numpy().ravel() - oracle).max() < 2e-7


def test_curves_belong_to_channels() -> None:
    gammas = (1.5, 2.0, 2.5)
    transfer = Transfer.from_icc(profile(*(curve(round(g * 256)) for g in gammas)), 3)
    assert transfer is not None
    x = torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    oracle = torch.stack([x[:, c] ** gammas[c] for c in range(3)], 1)
    assert torch.allclose(transfer.to_linear(x), oracle, atol=1e-6)
    assert torch.allclose(transfer.to_encoded(oracle), x, atol=2e-6)


@pytest.mark.parametrize("name", ["srgb", "gamma-2.2", "srgb-table"])
def test_against_a_colour_engine(name: str) -> None:
    """LittleCMS, through libvips, turns the neutral ramp into the same luminance."""
    icc = profile(CURVES[name])
    ramp = np.repeat(np.arange(0, 65536, 257, dtype=np.uint16)[None, :, None], 3, 2)
    oracle = vips.neutral_luminance(icc, ramp[0, :, 0], 3)
    transfer = Transfer.from_icc(icc, 3)
    assert transfer is not None
    table = transfer.table(65536, 3)[1, ::257].numpy()
    assert np.abs(table - oracle).max() < 5e-4


def lut_profile(gamma: float) -> bytes:
    """Write a profile that is a table (lut16Type): gamma, then grey of the mean of the channels."""
    white = np.array([0.9642, 1.0, 0.8249]) / (1 + 32767 / 32768)
    nodes = np.indices((2, 2, 2)).reshape(3, -1).mean(0)
    grid = np.rint(nodes[:, None] * white * 65535).astype(">u2").tobytes()
    ramp = np.rint(np.linspace(0, 1, 256) ** gamma * 65535).astype(">u2").tobytes()
    head = b"mft2" + bytes(4) + bytes([3, 3, 2, 0])
    head += struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = head + struct.pack(">HH", 256, 2) + ramp * 3 + grid + b"\0\0\xff\xff" * 3
    matrix = profile(curve())
    start = 132 + 24
    tags = struct.pack(">I", 2) + struct.pack(">4sII", b"wtpt", start, 20)
    tags += struct.pack(">4sII", b"A2B0", start + 20, len(table))
    body = tags + xyz(0.9642, 1.0, 0.8249) + table
    return struct.pack(">I", 128 + len(body)) + matrix[4:8] + b"\x02" + matrix[9:128] + body


def test_profiles_without_curves_are_sampled() -> None:
    icc = lut_profile(2.0)
    assert describe_fault(icc, 3) is None
    transfer = Transfer.from_icc(icc, 3)
    assert transfer is not None
    x = torch.linspace(0, 1, 65536, dtype=torch.float64)
    assert torch.allclose(transfer.table(65536, 3)[1].double(), x**2, atol=2e-3)


def test_profiles_without_anything_are_refused() -> None:
    icc = profile(CURVES["gamma-2.2"]).replace(b"rTRC", b"xTRC")
    assert describe_fault(icc, 3) == "its tone curves cannot be used"


@pytest.mark.parametrize("name", ["srgb", "gamma-2.2"])
def test_values_outside_the_unit_interval(name: str) -> None:
    transfer = Transfer.from_icc(profile(CURVES[name]), 3)
    assert transfer is not None
    x = torch.linspace(-1.5, 3, 901).expand(1, 3, 1, -1)
    for curve_of in (transfer, SRGB, LINEAR):
        linear = curve_of.to_linear(x)
        assert bool((linear.diff() > 0).all())
        assert torch.allclose(curve_of.to_encoded(linear), x, atol=3e-6)
        assert torch.allclose(curve_of.to_linear(-x), -linear)


def test_purity_and_channels() -> None:
    transfer = Transfer.from_icc(profile(CURVES["srgb"]), 3)
    assert transfer is not None
    x = torch.rand(1, 3, 9, 9)
    before = x.clone()
    for curve_of in (transfer, SRGB, LINEAR):
        assert curve_of.to_linear(x).data_ptr() != x.data_ptr()
        curve_of.to_encoded(x)
        assert torch.equal(x, before)
    with pytest.raises(InputError, match="3 channels, the image has 1"):
        transfer.to_linear(torch.zeros(1, 1, 2, 2))


BROKEN = {
    "falling": curve(65535, 30000, 0),
    "constant": curve(30000, 30000),
    "empty": b"",
    "unknown": b"text" + bytes(20),
    "short": b"curv" + bytes(4) + struct.pack(">I", 5000) + bytes(8),
    "short-parameters": parametric(3, 2.4),
    "unknown-function": parametric(9, 2.4),
}


@pytest.mark.parametrize("name", BROKEN)
def test_useless_curves(name: str) -> None:
    icc = profile(BROKEN[name])
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", icc_profile=icc)
    fault = describe_fault(icc, 3)
    photo = read(stream.getvalue())
    if fault is None:
        # The colour engine made something of it.
        assert photo.transfer.name == "ICC"
    else:
        assert photo.transfer.name == "sRGB"
        assert fault in photo.warnings[0]
    assert torch.equal(photo.with_linear(photo.linear()).samples, photo.samples)


def test_tag_tables_that_lie() -> None:
    good = profile(CURVES["srgb"])
    for lie in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        assert describe_fault(good[:128] + lie + good[132:], 3) == "it is damaged"
    outside = good[:136] + b"\x7f\xff\xff\xff" + good[140:]
    assert describe_fault(outside, 3) == "it is damaged"
