"""Metrics of pictures that may be shifted against each other."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from unblur.errors import InputError, ParameterError
from unblur.metrics.checks import check_pair, positive

__all__ = ["error_ratio", "psnr_aligned"]

# Taps on each side of a cubic spline's cardinal function: what is left out is under 1e-5.
_REACH = 9


def psnr_aligned(
    image: Tensor,
    target: Tensor,
    *,
    max_shift: int = 9,
    border: int = 20,
    step: float = 0.25,
    data_range: float = 1.0,
) -> Tensor:
    """PSNR after the best shift of `image`, as the Levin and Lai protocols have it, in dB.

    Blind estimation leaves a shift open. Every shift on a grid of `step` pixels up to `max_shift`
    in y and x is tried; between pixels the picture is a cubic spline. `border` pixels on each side
    of the target are left out, nothing is clipped, and one shift holds for all channels.

    The search is exhaustive yet quick: the cross term of all shifts comes from one correlation at
    whole shifts, filtered with the spline, and the energies from running sums.

    Args:
        image: (B, C, H, W).
        target: the truth, of the same shape.
        max_shift: pixels, 0 or more.
        border: pixels, 0 or more; below `max_shift` + 9 the picture is continued by its edge
            values.
        step: 1 / n of a pixel for a whole n.
        data_range: the span of possible values.

    Raises:
        InputError: the shapes differ, or nothing is left inside the border.
        ParameterError: an argument is out of range.

    Example:
        >>> picture = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> bool(psnr_aligned(picture.roll((2, -3), (2, 3)), picture) > 100)
        True
    """
    span = positive("data_range", data_range)
    return 10 * torch.log10(span**2 / _aligned_error(image, target, max_shift, border, step))


def error_ratio(
    restored: Tensor,
    reference: Tensor,
    target: Tensor,
    *,
    max_shift: int = 9,
    border: int = 20,
    step: float = 0.25,
) -> Tensor:
    """Squared error with the estimated kernel over that with the true one, by one solver.

    Each is taken after its own best shift, as in `psnr_aligned`. At or under 2 an estimate counts
    as a success.

    Args:
        restored: (B, C, H, W), deconvolved with the estimated kernel.
        reference: deconvolved with the true kernel, of the same shape.
        target: the truth, of the same shape.
        max_shift: pixels.
        border: pixels left out at each side.
        step: of the search, 1 / n of a pixel.

    Raises:
        InputError: the shapes differ, or nothing is left inside the border.
        ParameterError: an argument is out of range.

    Source:
        Levin, Weiss, Durand & Freeman 2009.

    Example:
        >>> truth = torch.zeros(1, 1, 50, 50)
        >>> error_ratio(truth + 0.2, truth + 0.1, truth)
        tensor([4.])
    """
    estimated = _aligned_error(restored, target, max_shift, border, step)
    return estimated / _aligned_error(reference, target, max_shift, border, step)


def _aligned_error(
    image: Tensor, target: Tensor, max_shift: int, border: int, step: float
) -> Tensor:
    """The least mean squared error over the grid of shifts, (B,)."""
    check_pair(image, target)
    phases = _check_search(max_shift, border, step)
    height, width = image.shape[-2] - 2 * border, image.shape[-1] - 2 * border
    if min(height, width) < 1:
        raise InputError(
            f"nothing is left of {image.shape[-2]} x {image.shape[-1]} pixels inside a border of "
            f"{border}: use a smaller border"
        )
    reach = max_shift + _REACH
    extra = max(reach - border, 0)
    inner = target.double()[..., border : border + height, border : border + width]
    outer = image.double()
    if extra:
        outer = pad(outer, (extra,) * 4, mode="replicate")
    start = border + extra - reach
    outer = outer[..., start : start + height + 2 * reach, start : start + width + 2 * reach]
    # Differences of large sums lose digits; a common level can go first, since shifts leave it
    # alone.
    level = inner.mean((1, 2, 3), keepdim=True)
    inner, outer = inner - level, outer - level
    errors = [_best_of_pair(outer[n], inner[n], phases) for n in range(image.shape[0])]
    return torch.stack(errors).to(image.dtype)


def _check_search(max_shift: object, border: object, step: float) -> int:
    """The number of steps in a pixel, after checking the arguments of the search."""
    for name, value in (("max_shift", max_shift), ("border", border)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ParameterError(f"{name} must be a whole number of at least 0; got {value!r}")
    phases = round(1 / positive("step", step))
    if not 1 <= phases <= 64 or abs(phases * step - 1) > 1e-9:
        raise ParameterError(f"step must be 1 / n of a pixel, n from 1 to 64; got {step!r}")
    return phases


def _best_of_pair(outer: Tensor, inner: Tensor, phases: int) -> Tensor:
    """The least mean squared difference of `inner` (C, h, w) and shifted windows of `outer`."""
    filters = _spline_filters(phases, outer)
    correlation = _correlate(outer, inner)
    height, width = inner.shape[-2:]
    best, choice = math.inf, (0, 0, 0, 0)
    for row in range(phases):
        rows = _filter(outer, filters[row], -2)
        for column in range(phases):
            cross = _filter(_filter(correlation, filters[row], -2), filters[column], -1)
            energy = _window_sums(_filter(rows, filters[column], -1).square().sum(0), height, width)
            # The square of `inner` is the same for all shifts. A fraction beyond the last whole
            # shift would exceed `max_shift`.
            score = (energy - 2 * cross)[: -1 if row else None, : -1 if column else None]
            if score.numel() and float(score.min()) < best:
                best = float(score.min())
                place = int(score.argmin())
                choice = (row, column, *divmod(place, score.shape[1]))
    row, column, down, right = choice
    taps = 2 * _REACH
    window = outer[:, down : down + height + taps, right : right + width + taps]
    shifted = _filter(_filter(window, filters[row], -2), filters[column], -1)
    return (shifted - inner).square().mean()


def _spline_filters(phases: int, like: Tensor) -> Tensor:
    """(phases, 19) taps that read a cubic spline at n / phases right of a pixel.

    The spline through samples has the coefficients sqrt(3) z^|k| * samples with z = sqrt(3) - 2,
    and the cubic B-spline as basis (Unser 1999).
    """
    offsets = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64)
    fractions = torch.arange(phases, dtype=torch.float64) / phases
    knots = torch.arange(-_REACH - 20, _REACH + 21, dtype=torch.float64)
    distance = (fractions[:, None] - knots).abs()
    basis = torch.where(
        distance < 1,
        2 / 3 - distance**2 + distance**3 / 2,
        (2 - distance).clamp(min=0) ** 3 / 6,
    )
    recursive = math.sqrt(3) * (math.sqrt(3) - 2) ** (knots[:, None] - offsets).abs()
    taps = basis @ recursive
    # At a pixel the spline is the pixel, without a trace of rounding.
    taps[0] = offsets == 0
    return (taps / taps.sum(1, keepdim=True)).to(like)


def _filter(values: Tensor, taps: Tensor, axis: int) -> Tensor:
    """Correlate along one of the two last axes with 19 taps, keeping what is fully covered."""
    if bool(taps[_REACH] == 1):
        return values.narrow(axis, _REACH, values.shape[axis] - 2 * _REACH)
    shape = (1, 1, -1, 1) if axis == -2 else (1, 1, 1, -1)
    flat = values.reshape(-1, 1, *values.shape[-2:])
    result = conv2d(flat, taps.reshape(shape))
    return result.reshape(*values.shape[:-2], *result.shape[-2:])


def _correlate(outer: Tensor, inner: Tensor) -> Tensor:
    """Sum outer(p + s) inner(p) over channels and p, for every s that stays inside, by FFT."""
    size = outer.shape[-2:]
    spectrum = torch.fft.rfft2(inner, s=size).conj() * torch.fft.rfft2(outer)
    everywhere: Tensor = torch.fft.irfft2(spectrum.sum(0), s=size)
    return everywhere[: size[0] - inner.shape[-2] + 1, : size[1] - inner.shape[-1] + 1]


def _window_sums(values: Tensor, height: int, width: int) -> Tensor:
    """The sum over every window of (height, width) inside `values` (H, W)."""
    rows = pad(values.cumsum(0), (0, 0, 1, 0))
    rows = rows[height:] - rows[:-height]
    columns = pad(rows.cumsum(1), (1, 0))
    return columns[:, width:] - columns[:, :-width]
