"""Deblurring as a function: any picture in, the same kind of picture out."""

from collections.abc import Callable
from typing import Any

from unblur.blur import Kernel
from unblur.progress import Progress, report
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.catalogue import DEFAULT, find
from unblur.restore.checks import check_roi
from unblur.restore.method import Given
from unblur.restore.result import Report, Result
from unblur.restore.work import Work

__all__ = ["Report", "Result", "deblur", "estimate_kernel", "load"]


def deblur(
    image: Any,
    method: str = DEFAULT,
    *,
    kernel: Any = None,
    lens: Any = None,
    device: str = "auto",
    max_memory: int | float | str | None = None,
    tile: int = 0,
    strength: float = 1.0,
    roi: tuple[int, int, int, int] | None = None,
    mask: Any = None,
    encoding: Encoding | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **parameters: Any,
) -> Result[Any]:
    """Make a picture sharp.

    Args:
        image: Photo, path, NumPy array (H, W) or (H, W, C), PIL image, or tensor (C, H, W) or (B,
            C, H, W). Integers, or floats in [0, 1]. Never modified.
        method: a name of the catalogue; "l0" finds the blur by itself.
        kernel: the blur, where it is known: a Kernel, an array, or a Field.
        lens: the profile of a calibrated lens in the place of a kernel: a LensProfile, its path, or
            "auto", which finds it by the names of camera and lens in the metadata.
        device: "auto", "cpu", "cuda" or "mps".
        max_memory: what the process may hold, in bytes or as "4GB"; None: half of what is free.
            Pictures that need more are cut into tiles.
        tile: side of the tiles in pixels, halo included, whatever `max_memory` says; 0 decides by
            the memory. A blur that reaches far makes them larger.
        strength: from 0 (the picture as it was) to 1 (restored).
        roi: (x, y, width, height) of the part from which the blur is estimated; None chooses.
        mask: bool (H, W), True where pixels are to be left alone.
        encoding: "srgb" or "linear": what the values of an array mean; None takes them as they are.
        seed: of whatever is random; the same seed gives the same bytes.
        progress: called with the stage and the fraction done; may raise `Cancelled`.
        **parameters: of the method, by name; see `unblur.METHODS`.

    Returns:
        The restored image, of the type, dtype and size that was given; the kernel; and a report.

    Raises:
        InputError: The picture cannot be used.
        KernelError: The kernel is not one, or is larger than the picture.
        ParameterError: An argument is unknown or out of range.
        OutOfMemory: Not even a small tile fits `max_memory`.
        Cancelled: Raised by `progress`.

    Example:
        >>> import numpy as np, unblur
        >>> blurred = unblur.blur(np.eye(64), unblur.kernels.gaussian(sigma=1.5))
        >>> result = unblur.deblur(blurred, "wiener", kernel=unblur.kernels.gaussian(sigma=1.5))
        >>> result.image.shape, result.image.dtype
        ((64, 64), dtype('float64'))
    """
    return Work(find(method), parameters, device, kernel, lens).run(
        image,
        max_memory=max_memory,
        tile=tile,
        strength=strength,
        roi=roi,
        mask=mask,
        encoding=encoding,
        seed=seed,
        progress=progress,
    )


def estimate_kernel(
    image: Any,
    kernel_size: int | None = None,
    *,
    start: Any = None,
    roi: tuple[int, int, int, int] | None = None,
    device: str = "auto",
    encoding: Encoding | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **parameters: Any,
) -> Kernel:
    """Find the blur of a picture, without restoring it.

    Args:
        image: as for `deblur`; of several pages the first counts.
        kernel_size: side in pixels, odd; None finds it.
        start: a Kernel or an array to start from, where the blur is roughly known.
        roi: (x, y, width, height) of the part to look at; None chooses.
        device: "auto", "cpu", "cuda" or "mps".
        encoding: as for `deblur`.
        seed: of whatever is random.
        progress: called with the stage and the fraction done; may raise `Cancelled`.
        **parameters: of method "l0".

    Returns:
        The kernel. Its record says how it came to be and how far to trust it. For a picture without
        blur it is one pixel.

    Example:
        >>> import numpy as np, unblur
        >>> unblur.estimate_kernel(np.full((64, 64), 0.5)).size
        (1, 1)
    """
    if kernel_size is not None:
        parameters["kernel_size"] = kernel_size
    work = Work(find("l0"), {**parameters, "field": False}, device, None)
    photo = adapt(image, encoding).photo
    page = work.page(photo, 0, None)
    guess = start if start is None or isinstance(start, Kernel) else Kernel.from_array(start)
    given = Given(start=guess, roi=check_roi(roi, photo.size), seed=seed, restore=False)
    found = work.prepare(page, given, progress).blur
    report(progress, "kernel", 1.0)
    return found if isinstance(found, Kernel) else Kernel.identity()


def load(
    method: str, device: str = "auto", *, kernel: Any = None, lens: Any = None, **parameters: Any
) -> Callable[..., Result[Any]]:
    """Check the method and its parameters once, and give a function that restores pictures.

    The function takes a picture and the other keyword arguments of `deblur`.

    Example:
        >>> import numpy as np, unblur
        >>> restorer = unblur.load("tv", kernel=unblur.kernels.disk(radius=2))
        >>> restorer(np.zeros((32, 32))).report.unchanged
        'flat: every pixel has the same value'
    """
    work = Work(find(method), parameters, device, kernel, lens)
    return work.run
