"""EXIF, XMP, IPTC, resolution: what goes in comes out, whatever the formats."""

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, IptcImagePlugin
from PIL.TiffImagePlugin import IFDRational

from unblur.errors import CorruptImage
from unblur.photo import Carried, Photo, exif, ifd, iptc, read, vips, write
from unblur.photo.metadata import kept_xmp

EXIF, GPS = 0x8769, 0x8825
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf tiff:Orientation=\"6\"/></x:xmpmeta>"
IIM = b"\x1c\x02\x69\x00\x05Title\x1c\x02\x50\x00\x02Me"


def scene(height: int = 16, width: int = 24) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 9, y * 9, x * 0 + 90], -1).astype(np.uint8)


def camera_tags(*, thumbnail: bool = False) -> bytes:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131] = "Acme", "One", "FW 1.0"
    tags[0x8298], tags[0x9C9B] = "(c) Me (2020)", "h\u00e9".encode("utf-16le")
    inner = tags.get_ifd(EXIF)
    inner[0x829A] = IFDRational(1, 100)
    inner[0x9003] = "2020:01:02 10:20:30"
    inner[0x927C] = b"MAKER\0\1\2" * 10
    inner[0xA432] = tuple(IFDRational(v, 10) for v in (240, 700, 28, 28))
    place = tags.get_ifd(GPS)
    place[1], place[2] = "N", (IFDRational(48), IFDRational(30), IFDRational(123, 10))
    block = tags.tobytes()
    return with_thumbnail(block) if thumbnail else block


def with_thumbnail(block: bytes) -> bytes:
    """Append a second directory with a JPEG in it."""
    data = bytearray(block.removeprefix(b"Exif\0\0"))
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    data += bytes(len(data) % 2)
    struct.pack_into(order + "I", data, first + 2 + 12 * count, len(data))
    picture = saved(scene(8, 8), "JPEG")
    start = len(data) + 2 + 3 * 12 + 4
    data += struct.pack(order + "H", 3)
    for tag, kind, value in ((259, 3, 6), (513, 4, start), (514, 4, len(picture))):
        inline = struct.pack(order + ("HH" if kind == 3 else "I"), *((value, 0)[: 5 - kind]))
        data += struct.pack(order + "HHI", tag, kind, 1) + inline
    return b"Exif\0\0" + bytes(data) + bytes(4) + picture


