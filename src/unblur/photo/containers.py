"""What the decoders do not say: how a file is put together around its pixels.

These walks read a few headers and never decode anything. They find what would otherwise be lost
silently: further frames, second pictures, HDR encodings, missing ends.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from unblur.errors import CorruptImage, UnsupportedFormat

__all__ = [
    "DISPLAY_P3",
    "JpegParts",
    "PngParts",
    "jpeg_parts",
    "nclx_of",
    "png_parts",
    "refuse_hdr",
    "webp_is_lossless",
]

DISPLAY_P3 = 12
_PQ, _HLG = 16, 18
_LONGEST_TEXTS = 1 << 16
# Tables of codes and what is reserved, among the markers that begin a frame.
_NO_FRAME = (0xC4, 0xC8, 0xCC)
_STEPS = 0xDB
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True)
class PngParts:
    """What the chunks of a PNG say.

    Attributes:
        bits: Bits per sample in the file.
        palette: Whether samples are indices.
        frames: Frames of an APNG; 1 for a still picture.
        cicp: Primaries and transfer of the cICP chunk.
        gamma: The gAMA chunk's value where it is neither sRGB's nor overruled by a profile.
        complete: Whether the last chunk is there.
        trailing: Bytes after it.
        comments: Keyword and ASCII text of text chunks, up to 64 KiB in all.
        dropped: How many text chunks are not among them.
    """

    bits: int = 8
    palette: bool = False
    frames: int = 1
    cicp: tuple[int, int] | None = None
    gamma: float | None = None
    complete: bool = False
    trailing: int = 0
    comments: tuple[tuple[str, str], ...] = ()
    dropped: int = 0


def png_parts(data: Any) -> PngParts:
    """Walk the chunks of a PNG file (PNG 3rd edition, section 5)."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise CorruptImage("the PNG header is missing")
    found: dict[bytes, bytes] = {}
    texts: list[tuple[str, str]] = []
    room = _LONGEST_TEXTS
    place, complete = 8, False
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        name = bytes(data[place + 4 : place + 8])
        found.setdefault(name, bytes(data[place + 8 : place + 8 + min(size, 16)]))
        if name in (b"tEXt", b"zTXt", b"iTXt"):
            texts.append(_comment(name, bytes(data[place + 8 : place + 8 + min(size, room)]), room))
            room -= sum(map(len, texts[-1]))
        place += 12 + size
        if name == b"IEND":
            complete = place <= len(data)
            break
    cicp, frames, gamma = (found.get(name, b"") for name in (b"cICP", b"acTL", b"gAMA"))
    exponent = int.from_bytes(gamma[:4], "big") / 100_000
    overruled = b"sRGB" in found or b"iCCP" in found or b"cICP" in found
    return PngParts(
        bits=data[24],
        palette=data[25] == 3,
        frames=int.from_bytes(frames[:4], "big") if len(frames) >= 4 else 1,
        cicp=(cicp[0], cicp[1]) if len(cicp) >= 2 else None,
        gamma=None if overruled or not gamma or abs(exponent - 0.4545) < 0.01 else exponent,
        complete=complete,
        trailing=max(0, len(data) - place) if complete else 0,
        comments=tuple(text for text in texts if all(text)),
        dropped=sum(key != "XML:com.adobe.xmp" and not value for key, value in texts),
    )


def _comment(name: bytes, data: bytes, room: int) -> tuple[str, str]:
    """Return keyword and text; an empty text where it is too long, damaged or not ASCII.

    The encoder writes UTF-8 into chunks that are Latin-1 by definition; ASCII is both.
    """
    key, _, value = data.partition(b"\0")
    if name == b"zTXt":
        unpacker = zlib.decompressobj()
        try:
            value = unpacker.decompress(value[1:], room)
        except zlib.error:
            value = b""
        if not unpacker.eof:
            value = b""
    if name == b"iTXt" or len(data) >= room or not (key + value).isascii():
        value = b""
    return key.decode("latin-1"), value.decode("latin-1")


@dataclass(frozen=True)
class JpegParts:
    """What a JPEG file holds beside what its decoder gives.

    Attributes:
        extras: What follows the first picture, in words; None if nothing does.
        coarse_colour: There is one sample of colour for every square of 2 x 2 pixels.
        step: The mean step to which the coefficients of the first component are rounded; 0 where
            the file does not say.
    """

    extras: str | None
    coarse_colour: bool
    step: float


