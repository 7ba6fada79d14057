"""A blur that varies over the frame because the camera rolled while it shifted."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from unblur.blind.kernel_step import support_radius
from unblur.blind.poses import Correlations, Poses, fit_poses
from unblur.blind.prediction import predict
from unblur.blind.projection import project
from unblur.blind.settings import Settings
from unblur.blur import Field, Kernel, Record
from unblur.deconvolve import hyper_laplacian
from unblur.fourier import fast_size, gradient, inverse, taper_edges, transfer_function
from unblur.progress import Progress, report

__all__ = ["FieldEstimate", "estimate_field"]

Size = tuple[int, int]

# Windows along the longer side of the picture, the sides that they may have, and how many pixels
# they may hold together: large kernels need large windows, and get fewer of them.
_WINDOWS = 4
_LEAST_WINDOW, _LARGEST_WINDOW = 192, 320
_PIXELS = 650_000
_LEAST_SIDE = 128
# The first angles carry the corners of the frame so many pixels to each side, or as far as a hand
# rolls and the kernel reaches; they are a pixel apart there, or as far as so many angles allow.
_REACH = 6
_LARGEST_ANGLE = math.radians(0.8)
_ANGLES = 8
# Of the l0 norm: the weight falls to the middle one while the poses settle, then to the last one,
# which makes them sharper. The first is larger than for one kernel: windows hold less to see.
_FIRST_WEIGHT, _MIDDLE_WEIGHT, _LAST_WEIGHT = 1e-2, 1e-3, 1.5e-4
_SETTLING, _SHARPENING = 16, 6
_STEPS = 30
# After so many predictions a field that leaves more edges than the kernel is given up. Of 26 shakes
# of training photographs no such field (of 16) was better in the end, and of the others 8 were.
_PROMISING = 3
# The settings are for one whole picture, the correlations for a window.
_GAMMA_SHARE = 0.1
_THRESHOLD = 0.06
# A window disagrees where it leaves more than this many times the median, and this much, of its
# gradients unexplained.
_DISAGREEING, _UNEXPLAINED = 2.0, 0.1
# What the two explanations are judged at: the l0 norm's weight, the rim that is left out as a share
# of a window, the prior's weight over the noise, and the gradients that count as edges.
_JUDGED_WEIGHT, _RIM, _RATE, _VISIBLE = 1e-3, 1 / 6, 0.3, 0.03
_TINY, _TAPER = 0.01, 12
_LEAST_NOISE, _VISIBLE_NOISE = 5e-4, 0.003
# A field is taken where it leaves fewer edges than the kernel, and either explains the picture
# clearly better, or hardly worse while it rolls and blurs no less; both together must exceed the
# sum. Fields that gained 2.9 dB or more had sums over 0.05; uniform shakes had up to 0.008, and two
# real captures on which the field was worse 0.031 and 0.034.
_LEAST_SUM = 0.04
_CLEAR, _UNCLEAR = 0.05, 0.02
_LEAST_DRIFT, _LARGEST_SHRINKAGE = 0.9, 0.03


@dataclass(frozen=True)
class FieldEstimate:
    """A field, and whether it explains the picture better than one kernel.

    Attributes:
        field: over the picture's frame.
        gain: log ratio of the l0 energy |k * u - v|^2 + lambda |grad u|_0 with the one kernel and
            with the field: above 0 where the field explains the picture better.
        fewer_edges: log ratio of the numbers of edges of the picture restored with the one kernel
            and with the field: above 0 where the field leaves less ringing.
        growth: log ratio of the sizes of the field's kernels and of the one kernel: below 0 a field
            has fewer edges only because it blurs less.
        drift: how far the corners of the frame move by rolling, root mean square, pixels.
        rejected: windows that do not agree with the others; their kernels come from those alone.
        better: the field should be used.
    """

    field: Field
    gain: float
    fewer_edges: float
    growth: float
    drift: float
    rejected: int
    better: bool


def estimate_field(
    image: Tensor,
    kernel: Tensor,
    settings: Settings,
    *,
    noise_std: float,
    progress: Progress | None = None,
) -> FieldEstimate:
    """Find how a shaken camera also rolled, from the kernel that fits the whole picture best.

    Overlapping windows are predicted sharp by the l0 gradient prior, each with its own kernel; one
    density over the poses of the camera is fitted to the gradients of all of them; it gives each
    window its kernel; and so on. All kernels belong to one camera, so they agree about where things
    are, and windows without detail have theirs from the others.

    Args:
        image: v, (1, C, H, W), in [0, 1]; only windows are read, at most 16 and 0.65 megapixels.
        kernel: (h, w), odd sides, as `estimate` finds it.
        settings: `gamma` and `remove_isolated` count.
        noise_std: standard deviation of the noise of one channel, positive.
        progress: called before each iteration; may raise `Cancelled`.

    Returns:
        The field, and whether it should be used; never where a side is under 128 pixels.

    Source:
        Hirsch, Schuler, Harmeling & Schoelkopf, Fast Removal of Non-uniform Camera Shake, 2011, for
        the alternation over windows; see also `Poses`.

    Example:
        >>> picture = torch.rand(1, 3, 100, 400)
        >>> found = estimate_field(picture, torch.full((1, 3), 1 / 3), Settings(), noise_std=0.01)
        >>> found.better, found.field.grid
        (False, (1, 1))
    """
    size = (image.shape[-2], image.shape[-1])
    if min(size) < _LEAST_SIDE:
        return FieldEstimate(Field.uniform(kernel), 0.0, 0.0, 0.0, 0.0, 0, better=False)
    poses = _start(kernel, size)
    windows, points, factor = _windows(image, poses)
    edges = partial(_edges, windows, noise=max(noise_std * factor, _LEAST_NOISE))
    uniform = kernel.expand(len(points), -1, -1)
    most = edges(uniform)
    poses, rejected = _alternate(
        poses, kernel, windows, points, settings,
        promising=lambda kernels: edges(kernels) <= most, progress=progress,
    )  # fmt: skip
    report(progress, "field", 1.0)
    kernels = poses.kernels(points)
    gain = math.log(_energy(windows, uniform) / _energy(windows, kernels))
    fewer = math.log(most / edges(kernels))
    growth = math.log(_size(kernels) / _size(kernel[None]))
    shares = poses.weights.sum((1, 2)).double()
    drift = math.hypot(*size) / 2 * math.sqrt(float((shares * poses.angles**2).sum()))
    plausible = gain > -_UNCLEAR and drift >= _LEAST_DRIFT and growth > -_LARGEST_SHRINKAGE
    better = fewer > 0 and gain + fewer > _LEAST_SUM and (gain > _CLEAR or plausible)
    return FieldEstimate(
        _field(poses, size, settings), gain, fewer, growth, drift, rejected, better
    )


def _alternate(
    poses: Poses,
    kernel: Tensor,
    windows: Tensor,
    points: Tensor,
    settings: Settings,
    *,
    promising: Callable[[Tensor], bool],
    progress: Progress | None,
) -> tuple[Poses, int]:
    """Predict the windows and fit the poses in turn: the poses, and how many windows disagree.

    It ends early where the first kernels of the windows are not promising.
    """
    seen = taper_edges(windows, (kernel.shape[0] // 2, kernel.shape[1] // 2))
    blurred = gradient(seen)
    kernels = kernel.expand(len(points), *kernel.shape)
    shares = torch.ones(len(points), dtype=seen.dtype, device=seen.device)
    weights = (
        *_falling(_FIRST_WEIGHT, _MIDDLE_WEIGHT, _SETTLING),
        *_falling(_MIDDLE_WEIGHT, _LAST_WEIGHT, _SHARPENING + 1)[1:],
    )
    for iteration, weight in enumerate(weights):
        report(progress, "field", iteration / len(weights))
        sharp = gradient(predict(seen, kernels, weight))
        correlations = Correlations.of(sharp, blurred, poses.side(points))
        gamma = _GAMMA_SHARE * settings.gamma
        poses = fit_poses(poses, points, correlations, shares, gamma=gamma, steps=_STEPS)
        poses = poses.clean(_THRESHOLD, settings.remove_isolated)
        kernels = poses.kernels(points)
        if iteration + 1 == _PROMISING and not promising(kernels):
            break
        # Before, no window is explained well, and who disagrees is chance.
        if iteration >= _SETTLING // 2:
            shares = _agreeing(correlations, kernels).to(shares)
    return poses, int((shares == 0).sum())


def _falling(first: float, last: float, count: int) -> list[float]:
    """So many weights from the first to the last, each the same share of the one before."""
    return [first * (last / first) ** (index / (count - 1)) for index in range(count)]


def _agreeing(correlations: Correlations, kernels: Tensor) -> Tensor:
    """Which windows (N,) the kernels explain about as well as most."""
    unexplained = correlations.misfit(kernels) / correlations.energy.clamp(min=1e-12)
    return unexplained <= _DISAGREEING * unexplained.median() + _UNEXPLAINED


def _start(kernel: Tensor, size: Size) -> Poses:
    """The kernel at all angles that a hand may roll by."""
    radius, corner = support_radius(kernel) + 2, math.hypot(*size) / 2
    reach = max(_REACH, min(radius, math.ceil(_LARGEST_ANGLE * corner)))
    count = min(reach, _ANGLES)
    steps = torch.arange(-count, count + 1, dtype=torch.float64, device=kernel.device)
    return Poses.uniform(Kernel(kernel).crop(2 * radius + 1).pixels, steps * reach / count / corner)


def _windows(image: Tensor, poses: Poses) -> tuple[Tensor, Tensor, float]:
    """Windows (N, h, w), centres (N, 2) from the frame's centre, and the factor of the noise."""
    size = (image.shape[-2], image.shape[-1])
    corner = torch.tensor([[size[0] / 2, size[1] / 2]], device=image.device)
    wanted = fast_size(min(max(4 * poses.side(corner), _LEAST_WINDOW), _LARGEST_WINDOW))
    along = min(math.isqrt(_PIXELS) // wanted, _WINDOWS)
    starts = []
    for side in size:
        count, length = max(round(along * side / max(size)), 2), min(wanted, side)
        middles = [(index + 0.5) * side / count - length / 2 for index in range(count)]
        starts.append([min(max(round(place), 0), side - length) for place in middles])
    h, w = min(wanted, size[0]), min(wanted, size[1])
    places = [(top, left) for top in starts[0] for left in starts[1]]
    # Below each other they are one picture, whose colours are projected alike everywhere.
    pile = [image[..., top : top + h, left : left + w] for top, left in places]
    plane, factor = project(torch.cat(pile, -2))
    points = [(top + (h - size[0]) / 2, left + (w - size[1]) / 2) for top, left in places]
    return plane.unflatten(0, (-1, h)), torch.tensor(points, device=image.device), factor


def _field(poses: Poses, size: Size, settings: Settings) -> Field:
    """A grid of up to 8 x 8, so fine that neighbours differ by about a pixel and a half."""
    rows, columns = (min(max(math.ceil(poses.spread * side / 1.5), 2), 8) for side in size)
    y = ((torch.arange(rows) + 0.5) / rows - 0.5) * size[0]
    x = ((torch.arange(columns) + 0.5) / columns - 0.5) * size[1]
    points = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).flatten(0, 1)
    kernels = poses.kernels(points.to(poses.weights.device))
    middle, radius = kernels.shape[-1] // 2, max(support_radius(one, 1e-3) for one in kernels)
    inside = slice(middle - radius, middle + radius + 1)
    kernels = kernels[:, inside, inside]
    kernels = kernels / kernels.sum((-2, -1), keepdim=True)
    record = Record("l0 field", dict(vars(settings)))
    return Field(kernels.unflatten(0, (rows, columns))[:, :, None], record=record)


