"""Coarse to fine: several descents side by side, the best of them refined."""

from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from unblur.blind.descent import Pace, descend, refine
from unblur.blind.projection import project
from unblur.blind.region import choose_region
from unblur.blind.score import Score, rate
from unblur.blind.settings import Settings
from unblur.blur.editing import clean
from unblur.fourier import fast_size
from unblur.metrics import kernel_similarity
from unblur.progress import Progress, part, report
from unblur.threads import side_by_side

__all__ = ["Estimate", "candidates", "estimate"]

_LEAST_SIDE = 3
# One candidate assumes a small blur: it starts at a finer level.
_SMALL = 25
# The second candidate is refined too where it is less similar than this to the first.
_ALIKE = 0.7
# A refinement keeps to strong edges and smooth kernels at first, goes on with ever weaker ones, and
# ends with what is faint in the kernel: the pale ends of a path hold little each and much together.
_CLEAN = (
    Pace(30.0, 5.0, 2.0, 12, threshold=0.4),
    Pace(5.0, 1.0, 1.0, 8, threshold=0.4),
    Pace(1.0, 1.0, 1.0, 6, threshold=0.1),
)
# With some noise what is faint may be noise: how far to go is left to the score. Where that hardly
# tells the two apart the safe one is taken: it may lose 1 dB, the other 5.
_MODERATE = Pace(30.0, 5.0, 2.0, 12, judged=True), Pace(5.0, 1.0, 1.0, 8)
_DOUBT = 0.05
# In a noisy plane going further would fit the noise, and the score would not see it. Predictions
# that begin with the last one suit noise: without any they keep what the first kernels made.
_NOISY = (Pace(30.0, 10.0, 4.0, 24, fresh=4),)
_SOME_NOISE, _NOISE = 0.004, 0.008
# Refinement looks at a square of so many kernel sides, and at least and at most so many pixels.
# Less will do where the size was given.
_KERNELS, _LEAST_REGION, _GIVEN_REGION, _LARGEST_REGION = 20, 384, 320, 576
# Share of the work that is done once the candidates are there.
_COARSE = 0.4
_LEAST_NOISE = 1e-3


@dataclass(frozen=True)
class Estimate:
    """A kernel and how well it does.

    Attributes:
        kernel: (side, side).
        judged: the same without its faint ends, by which right and wrong kernels look alike.
        score: of that one; see `unblur.blind.score`.
        settings: what it was found with.
        cost: of the score, and of having gone further than is safe.
        consensus: mean similarity to the kernels of the other candidates, 0 to 1; 1 without any.
    """

    kernel: Tensor
    judged: Tensor
    score: Score
    settings: Settings
    cost: float
    consensus: float = 1.0


def candidates(settings: Settings, count: int) -> tuple[Settings, ...]:
    """The settings alone, or up to four variations, each of which succeeds where others fail.

    Rougher and smoother predictions at the start, and a small blur.
    """
    small = replace(
        settings,
        window=max(settings.window - 2, _LEAST_SIDE),
        max_kernel_size=min(settings.kernel_size or settings.max_kernel_size, _SMALL),
        kernel_size=0,
    )
    variations = (
        settings,
        replace(settings, lambda_start=settings.lambda_start / 2),
        replace(settings, lambda_start=settings.lambda_start * 2),
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

    Minimise |k * u - v|^2 + lambda |grad u|_0 + gamma |k|^2 over u and k >= 0, coarse to fine. The
    candidates go down to half the resolution in one batch; the two that a score without the truth
    likes best are refined at full resolution, on the part of the picture that shows most, and the
    better one is kept.

    Args:
        image: v, (1, C, H, W), in [0, 1]; one plane of it is used, see `project`.
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
    plane, factor = project(image)
    grey = _fast(plane)
    noise = max(noise_std * factor, _LEAST_NOISE)
    tried = candidates(settings, count)
    coarse, kernels = descend(grey, tried, start, part(progress, 0, _COARSE))
    scale = grey.shape[-1] / coarse.shape[-1]
    # Means over the pixels of a coarser level have less noise.
    level = max(noise / scale, _LEAST_NOISE)
    rated = side_by_side([partial(rate, coarse, kernel, level, coarse=True) for kernel in kernels])
    costs = [score.coarse_cost for score in rated]
    first, *others = sorted(range(count), key=costs.__getitem__)[:2]
    # A second one that is like the first would only become the same.
    apart = [one for one in others if kernel_similarity(kernels[first], kernels[one]) < _ALIKE]
    # Costs compare on the same pixels only.
    largest = max(max(kernels[index].shape) for index in (first, *apart))
    window = _window(grey, round(largest * scale), given=settings.kernel_size > 0)
    paces = _NOISY if noise >= _NOISE else _MODERATE if noise >= _SOME_NOISE else _CLEAN

    def refined(index: int, progress: Progress | None) -> list[Estimate]:
        settled = replace(tried[index], kernel_size=settings.kernel_size)
        agreement = _consensus(kernels, index)
        kernel, grown = kernels[index], scale
        found: list[Estimate] = []
        for step, pace in enumerate(paces):
            shown = part(progress, step / len(paces), (step + 1) / len(paces))
            kernel = refine(window, kernel, grown, settled, pace, progress=shown)
            grown = 1.0
            if pace.judged or pace is paces[-1]:
                bare = clean(kernel, settings.kernel_threshold_max, settings.remove_isolated)
                score = rate(window, bare, noise)
                cost = score.cost + len(found) * _DOUBT
                found.append(Estimate(kernel, bare, score, settled, cost, agreement))
        return found

    # They take equally long: one tells how far both are.
    pieces = [partial(refined, first, part(progress, _COARSE, 1))]
    pieces += [partial(refined, index, None) for index in apart]
    found = [one for each in side_by_side(pieces) for one in each]
    report(progress, "kernel", 1.0)
    return min(found, key=lambda one: one.cost)


def _consensus(kernels: list[Tensor], index: int) -> float:
    """The mean similarity of one kernel to the others; 1 without any."""
    others = [*kernels[:index], *kernels[index + 1 :]]
    similar = [kernel_similarity(kernels[index], one) for one in others]
    return sum(similar) / len(similar) if similar else 1.0


def _window(grey: Tensor, side: int, *, given: bool) -> Tensor:
    """The part of the picture that kernels up to this side are refined on."""
    least = _GIVEN_REGION if given else _LEAST_REGION
    side = fast_size(min(max(_KERNELS * side, least), _LARGEST_REGION))
    x, y, width, height = choose_region(grey[None, None], side)
    return _fast(grey[y : y + height, x : x + width])


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
