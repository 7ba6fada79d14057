"""The printed target."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblur.errors import OutputError, ParameterError
from unblur.lens.chart import chart, save_chart


def test_the_noise_has_the_spectrum_of_photographs() -> None:
    picture = chart((512, 512), seed=3)
    part = picture[70:250, 120:230]
    assert 0 <= picture.min() <= picture.max() <= 1
    power = np.abs(np.fft.fft2(part - part.mean()) * 1.0) ** 2
    y, x = np.meshgrid(np.fft.fftfreq(180), np.fft.fftfreq(110), indexing="ij")
    frequency = np.hypot(y, x)
    bands = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.4)]
    means = [power[(frequency >= low) & (frequency < high)].mean() for low, high in bands]
    # A factor of two in frequency is one of four in power.
    for coarse, fine in pairwise(means):
        assert 2 < coarse / fine < 8


def test_every_place_looks_otherwise() -> None:
    picture = chart((256, 256), seed=0)
    assert np.abs(picture - chart((256, 256), seed=1)).mean() > 0.05
    assert (picture == chart((256, 256), seed=0)).all()
    block = picture[100:132, 60:92] - picture[100:132, 60:92].mean()
    others = [picture[y : y + 32, x : x + 32] for y in (10, 150, 200) for x in (20, 120, 210)]
    for other in others:
        rest = other - other.mean()
        alike = (block * rest).sum() / np.sqrt((block**2).sum() * (rest**2).sum())
        assert abs(alike) < 0.5


@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_sheet_has_the_size_of_its_paper(tmp_path: Path, ending: str, magic: bytes) -> None:
    path = tmp_path / f"chart{ending}"
    # 210 x 297 millimetres at 60 dots an inch.
    assert save_chart(path, paper="a4", dpi=60) == (496, 702)
    content = path.read_bytes()
    assert content.startswith(magic)
    if ending == ".png":
        with Image.open(path) as image:
            assert image.size == (702, 496)
            assert image.info["dpi"] == pytest.approx((60, 60), abs=0.1)
    else:
        # 297 x 210 millimetres are 842 x 595 points.
        assert b"842.4" in content or b"842" in content
    with pytest.raises(OutputError, match="exists"):
        save_chart(path, paper="a4", dpi=60)


def test_what_cannot_be_printed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="paper must be one of"):
        save_chart(tmp_path / "a.png", paper="a9")
    with pytest.raises(ParameterError, match="dpi"):
        save_chart(tmp_path / "a.png", dpi=10)
    with pytest.raises(OutputError, match=r"\.png or \.pdf"):
        save_chart(tmp_path / "a.jpg")
    with pytest.raises(ParameterError, match="64 pixels"):
        chart((10, 300))
    assert list(tmp_path.iterdir()) == []
