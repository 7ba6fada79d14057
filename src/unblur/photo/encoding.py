"""A photo as an encoder wants it: interleaved samples, metadata, options."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from unblur.errors import CorruptImage
from unblur.photo import exif, iptc, tiff, vips
from unblur.photo.formats import HOLDS
from unblur.photo.ifd import Directory
from unblur.photo.photo import Photo

__all__ = ["Encoded", "prepare"]

_ALL_FILTERS = 248
_CLASSIC_TIFF = 3_900_000_000
_MOST_OPTIMISED = 3 << 25


@dataclass(frozen=True)
class Encoded:
    """Something that can be saved.

    Attributes:
        image: Pixels and metadata.
        kind: The format.
        options: Options of its encoder.
        tags: What a TIFF file gets besides, since its encoder knows no EXIF.
        everything: Whether metadata is written at all.
        warnings: What could not be kept.
    """

    image: vips.Image
    kind: str
    options: dict[str, Any]
    tags: Directory | None = None
    everything: bool = True
    warnings: tuple[str, ...] = ()

    def save(self, descriptor: int) -> None:
        """Write it into an open, empty file.

        Raises:
            vips.Error: The encoder or the system refuses.
        """
        vips.save(self.image, descriptor, self.kind, self.options, everything=self.everything)
        if self.kind == "tiff" and self.tags is not None and self.everything:
            tiff.add_tags(descriptor, self.tags)


def prepare(
    photo: Photo, kind: str, *, quality: int, note: str | None, strip_metadata: bool
) -> Encoded:
    """Make a photo that fits the format ready for its encoder."""
    options, warnings = _options(photo, kind, quality)
    photo, refused = _without_refused_profile(photo, kind)
    warnings += refused
    image = _interleaved(photo)
    tags = None
    if not strip_metadata:
        tags, dropped = _tags(photo, note)
        warnings += dropped
    for name, value in _fields(photo, kind).items():
        vips.with_field(image, name, value)
    if kind != "tiff" and not strip_metadata:
        vips.with_exif(image, _block(tags or Directory(), photo))
    if photo.carried.iptc is not None:
        # The encoder counts IPTC in words of four bytes and cuts the rest.
        tags = exif.with_records(tags or Directory(), photo.carried.iptc)
    return Encoded(image, kind, options, tags, not strip_metadata, warnings)


def _without_refused_profile(photo: Photo, kind: str) -> tuple[Photo, tuple[str, ...]]:
    profile = photo.carried.icc
    if kind != "png" or profile is None or vips.png_takes(profile, int(photo.samples.shape[1])):
        return photo, ()
    carried = replace(photo.carried, icc=None)
    return replace(photo, carried=carried), ("PNG refuses the colour profile; it was left out",)


def _interleaved(photo: Photo) -> vips.Image:
    """Wrap the samples; they are copied only where they do not lie interleaved already."""
    image = _wrapped(photo.samples)
    if photo.alpha is not None:
        colours = image.interpretation
        image = image.bandjoin(_wrapped(photo.alpha)).copy(interpretation=colours)
    return image.copy(xres=photo.carried.xres, yres=photo.carried.yres)


def _wrapped(samples: torch.Tensor) -> vips.Image:
    rows = samples.detach().cpu().permute(0, 2, 3, 1).contiguous().flatten(0, 1)
    return vips.from_array(rows.numpy())


def _options(photo: Photo, kind: str, quality: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    if kind == "avif":
        return _avif_options(photo, quality)
    if kind == "webp" and photo.carried.lossless:
        return {"lossless": True, "exact": True, "effort": 4}, ()
    size = photo.samples.numel() * photo.samples.element_size() * 4 // 3
    options: dict[str, dict[str, Any]] = {
        "jpeg": {
            "Q": quality,
            # Better codes need all coefficients in memory, some 12 bytes per pixel.
            "optimize_coding": photo.samples.numel() <= _MOST_OPTIMISED,
            "subsample_mode": "off" if quality >= 90 else "auto",
        },
        # Adaptive filters do most of the work on photographs; more effort costs time for little.
        "png": {"compression": 4, "filter": _ALL_FILTERS},
        "tiff": {
            "compression": "deflate",
            # Many readers know no predictor for floats.
            "predictor": "none" if photo.depth == 32 else "horizontal",
            "bigtiff": size > _CLASSIC_TIFF,
        },
        "webp": {"Q": quality, "effort": 4, "smart_subsample": True},
        "gif": {"effort": 7},
    }
    return options[kind], ()


def _avif_options(photo: Photo, quality: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    bits = 8
    if photo.depth == 16:
        bits = photo.carried.bits if photo.carried.bits in (10, 12) else 12
    options = {"compression": "av1", "Q": quality, "bitdepth": bits, "subsample_mode": "off"}
    if photo.depth == 16 and photo.carried.bits > bits:
        return options, (f"samples were rounded to {bits} bits, the most that AVIF holds",)
    return options, ()


def _tags(photo: Photo, note: str | None) -> tuple[Directory | None, tuple[str, ...]]:
    block, tags = photo.carried.exif, None
    warnings: tuple[str, ...] = ()
    if block is not None:
        try:
            tags = exif.decode(block)
        except CorruptImage as error:
            warnings = (f"EXIF was left out: {error}",)
    if note is not None:
        noted = exif.with_note(tags, note)
        try:
            exif.encode(noted)
        except CorruptImage as error:
            return tags, (*warnings, f"the note was left out: {error}")
        tags = noted
    return tags, warnings


def _block(tags: Directory, photo: Photo) -> bytes:
    told = exif.with_colour_space(tags, profiled=photo.carried.icc is not None)
    try:
        return exif.encode(told)
    except CorruptImage:
        # There was room for no further tag.
        return exif.encode(tags)


def _fields(photo: Photo, kind: str) -> dict[str, Any]:
    """Return the metadata under the names of libvips."""
    carried = photo.carried
    found: dict[str, Any] = {"orientation": 1}
    if photo.pages > 1:
        found["page-height"] = photo.size[0]
        if carried.delays is not None:
            found["delay"] = list(carried.delays)
        if carried.loop is not None:
            found["loop"] = carried.loop
    profile = carried.icc
    if profile is None and photo.depth == 32 and carried.encoding == "srgb":
        # Floats without a profile are read as linear light.
        profile = vips.profile("srgb") if photo.samples.shape[1] == 3 else None
    if profile is not None and "icc" in HOLDS[kind].carries:
        found["icc-profile-data"] = profile
    if carried.xmp is not None:
        found["xmp-data"] = carried.xmp
    if carried.iptc is not None and kind == "jpeg":
        found["iptc-data"] = iptc.wrap(carried.iptc)
    if kind == "png":
        for index, (name, text) in enumerate(carried.comments):
            found[f"png-comment-{index}-{name}"] = text
    return found
