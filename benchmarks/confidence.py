"""Does the reported confidence tell right kernels from wrong ones? 200 seeded blurs.

Blur n is of photograph n modulo their number, a window of 320 x 320 pixels at a random place (the
window and 24 pixels around it are blurred, then the 24 pixels cut, so that nobody knows what lay
beyond). The kinds go round: a shake of 9 to 41 pixels, motion over 5 to 31 pixels at any angle, a
disk with a radius of 2 to 6, a Gaussian with a sigma of 1 to 3; the noise goes round 0.3, 1 and
2 %, rounded to 8 bits. Everything random comes from the seed n.

Each goes through `unblur.deblur(blurred, solver="tv", field=False)`, nothing told, and through `tv`
with the true kernel. A success loses at most 3 dB of PSNR (after the best shift, 20 pixels of
border left out) to the true kernel. The area under the ROC curve is the chance that a success has
more confidence than a failure, ties counted half: 0.5 says nothing, 1 never errs. Pictures that
come back unchanged without a confidence are counted, and left out of the area.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import unblur
from benchmarks.pictures import MARGIN, aligned, capture, photographs, read
from benchmarks.table import table
from unblur.blur import kernels

__all__ = ["area", "bins", "blur_of", "run"]

COUNT, SIDE = 200, 320
KINDS = ("shake", "motion", "disk", "gaussian")
NOISES = (0.003, 0.01, 0.02)
LOSS = 3.0
BINS = 5


class Found(NamedTuple):
    """What became of one blur; no confidence where none was given."""

    kind: str
    noise: float
    success: bool
    changed: bool
    confidence: float | None


def run(count: int = COUNT) -> str:
    """The tables, or why there are none."""
    paths = photographs()
    if paths is None:
        return "confidence: passed over, the pictures are absent (set UNBLUR_SHARED)"
    found = []
    for index in range(count):
        found.append(_found(paths[index % len(paths)], index))
        if (index + 1) % 20 == 0:
            print(f"  {index + 1} of {count}", flush=True)
    return _text(found)


def area(confidences: Sequence[float], successes: Sequence[bool]) -> float | None:
    """The area under the ROC curve, by the sum of ranks; None where all are of one kind."""
    from scipy.stats import rankdata

    right = np.asarray(successes, bool)
    positive, negative = int(right.sum()), int((~right).sum())
    if not positive or not negative:
        return None
    ranks = rankdata(np.asarray(confidences, float))
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def bins(
    confidences: Sequence[float], successes: Sequence[bool], count: int = BINS
) -> list[tuple[str, int, float | None, float | None]]:
    """Bins of equal width: their span, how many are inside, mean confidence, share of successes."""
    values, right = np.asarray(confidences, float), np.asarray(successes, bool)
    places = np.minimum((values * count).astype(int), count - 1)
    rows: list[tuple[str, int, float | None, float | None]] = []
    for place in range(count):
        inside = places == place
        some = bool(inside.any())
        rows.append(
            (
                f"{place / count:.1f} to {(place + 1) / count:.1f}",
                int(inside.sum()),
                float(values[inside].mean()) if some else None,
                float(right[inside].mean()) if some else None,
            )
        )
    return rows


def blur_of(index: int) -> tuple[str, unblur.Kernel, float]:
    """The kind of a blur, its kernel, its noise."""
    generator = np.random.default_rng(index)
    kind, noise = KINDS[index % len(KINDS)], NOISES[index % len(NOISES)]
    if kind == "shake":
        return kind, kernels.shake(size=9 + 2 * int(generator.integers(17)), seed=index), noise
    if kind == "motion":
        length, angle = generator.uniform(5, 31), generator.uniform(0, 180)
        return kind, kernels.motion(length=length, angle=angle), noise
    if kind == "disk":
        return kind, kernels.disk(radius=generator.uniform(2, 6)), noise
    return kind, kernels.gaussian(sigma=generator.uniform(1, 3)), noise


def _found(path: Path, index: int) -> Found:
    kind, kernel, noise = blur_of(index)
    blurred, sharp = capture(_window(read(path), index), kernel, noise, index)
    blind = unblur.deblur(blurred, solver="tv", field=False)
    known = unblur.deblur(blurred, "tv", kernel=kernel)
    loss = aligned(known.image, sharp) - aligned(blind.image, sharp)
    return Found(
        kind, noise, loss <= LOSS, blind.report.unchanged is None, _confidence(blind.report)
    )


def _confidence(report: unblur.Report) -> float | None:
    for record in (report.kernel or {}, report.measured):
        value: Any = record.get("confidence")
        if value is not None:
            return float(value)
    return None


def _window(image: np.ndarray, index: int) -> np.ndarray:
    """The scene of a capture of `SIDE` pixels."""
    # A stream of its own, so that the place does not depend on what the kind of blur draws.
    generator = np.random.default_rng((index, 1))
    side = SIDE + 2 * MARGIN
    top, left = (int(generator.integers(length - side + 1)) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def _text(found: Sequence[Found]) -> str:
    judged = [one for one in found if one.confidence is not None]
    trusts = [one.confidence for one in judged if one.confidence is not None]
    right = [one.success for one in judged]
    groups = {kind: [one for one in found if one.kind == kind] for kind in KINDS}
    groups |= {f"noise {100 * n:g} %": [one for one in found if one.noise == n] for n in NOISES}
    groups["all"] = list(found)
    whole = area(trusts, right)
    silent = len(found) - len(judged)
    summary = (
        f"{sum(right)} successes and {len(right) - sum(right)} failures with a confidence, "
        f"{silent} pictures without one: area under the ROC curve "
        f"{'not defined' if whole is None else f'{whole:.3f}'}"
    )
    return "\n\n".join(
        (
            table(
                ("blur", "pictures", "unchanged", "successes", "confidence", "area"),
                [_group(name, some) for name, some in groups.items() if some],
            ),
            table(("confidence", "pictures", "mean", "successes"), bins(trusts, right)),
            summary,
        )
    )


def _group(
    name: str, some: Sequence[Found]
) -> tuple[str, int, int, int, float | None, float | None]:
    pairs = [(one.confidence, one.success) for one in some if one.confidence is not None]
    trusts = [trust for trust, _ in pairs]
    return (
        name,
        len(some),
        sum(not one.changed for one in some),
        sum(one.success for one in some),
        float(np.mean(trusts)) if trusts else None,
        area(trusts, [success for _, success in pairs]),
    )