def saved(array: np.ndarray, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def written(photo: Photo, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    write(stream, photo, format=kind, **options)
    return stream.getvalue()


def check_camera_tags(data: bytes, software: str = "FW 1.0") -> None:
    tags = Image.open(io.BytesIO(data)).getexif()
    assert (tags[0x010F], tags[0x0110], tags[0x8298]) == ("Acme", "One", "(c) Me (2020)")
    assert tags[0x0131] == software
    assert tags[0x9C9B] == "h\u00e9".encode("utf-16le")
    assert tags[0x0112] == 1
    inner = tags.get_ifd(EXIF)
    assert inner[0x829A] == IFDRational(1, 100)
    assert inner[0x9003] == "2020:01:02 10:20:30"
    assert inner[0x927C] == b"MAKER\0\1\2" * 10
    assert [float(v) for v in inner[0xA432]] == [24.0, 70.0, 2.8, 2.8]
    place = tags.get_ifd(GPS)
    assert place[1] == "N"
    assert [float(v) for v in place[2]] == [48.0, 30.0, 12.3]


@pytest.mark.parametrize("target", ["jpeg", "png", "tiff", "webp", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_from_anywhere_to_anywhere(source: str, target: str) -> None:
    photo = read(saved(scene(), source, exif=camera_tags()))
    assert photo.warnings == ()
    data = written(photo, target)
    check_camera_tags(data)
    check_camera_tags(written(read(data), "jpeg"))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("target", ["jpeg", "tiff"])
def test_exif_of_tiff_files(order: Any, big: bool, target: str) -> None:
    """Camera data of a TIFF file, which libvips does not know, made by patching one with ours."""
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        scene(),
        photometric="rgb",
        byteorder=order,
        bigtiff=big,
        metadata=None,
        software="Scan",
        extratags=[(271, 2, 5, "Acme", True), (315, 2, 4, "Jos\u00e9".encode(), True)],
    )
    photo = read(stream.getvalue())
    assert photo.carried.exif is not None
    tags = exif.decode(photo.carried.exif)
    assert tags.entries[271].data == b"Acme\0"
    found = Image.open(io.BytesIO(written(photo, target, note="unblur l0"))).getexif()
    assert (found[271], found[305]) == ("Acme", "Scan, unblur l0")
    again = read(written(photo, "tiff"))
    assert again.carried.exif == photo.carried.exif
    assert torch.equal(again.samples, photo.samples)


def test_exif_in_a_multipage_tiff_leaves_the_pages() -> None:
    samples = torch.from_numpy(np.stack([scene(), scene()[::-1]])).permute(0, 3, 1, 2)
    tags = ifd.Directory({271: ifd.Entry(2, 5, b"Acme\0")})
    photo = Photo(samples, carried=Carried(exif=exif.encode(tags), iptc=IIM))
    again = read(written(photo, "tiff", note="unblur l0"))
    assert torch.equal(again.samples, samples)
    assert again.carried.iptc == IIM
    with tifffile.TiffFile(io.BytesIO(written(photo, "tiff", note="x"))) as file:
        assert len(file.pages) == 2
        assert file.pages[0].tags["Make"].value == "Acme"
        assert file.pages[0].tags["Software"].value == "x"


def test_the_thumbnail_is_dropped() -> None:
    block = camera_tags(thumbnail=True)
    data = saved(scene(), "JPEG", exif=block)
    assert data.count(b"\xff\xd8\xff") == 2
    photo = read(data)
    check_camera_tags(written(photo, "jpeg"))
    for kind in ("jpeg", "png", "webp", "tiff"):
        assert written(photo, kind).count(b"\xff\xd8\xff") == (kind == "jpeg")


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "avif"])
def test_note(kind: str) -> None:
    photo = read(saved(scene(), "JPEG", exif=camera_tags()))
    data = written(photo, kind, note="unblur l0")
    check_camera_tags(data, "FW 1.0, unblur l0")
    check_camera_tags(written(read(data), kind, note="unblur l0"), "FW 1.0, unblur l0")
    bare = Image.open(io.BytesIO(written(read(saved(scene(), "PNG")), kind, note="unblur l0")))
    assert bare.getexif()[0x0131] == "unblur l0"


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "avif"])
def test_strip(kind: str) -> None:
    carried = Carried(exif=camera_tags(), xmp=XMP, iptc=IIM, icc=vips.profile("p3"))
    carried = replace(carried, comments=(("Author", "Me"),))
    photo = Photo(torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=carried)
    data = written(photo, kind, strip_metadata=True, note="unblur l0")
    for secret in (b"Acme", b"unblur", b"xmpmeta", b"Title", b"Author"):
        assert secret not in data
        assert secret in written(photo, "jpeg", note="unblur l0") or secret == b"Author"
    assert read(data).carried.icc == vips.profile("p3")


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp", "avif"])
def test_xmp(kind: str) -> None:
    photo = Photo(torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=Carried(xmp=XMP))
    again = read(written(photo, kind))
    assert again.carried.xmp == XMP.replace(b'"6"', b'"1"')
    assert kept_xmp(b"<tiff:Orientation>8</tiff:Orientation>", appended=False)[0] == (
        b"<tiff:Orientation>1</tiff:Orientation>"
    )


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_iptc(kind: str) -> None:
    photo = Photo(torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=Carried(iptc=IIM))
    data = written(photo, kind)
    found = IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(data)))
    assert found == {(2, 105): b"Title", (2, 80): b"Me"}
    assert read(data).carried.iptc == IIM
    other = "tiff" if kind == "jpeg" else "jpeg"
    assert read(written(read(data), other)).carried.iptc == IIM


@pytest.mark.parametrize("kind", ["png", "webp", "avif", "gif"])
def test_what_does_not_fit_is_said(kind: str) -> None:
    carried = Carried(iptc=IIM, exif=camera_tags(), xmp=XMP, icc=vips.profile("p3"))
    photo = Photo(torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=carried)
    warnings = write(io.BytesIO(), photo, format=kind)
    assert any("IPTC" in warning for warning in warnings)
    assert all(any(n in w for w in warnings) == (kind == "gif") for n in ("ICC", "EXIF", "XMP"))


def test_iptc_blocks() -> None:
    assert iptc.unwrap(b"") is None
    assert iptc.unwrap(b"Photoshop 3.0\0") is None
    thumbnail = b"8BIM\x04\x0c\0\0" + (5).to_bytes(4, "big") + b"thumb\0"
    named = b"8BIM\x04\x04\x03abc" + len(IIM).to_bytes(4, "big") + IIM
    assert iptc.unwrap(b"Photoshop 3.0\0" + thumbnail + named) == IIM
    assert iptc.unwrap(iptc.wrap(IIM)) == IIM
    padded = IIM + bytes(-len(IIM) % 4)
    turned = b"".join(padded[i : i + 4][::-1] for i in range(0, len(padded), 4))
    assert iptc.unwrap(turned) == padded