def _energy(windows: Tensor, kernels: Tensor) -> float:
    """The l0 energy of windows (N, h, w) under kernels (N, side, side), a pixel's.

    Every gradient that is not zero counts.
    """
    size = (windows.shape[-2], windows.shape[-1])
    inside = _inside(size)
    seen = taper_edges(windows, (_TAPER, _TAPER))
    sharp = predict(seen, kernels, _JUDGED_WEIGHT)
    again = inverse(torch.fft.rfft2(sharp) * transfer_function(kernels, size), size)
    along_y, along_x = gradient(sharp)
    kept = (along_y**2 + along_x**2)[inside] > _TINY**2
    energy = (again - seen)[inside].square().mean() + _JUDGED_WEIGHT * kept.float().mean()
    return max(float(energy), 1e-12)


def _edges(windows: Tensor, kernels: Tensor, noise: float) -> float:
    """The share of edges in a smooth restoration of the windows, as in `unblur.blind.score`."""
    weight = _RATE * max(noise, _VISIBLE_NOISE)
    # What lies around a window matters to its rim only, which is left out.
    seen = taper_edges(windows, (_TAPER, _TAPER))
    smooth = hyper_laplacian(seen[None], kernels, regularization=weight, boundary="periodic")[0]
    inside = _inside((windows.shape[-2], windows.shape[-1]))
    steps = torch.stack([part[inside] for part in gradient(smooth)])
    return max(float((steps.abs() > _VISIBLE).float().mean()), 1e-6)


def _inside(size: Size) -> tuple[slice, slice, slice]:
    """All windows without their rims."""
    rim = math.ceil(_RIM * min(size))
    return slice(None), slice(rim, -rim), slice(rim, -rim)


def _size(kernels: Tensor) -> float:
    """Root mean square distance from the centre of mass, over kernels (N, h, w) of mass 1."""
    total = 0.0
    for axis in (-1, -2):
        profile = kernels.sum(axis)
        places = torch.arange(profile.shape[-1], device=kernels.device).to(profile)
        mean = profile @ places
        total += float((profile @ places**2 - mean**2).mean())
    return math.sqrt(max(total, 1e-6))
