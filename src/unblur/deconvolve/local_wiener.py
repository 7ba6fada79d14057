"""Deconvolution by Wiener filters in small blocks: a regularised inverse, then local shrinkage."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.blocks import block_variance, wiener_in_blocks
from unblur.deconvolve.halves import double, halve, halve_kernel
from unblur.deconvolve.lights import by_patches, patches, solid
from unblur.deconvolve.setup import (
    LEAST_NOISE,
    channel_of,
    check,
    kernel_channels,
    kernel_radius,
)
from unblur.deconvolve.splitting import Problem, State, pose_pilot
from unblur.deconvolve.system import System
from unblur.errors import ParameterError
from unblur.progress import Progress, part, report

__all__ = ["local_wiener"]

# The noise of the regularised inverse is taken for this much smaller than it is: the pilot's
# coefficients are the smaller for having been smoothed.
_NOISE_SHARE = 0.75
# |K|^2 is trusted before the pilot down to this. With exact kernels 1 / 256 is up to 0.2 dB
# better, with estimated ones as much worse.
_TRUST = 1 / 128
_PASSES = 2
# Colour that is coarse has half of the noise, and what rounding it leaves in all of its square.
_ROUNDING = 0.0026
# Of the time, where colour is coarse.
_LIGHT_SHARE = 0.65

# Of the restored picture, on a frame whose margin and size are given.
Guess = Callable[[tuple[int, int], tuple[int, int]], Tensor]


def local_wiener(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float = 0.01,
    passes: int = _PASSES,
    boundary: Literal["unknown", "periodic"] = "unknown",
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    coarse_colour: bool = False,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve by a Wiener filter of its own for every block of 8 x 8 pixels.

    A few steps of total variation give a pilot z. Each pass inverts the blur with as much of the
    pilot as the kernel's spectrum needs, u = argmin |k * u - v|^2 + t |u - z|^2, whose noise has
    the known spectrum s^2 / (|K|^2 + t), and then weights each coefficient c of the cosine
    transform of each block by z_c^2 / (z_c^2 + s_c^2): what the pilot shows is kept, and what only
    the noise can have made goes. The mean over four tilings is the next pilot. Pictures of three
    channels are restored in luminance and two colour differences, which share little, so that edges
    have no fringes.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified.
        kernel: (h, w), odd sides, (C, h, w) with one kernel a channel, or a field.
        noise_std: s, standard deviation of the noise, in the units of the image, at least 0.
        passes: at least 0; 0 is the pilot, 2 nearly the best.
        boundary: "unknown" explains light from outside the frame; "periodic" takes the picture as
            one period.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look;
            specks of less than 3 x 3 are taken as they look.
        ignored: bool, likewise: pixels that say nothing.
        coarse_colour: the colour differences hold nothing finer than squares of 2 x 2 pixels, as
            those of most JPEG files: they are restored at half the resolution.
        progress: called before each iteration and each pass.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        R. Neelamani, H. Choi, R. Baraniuk, ForWaRD: Fourier-Wavelet Regularized Deconvolution for
        Ill-Conditioned Systems, 2004; K. Dabov et al., Image Restoration by Sparse 3D
        Transform-Domain Collaborative Filtering, 2008, section 4, for the pilot.

    Example:
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 3, 20, 30), 0.5)
        >>> restored = local_wiener(flat, kernels.disk(radius=3).pixels)
        >>> bool((restored - flat).abs().max() < 1e-4)
        True
    """
    check(image, kernel, noise_std=noise_std)
    if passes < 0:
        raise ParameterError(f"passes must be at least 0, got {passes}")
    count = image.shape[1]
    if count > 1 and kernel_channels(kernel) > 1:
        planes = [
            local_wiener(
                image[:, [index]],
                channel_of(kernel, index),
                noise_std=noise_std,
                passes=passes,
                boundary=boundary,
                clipped=_plane(clipped, index),
                ignored=ignored,
                progress=part(progress, index / count, (index + 1) / count),
            )
            for index in range(count)
        ]
        return torch.cat(planes, dim=1)

    how = _How(noise_std, passes, boundary, ignored, coarse_colour)
    restore = partial(_restore, how=how)
    lights = solid(clipped)
    if clipped is None or lights is None:
        return restore(image, kernel, None, progress)
    # The bounds of single colours are dear: only near the lights, where that can be told apart.
    apart = count == 3 and boundary == "unknown" and ignored is None
    near = patches(lights, kernel_radius(kernel)) if apart else None
    if near is None:
        return restore(image, kernel, clipped, progress)
    return by_patches(near, image, kernel, clipped, restore=restore, progress=progress)


@dataclass(frozen=True)
class _How:
    """Arguments of `local_wiener` that do not change on the way."""

    noise_std: float
    passes: int
    boundary: str
    ignored: Tensor | None
    coarse_colour: bool

    def coarse(self) -> "_How":
        """For colour that is coarse: half of the noise, and what rounding leaves."""
        noise = math.hypot(self.noise_std / 2, _ROUNDING)
        return replace(self, noise_std=min(noise, self.noise_std))


