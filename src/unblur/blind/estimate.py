"""Coarse to fine: the kernel and the prediction in turn."""

from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import interpolate

from unblur.blind.kernel_step import Gradients, fit_kernel, support_radius
from unblur.blind.prediction import predict
from unblur.blind.score import Score, rate
from unblur.blind.settings import Settings
from unblur.blur import Kernel
from unblur.fourier import fast_size, taper_edges
from unblur.progress import Progress, part, report

__all__ = ["Estimate", "candidates", "estimate"]

# A level must show this many windows side by side: with less, the border is all there is.
_WINDOWS = 4
_LEAST_SIDE = 3
# Pixels that the support may grow by, on each side and at each finer level, where the size is
# found.
_ROOM = 2
_REFINING_GROWTH = 4.0
# One candidate assumes a small blur: it starts at a finer level, and does not count where it
# reaches this.
_SMALL = 25


@dataclass(frozen=True)
class Estimate:
    """A kernel and how well it does.

    Attributes:
        kernel: (side, side).
        score: see `unblur.blind.score`.
        settings: what it was found with.
    """

    kernel: Tensor
    score: Score
    settings: Settings


def candidates(settings: Settings, count: int) -> tuple[Settings, ...]:
    """The settings alone, or up to four variations, each of which succeeds where others fail.

    A smoother start, a rougher kernel, a long refinement from a wide window, and a small blur.
    """
    if count == 1:
        return (settings,)
    small = replace(
        settings,
        window=max(settings.window - 2, _LEAST_SIDE),
        max_kernel_size=min(settings.max_kernel_size, _SMALL),
    )
    variations = (
        replace(settings, lambda_start=settings.lambda_start / 2),
        replace(settings, gamma=settings.gamma / 4),
        replace(settings, window=settings.window + 6, refinements=6),
        small,
    )
    return variations[:count]


def estimate(
    image: Tensor,
    settings: Settings,
    *,
    noise_std: float,
    count: int = 4,
    start: Tensor | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Find the kernel of a blurred picture by the l0 gradient prior.

    Minimise |k * u - v|^2 + lambda |grad u|_0 + gamma |k|^2 over u and k >= 0, coarse to fine, from
    several settings; the best is chosen by a score that needs no truth.

    Args:
        image: v, (1, C, H, W), in [0, 1]; the mean of its channels is used.
        settings: where to start; see `Settings`.
        noise_std: standard deviation of the noise of one channel.
        count: number of settings to try, 1 to 4.
        start: a kernel (h, w) to start from instead of the blurred picture.
        progress: called before each level; may raise `Cancelled`.

    Returns:
        The best of the candidates.

    Source:
        Anger, Facciolo & Delbracio, Blind Image Deblurring using the l0 Gradient Prior, IPOL 2019.
    """
    grey = _fast(image.mean(dim=(0, 1)))
    found: list[Estimate] = []
    tried = candidates(settings, count)
    for index, variation in enumerate(tried):
        span = part(progress, index / len(tried), (index + 1) / len(tried))
        kernel, full = _descend(grey, variation, start, span)
        # A candidate that looks for a small blur in a small window must find it inside.
        if full and variation.max_kernel_size < settings.max_kernel_size and found:
            continue
        found.append(Estimate(kernel, rate(grey, kernel, noise_std), variation))
    report(progress, "kernel", 1.0)
    return min(found, key=lambda one: one.score.cost)


def _fast(grey: Tensor) -> Tensor:
    """Cut the picture about its centre to sides that the FFT likes, where it costs a hundredth."""
    rows, columns = (_middle(side) for side in grey.shape)
    return grey[rows, columns]


def _middle(side: int) -> slice:
    shorter = side
    while fast_size(shorter) != shorter:
        shorter -= 1
    if shorter < 0.99 * side:
        return slice(0, side)
    start = (side - shorter) // 2
    return slice(start, start + shorter)


def _descend(
    grey: Tensor, settings: Settings, start: Tensor | None, progress: Progress | None
) -> tuple[Tensor, bool]:
    """The kernel, and whether it filled its window at the coarsest level."""
    sides = _sides(settings, min(grey.shape))
    weight, prediction = settings.lambda_start, None
    kernel = grey.new_ones(1, 1)
    full = False
    for done, planned in enumerate(sides):
        report(progress, "kernel", done / len(sides))
        level = len(sides) - 1 - done
        scale = settings.scale_factor**level
        side = planned if settings.kernel_size or done == 0 else _grown(kernel, settings)
        blurred = taper_edges(_resize(grey, scale, grey.shape), (side // 2, side // 2))
        if prediction is not None:
            prediction = _fit(prediction, blurred)
        elif start is not None:
            prediction = predict(blurred, _scaled_start(start, scale), weight)
        else:
            prediction = blurred
        gradients = Gradients.of(blurred)
        refinements = settings.refinements if level == 0 else 0
        for iteration in range(settings.iterations + refinements):
            kernel = fit_kernel(
                prediction,
                gradients,
                side,
                gamma=settings.gamma,
                threshold=settings.kernel_threshold_max,
                isolated=settings.remove_isolated,
            )
            growth = 2.0 if iteration < settings.iterations else _REFINING_GROWTH
            prediction = predict(blurred, kernel, weight, growth=growth)
            weight = max(weight / settings.lambda_ratio, settings.lambda_min)
        full = full or (done == 0 and support_radius(kernel) >= side // 2)
    return kernel, full


def _sides(settings: Settings, shortest: int) -> list[int]:
    """The kernel's side at each level, coarsest first; where it is found, only the first counts."""
    if settings.kernel_size:
        sides = [settings.kernel_size]
        while sides[-1] > _LEAST_SIDE:
            smaller = min(_odd(sides[-1] * settings.scale_factor), sides[-1] - 2)
            sides.append(max(smaller, _LEAST_SIDE))
        return sides[::-1]
    side = min(settings.window, _odd(shortest / _WINDOWS))
    levels = 1
    while side / settings.scale_factor**levels < settings.max_kernel_size and (
        _WINDOWS * settings.window / settings.scale_factor**levels <= shortest
    ):
        levels += 1
    return [max(side, 1)] * levels


def _grown(kernel: Tensor, settings: Settings) -> int:
    radius = support_radius(kernel) + _ROOM / 2
    largest = settings.max_kernel_size - (settings.max_kernel_size % 2 == 0)
    return min(_odd(2 * radius / settings.scale_factor + 1), largest)


def _odd(length: float) -> int:
    rounded = round(length)
    return rounded if rounded % 2 else rounded + 1


def _resize(grey: Tensor, scale: float, size: tuple[int, ...]) -> Tensor:
    if scale == 1:
        return grey
    target = [max(round(side * scale), 8) for side in size]
    return interpolate(grey[None, None], target, mode="bicubic", antialias=True)[0, 0]


def _fit(prediction: Tensor, like: Tensor) -> Tensor:
    return interpolate(prediction[None, None], list(like.shape), mode="bicubic")[0, 0]


def _scaled_start(start: Tensor, scale: float) -> Tensor:
    return Kernel(start).resize(scale).pixels if scale < 1 else start
