"""Half-quadratic splitting: what the solvers with sparse gradients have in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.curvature import flattened
from unblur.deconvolve.lights import solid
from unblur.deconvolve.loop import iterate
from unblur.deconvolve.observation import Observation, observe
from unblur.deconvolve.proximal import shrink_vector
from unblur.deconvolve.setup import (
    LEAST_NOISE,
    TV_RATE,
    default_regularization,
    kernel_radius,
)
from unblur.deconvolve.system import System, make_system
from unblur.fourier import adjoint_gradient, gradient, gradient_power
from unblur.progress import Progress

__all__ = ["ITERATIONS", "Problem", "Shrink", "State", "pose", "pose_pilot"]

Shrink = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]

# The weight of the splitting, relative to the prior's, at the first and the last iteration. Going
# on to infinity reaches the mode of the posterior, whose flat patches look painted and score lower.
_FIRST_WEIGHT, _LAST_WEIGHT = 4.0, 300.0
# Of conjugate gradients, which fill in what lies outside the frame before the iterations begin: the
# least, what a picture adds that is all border, for each share of it and for its cube, and the
# most; under a field, where a step is dear. Large kernels in small pictures want many: 256 pixels
# under a kernel of 25 come to 18.7 dB with 12 steps, 28.9 with 60, 29.7 with 100.
_FIT_STEPS, _BORDER_STEPS, _WIDE_BORDER_STEPS, _MOST_STEPS, _FIELD_STEPS = 5, 30, 180_000, 100, 12
_GUESSED_STEPS = 30
# A light that comes out this much brighter than white is worth so many more steps, and iterations:
# what it was is found only slowly, and until then it rings.
_BRIGHT, _LIGHT_STEPS, _LIGHT_ITERATIONS = 1.5, 70, 20
ITERATIONS = 6
# A pilot needs less: iterations, steps of the fit fewer, and weights of the splitting, first and
# last, times the noise. Colour differences hold little and are smoother than colours.
_PILOT_ITERATIONS, _PILOT_SPARED, _PILOT_WEIGHTS = 4, 2, (0.06, 1.0)
_COLOUR_ITERATIONS, _COLOUR_FIT_STEPS, _COLOUR_RATE = 2, 1, 2.5


@dataclass(frozen=True)
class State:
    """An estimate, and what the data say, projected."""

    image: Tensor
    projected: Tensor
    done: int = 0


@dataclass(frozen=True)
class Problem:
    """A picture to be explained, step by step: shrink its gradients, fit the picture to them."""

    seen: Observation
    system: System
    shrink: Shrink
    regularization: float
    iterations: int
    weights: tuple[float, float]
    penalty: Tensor
    fit_steps: int
    curvature: float = 0.0
    light_steps: int = 0

    def channel(self, index: int) -> "Problem":
        """The problem of one channel."""
        return replace(self, seen=self.seen.channel(index))

    def brief(self) -> "Problem":
        """The problem of a colour difference, of which little is to be found."""
        first, last = self.weights
        return replace(
            self,
            regularization=_COLOUR_RATE * self.regularization,
            iterations=_COLOUR_ITERATIONS,
            weights=(2 * first, last / 2),
            fit_steps=_COLOUR_FIT_STEPS,
        )

    def solve(self, progress: Progress | None = None, guess: Tensor | None = None) -> State:
        """Start, and iterate; for longer where clipped lights turn out to be bright.

        A guess at the picture on its frame spares most of the steps to the start.
        """
        steps = self.fit_steps if guess is None else min(self.fit_steps, _GUESSED_STEPS)
        image, iterations = self._fit(steps, guess), self.iterations
        if self._bright(image):
            iterations = max(iterations, _LIGHT_ITERATIONS)
            image = self._fit(self.light_steps, image) if self.light_steps else image
        problem = replace(self, iterations=iterations)
        begun = State(image, self._project(image))
        return iterate(begun, problem.step, iterations=iterations, progress=progress)

    def _bright(self, image: Tensor) -> bool:
        """Whether what is clipped holds a light, and not just specks, well above white."""
        clipped = self.seen.clipped
        return clipped is not None and solid((image > _BRIGHT) & clipped) is not None

    def _fit(self, steps: int, start: Tensor | None) -> Tensor:
        """Fit what is known under a quadratic prior."""
        penalty = self.regularization * self.penalty
        return self.system.fit(self.seen.image, self.seen.known, penalty, steps, start)

    def step(self, state: State) -> State:
        """Shrink the gradients, fit the picture to them and the data, raise their weight."""
        share = state.done / max(self.iterations - 1, 1)
        first, last = self.weights
        weight = first * (last / first) ** share
        slopes = gradient(state.image)
        bends = flattened(*slopes, 1 / weight) if self.curvature else None
        along_y, along_x = self.shrink(*slopes, 1 / weight)
        if bends is not None:
            along_y.add_(bends[0], alpha=self.curvature)
            along_x.add_(bends[1], alpha=self.curvature)
        prior = adjoint_gradient(along_y, along_x)
        weight *= self.regularization
        image = self.system.solve(state.projected, self.penalty, weight, prior, state.image)
        done = state.done + 1
        # Of two or three iterations none would profit from another completion.
        again = self.seen.clipped is not None or 1 < done == self.iterations // 2
        return State(image, self._project(image) if again else state.projected, done)

    def _project(self, image: Tensor) -> Tensor:
        predicted = self.system.forward(image)
        return self.system.project(self.seen.complete(predicted), image, predicted)


def pose(
    image: Tensor,
    kernel: Tensor | Field,
    shrink: Shrink,
    *,
    regularization: float,
    iterations: int,
    boundary: str,
    clipped: Tensor | None,
    ignored: Tensor | None,
    weights: tuple[float, float] = (_FIRST_WEIGHT, _LAST_WEIGHT),
    curvature: float = 0.0,
) -> Problem:
    """Put the picture on its frame, and make what the iterations need."""
    seen = observe(
        image, kernel_radius(kernel), boundary=boundary, clipped=clipped, ignored=ignored
    )
    frame = (seen.image.shape[-2], seen.image.shape[-1])
    power = gradient_power(frame, image)
    return Problem(
        seen,
        make_system(kernel, seen.size, seen.margin, frame),
        shrink,
        max(regularization, 1e-8),
        iterations,
        weights,
        power + curvature * power**2 if curvature else power,
        _fit_steps(kernel, seen.size),
        curvature,
        0 if isinstance(kernel, Field) else _LIGHT_STEPS,
    )


def _fit_steps(kernel: Tensor | Field, size: tuple[int, int]) -> int:
    border = 2 * max(kernel_radius(kernel)) / min(size)
    wanted = _FIT_STEPS + round(_BORDER_STEPS * border + _WIDE_BORDER_STEPS * border**3)
    return min(wanted, _FIELD_STEPS if isinstance(kernel, Field) else _MOST_STEPS)


def pose_pilot(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float,
    boundary: str,
    clipped: Tensor | None,
    ignored: Tensor | None,
) -> Problem:
    """Total variation, for a first estimate that something else improves."""
    problem = pose(
        image,
        kernel,
        shrink_vector,
        regularization=default_regularization(noise_std, TV_RATE),
        iterations=ITERATIONS,
        boundary=boundary,
        clipped=clipped,
        ignored=ignored,
    )
    if problem.seen.clipped is not None:  # what a clipped pixel was is found only step by step
        return problem
    first, last = _PILOT_WEIGHTS
    noise = max(noise_std, LEAST_NOISE)
    return replace(
        problem,
        iterations=_PILOT_ITERATIONS,
        weights=(first / noise, last / noise),
        fit_steps=problem.fit_steps - _PILOT_SPARED,
    )
