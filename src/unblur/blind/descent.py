"""The kernel and the prediction in turn: from coarse to fine, and again at the finest level."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from unblur.blind.kernel_step import Gradients, fit_kernel, support_radius
from unblur.blind.prediction import predict, predict_spectrum
from unblur.blind.settings import Settings
from unblur.blur import Kernel
from unblur.fourier import inverse, taper_edges
from unblur.progress import Progress, report

__all__ = ["Pace", "descend", "refine"]

# A level must show this many windows side by side: with less, the border is all there is.
_WINDOWS = 4
_LEAST_SIDE = 3
# Pixels that the support may grow by, on each side and at each finer level, where the size is
# found.
_ROOM = 2


@dataclass(frozen=True)
class Pace:
    """How a refinement goes: its weights of the prior, as multiples of those of the settings.

    Attributes:
        first: of lambda_min, at the first iteration.
        last: the same at the last.
        gamma: of gamma.
        steps: how many iterations.
        fresh: every so many predictions begin from nothing, the others with the one before.
        threshold: of kernel_threshold_max.
        judged: whether what it ends with is one to choose from; the last always is.
    """

    first: float
    last: float
    gamma: float
    steps: int
    fresh: int = 1
    threshold: float = 1.0
    judged: bool = False


@dataclass
class _Descent:
    """One candidate on its way down."""

    settings: Settings
    sides: list[int]
    weight: float
    kernel: Tensor
    prediction: Tensor | None = None

    def side(self, level: int) -> int:
        """The kernel's side at a level."""
        done = len(self.sides) - 1 - level
        if self.settings.kernel_size or done == 0:
            return self.sides[done]
        radius = support_radius(self.kernel) + _ROOM / 2
        return min(
            _odd(2 * radius / self.settings.scale_factor + 1), _largest(self.settings, level)
        )


@dataclass(frozen=True)
class _Level:
    """What the candidates share at a level."""

    blurred: Tensor
    gradients: Gradients
    settings: Settings
    weights: Tensor

    def settle(
        self, predictions: Tensor, sides: Sequence[int]
    ) -> list[tuple[Tensor, Tensor, float]]:
        """Fit and predict in turn; the kernel, the prediction and the next weight of each."""
        kernels, weights = predictions[:, :1, :1], self.weights
        spectra = torch.fft.rfft2(predictions)
        for _ in range(self.settings.iterations):
            kernels = _fit(spectra, self.gradients, sides, self.settings)
            spectra = predict_spectrum(self.blurred, kernels, weights)
            weights = (weights / self.settings.lambda_ratio).clamp(min=self.settings.lambda_min)
        predictions = inverse(spectra, self.gradients.size)
        return list(zip(kernels, predictions, weights.tolist(), strict=True))


