"""What the metadata of a photograph say of the camera, the lens, and how it was set."""

import struct
from dataclasses import asdict, dataclass

from unblur.errors import CorruptImage
from unblur.photo import Photo
from unblur.photo.exif import decode
from unblur.photo.ifd import EXIF, Directory

__all__ = ["Shot", "shot_of"]

_MAKE, _MODEL = 271, 272
_APERTURE, _FOCAL_LENGTH, _LENS_MAKE, _LENS = 33437, 37386, 42035, 42036
# Cameras round these numbers, each in its own way.
_CLOSE = 0.05


@dataclass(frozen=True)
class Shot:
    """Names and settings; what is not known is empty or None.

    Attributes:
        camera: make and model.
        lens: make and model.
        focal_length: in millimetres.
        aperture: the f-number.
    """

    camera: str = ""
    lens: str = ""
    focal_length: float | None = None
    aperture: float | None = None

    def differences(self, other: "Shot") -> tuple[str, ...]:
        """What contradicts `other`, in words; what either does not know contradicts nothing.

        Example:
            >>> Shot("X 1", "Prime", 50.0).differences(Shot("X 1", "Zoom"))
            ('the lens is Prime, not Zoom',)
        """
        found = []
        for name, value in asdict(self).items():
            wanted = asdict(other)[name]
            if not value or not wanted:
                continue
            if isinstance(value, str):
                same = value.casefold() == wanted.casefold()
            else:
                same = abs(value - wanted) <= _CLOSE * wanted
            if not same:
                shown = [
                    f"{each:g}" if isinstance(each, float) else each for each in (value, wanted)
                ]
                found.append(f"the {name.replace('_', ' ')} is {shown[0]}, not {shown[1]}")
        return tuple(found)

    def __str__(self) -> str:
        parts = [self.camera, self.lens]
        parts.append(f"{self.focal_length:g} mm" if self.focal_length else "")
        parts.append(f"f/{self.aperture:g}" if self.aperture else "")
        return ", ".join(part for part in parts if part) or "unknown camera and lens"


def shot_of(photo: Photo) -> Shot:
    """Read the names and settings from a photo's EXIF block.

    Example:
        >>> import torch
        >>> str(shot_of(Photo.from_tensor(torch.zeros(1, 4, 4))))
        'unknown camera and lens'
    """
    if photo.carried.exif is None:
        return Shot()
    try:
        tree = decode(photo.carried.exif)
    except CorruptImage:
        return Shot()
    inner = tree.children.get(EXIF, Directory())
    return Shot(
        _joined(_text(tree, _MAKE), _text(tree, _MODEL)),
        _joined(_text(inner, _LENS_MAKE), _text(inner, _LENS)),
        _ratio(inner, _FOCAL_LENGTH),
        _ratio(inner, _APERTURE),
    )


def _text(tree: Directory, tag: int) -> str:
    entry = tree.entries.get(tag)
    if entry is None or entry.type != 2:
        return ""
    words = entry.data.split(b"\0")[0].decode("utf-8", "replace").split()
    return "".join(c for c in " ".join(words) if c.isprintable())[:200]


def _joined(make: str, model: str) -> str:
    """Make and model; many models begin with their make."""
    if model.casefold().startswith(make.casefold()):
        return model
    return f"{make} {model}".strip()


def _ratio(tree: Directory, tag: int) -> float | None:
    entry = tree.entries.get(tag)
    if entry is None or entry.type != 5 or len(entry.data) < 8:
        return None
    above, below = struct.unpack_from("<II", entry.data)
    return above / below if above and below else None
