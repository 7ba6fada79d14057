"""Deblurring as a function: any picture in, the same kind of picture out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from unblur.blur import Field, Kernel
from unblur.errors import InputError, ParameterError
from unblur.progress import Progress, part, report
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.catalogue import DEFAULT, find
from unblur.restore.checks import check_device, check_mask, check_roi, check_settings
from unblur.restore.memory import budget, peak_bytes
from unblur.restore.method import Given, Method, Prepared
from unblur.restore.page import Page
from unblur.restore.parameters import parse
from unblur.restore.run import restore_page

__all__ = ["Report", "Result", "deblur", "estimate_kernel", "load"]

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What was done and what was found; `as_dict` is ready for JSON.

    Attributes:
        method: name in the catalogue.
        parameters: all of them, with the defaults that were used.
        unchanged: why the picture came back as it was, or None.
        kernel: size, confidence and how it came to be, or None.
        measured: numbers of the method: noise, scores, tiles.
        seconds: wall clock.
        peak_memory_bytes: the most that the process has held so far.
        device: where it was computed.
        versions: of what computed it.
        warnings: sentences.
        pages: the same for each page, where there are several.
    """

    method: str
    parameters: Mapping[str, Any]
    unchanged: str | None
    kernel: Mapping[str, Any] | None
    measured: Mapping[str, Any]
    seconds: float
    peak_memory_bytes: int
    device: str
    versions: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    pages: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        record = {**vars(self), "warnings": list(self.warnings), "pages": list(self.pages)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in record.items()}


@dataclass(frozen=True)
class Result(Generic[T]):
    """What a restoration gives.

    Attributes:
        image: of the type, dtype and size that was given; a Photo for a path.
        kernel: the uniform blur that was undone (of the first page), if there is one.
        field: the varying blur, if there is one.
        report: what was done.
    """

    image: T
    kernel: Kernel | None
    field: Field | None
    report: Report


