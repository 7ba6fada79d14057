"""What happens to one sharp crop: drawn first, done later, on any device."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unblur.blur.checks import size_pair
from unblur.blur.depth import Defocus
from unblur.blur.synthesis.kinds import draw_blur
from unblur.blur.synthesis.lots import Lots
from unblur.blur.synthesis.settings import Kind, Synthesis

__all__ = ["Plan", "draw"]

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is random about one pair. The neutral values are the defaults.

    Attributes:
        kind: of blur.
        kernel: (h, w) of a uniform blur.
        path: (N, 3, 3) homographies of a moving camera or a stretching lens.
        defocus: by depth.
        brightness: of the camera's tone curve.
        contrast: of the camera's tone curve.
        boost: what white becomes before the blur.
        gain: of the shot noise.
        read_std: of the read noise.
        quality: of JPEG; None for no compression.
        seed: of the noise.

    Example:
        >>> Plan("motion", kernel=torch.full((1, 3), 1 / 3)).boost
        1.0
    """

    kind: Kind = "none"
    kernel: Tensor | None = None
    path: Tensor | None = None
    defocus: Defocus | None = None
    brightness: float = 0.0
    contrast: float = 1.0
    boost: float = 1.0
    gain: float = 0.0
    read_std: float = 0.0
    quality: int | None = None
    seed: int = 0


def draw(
    settings: Synthesis,
    count: int,
    size: Size,
    generator: torch.Generator,
    *,
    frames: bool = False,
) -> tuple[Plan, ...]:
    """Draw what shall happen to `count` crops.

    Args:
        settings: what is possible.
        count: how many.
        size: (height, width) of the patches, without the margin of the crops.
        generator: where all randomness comes from; best on the CPU.
        frames: whether there are consecutive frames to average.

    Raises:
        ParameterError: `size` is not one, or `settings` leave no kind to draw.

    Example:
        >>> plans = draw(Synthesis(bank=1), 5, (64, 64), torch.Generator().manual_seed(4))
        >>> [plan.kind for plan in plans]
        ['disk', 'disk', 'disk', 'shake', 'none']
    """
    size, lots = size_pair("size", size), Lots(generator)
    probabilities = settings.probabilities(frames=frames)
    plans = []
    for _ in range(count):
        kind = lots.choose(probabilities)
        plan = Plan(kind, **draw_blur(kind, settings, size, lots))
        plans.append(replace(plan, **_camera(settings, lots)))
    return tuple(plans)


def _camera(settings: Synthesis, lots: Lots) -> dict[str, Any]:
    tone, bright = lots.chance(settings.tone), lots.chance(settings.highlights)
    noise, jpeg = lots.chance(settings.noise), lots.chance(settings.jpeg)
    # Drawn whether used or not: what one stage does leaves the lots of the others alone.
    drawn = {
        "brightness": lots.even(settings.brightness),
        "contrast": lots.steep(settings.contrast),
        "boost": lots.steep(settings.boost),
        "gain": lots.steep(settings.gain),
        "read_std": lots.steep(settings.read_std),
        "quality": round(lots.even(settings.quality)),
        "seed": lots.below(2**53),
    }
    used = {
        "brightness": tone,
        "contrast": tone,
        "boost": bright,
        "gain": noise,
        "read_std": noise,
        "quality": jpeg,
        "seed": True,
    }
    return {name: value for name, value in drawn.items() if used[name]}
