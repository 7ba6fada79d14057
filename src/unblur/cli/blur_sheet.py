"""A contact sheet of random training pairs."""

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from unblur.blur.synthesis import Plan, Sample, Synthesis, draw, render
from unblur.errors import InputError, OutputError
from unblur.files import write_whole
from unblur.photo.transfer import SRGB

if TYPE_CHECKING:
    from unblur.photo import Photo

__all__ = ["contact_sheet", "save_sheet"]

_COLUMNS, _ROWS = 4, 6
_SIDE = 144
_GAP, _CAPTION = 10, 18
_SETTINGS = Synthesis()


def contact_sheet(photos: "list[Photo]", seed: int) -> "tuple[Image.Image, Sample]":
    """Draw 24 random pairs: the sharp crop, the blurred one, and what became of points of light.

    The pictures take turns. The blur of a whole crop is drawn as its kernel, enlarged; where it
    varies, as that of nine points. Both are drawn as square roots, so that faint parts show.

    Returns:
        The sheet, and the pairs in its order, row by row.

    Raises:
        InputError: A picture is smaller than a crop.
    """
    generator = torch.Generator().manual_seed(seed)
    count = _COLUMNS * _ROWS
    # Each row begins with another picture, so that columns are mixed too.
    turns = [(n + n // _COLUMNS) % len(photos) for n in range(count)]
    crops = torch.cat([_crop(photos[turn], generator) for turn in turns])
    sample = render(crops, draw(_SETTINGS, count, (_SIDE, _SIDE), generator), _SETTINGS)
    width, height = 3 * _SIDE + 2, _SIDE + _CAPTION
    sheet = Image.new(
        "RGB",
        (_COLUMNS * (width + _GAP) + _GAP, _ROWS * (height + _GAP) + _GAP),
        "white",
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for n, plan in enumerate(sample.plans):
        left = _GAP + n % _COLUMNS * (width + _GAP)
        top = _GAP + n // _COLUMNS * (height + _GAP)
        panels = (sample.sharp[n], sample.blurred[n], _drawn(sample.kernels[n], plan))
        for place, panel in enumerate(panels):
            sheet.paste(_picture(panel), (left + place * (_SIDE + 1), top))
        pen.text((left, top + _SIDE + 2), _caption(plan), fill="black", font=font)
    return sheet, sample


def save_sheet(name: str, sheet: "Image.Image", *, overwrite: bool) -> None:
    """Write the sheet whole or not at all, in the format that the name says.

    Raises:
        OutputError: The name says none, or the disk fails.
    """
    known = Image.registered_extensions()
    suffix = "." + name.rpartition(".")[2].lower()
    if suffix not in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"):
        raise OutputError(f"{name} must end in .png, .jpg, .webp or .tif for a contact sheet")
    content = BytesIO()
    sheet.save(content, known[suffix], **({"optimize": True} if suffix == ".png" else {}))
    write_whole(name, content.getvalue(), overwrite=overwrite)


def _crop(photo: "Photo", generator: torch.Generator) -> Tensor:
    """A random crop of a random page, sRGB in colour, (1, 3, side, side)."""
    side = _SIDE + 2 * _SETTINGS.margin
    height, width = photo.size
    if min(height, width) < side:
        raise InputError(f"a contact sheet needs pictures of {side} x {side} pixels or more")
    lots = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    top, left = int(lots[0] * (height - side + 1)), int(lots[1] * (width - side + 1))
    part = photo.samples[:1, :, top : top + side, left : left + side]
    light = replace(photo, samples=part, alpha=None).linear()
    return SRGB.to_encoded(light).clamp(0, 1).expand(-1, 3, -1, -1)


def _drawn(kernel: Tensor, plan: Plan) -> Tensor:
    """The kernel enlarged, or the blurred points of light; (1, side, side) in [0, 1]."""
    if not bool(kernel.any()):
        # Each point by its own maximum: wide spots are as visible as narrow ones.
        kernel = _points(plan).reshape(3, _SIDE // 3, 3, _SIDE // 3)
        kernel = (kernel / kernel.amax((1, 3), keepdim=True)).reshape(_SIDE, _SIDE)
    else:
        middle = kernel.shape[0] // 2
        reach = max(int((kernel.nonzero() - middle).abs().max()), 4)
        kernel = kernel[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    shown = (kernel.clamp(min=0) / kernel.max()).sqrt()
    places = torch.arange(_SIDE) * len(shown) // _SIDE
    return shown[places][:, places][None]


def _points(plan: Plan) -> Tensor:
    """What becomes of nine points of light under the plan's blur alone."""
    side = _SIDE + 2 * _SETTINGS.margin
    dark = torch.zeros(1, 3, side, side)
    step = _SIDE // 3
    dark[..., _SETTINGS.margin + step // 2 :: step, _SETTINGS.margin + step // 2 :: step] = 1
    alone = Plan(plan.kind, path=plan.path, defocus=plan.defocus)
    bare = replace(_SETTINGS, linear=False, levels=0)
    return render(dark, [alone], bare).blurred[0, 0]


def _picture(panel: Tensor) -> "Image.Image":
    levels = (panel * 255).round().clamp(0, 255).byte().expand(3, -1, -1)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def _caption(plan: Plan) -> str:
    """What was drawn, in a line."""
    said: list[str] = [plan.kind]
    if plan.boost > 1:
        said.append(f"light x {plan.boost:.1f}")
    if plan.gain > 0:
        said.append(f"{1 / plan.gain:.0f} photons, read {100 * plan.read_std:.2f} %")
    if plan.contrast != 1:
        said.append(f"tone {plan.brightness:+.2f}, {plan.contrast:.2f}")
    if plan.quality is not None:
        said.append(f"JPEG {plan.quality}")
    return "; ".join(said)