def deblur(
    image: Any,
    method: str = DEFAULT,
    *,
    kernel: Any = None,
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
        image: Photo, path, NumPy array (H, W) or (H, W, C), PIL image, or tensor (C, H, W) or (B, C, H, W).
            Integers, or floats in [0, 1]. Never modified.
        method: a name of the catalogue; "l0" finds the blur by itself.
        kernel: the blur, where it is known: a Kernel, an array, or a Field.
        device: "auto", "cpu", "cuda" or "mps".
        max_memory: what the process may hold, in bytes or as "4GB"; None: half of what is free. Pictures that
            need more are cut into tiles.
        tile: side of the tiles in pixels, halo included; 0 decides by the memory.
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
    return _Work(find(method), parameters, device, kernel).run(
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
        roi: (x, y, width, height) of the part to look at; None chooses.
        device: "auto", "cpu", "cuda" or "mps".
        encoding: as for `deblur`.
        seed: of whatever is random.
        progress: called with the stage and the fraction done; may raise `Cancelled`.
        **parameters: of method "l0".

    Returns:
        The kernel. Its record says how it came to be and how far to trust it. For a picture without blur it
        is one pixel.

    Example:
        >>> import numpy as np, unblur
        >>> unblur.estimate_kernel(np.full((64, 64), 0.5)).size
        (1, 1)
    """
    if kernel_size is not None:
        parameters["kernel_size"] = kernel_size
    work = _Work(find("l0"), parameters, device, None)
    photo = adapt(image, encoding).photo
    page = work.page(photo, 0, None)
    given = Given(roi=check_roi(roi, photo.size), seed=seed)
    found = work.prepare(page, given, progress).blur
    report(progress, "kernel", 1.0)
    return found if isinstance(found, Kernel) else Kernel.identity()


def load(
    method: str, device: str = "auto", *, kernel: Any = None, **parameters: Any
) -> Callable[..., Result[Any]]:
    """Check the method and its parameters once, and give a function that restores pictures.

    The function takes a picture and the other keyword arguments of `deblur`.

    Example:
        >>> import numpy as np, unblur
        >>> restorer = unblur.load("tv", kernel=unblur.kernels.disk(radius=2))
        >>> restorer(np.zeros((32, 32))).report.unchanged
        'flat: every pixel has the same value'
    """
    work = _Work(find(method), parameters, device, kernel)
    return work.run


class _Work:
    """A method with everything set that does not depend on the picture."""

    def __init__(
        self, method: Method, parameters: Mapping[str, Any], device: str, kernel: Any
    ) -> None:
        self.method = method
        self.parameters = parse(method.parameters, parameters)
        self.device = check_device(device)
        self.kernel = None if kernel is None else _as_blur(kernel)
        if method.needs_kernel and kernel is None:
            raise ParameterError(
                f"kernel is missing: method '{method.name}' needs the blur; give kernel=..., or use method "
                f"'{DEFAULT}', which finds it"
            )
        self._build = method.build(self.parameters)

    def page(self, photo: Any, index: int, protected: Tensor | None) -> Page:
        light = getattr(self.parameters, "light", "encoded")
        return Page(photo, index, light, self.device, protected)

    def prepare(self, page: Page, given: Given, progress: Progress | None) -> Prepared:
        samples = page.photo.samples[page.index]
        if bool((samples == samples[:, :1, :1]).all()):
            return Prepared(None, unchanged="flat: every pixel has the same value")
        return self._build(page, given, progress)

    def run(
        self,
        image: Any,
        *,
        max_memory: int | float | str | None = None,
        tile: int = 0,
        strength: float = 1.0,
        roi: tuple[int, int, int, int] | None = None,
        mask: Any = None,
        encoding: Encoding | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Result[Any]:
        started = time.perf_counter()
        check_settings(strength=strength, tile=tile, seed=seed)
        adapted = adapt(image, encoding)
        photo = adapted.photo
        given = Given(self.kernel, check_roi(roi, photo.size), seed)
        protected = check_mask(mask, photo.size)
        limit = budget(max_memory)
        samples = torch.empty_like(photo.samples)
        prepared: list[Prepared] = []
        records: list[dict[str, Any]] = []
        for index in range(photo.pages):
            span = part(progress, index / photo.pages, (index + 1) / photo.pages)
            page = self.page(photo, index, _protect(photo, index, protected))
            found = self.prepare(page, given, part(span, 0.0, 0.6))
            tiles = restore_page(
                page, found.restorer, samples[index], limit=limit, tile=tile, strength=strength,
                progress=part(span, 0.6, 1.0),
            )  # fmt: skip
            prepared.append(found)
            records.append(_record(found, tiles))
        restored = replace(photo, samples=samples)
        first, blur = records[0], prepared[0].blur
        record = Report(
            method=self.method.name,
            parameters=dict(vars(self.parameters)),
            unchanged=first["unchanged"],
            kernel=first["kernel"],
            measured=first["measured"],
            seconds=time.perf_counter() - started,
            peak_memory_bytes=peak_bytes(),
            device=str(self.device),
            versions=_versions(),
            warnings=tuple(dict.fromkeys(text for found in prepared for text in found.warnings)),
            pages=tuple(records) if photo.pages > 1 else (),
        )
        return Result(
            adapted.back(restored),
            blur if isinstance(blur, Kernel) else None,
            blur if isinstance(blur, Field) else None,
            record,
        )


def _as_blur(kernel: Any) -> Kernel | Field:
    return kernel if isinstance(kernel, Kernel | Field) else Kernel.from_array(kernel)


def _protect(photo: Any, index: int, mask: Tensor | None) -> Tensor | None:
    """The user's mask, and what is fully transparent: colours nobody sees must not leak into others."""
    if photo.alpha is None:
        return mask
    hidden = photo.alpha[index, 0] == 0
    if mask is not None:
        hidden = hidden | mask
    return hidden if bool(hidden.any()) else None


def _record(found: Prepared, tiles: int) -> dict[str, Any]:
    kernel = None
    if isinstance(found.blur, Kernel):
        kernel = {"size": list(found.blur.size), **found.blur.record.as_dict()}
    elif found.blur is not None:
        kernel = {"size": list(found.blur.kernels.shape[-2:]), "grid": list(found.blur.kernels.shape[:2])}
    return {
        "unchanged": found.unchanged,
        "kernel": kernel,
        "measured": {**found.measured, "tiles": tiles},
    }


def _versions() -> dict[str, str]:
    from unblur import __version__

    return {"unblur": __version__, "torch": torch.__version__, "numpy": np.__version__}
