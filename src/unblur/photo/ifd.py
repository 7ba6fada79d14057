"""TIFF directories, the container of both TIFF pages and EXIF: read, edit, write.

libvips neither reads EXIF from TIFF files nor writes it there, so that a photograph would lose its
camera data on the way. Values are kept as the bytes that were found, only in little-endian order.
TIFF 6.0, BigTIFF and Exif 2.32 (CIPA DC-008) describe the layout.
"""

import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from unblur.errors import CorruptImage

__all__ = [
    "EXIF",
    "IPTC",
    "Directory",
    "Entry",
    "Layout",
    "directories",
    "layout_of",
    "read_directory",
    "read_tree",
    "serialise",
]

EXIF, GPS, INTEROPERABILITY, IPTC = 34665, 34853, 40965, 33723

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FORMATS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_ENTRIES = 4096
_SHORT, _LONG = 1 << 16, 1 << 22


@dataclass(frozen=True)
class Entry:
    """One tag: its type, how many values it has, their bytes in little-endian order, and where."""

    type: int
    count: int
    data: bytes
    place: int = 0

    def integers(self) -> tuple[int, ...]:
        """Return the values where the type is an unsigned integer, else nothing."""
        code = _FORMATS.get(self.type)
        return struct.unpack(f"<{self.count}{code}", self.data) if code else ()


@dataclass(frozen=True)
class Directory:
    """A directory: its entries, and the directories below it, by the tag that points to each."""

    entries: Mapping[int, Entry] = field(default_factory=dict)
    children: Mapping[int, "Directory"] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a TIFF writes numbers: byte order, and the widths of the classic or the big kind."""

    order: str
    big: bool
    first: int

    def unpack(self, code: str, data: Any, offset: int) -> tuple[Any, ...]:
        """Unpack `code` in this byte order, or say that the file is damaged."""
        try:
            return struct.unpack_from(self.order + code, data, offset)
        except struct.error as error:
            raise CorruptImage("a TIFF directory lies beyond the end of the file") from error


def layout_of(data: Any) -> Layout:
    """Read the header of a TIFF file or EXIF block.

    Raises:
        CorruptImage: There is no such header.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise CorruptImage("there is no TIFF header")
    magic = struct.unpack_from(order + "H", data, 2)[0]
    if magic == 42:
        return Layout(order, False, struct.unpack_from(order + "I", data, 4)[0])
    if magic == 43 and len(data) >= 16:
        return Layout(order, True, struct.unpack_from(order + "Q", data, 8)[0])
    raise CorruptImage("there is no TIFF header")


def read_directory(
    data: Any, layout: Layout, offset: int, *, wanted: Container[int] | None = None
) -> tuple[dict[int, Entry], int]:
    """Read one directory; overly long values, and unknown types, are left out.

    Args:
        data: The whole file.
        layout: How it writes numbers.
        offset: Where the directory is.
        wanted: The tags to read, also where they are long; all short ones without it.

    Returns:
        The entries by tag, and the offset of the next directory (0 at the end).

    Raises:
        CorruptImage: It does not lie within the file.
    """
    if not 8 <= offset < len(data):
        raise CorruptImage("a TIFF directory lies beyond the end of the file")
    (count,) = layout.unpack("Q" if layout.big else "H", data, offset)
    if count > _MOST_ENTRIES:
        raise CorruptImage(f"a TIFF directory claims {count} entries")
    place = offset + (8 if layout.big else 2)
    width, inline = (20, 8) if layout.big else (12, 4)
    largest = _LONG if wanted is not None else _SHORT
    entries, room = {}, 4 * _LONG
    for start in range(place, place + width * count, width):
        tag, kind, number = layout.unpack("HHQ" if layout.big else "HHI", data, start)
        size = SIZES.get(kind, 0) * number
        if not 0 < size <= largest or (wanted is not None and tag not in wanted):
            continue
        where = start + width - inline
        if size > inline:
            (where,) = layout.unpack("Q" if layout.big else "I", data, where)
        if where + size <= len(data):
            value = _little(data[where : where + size], kind, layout)
            entries[tag] = Entry(kind, number, value, where)
            room -= size
            if room < 0:
                raise CorruptImage("a TIFF directory claims too many bytes")
    (following,) = layout.unpack("Q" if layout.big else "I", data, place + width * count)
    return entries, following


def directories(data: Any, layout: Layout, wanted: Container[int]) -> Iterator[dict[int, Entry]]:
    """Walk the chain of pages, reading some tags of each.

    Raises:
        CorruptImage: The chain runs in a circle, or out of the file.
    """
    seen: set[int] = set()
    offset = layout.first
    while offset:
        if offset in seen:
            raise CorruptImage("its TIFF directories run in a circle")
        seen.add(offset)
        entries, offset = read_directory(data, layout, offset, wanted=wanted)
        yield entries


def _little(data: bytes, kind: int, layout: Layout) -> bytes:
    word = _WORDS.get(kind, 1)
    if layout.order == "<" or word == 1:
        return bytes(data)
    return b"".join(data[i : i + word][::-1] for i in range(0, len(data), word))


def read_tree(
    data: Any, layout: Layout, offset: int, pointers: tuple[int, ...] = (EXIF, GPS)
) -> Directory:
    """Read a directory and those below it: EXIF and GPS, and below EXIF interoperability."""
    entries, _ = read_directory(data, layout, offset)
    children = {}
    for tag in pointers:
        pointer = entries.pop(tag, None)
        values = pointer.integers() if pointer else ()
        if values:
            below = (INTEROPERABILITY,) if tag == EXIF else ()
            children[tag] = read_tree(data, layout, values[0], below)
    return Directory(entries, children)


def serialise(tree: Directory, offset: int, *, layout: Layout, following: int = 0) -> bytes:
    """Write a directory for the place `offset`, followed by its values and what is below it.

    Args:
        tree: What to write.
        offset: Where in the file the result will stand.
        layout: Byte order and widths to write.
        following: Offset of the next directory.
    """
    tags = sorted({*tree.entries, *tree.children})
    inline, width, code = (8, 20, "Q") if layout.big else (4, 12, "I")
    number, pointer = ("Q", 16) if layout.big else ("H", 4)
    head = struct.calcsize("<" + number) + width * len(tags) + inline
    table, values = struct.pack(layout.order + number, len(tags)), b""
    for tag in tags:
        place = offset + head + len(values)
        if tag in tree.children:
            entry, data = Entry(pointer, 1, b""), b""
            values += _even(serialise(tree.children[tag], place, layout=layout))
            slot = struct.pack(layout.order + code, place)
        else:
            entry = tree.entries[tag]
            data = _little(entry.data, entry.type, layout)
            slot = data.ljust(inline, b"\0")
        if len(data) > inline:
            slot = struct.pack(layout.order + code, place)
            values += _even(data)
        table += struct.pack(layout.order + "HH" + code, tag, entry.type, entry.count) + slot
    return table + struct.pack(layout.order + code, following) + values


def _even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)
