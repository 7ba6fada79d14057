"""Opening what was given, safely: only regular files, never by guessing from a name."""

import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from unblur.errors import CorruptImage, ImageTooLarge, InputError
from unblur.files import AnyPath, open_regular, shown
from unblur.photo import vips

__all__ = ["Content", "Source", "drain", "opened"]

Source = AnyPath | bytes | BinaryIO
_STREAM_LIMIT = 4 << 30


@dataclass(frozen=True)
class Content:
    """The bytes of one picture, mapped rather than copied where they are a file.

    Attributes:
        data: All bytes, readable by slices.
        label: What messages call it: the file name, or "the picture".
        descriptor: The open file, or None for bytes and streams.
    """

    data: bytes | mmap.mmap
    label: str
    descriptor: int | None = None

    @property
    def head(self) -> bytes:
        """The first 4 KiB."""
        return self.data[:4096]

    def source(self) -> Any:
        """Make a fresh libvips source; valid while this content is open."""
        if self.descriptor is not None:
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            return vips.source_of_descriptor(self.descriptor)
        return vips.source_of_bytes(bytes(self.data))

    def stream(self) -> BinaryIO:
        """Make a seekable stream for libraries that want one; the caller closes it."""
        if self.descriptor is not None:
            copy = os.dup(self.descriptor)
            os.lseek(copy, 0, os.SEEK_SET)
            return os.fdopen(copy, "rb")
        return io.BytesIO(self.data)


@contextmanager
def opened(source: Source) -> Iterator[Content]:
    """Open a path, bytes or a binary stream.

    Raises:
        InputError: The path is missing, unreadable, or not a regular file (a directory, a pipe, a
            device, a dangling or circular link).
        CorruptImage: It is empty.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield _of_bytes(bytes(source))
    elif isinstance(source, str | os.PathLike):
        with _file(source) as content:
            yield content
    elif callable(getattr(source, "read", None)):
        yield _of_bytes(drain(source))
    else:
        raise InputError(
            f"a picture is a path, bytes or a binary stream, got {type(source).__name__}"
        )


@contextmanager
def _file(path: AnyPath) -> Iterator[Content]:
    label = shown(path)
    descriptor = open_regular(path)
    try:
        if os.fstat(descriptor).st_size == 0:
            raise CorruptImage(f"{label} is empty (0 bytes): copy it anew from where it came")
        try:
            mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InputError(f"{label} cannot be read: {error}") from error
        with mapped:
            yield Content(mapped, label, descriptor)
    finally:
        os.close(descriptor)


def drain(stream: BinaryIO) -> bytes:
    """Read a stream to its end; one that is no picture is left after the first bytes.

    Raises:
        InputError: It gives text, or what is no picture.
        ImageTooLarge: It does not end within 4 GiB.
    """
    # Imported late: sniffing is needed here only to leave endless streams early.
    from unblur.photo.sniff import sniff

    head = stream.read(4096)
    if not isinstance(head, bytes):
        raise InputError("a stream must be opened in binary mode")
    if head:
        sniff(head, "the picture")
    data = head + stream.read(_STREAM_LIMIT + 1)
    if len(data) > _STREAM_LIMIT:
        raise ImageTooLarge(f"the stream has more than {_STREAM_LIMIT} bytes; give a file instead")
    return data


def _of_bytes(data: bytes) -> Content:
    if not data:
        raise CorruptImage("the picture is empty (0 bytes): nothing was sent or read")
    return Content(data, "the picture")
