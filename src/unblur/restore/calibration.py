"""Calibrating a lens as a function: any pictures in, a profile out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from unblur.errors import ParameterError
from unblur.lens import calibrate as calibrate_lens
from unblur.lens.profile import LensProfile
from unblur.progress import Progress
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.calibrated import prior_estimator
from unblur.restore.checks import check_device

__all__ = ["calibrate"]


def calibrate(
    sharp: Any,
    blurred: Any,
    *,
    grid: tuple[int, int] | None = None,
    kernel_size: int | None = None,
    prior: str | None = None,
    camera: str | None = None,
    lens: str | None = None,
    device: str = "auto",
    encoding: Encoding | None = None,
    progress: Progress | None = None,
) -> LensProfile:
    """Calibrate a lens: its kernel for each cell of the frame and each channel, from pairs.

    A pair shows one scene, sharp and blurred, from one place: at two apertures, or focused and not.
    The sharp picture is laid on the blurred one (turn, scale, shift below a pixel, distortion);
    exposure and white balance need not agree.

    Args:
        sharp: what `deblur` takes, or a list of such pictures.
        blurred: likewise, as many; all of one size.
        grid: (rows, columns) of cells; None chooses by the size, at most (9, 12).
        kernel_size: side of the kernels in pixels, odd; None finds it.
        prior: weights of DPA-Net, whose distortion prior is estimated as well, from the first pair.
        camera: its name, where the metadata do not tell.
        lens: likewise.
        device: of the network.
        encoding: as for `deblur`.
        progress: called with the stage and the fraction done; may raise `Cancelled`.

    Returns:
        The profile: `profile.save(path)`, `profile.show()`, `deblur(picture, lens=profile)`.

    Raises:
        InputError: A pair cannot work: different scenes, no texture, saturated, parallax, or a blur
            beyond the kernels; the message says which, and what to do.
        ParameterError: An argument is out of range.

    Example:
        >>> import unblur
        >>> from skimage.data import gravel
        >>> sharp = gravel()[:240, :240]
        >>> blurred = unblur.blur(sharp, unblur.kernels.gaussian(sigma=1))
        >>> profile = unblur.calibrate(sharp, blurred, grid=(1, 1), kernel_size=9)
        >>> round(float(profile.field.kernels.max()), 1)
        0.1
    """
    pictures = [_listed(each) for each in (sharp, blurred)]
    if len(pictures[0]) != len(pictures[1]):
        raise ParameterError(
            f"sharp and blurred must be as many; got {len(pictures[0])} and {len(pictures[1])}"
        )
    estimator = None if prior is None else prior_estimator(prior, check_device(device))
    photos = [[adapt(each, encoding).photo for each in side] for side in pictures]
    profile = calibrate_lens(
        list(zip(*photos, strict=True)),
        grid=grid,
        kernel_size=kernel_size,
        prior=estimator,
        progress=progress,
    )
    shot = profile.shot
    named = replace(shot, camera=camera or shot.camera, lens=lens or shot.lens)
    return replace(profile, shot=named)


def _listed(pictures: Any) -> Sequence[Any]:
    return pictures if isinstance(pictures, list | tuple) else [pictures]
