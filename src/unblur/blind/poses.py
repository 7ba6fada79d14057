"""How long the camera stayed at each pose: what gives every place in the frame its kernel."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.fourier import fast_size, inverse, transfer_function

__all__ = ["Correlations", "Poses", "fit_poses"]

# Angles and pixels that the density may grow by on each side from one fit to the next.
_ROOM = 1
_POWER_STEPS = 8


@dataclass(frozen=True)
class Poses:
    """A density over the roll of the camera and its shift.

    At the pose (angle, t) a point p, measured from the centre of the frame, is seen at R(angle) p +
    t, so the kernel at p is sum over angles of the slice of that angle, shifted by (R(angle) - 1)
    p. Yaw and pitch of a camera that is not very wide are shifts.

    Attributes:
        weights: (angles, side, side), non-negative, sum 1; the centre pixel of a slice is t = 0.
        angles: (angles,), radians, counter-clockwise on the screen, double precision.

    Source:
        Gupta, Joshi, Zitnick, Cohen & Curless, Single Image Deblurring Using Motion Density
        Functions, 2010; Whyte, Sivic, Zisserman & Ponce, Non-uniform Deblurring for Shaken Images,
        2010.

    Example:
        >>> poses = Poses.uniform(torch.ones(1, 1), torch.tensor([-0.01, 0.01]))
        >>> poses.kernels(torch.tensor([[0.0, 100.0]]))[0, :, 1].round(decimals=2) + 0.0
        tensor([0.5000, 0.0000, 0.5000])
    """

    weights: Tensor
    angles: Tensor

    @staticmethod
    def uniform(kernel: Tensor, angles: Tensor) -> "Poses":
        """The kernel (side, side) at every angle alike."""
        weights = (kernel / len(angles)).expand(len(angles), -1, -1).clone()
        return Poses(weights, angles.double())

    @property
    def spread(self) -> float:
        """The difference of the largest and the smallest angle that occur, radians."""
        present = self.angles[self.weights.sum((1, 2)) > 0]
        return float(present.max() - present.min())

    def side(self, points: Tensor) -> int:
        """The side of kernels that hold all paths at points (N, 2)."""
        drift = _drift(self.angles, points).abs().max()
        return self.weights.shape[-1] + 2 * math.ceil(float(drift))

    def kernels(self, points: Tensor) -> Tensor:
        """The kernels (N, side, side) at points (N, 2) of (y, x) from the centre, each of mass 1.

        Mass between pixels is shared linearly.
        """
        side = self.side(points)
        frame = (fast_size(side), fast_size(side))
        slices = transfer_function(self.weights, frame).flatten(1)
        basis = _basis(_drift(self.angles, points), frame)
        spectra = torch.einsum("fpt,tf->pf", basis, slices).unflatten(1, (frame[0], -1))
        kernels = _box(inverse(spectra, frame), side)
        # Rounding of the transforms is not blur.
        kernels = torch.where(kernels < 1e-6, torch.zeros_like(kernels), kernels)
        return kernels / kernels.sum((-2, -1), keepdim=True)

    def clean(self, threshold: float, isolated: float) -> "Poses":
        """Drop faint poses and small islands, trim what is empty, and centre.

        One path of one camera is connected: islands that hold less than `isolated` of the mass are
        noise, and so is what is under `threshold` of the maximum. The mean pose becomes the origin
        (to the pixel): the picture stays where it is.
        """
        from scipy.ndimage import label

        kept = self.weights * (self.weights >= threshold * self.weights.max())
        numbers, _ = label((kept > 0).cpu().numpy(), structure=np.ones((3, 3, 3)))
        labels = torch.from_numpy(numbers).to(kept.device)
        masses = torch.bincount(labels.flatten(), weights=kept.double().flatten())
        stays = masses >= isolated * masses.sum()
        stays[masses.argmax()] = True
        kept = kept * stays[labels]
        kept = kept / kept.sum()
        shares = kept.sum((1, 2))
        angles = self.angles - (shares.double() * self.angles).sum()
        slices, angles = _trim_angles(kept, angles)
        return Poses(_centre(slices), angles)


@dataclass(frozen=True)
class Correlations:
    """All that a fit needs of windows and of their sharp predictions.

    Attributes:
        target: cross-correlations of predicted and blurred gradients, (N, side, side).
        autocorrelation: of the predicted gradients, (N, 2 side - 1, 2 side - 1).
        energy: sums of the squared blurred gradients, (N,).
    """

    target: Tensor
    autocorrelation: Tensor
    energy: Tensor

    @staticmethod
    def of(
        prediction: tuple[Tensor, Tensor], blurred: tuple[Tensor, Tensor], side: int
    ) -> "Correlations":
        """From gradients along y and x, (N, h, w) each, of windows longer than 2 `side`."""
        size = (blurred[0].shape[-2], blurred[0].shape[-1])
        cross, power = torch.zeros(()), torch.zeros(())
        for sharp, seen in zip(prediction, blurred, strict=True):
            spectrum = torch.fft.rfft2(sharp)
            cross = cross + spectrum.conj() * torch.fft.rfft2(seen)
            power = power + spectrum.real**2 + spectrum.imag**2
        energy = blurred[0].square().sum((-2, -1)) + blurred[1].square().sum((-2, -1))
        return Correlations(
            _box(inverse(cross, size), side), _box(inverse(power, size), 2 * side - 1), energy
        )

    def misfit(self, kernels: Tensor) -> Tensor:
        """Sum |k * D u - D v|^2 of each window for kernels (N, side, side) at most as large."""
        side = self.target.shape[-1]
        margin = (side - kernels.shape[-1]) // 2
        kernels = pad(kernels, (margin,) * 4)
        frame = (fast_size(2 * side - 1),) * 2
        spread = inverse(
            transfer_function(kernels, frame) * transfer_function(self.autocorrelation, frame),
            frame,
        )
        inner = kernels * (_box(spread, side) - 2 * self.target)
        return self.energy + inner.sum((-2, -1))


def fit_poses(
    start: Poses, points: Tensor, seen: Correlations, shares: Tensor, *, gamma: float, steps: int
) -> Poses:
    """Fit the density to all windows at once.

    w = argmin_{w >= 0} sum_p s_p (|k_p * D u_p - D v_p|^2 + gamma |k_p|^2) with k_p = sum_angle
    shift(w_angle, (R(angle) - 1) p), by accelerated projected gradients (FISTA, Beck & Teboulle
    2009). In the Fourier domain k is linear in w at each frequency by itself.

    Args:
        start: where to start; its angles and sides are those of the result.
        points: (N, 2), centres of the windows from the centre of the frame.
        seen: of the windows, with the side that `start.side(points)` says.
        shares: s, (N,), at least 0: how far each window counts.
        gamma: see above; larger is smoother.
        steps: of FISTA.
    """
    # The FFT takes twice as long for odd sides.
    frame_side = fast_size(2 * seen.target.shape[-1] - 1, 4)
    frame = (frame_side, frame_side)
    basis = _basis(_drift(start.angles, points), frame)
    adjoint = (basis * shares[:, None]).conj().transpose(1, 2)
    power = (transfer_function(seen.autocorrelation, frame).real + gamma).flatten(1).T
    # One contiguous row of frequencies for each pair of angles, (from, to, frequencies).
    normal = (adjoint @ (basis * power[..., None])).permute(2, 1, 0).contiguous()
    cross = transfer_function(seen.target, frame).flatten(1).T
    right = (adjoint @ cross[..., None])[..., 0].T.unflatten(1, (frame_side, -1))
    own = start.weights.shape[-1]
    wanted = _box(inverse(right, frame), own)

    def slope(weights: Tensor) -> Tensor:
        # The normal matrix does not know where the weights stand: a corner will do.
        spectrum = torch.fft.rfft2(weights, s=frame).flatten(1)
        blurred = inverse(_product(normal, spectrum).unflatten(1, (frame_side, -1)), frame)
        return blurred[..., :own, :own] - wanted

    step = 1 / max(_largest(normal), 1e-12)
    weights = ahead = start.weights
    momentum = 1.0
    for _ in range(steps):
        following = (ahead - step * slope(ahead)).clamp(min=0)
        growth = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = following + (momentum - 1) / growth * (following - weights)
        weights, momentum = following, growth
    if not float(weights.sum()) > 0:
        return start
    return Poses(weights, start.angles)


def _product(normal: Tensor, vector: Tensor) -> Tensor:
    """The matrices of all frequencies, (from, to, F), times the vectors of all, (from, F)."""
    total = normal[0] * vector[0]
    for row, factor in zip(normal[1:], vector[1:], strict=True):
        total.addcmul_(row, factor)
    return total


def _largest(normal: Tensor) -> float:
    """A little over the largest eigenvalue among Hermitian matrices (T, T, F)."""
    # Neighbouring angles hardly differ: nearly all of the first vector is along all ones.
    vector = torch.ones_like(normal[0])
    vector[::2] *= 1.1
    length = vector.abs().square().sum(0).sqrt()
    for _ in range(_POWER_STEPS):
        vector = _product(normal, vector / length.clamp(min=1e-20))
        length = vector.abs().square().sum(0).sqrt()
    return 1.05 * float(length.max())


def _drift(angles: Tensor, points: Tensor) -> Tensor:
    """(R(angle) - 1) p, (N, angles, 2) of (y, x), for points (N, 2)."""
    # Rows grow downwards, so counter-clockwise on the screen is y' = cos y - sin x.
    cosine, sine = torch.cos(angles) - 1, torch.sin(angles)
    y, x = points.double().to(angles.device)[:, :, None].unbind(1)
    return torch.stack((cosine * y - sine * x, sine * y + cosine * x), -1)


def _basis(drift: Tensor, frame: tuple[int, int]) -> Tensor:
    """Transfer functions of shifts (N, angles, 2), (frequencies, N, angles)."""
    rows = torch.fft.fftfreq(frame[0], dtype=torch.float64, device=drift.device)
    columns = torch.fft.rfftfreq(frame[1], dtype=torch.float64, device=drift.device)
    along_y, along_x = _shift(drift[..., 0], rows), _shift(drift[..., 1], columns)
    return (along_y[:, None] * along_x[None, :]).flatten(0, 1)


def _shift(distance: Tensor, frequencies: Tensor) -> Tensor:
    """(frequencies, N, angles) of shifts along an axis, shared between neighbouring pixels."""
    whole = distance.floor()
    share = distance - whole
    turn = -2j * math.pi * frequencies[:, None, None]
    shift: Tensor = torch.exp(turn * whole) * (1 - share + share * torch.exp(turn))
    return shift.to(torch.complex64)


def _trim_angles(weights: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the angles that occur, and `_ROOM` beside them where there are such."""
    present = (weights.sum((1, 2)) > 0).nonzero().flatten()
    first = max(int(present[0]) - _ROOM, 0)
    last = min(int(present[-1]) + _ROOM, len(angles) - 1)
    return weights[first : last + 1], angles[first : last + 1]


def _centre(weights: Tensor) -> Tensor:
    """Move the mean of all slices to the centre pixel and fit the box, with `_ROOM`."""
    radius = weights.shape[-1] // 2
    offsets = torch.arange(-radius, radius + 1, dtype=weights.dtype, device=weights.device)
    down = round(float(weights.sum((0, 2)) @ offsets))
    right = round(float(weights.sum((0, 1)) @ offsets))
    margin = max(abs(down), abs(right)) + _ROOM
    weights = pad(weights, (margin,) * 4).roll((-down, -right), (1, 2))
    filled = weights.sum(0) > 0
    radius += margin
    reach = (filled.nonzero() - radius).abs().max()
    keep = min(int(reach) + _ROOM, radius)
    return weights[:, radius - keep : radius + keep + 1, radius - keep : radius + keep + 1]


def _box(image: Tensor, side: int) -> Tensor:
    """The box of `side` pixels about the origin of periodic images, as pictures."""
    radius = side // 2
    return image.roll((radius, radius), (-2, -1))[..., :side, :side]
