"""The report as a page that needs nothing beside it: before, after, kernel, and what was done."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import torch

from unblur.photo import Photo, write

__all__ = ["Preview", "page", "preview"]

_PREVIEW_SIDE = 1600
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 87rem; padding: 1rem }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top }
img { max-width: 640px; max-height: 640px; background: #888 }
img.kernel { image-rendering: pixelated }
table { border-collapse: collapse } td, th { padding: .2rem 1rem .2rem 0; text-align: left }
th { font-weight: 600; vertical-align: top } tr { border-bottom: 1px solid #ddd }
"""


@dataclass(frozen=True)
class Preview:
    """A picture that is small enough to be embedded in a page."""

    caption: str
    content: bytes
    type: str

    @property
    def uri(self) -> str:
        """The picture itself, as a data URI."""
        return f"data:{self.type};base64,{base64.b64encode(self.content).decode('ascii')}"


def preview(caption: str, photo: Photo) -> Preview:
    """Shrink the first page to at most 1600 pixels a side, 8 bit, with its colour profile.

    Example:
        >>> preview("before", Photo.from_tensor(torch.zeros(3, 8, 8))).uri[:22]
        'data:image/png;base64,'
    """
    image = photo.encoded()[:1].clamp(0.0, 1.0)
    factor = max(*photo.size, 1) / _PREVIEW_SIDE
    if factor > 1.0:
        size = [max(1, round(side / factor)) for side in photo.size]
        image = torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)
    small = replace(Photo.from_tensor(image), carried=replace(photo.carried, format="png"))
    buffer = BytesIO()
    write(buffer, small, format="png", strip_metadata=True)
    return Preview(caption, buffer.getvalue(), "image/png")


def page(records: Sequence[tuple[Mapping[str, Any], Sequence[Preview]]]) -> str:
    """Lay out each record with its pictures as one HTML page.

    Example:
        >>> "<td>l0</td>" in page([({"method": "l0"}, [])])
        True
    """
    sections = "\n".join(_section(record, pictures) for record, pictures in records)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>unblur</title>'
        f"<style>{_STYLE}</style></head><body>\n{sections}\n</body></html>\n"
    )


def _section(record: Mapping[str, Any], pictures: Sequence[Preview]) -> str:
    title = html.escape(str(record.get("source", "unblur")))
    figures = "\n".join(
        f'<figure><img class="{html.escape(picture.caption)}" alt="{html.escape(picture.caption)}"'
        f' src="{picture.uri}"><figcaption>{html.escape(picture.caption)}</figcaption></figure>'
        for picture in pictures
    )
    rows = "\n".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_shown(value))}</td></tr>"
        for name, value in _flat(record)
    )
    return f"<h1>{title}</h1>\n{figures}\n<table>\n{rows}\n</table>"


def _flat(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value))
    return rows


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return "; ".join(_shown(item) for item in value)
    return "" if value is None else str(value)