def _restore(
    image: Tensor,
    kernel: Tensor | Field,
    clipped: Tensor | None,
    progress: Progress | None,
    *,
    how: _How,
    guess: Guess | None = None,
) -> Tensor:
    """Restore a picture of one kernel for all channels, with bounds for what is clipped."""
    if image.shape[1] != 3:
        return _planes(image, kernel, clipped, progress, how=how, guess=guess)
    turn = _opponent(image)
    if clipped is not None or (how.ignored is not None and how.ignored.shape[1] > 1):
        # A bound on a colour bounds no mixture of colours: these are mixed behind the pilot.
        planes = _planes(image, kernel, clipped, progress, how=how, turn=turn, guess=guess)
        return _mix(planes, turn.T)
    image = _mix(image, turn)
    if how.coarse_colour and how.boundary == "unknown" and how.ignored is None:
        light = _planes(image[:, :1], kernel, None, part(progress, 0, _LIGHT_SHARE), how=how)
        colour = _planes(
            halve(image[:, 1:]),
            halve_kernel(kernel),
            None,
            part(progress, _LIGHT_SHARE, 1),
            how=how.coarse(),
            brief=2,
        )
        restored = torch.cat([light, double(colour, light.shape[-2:])], dim=1)
    else:
        restored = _planes(image, kernel, None, progress, how=how, brief=2)
    return _mix(restored, turn.T)


def _planes(
    image: Tensor,
    kernel: Tensor | Field,
    clipped: Tensor | None,
    progress: Progress | None,
    *,
    how: _How,
    brief: int = 0,
    turn: Tensor | None = None,
    guess: Guess | None = None,
) -> Tensor:
    """Restore planes of one kernel; `brief` of them, the last ones, are colour differences.

    With `turn` the pilot's planes are mixed before they are filtered, and stay so; the pilot begins
    with a guess where there is one.
    """
    problem = pose_pilot(
        image,
        kernel,
        noise_std=how.noise_std,
        boundary=how.boundary,
        clipped=clipped,
        ignored=how.ignored,
    )
    count = image.shape[1]
    pilots: Iterable[State]
    if guess is not None:  # a patch, a third of the picture at most: all channels go at once
        pilots = _split(problem.solve(guess=guess(problem.seen.margin, problem.system.size)))
    else:
        pilots = (
            _pilot(problem, index, brief, part(progress, index / count, (index + 0.5) / count))
            for index in range(count)
        )
    if turn is not None:
        pilots = _turned(list(pilots), turn)
    spectrum = _noise_spectrum(problem.system, how.noise_std)
    variance = block_variance(spectrum, problem.system.size)
    restored = torch.empty_like(image)
    for index, pilot in enumerate(pilots):
        plane = _filter(
            problem.system, pilot, variance, passes=how.passes, corner=problem.seen.margin
        )
        restored[:, index : index + 1] = problem.seen.crop(plane)
    report(progress, "deconvolve", 1.0)
    return restored


def _pilot(problem: Problem, index: int, brief: int, progress: Progress | None) -> State:
    """Total variation's answer, and what the data say, for one channel."""
    plane = problem.channel(index)
    if index >= problem.seen.image.shape[1] - brief:
        plane = plane.brief()
    return plane.solve(progress)


def _split(state: State) -> list[State]:
    """Each channel by itself."""
    pairs = zip(state.image.split(1, 1), state.projected.split(1, 1), strict=True)
    return [State(*pair) for pair in pairs]


def _turned(states: list[State], turn: Tensor) -> list[State]:
    """The channels, mixed."""
    images, projected = (
        _mix(torch.cat(planes, dim=1), turn)
        for planes in zip(*((state.image, state.projected) for state in states), strict=True)
    )
    return _split(State(images, projected))


def _plane(mask: Tensor | None, index: int) -> Tensor | None:
    return mask if mask is None or mask.shape[1] == 1 else mask[:, [index]]


def _mix(image: Tensor, matrix: Tensor) -> Tensor:
    """The matrix, applied to the channels."""
    # Sums, as a product with a matrix this narrow takes five times as long.
    mixed = torch.zeros_like(image)
    for row, weights in enumerate(matrix.tolist()):
        for column, weight in enumerate(weights):
            mixed[:, row].add_(image[:, column], alpha=weight)
    return mixed


def _opponent(like: Tensor) -> Tensor:
    """Luminance and two colour differences, orthonormal: white noise stays what it is."""
    rows: Tensor = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]).to(like)
    lengths: Tensor = rows.norm(dim=1, keepdim=True)
    return rows / lengths


def _noise_spectrum(system: System, noise_std: float) -> Tensor:
    """Of the regularised inverse."""
    return (_NOISE_SHARE * max(noise_std, LEAST_NOISE)) ** 2 / (system.power + _TRUST)


def _filter(
    system: System,
    state: State,
    variance: Tensor,
    *,
    passes: int,
    corner: tuple[int, int],
) -> Tensor:
    """Invert the blur towards the pilot, keep what the pilot shows, and again."""
    even = torch.ones_like(system.power)
    pilot = state.image
    for _ in range(passes):
        rough = system.solve(state.projected, even, _TRUST, pilot, pilot)
        pilot = wiener_in_blocks(rough, pilot, variance, corner)
    return pilot
