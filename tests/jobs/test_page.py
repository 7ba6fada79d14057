from html.parser import HTMLParser

import pytest
import torch

from unblur.jobs.page import page, preview
from unblur.photo import Photo, read


class Reader(HTMLParser):
    """Collects what a page shows and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("depth", [8, 16, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_preview_is_small(depth: int, channels: int) -> None:
    photo = Photo.from_tensor(torch.rand(1, channels, 20, 3200), depth=depth)
    small = preview("before", photo)
    assert read(small.content).size == (10, 1600)


def test_a_small_picture_is_shown_as_it_is() -> None:
    photo = Photo.from_tensor(torch.rand(1, 3, 5, 7))
    assert read(preview("before", photo).content).size == (5, 7)


def test_a_page_needs_nothing_beside_it() -> None:
    picture = preview("before", Photo.from_tensor(torch.rand(1, 3, 5, 7)))
    reader = Reader()
    reader.feed(page([({"source": "a.png", "kernel": {"size": [3, 5]}}, [picture])]))
    assert reader.sources
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert {"before", "kernel.size", "3; 5"} <= set(reader.text)


def test_names_are_text_and_never_markup() -> None:
    text = page([({"source": "<script>alert(1)</script>", "a<b": "<img src=x>"}, [])])
    assert "<script" not in text
    assert "<img" not in text