def jpeg_parts(data: Any) -> JpegParts:
    """Walk the segments of the first picture."""
    end, tables, quantisation, frame = _walk_jpeg(data)
    # Precision, height, width and a count come first; of each component: name, factors, table.
    first = frame[8] if len(frame) > 8 else None
    return JpegParts(
        _extras(data, end, tables),
        frame[7::3] == b"\x22\x11\x11",
        _steps(quantisation).get(first, 0.0),
    )


def _steps(segments: bytes) -> dict[int | None, float]:
    """The mean of each table of steps."""
    found: dict[int | None, float] = {}
    place = 0
    while place < len(segments):
        width, name = 1 + (segments[place] >> 4 != 0), segments[place] & 15
        values = segments[place + 1 : place + 1 + 64 * width]
        if len(values) == 64 * width:
            found[name] = sum(struct.unpack(f">64{'BH'[width - 1]}", values)) / 64
        place += 1 + 64 * width
    return found


def _extras(data: Any, end: int | None, tables: bytes) -> str | None:
    if end is None or not data[end : end + 65536].strip(b"\0"):
        return None
    rest = len(data) - end
    if b"hdrgm:" in tables or b"iso:ts:21496" in tables:
        return f"an HDR gain map ({rest} bytes) was left out; the standard picture was processed"
    if b"MotionPhoto" in tables or b"MicroVideo" in tables or data[end + 4 : end + 8] == b"ftyp":
        return f"a video ({rest} bytes) behind the picture was left out"
    if b"MPF\0" in tables:
        return f"further pictures ({rest} bytes) were left out; the first was processed"
    return f"{rest} bytes behind the end of the picture were ignored"


def _walk_jpeg(data: Any) -> tuple[int | None, bytes, bytes, bytes]:
    """Return where the first picture ends, and what its segments hold.

    These are those of applications, of the tables of steps, and of the frame.
    """
    place, tables, steps, frame = 2, b"", b"", b""
    while place + 4 <= len(data) or data[place : place + 2] == b"\xff\xd9":
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xD9:
            return place + 2, tables, steps, frame
        if marker == 0xFF:
            place += 1
            continue
        if marker == 1 or 0xD0 <= marker <= 0xD8:
            place += 2
            continue
        size = int.from_bytes(data[place + 2 : place + 4], "big")
        if 0xE0 <= marker <= 0xEF and len(tables) < 1 << 20:
            tables += bytes(data[place + 4 : place + 2 + size])
        if marker == _STEPS and len(steps) < 1 << 12:
            steps += bytes(data[place + 4 : place + 2 + size])
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            frame = bytes(data[place + 4 : place + 2 + size])
        place += 2 + size
        if marker == 0xDA:
            found = _MARKER.search(data, place)
            if found is None:
                break
            place = found.start()
    return None, tables, steps, frame


def webp_is_lossless(data: Any) -> bool:
    """Tell whether the first picture of a WebP file is a VP8L chunk."""
    place = 12
    while place + 8 <= len(data):
        name = data[place : place + 4]
        if name in (b"VP8 ", b"VP8L"):
            return bool(name == b"VP8L")
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        # An animation's frame has a header of 16 bytes, then the chunks of the picture.
        place += 24 if name == b"ANMF" else 8 + size + size % 2
    return False


def nclx_of(data: Any) -> tuple[int, int] | None:
    """Return primaries and transfer (ITU-T H.273) of the colour box of an AVIF or HEIC file."""
    place = data.find(b"colrnclx", 0, 1 << 20)
    if place < 0 or place + 12 > len(data):
        return None
    primaries, transfer = struct.unpack_from(">HH", data, place + 8)
    return primaries, transfer


def refuse_hdr(code: tuple[int, int] | None, label: str, *, profiled: bool) -> None:
    """Refuse PQ and HLG: their values are no ordinary light, and would come back wrong.

    Raises:
        UnsupportedFormat: The transfer is PQ or HLG; or there is no profile, and the primaries are
            none that a profile could be given for.
    """
    if code is None:
        return
    primaries, transfer = code
    if transfer in (_PQ, _HLG):
        name = "PQ" if transfer == _PQ else "HLG"
        raise UnsupportedFormat(
            f"{label} is encoded for HDR ({name}); convert it to SDR or linear float TIFF"
        )
    if not profiled and primaries not in (0, 1, 2, 5, 6, DISPLAY_P3):
        raise UnsupportedFormat(
            f"{label} has the colour primaries {primaries} of ITU-T H.273 and no profile; "
            "convert it to sRGB or Display P3"
        )