@pytest.mark.parametrize("profiled", [True, False])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_colour_space_is_told(kind: str, profiled: bool) -> None:
    icc = vips.profile("p3") if profiled else None
    photo = Photo(torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=Carried(icc=icc))
    found = Image.open(io.BytesIO(written(photo, kind))).getexif().get_ifd(EXIF)
    assert found[40961] == (0xFFFF if profiled else 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_resolution(kind: str) -> None:
    photo = read(saved(scene(), kind, dpi=(300, 150)))
    assert photo.carried.xres == pytest.approx(300 / 25.4, rel=1e-3)
    assert photo.carried.yres == pytest.approx(150 / 25.4, rel=1e-3)
    opened = Image.open(io.BytesIO(written(photo, kind.lower())))
    # Pillow takes both numbers of a JPEG from the first tag, so the tags are looked at there.
    tags = opened.getexif()
    found = (tags[282], tags[283]) if kind == "JPEG" else opened.info["dpi"]
    assert found == pytest.approx((300, 150), rel=1e-3)


def test_resolution_is_turned_with_the_picture() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    photo = read(saved(scene(), "JPEG", dpi=(300, 150), exif=tags.tobytes()))
    assert photo.carried.xres == pytest.approx(150 / 25.4, rel=1e-3)


def test_png_comments() -> None:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Author", "Me")
    texts.add_text("Long", "word " * 1000, zip=True)
    texts.add_text("Latin", "\u00e9t\u00e9")
    texts.add_text("Bomb", "0" * 10**6, zip=True)
    photo = read(saved(scene(), "PNG", pnginfo=texts))
    assert photo.carried.comments == (("Author", "Me"), ("Long", "word " * 1000))
    assert "2 text chunks" in photo.warnings[0]
    opened = Image.open(io.BytesIO(written(photo, "png")))
    opened.load()
    assert opened.text == {"Author": "Me", "Long": "word " * 1000}


def test_text_that_is_not_utf8() -> None:
    tags = ifd.Directory({315: ifd.Entry(2, 5, b"Jos\xe9\0")})
    photo = Photo(
        torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=Carried(exif=exif.encode(tags))
    )
    for kind in ("jpeg", "png", "tiff", "webp"):
        block = read(written(photo, kind)).carried.exif
        assert block is not None
        assert exif.decode(block).entries[315].data == b"Jos\xe9\0"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_directories_survive_writing(order: str, big: bool) -> None:
    layout = ifd.Layout(order, big, 16)
    tree = ifd.Directory(
        {271: ifd.Entry(2, 5, b"Acme\0"), 282: ifd.Entry(5, 1, struct.pack("<II", 300, 7))},
        {
            ifd.EXIF: ifd.Directory(
                {33434: ifd.Entry(3, 3, struct.pack("<3H", 1, 2, 3))},
                {ifd.INTEROPERABILITY: ifd.Directory({1: ifd.Entry(2, 4, b"R98\0")})},
            )
        },
    )
    data = bytes(16) + ifd.serialise(tree, 16, layout=layout)
    found = ifd.read_tree(data, layout, 16)
    strip = lambda part: {tag: (e.type, e.count, e.data) for tag, e in part.entries.items()}  # noqa: E731
    assert strip(found) == strip(tree)
    below, wanted = found.children[ifd.EXIF], tree.children[ifd.EXIF]
    assert strip(below) == strip(wanted)
    deepest = below.children[ifd.INTEROPERABILITY]
    assert strip(deepest) == strip(wanted.children[ifd.INTEROPERABILITY])


def test_directories_in_a_circle_end() -> None:
    pointer = struct.pack("<HHII", ifd.EXIF, 4, 1, 8)
    block = b"II*\0\x08\0\0\0" + b"\x01\0" + pointer + bytes(4)
    tree = exif.decode(block)
    assert not tree.entries


def test_oversized_blocks() -> None:
    huge = ifd.Directory({tag: ifd.Entry(7, 60000, bytes(60000)) for tag in (700, 701)})
    with pytest.raises(CorruptImage, match="64 KiB"):
        exif.encode(huge)
    nearly = ifd.Directory({271: ifd.Entry(2, 65400, b"a" * 65399 + b"\0")})
    photo = Photo(
        torch.zeros(1, 3, 9, 9, dtype=torch.uint8), carried=Carried(exif=exif.encode(nearly))
    )
    assert "note was left out" in write(io.BytesIO(), photo, format="png", note="x" * 300)[0]
    damaged = replace(photo, carried=Carried(exif=b"Exif\0\0nonsense"))
    assert "EXIF was left out" in write(io.BytesIO(), damaged, format="jpeg")[0]
