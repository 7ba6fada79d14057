"""Progress and cancellation, as one callback.

Long work calls `report(progress, stage, fraction)`. The callback draws a bar, stores a number, or
raises `unblur.errors.Cancelled` to stop the work at that point; nothing else is needed to cancel.
"""

from collections.abc import Callable

__all__ = ["Progress", "part", "report"]

Progress = Callable[[str, float], None]


def report(progress: Progress | None, stage: str, fraction: float) -> None:
    """Tell `progress`, if there is one, that `fraction` in [0, 1] of `stage` is done."""
    if progress is not None:
        progress(stage, min(max(fraction, 0.0), 1.0))


def part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Map the [0, 1] of a part onto [start, stop] of the whole.

    Example:
        >>> seen = []
        >>> whole = lambda stage, fraction: seen.append((stage, fraction))
        >>> part(whole, 0.5, 1.0)("kernel", 0.5)
        >>> seen
        [('kernel', 0.75)]
    """
    if progress is None:
        return None
    return lambda stage, fraction: progress(stage, start + (stop - start) * fraction)
