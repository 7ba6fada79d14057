"""IPTC records: bare in TIFF files, wrapped in a Photoshop resource block in JPEG files.

Only the records are carried. The other resources belong to the editor that wrote them, among them
a thumbnail of the blurred picture.
"""

__all__ = ["unwrap", "wrap"]

_BLOCK = b"Photoshop 3.0\0"
_IPTC = b"\x04\x04"


def unwrap(data: bytes) -> bytes | None:
    r"""Return the bare records of a block as JPEG and TIFF files have it; None without any.

    Example:
        >>> unwrap(wrap(b"\x1c\x02\x69\x00\x02Hi"))
        b'\x1c\x02i\x00\x02Hi'
    """
    if data[:1] == b"\x1c":
        return data
    if data[3:4] == b"\x1c" and len(data) % 4 == 0:
        # TIFF writers may count the records in words and turn each of them round.
        return b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
    data, place = data.removeprefix(_BLOCK), 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        kind, name = data[place + 4 : place + 6], data[place + 6]
        # The name with its length byte, and the resource, are each padded to an even length.
        start = place + 6 + (name + 2) // 2 * 2
        size = int.from_bytes(data[start : start + 4], "big")
        if kind == _IPTC:
            return data[start + 4 : start + 4 + size] or None
        place = start + 4 + size + size % 2
    return None


def wrap(records: bytes) -> bytes:
    """Wrap bare records for a JPEG file."""
    padding = bytes(len(records) % 2)
    return _BLOCK + b"8BIM" + _IPTC + b"\0\0" + len(records).to_bytes(4, "big") + records + padding
