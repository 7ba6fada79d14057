"""The protocol of Levin et al. 2009: best shift, borders cut, error ratio with one solver."""

from types import MappingProxyType

from torch import Tensor

from unblur.blur import Kernel
from unblur.evaluate.comparisons import Case, Comparison, shifted
from unblur.metrics import error_ratio
from unblur.restore.api import deblur

__all__ = ["LEVIN", "SOLVER"]

SOLVER = "tv"
_SUCCESS = 2.0
_SHIFT, _BORDER = 9, 20
_BEST_SHIFT = shifted(_SHIFT, _BORDER)


def _measure(case: Case) -> dict[str, float]:
    values = _BEST_SHIFT.measure(case)
    if not case.blind or not (case.unchanged or case.kernel is not None):
        # A ratio compares two kernels: the method was given the true one, or has none.
        return values
    truth = case.pair.kernel()
    if truth is None:
        return values
    restored = _solve(case, None if case.unchanged else case.kernel)
    reference = _solve(case, truth)
    ratio = error_ratio(restored, reference, case.target, max_shift=_SHIFT, border=_BORDER)
    return {**values, "error-ratio": float(ratio), "success": float(ratio <= _SUCCESS)}


def _solve(case: Case, kernel: Kernel | None) -> Tensor:
    """The blurred picture deconvolved; without a kernel it stays as it is."""
    if kernel is None:
        return case.blurred.encoded()
    result = deblur(case.blurred, SOLVER, kernel=kernel, device=case.device)
    restored: Tensor = result.image.encoded()
    return restored


LEVIN = Comparison(
    f"{_BEST_SHIFT.rule}; nothing clipped or rounded",
    MappingProxyType(
        {
            **_BEST_SHIFT.metrics,
            "error-ratio": "squared error with the kernel that was found over that with the true "
            f"one, both deconvolved by {SOLVER}",
            "success": "share of error ratios of at most 2",
        }
    ),
    _measure,
)
