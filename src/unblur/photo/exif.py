"""EXIF blocks: checked once on the way in, completed on the way out.

A block is the word Exif, two zeros and a small TIFF file whose directories hold the tags. The
directory of the thumbnail, which would show the blurred picture, is never kept.
"""

from typing import Any

from unblur.errors import CorruptImage
from unblur.photo.ifd import (
    EXIF,
    IPTC,
    Directory,
    Entry,
    Layout,
    layout_of,
    read_tree,
    serialise,
)

__all__ = [
    "DESCRIPTIVE",
    "decode",
    "encode",
    "from_tiff",
    "orientation_of",
    "with_colour_space",
    "with_note",
    "with_records",
]

_PREFIX = b"Exif\0\0"
_ORIENTATION, _SOFTWARE, _COLOUR_SPACE = 274, 305, 40961
_LITTLE = Layout("<", False, 8)
_MOST_BYTES = 65527
"""What fits one JPEG segment."""

DESCRIPTIVE = frozenset(
    (269, 270, 271, 272, 285, 305, 306, 315, 316, 337, 18246, 18249, 33432, *range(40091, 40096))
)
"""Tags of a TIFF page that describe the photograph rather than the layout of the file."""


def decode(block: bytes) -> Directory:
    """Read an EXIF block.

    Raises:
        CorruptImage: It is damaged.
    """
    data = block.removeprefix(_PREFIX)
    layout = layout_of(data)
    return read_tree(data, layout, layout.first)


def from_tiff(data: Any, layout: Layout) -> tuple[Directory, bytes | None]:
    """Collect from the first page of a TIFF file what an EXIF block would hold.

    Returns:
        The tags, and the IPTC records, which are a tag there.

    Raises:
        CorruptImage: A directory is damaged.
    """
    tree = read_tree(data, layout, layout.first)
    main = {tag: entry for tag, entry in tree.entries.items() if tag in DESCRIPTIVE}
    records = tree.entries.get(IPTC)
    return Directory(main, tree.children), records.data if records else None


def orientation_of(entries: Directory) -> int | None:
    """Return the orientation as it stands there, valid or not; None where there is none."""
    entry = entries.entries.get(_ORIENTATION)
    values = entry.integers() if entry else ()
    return values[0] if values else None


def encode(tree: Directory) -> bytes:
    """Write an EXIF block with orientation 1, since the samples are upright.

    Raises:
        CorruptImage: It would not fit the 64 KiB that formats allow.
    """
    upright = Directory({**tree.entries, _ORIENTATION: _short(1)}, tree.children)
    block = _PREFIX + b"II*\0\x08\0\0\0" + serialise(upright, 8, layout=_LITTLE)
    if len(block) > _MOST_BYTES:
        raise CorruptImage("the EXIF block has more than 64 KiB")
    return block


def with_colour_space(tree: Directory, *, profiled: bool) -> Directory:
    """Say sRGB where nothing is said and there is no profile: encoders say "uncalibrated"."""
    inner = tree.children.get(EXIF, Directory())
    if _COLOUR_SPACE in inner.entries:
        return tree
    entries = {**inner.entries, _COLOUR_SPACE: _short(0xFFFF if profiled else 1)}
    return Directory(tree.entries, {**tree.children, EXIF: Directory(entries, inner.children)})


def with_note(tree: Directory | None, note: str) -> Directory:
    """Add `note` to the Software tag, behind what stands there."""
    tree = tree or Directory()
    old = tree.entries.get(_SOFTWARE)
    text = note.encode("ascii", "replace").replace(b"\0", b" ")
    before = old.data.rstrip(b"\0 ") if old and old.type == 2 else b""
    if before.endswith(text):
        text = before
    elif before:
        text = before + b", " + text
    software = Entry(2, len(text) + 1, text + b"\0")
    return Directory({**tree.entries, _SOFTWARE: software}, tree.children)


def with_records(tree: Directory, records: bytes) -> Directory:
    """Add IPTC records, as a TIFF page has them."""
    return Directory({**tree.entries, IPTC: Entry(7, len(records), records)}, tree.children)


def _short(value: int) -> Entry:
    return Entry(3, 1, value.to_bytes(2, "little"))
