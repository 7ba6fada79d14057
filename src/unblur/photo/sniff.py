"""Which format some bytes are, by their first bytes only; a list of what is allowed in."""

from unblur.errors import UnsupportedFormat

__all__ = ["READABLE", "sniff"]

READABLE = "JPEG, PNG, TIFF, WebP, AVIF, GIF, HEIC and camera raw"

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
_PLAIN = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    *((magic, "raw") for magic in _RAW),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis"}
_SEQUENCE_BRANDS = {b"avis", b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
_KNOWN = (
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"BM", "BMP"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
)


def sniff(head: bytes, label: str) -> str:
    """Name the format: "jpeg", "png", "tiff", "webp", "avif", "heif", "gif" or "raw".

    A raw file that is a TIFF inside is called "tiff" here; its directory tells them apart.

    Raises:
        UnsupportedFormat: It is none of these, or a sequence of which only one frame would be read.

    Example:
        >>> sniff(b"GIF89a and so on", "picture.jpg")
        'gif'
    """
    for magic, kind in _PLAIN:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(_TIFF):
        return "raw" if head[8:10] == b"CR" else "tiff"
    if head[4:8] == b"ftyp":
        return _iso_media(head, label)
    raise UnsupportedFormat(f"{label} is {_describe(head)}; {READABLE} can be read")


def _iso_media(head: bytes, label: str) -> str:
    size = min(int.from_bytes(head[:4], "big"), len(head), 512)
    major = head[8:12]
    brands = {major} | {head[i : i + 4] for i in range(16, size - 3, 4)}
    if major == b"crx ":
        return "raw"
    if major in _SEQUENCE_BRANDS:
        raise UnsupportedFormat(
            f"{label} is an image sequence, of which only one frame would be read; "
            "export its frames as PNG or GIF first"
        )
    if b"avif" in brands:
        return "avif"
    if brands & _HEIF_BRANDS:
        return "heif"
    raise UnsupportedFormat(f"{label} is a video or another media file; {READABLE} can be read")


def _describe(head: bytes) -> str:
    for magic, name in _KNOWN:
        if head.startswith(magic):
            return name
    text = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "SVG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return "no picture in a known format"
