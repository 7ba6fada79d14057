"""What TIFF directories say that the decoder does not, and camera data put back into a TIFF."""

import os
import struct
from dataclasses import dataclass
from itertools import islice
from typing import Any

from unblur.errors import CorruptImage, UnsupportedFormat
from unblur.photo import exif
from unblur.photo.ifd import IPTC, Directory, Entry, directories, layout_of, serialise

__all__ = ["TiffParts", "add_tags", "tiff_parts"]

_SUBFILE, _BITS, _PHOTOMETRIC, _ORIENTATION = 254, 258, 262, 274
_CHANNELS, _SUBDIRECTORIES, _EXTRA, _SAMPLE_FORMAT, _DNG_VERSION = 277, 330, 338, 339, 50706
_PLACES = (273, 279, 324, 325)
_WANTED = frozenset(
    (
        *(_SUBFILE, _BITS, _PHOTOMETRIC, _ORIENTATION, _CHANNELS, _SUBDIRECTORIES),
        *(_EXTRA, _SAMPLE_FORMAT, _DNG_VERSION, *_PLACES),
    )
)
_PALETTE, _LAB, _SENSOR = 3, {8, 9, 10}, {32803, 34892}
_READ = {(1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (3, 16), (3, 32)}
_KINDS = {1: "unsigned integers", 2: "signed integers", 3: "floats"}


@dataclass(frozen=True)
class TiffParts:
    """What the directories of a TIFF file say.

    Attributes:
        raw: Whether it is a camera's raw file.
        pages: How many pages; at most one more than was asked for.
        orientation: As it stands there, valid or not.
        warnings: What will be converted.
        repairs: (place, bytes) to write over the file before it is decoded: the decoder calls a
            file damaged whose orientation is not from 1 to 8.
    """

    raw: bool
    pages: int
    orientation: int
    warnings: tuple[str, ...] = ()
    repairs: tuple[tuple[int, bytes], ...] = ()


def tiff_parts(data: Any, label: str, max_pages: int, *, strict: bool) -> TiffParts:
    """Walk the pages of a TIFF file, at most one more than `max_pages`.

    Raises:
        CorruptImage: The chain of directories is damaged or runs in a circle; or, if `strict`,
            samples are said to lie beyond the end of the file.
        UnsupportedFormat: Lab, more than four channels, sample types that are not read, or pages
            that lie differently.
    """
    try:
        layout = layout_of(data)
        pages: list[dict[int, Entry]] = []
        for page in islice(directories(data, layout, _WANTED), max_pages + 1):
            if not pages and _is_raw(page):
                return TiffParts(True, 1, 1)
            if strict and _beyond(page, len(data)):
                raise CorruptImage("samples lie beyond the end of the file")
            pages.append({tag: page[tag] for tag in page if tag not in _PLACES})
    except CorruptImage as error:
        raise CorruptImage(f"{label} is damaged or truncated: {error}") from error
    if not pages:
        raise CorruptImage(f"{label} is damaged: it has no pages")
    orientations = {_value(page, _ORIENTATION, 1) for page in pages}
    if len(orientations) > 1:
        raise UnsupportedFormat(
            f"{label} has pages of different orientations; split it into one file per page"
        )
    orientation = orientations.pop()
    repairs: tuple[tuple[int, bytes], ...] = ()
    if not 1 <= orientation <= 8:
        upright = struct.pack(layout.order + "H", 1)
        repairs = tuple((page[_ORIENTATION].place, upright) for page in pages)
    return TiffParts(False, len(pages), orientation, _conversions(pages[0], label), repairs)


def _beyond(page: dict[int, Entry], size: int) -> bool:
    """Tell whether strips (273, 279) or tiles (324, 325) lie outside the file."""
    for places, counts in ((273, 279), (324, 325)):
        if places in page and counts in page:
            pairs = zip(page[places].integers(), page[counts].integers(), strict=False)
            if any(start + length > size for start, length in pairs):
                return True
    return False


def _value(page: dict[int, Entry], tag: int, default: int) -> int:
    values = page[tag].integers() if tag in page else ()
    return values[0] if values else default


def _is_raw(page: dict[int, Entry]) -> bool:
    preview = _value(page, _SUBFILE, 0) & 1 and _SUBDIRECTORIES in page
    sensor = _value(page, _PHOTOMETRIC, 1) in _SENSOR
    return bool(_DNG_VERSION in page or preview or sensor)


def _conversions(page: dict[int, Entry], label: str) -> tuple[str, ...]:
    bits, photometric = _value(page, _BITS, 1), _value(page, _PHOTOMETRIC, 1)
    kind, channels = _value(page, _SAMPLE_FORMAT, 1), _value(page, _CHANNELS, 1)
    if photometric in _LAB:
        raise UnsupportedFormat(f"{label} is in the Lab colour space; convert it to RGB")
    if channels > 4:
        raise UnsupportedFormat(
            f"{label} has {channels} channels; grey, RGB and CMYK with at most one alpha are read"
        )
    if (kind, bits) not in _READ:
        raise UnsupportedFormat(
            f"{label} has {bits}-bit {_KINDS.get(kind, 'samples of an unknown type')}; "
            "convert it to 8 or 16-bit unsigned integers or 32-bit floats"
        )
    warnings = []
    if photometric == _PALETTE:
        warnings.append("a palette was converted to RGB")
    if bits < 8:
        warnings.append(f"{bits}-bit samples were converted to 8 bits")
    if (kind, bits) == (3, 16):
        warnings.append("16-bit floats were converted to 32 bits")
    if _value(page, _EXTRA, 0) == 1:
        warnings.append("premultiplied alpha was converted to straight alpha")
    return tuple(warnings)


def add_tags(descriptor: int, tags: Directory) -> None:
    """Add descriptive tags and the directories below them to the first page of a TIFF file.

    The old directory stays where it is, unused; a new one is put behind everything else, and the
    header is pointed to it last.
    """
    size = os.fstat(descriptor).st_size
    head = _at(descriptor, 0, 16)
    layout = layout_of(head)
    width, inline, number = (20, 8, "Q") if layout.big else (12, 4, "H")
    code = "Q" if layout.big else "I"
    lead = struct.calcsize("<" + number)
    (count,) = layout.unpack(number, _at(descriptor, layout.first, lead), 0)
    table = _at(descriptor, layout.first + lead, width * count + inline)
    kept = {}
    for start in range(0, width * count, width):
        row = table[start : start + width]
        kept[layout.unpack("H", row, 0)[0]] = row
    end = size + size % 2
    wanted = exif.DESCRIPTIVE | {IPTC}
    new = Directory({t: e for t, e in tags.entries.items() if t in wanted}, tags.children)
    block = serialise(new, end, layout=layout)
    merged = {**kept, **_rows(block, lead, width, layout.order + number)}
    directory = struct.pack(layout.order + number, len(merged))
    directory += b"".join(merged[tag] for tag in sorted(merged)) + table[width * count :]
    _put(descriptor, end, block + bytes(len(block) % 2) + directory)
    pointer = struct.pack(layout.order + code, end + len(block) + len(block) % 2)
    _put(descriptor, 8 if layout.big else 4, pointer)


def _rows(block: bytes, lead: int, width: int, number: str) -> dict[int, bytes]:
    """Cut a serialised directory into its rows, whose offsets into the file are already right."""
    (count,) = struct.unpack_from(number, block, 0)
    rows = (block[lead + i * width : lead + (i + 1) * width] for i in range(count))
    return {struct.unpack_from(number[0] + "H", row, 0)[0]: row for row in rows}


def _at(descriptor: int, offset: int, length: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def _put(descriptor: int, offset: int, data: bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    while data:
        data = data[os.write(descriptor, data) :]
