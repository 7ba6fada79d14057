"""Camera shake as a random trajectory of the hand."""

import cmath
import math

import numpy as np
import torch
from numpy.typing import NDArray

from unblur.blur.areas import path_tent
from unblur.blur.checks import integer, odd_side, real
from unblur.blur.kernel import Kernel
from unblur.blur.record import Record
from unblur.errors import ParameterError

__all__ = ["shake", "trajectory"]

_STEPS = 2000
# The nervous end of the range that the paper's own programs use.
_HIGHEST_ANXIETY = 0.005


def shake(
    size: int,
    exposure: float = 1.0,
    anxiety: float = 0.5,
    *,
    seed: int = 0,
    generator: torch.Generator | None = None,
) -> Kernel:
    """The blur of a hand-held camera: a random trajectory, integrated over the exposure.

    A point moves with inertia at constant speed over a length of `size` pixels, disturbed by
    Gaussian tremor, by jerks that nearly reverse it, and by a pull back to where it started. The
    kernel is the time spent at each place, shared linearly between neighbouring pixels and centred
    on its mass. A trajectory that would leave the box is shrunk to fit it.

    Args:
        size: side of the kernel, odd; also the scale of the blur.
        exposure: share of the trajectory that the shutter is open for, 0 to 1; 0 gives no blur.
        anxiety: 0 (a straight, steady sweep) to 1 (a nervous hand; 0.005 in the paper's unit).
        seed: the same number gives the same kernel.
        generator: where the random numbers come from instead of `seed`.

    Raises:
        ParameterError: an argument is out of range.

    Source:
        Boracchi & Foi, "Modeling the performance of image restoration from motion blur", 2012.

    Example:
        >>> shake(31, seed=1).size
        (31, 31)
    """
    size = odd_side("size", size)
    exposure = real("exposure", exposure, 0, 1)
    anxiety = real("anxiety", anxiety, 0, 1)
    if generator is None:
        generator = torch.Generator().manual_seed(integer("seed", seed, 0, 2**63 - 1))
    elif not isinstance(generator, torch.Generator):
        raise ParameterError(f"generator must be a torch.Generator; got {type(generator).__name__}")
    parameters = {
        "size": size,
        "exposure": exposure,
        "anxiety": anxiety,
        "seed": generator.initial_seed(),
    }
    path = trajectory(float(size), anxiety, generator)
    path = path[: max(round(exposure * _STEPS), 1) + 1]
    if exposure == 0:
        path = np.zeros((2, 2))
    shares = np.full(len(path) - 1, 1 / (len(path) - 1))
    path = path - shares @ ((path[:-1] + path[1:]) / 2)
    reach = float(np.abs(path).max())
    if reach > size // 2:
        path = path * (size // 2 / reach)
    return Kernel.from_array(
        path_tent(path, shares, (size, size)), record=Record("shake", parameters)
    )


def trajectory(length: float, anxiety: float, generator: torch.Generator) -> NDArray[np.float64]:
    """(2001, 2) positions (y, x) of a shaken camera, from (0, 0), `length` pixels of way in all.

    The temperament (strength of tremor, of the pull to the start, and how often jerks come) is
    drawn first, then the motion, as in the paper: with p the position and v the velocity,
    v <- v + jerk + anxiety (tremor * noise - pull * p) step, then |v| <- step, and p <- p + v.
    """
    step = length / _STEPS
    nervous = anxiety * _HIGHEST_ANXIETY
    temperament = torch.rand(4, generator=generator, dtype=torch.float64, device=generator.device)
    pull, tremor = 0.7 * float(temperament[0]), 10 * float(temperament[1])
    jerks = 0.2 * float(temperament[2]) * nervous
    chance = torch.rand(
        _STEPS, 2, generator=generator, dtype=torch.float64, device=generator.device
    )
    noise = torch.randn(
        _STEPS, 2, generator=generator, dtype=torch.float64, device=generator.device
    )
    velocity = cmath.rect(step, 2 * math.pi * float(temperament[3]))
    place, places = 0j, [0j]
    for (lot, turn), (a, b) in zip(chance.tolist(), noise.tolist(), strict=True):
        jerk = 2 * velocity * cmath.exp(1j * (math.pi + turn - 0.5)) if lot < jerks else 0j
        velocity += jerk + nervous * (tremor * complex(a, b) - pull * place) * step
        velocity *= step / abs(velocity)
        place += velocity
        places.append(place)
    path = np.array(places)
    return np.stack((path.imag, path.real), 1)