def descend(
    grey: Tensor,
    tried: Sequence[Settings],
    start: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Take every candidate down to the last level but one, side by side.

    Args:
        grey: the blurred picture, (H, W).
        tried: the candidates' settings; the kernel's side, the first weight and the number of
            levels may differ, everything else is the first one's.
        start: a kernel (h, w) to start from instead of the blurred picture.
        progress: called before each level; may raise `Cancelled`.

    Returns:
        The picture at that level (the finest where there is but one), and each kernel.
    """
    first = tried[0]
    paths = [
        _Descent(one, _sides(one, min(grey.shape)), one.lambda_start, grey.new_ones(1, 1))
        for one in tried
    ]
    levels = max(len(path.sides) for path in paths)
    last = 1 if min(len(path.sides) for path in paths) > 1 else 0
    seen = grey
    for level in range(levels - 1, last - 1, -1):
        report(progress, "kernel", (levels - 1 - level) / (levels - last))
        active = [path for path in paths if len(path.sides) > level]
        scale = first.scale_factor**level
        seen = _resize(grey, scale)
        sides = [min(path.side(level), _fitting(seen)) for path in active]
        radius = max(sides) // 2
        blurred = taper_edges(seen, (radius, radius))
        weights = blurred.new_tensor([path.weight for path in active])
        shared = _Level(blurred, Gradients.of(blurred), first, weights)
        predictions = torch.stack([_begin(path, blurred, start, scale) for path in active])
        settled = shared.settle(predictions, sides)
        for path, side, (kernel, prediction, weight) in zip(active, sides, settled, strict=True):
            path.prediction, path.weight = prediction, weight
            path.kernel = Kernel(kernel).crop(side).pixels
    return seen, [path.kernel for path in paths]


def refine(
    grey: Tensor,
    kernel: Tensor,
    scale: float,
    settings: Settings,
    pace: Pace,
    *,
    progress: Progress | None = None,
) -> Tensor:
    """Go on with a kernel at full resolution, with ever smaller weights of the prior.

    Args:
        grey: the blurred picture or a part of it, (H, W).
        kernel: (h, w), found at a coarser level.
        scale: of this level over that one, at least 1.
        settings: see `Settings`.
        pace: how the weights fall.
        progress: called before each iteration; may raise `Cancelled`.

    Returns:
        The kernel, (side, side).
    """
    grown = Kernel(kernel).resize(scale).pixels if scale > 1 else kernel
    side = settings.kernel_size or min(
        2 * (support_radius(grown) + _ROOM) + 1, _largest(settings, 0)
    )
    inner = min(side, _fitting(grey))
    fitted = Kernel(grown).crop(inner).pixels
    blurred = taper_edges(grey, (inner // 2, inner // 2))
    gradients = Gradients.of(blurred)
    eased = replace(
        settings,
        gamma=pace.gamma * settings.gamma,
        kernel_threshold_max=pace.threshold * settings.kernel_threshold_max,
    )
    spectrum: Tensor | None = None
    for step in range(pace.steps):
        report(progress, "kernel", step / pace.steps)
        share = step / max(pace.steps - 1, 1)
        weight = settings.lambda_min * pace.first ** (1 - share) * pace.last**share
        begin = None
        if spectrum is not None and step % pace.fresh:
            begin = inverse(spectrum, gradients.size)
        spectrum = predict_spectrum(blurred, fitted, weight, start=begin)
        fitted = _fit(spectrum, gradients, [inner], eased)
    return Kernel(fitted).crop(side).pixels


def _fit(
    spectrum: Tensor, gradients: Gradients, sides: Sequence[int], settings: Settings
) -> Tensor:
    return fit_kernel(
        spectrum,
        gradients,
        sides,
        gamma=settings.gamma,
        threshold=settings.kernel_threshold_max,
        isolated=settings.remove_isolated,
    )


def _begin(path: _Descent, blurred: Tensor, start: Tensor | None, scale: float) -> Tensor:
    """The prediction that a level begins with."""
    if path.prediction is not None:
        size = list(blurred.shape)
        return interpolate(path.prediction[None, None], size, mode="bicubic")[0, 0]
    if start is None:
        return blurred
    shrunk = Kernel(start).resize(scale).pixels if scale < 1 else start
    return predict(blurred, shrunk, path.weight)


def _sides(settings: Settings, shortest: int) -> list[int]:
    """The kernel's side at each level, coarsest first; where it is found, only the first counts."""
    if settings.kernel_size:
        sides = [settings.kernel_size]
        while sides[-1] > _LEAST_SIDE:
            smaller = min(_odd(sides[-1] * settings.scale_factor), sides[-1] - 2)
            sides.append(max(smaller, _LEAST_SIDE))
        return sides[::-1]
    side = min(settings.window, _odd(shortest / _WINDOWS), _largest(settings, 0))
    levels = 1
    while side / settings.scale_factor**levels < settings.max_kernel_size and (
        _WINDOWS * settings.window / settings.scale_factor**levels <= shortest
    ):
        levels += 1
    return [max(side, 1)] * levels


def _largest(settings: Settings, level: int) -> int:
    """The largest odd side at a level."""
    limit = int(settings.max_kernel_size * settings.scale_factor**level)
    return max(limit - (limit % 2 == 0), 1)


def _fitting(grey: Tensor) -> int:
    """The largest odd side that a picture holds."""
    shortest = min(grey.shape)
    return shortest - (shortest % 2 == 0)


def _odd(length: float) -> int:
    rounded = round(length)
    return rounded if rounded % 2 else rounded + 1


def _resize(grey: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return grey
    target = [max(round(side * scale), 8) for side in grey.shape]
    return interpolate(grey[None, None], target, mode="bicubic", antialias=True)[0, 0]
