"""A method set up once, and any number of pictures through it."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblur.blur import Field, Kernel
from unblur.errors import ParameterError
from unblur.photo import Photo
from unblur.progress import Progress, part
from unblur.restore.adapt import Encoding, adapt
from unblur.restore.catalogue import DEFAULT, METHODS
from unblur.restore.checks import check_device, check_mask, check_roi, check_settings
from unblur.restore.lenses import as_lens, check_lens, lens_record, profile_for, with_lens
from unblur.restore.memory import budget, held_bytes, peak_bytes
from unblur.restore.method import Given, Method, Prepared
from unblur.restore.page import Page, Values
from unblur.restore.parameters import parse
from unblur.restore.result import Report, Result
from unblur.restore.run import restore_page

__all__ = ["Work"]

# The share of the time that a method takes to find the blur.
_LOOKING = 0.6


class Work:
    """A method with everything set that does not depend on the picture."""

    def __init__(
        self,
        method: Method,
        parameters: Mapping[str, Any],
        device: str,
        kernel: Any,
        lens: Any = None,
    ) -> None:
        self.method = method
        self.parameters: Any = parse(method.parameters, parameters)
        self.device = check_device(device)
        self.kernel = None if kernel is None else _as_blur(kernel)
        check_lens(method, lens, kernel)
        self.lens = as_lens(lens)
        if method.needs_kernel and kernel is None and lens is None:
            raise ParameterError(
                f"kernel is missing: method '{method.name}' needs the blur; give kernel=..., or "
                f"use method '{DEFAULT}', which finds it"
            )
        if method.needs_weights and kernel is not None:
            raise ParameterError(
                f"kernel is not for method '{method.name}', a network, which sees the blur by "
                "itself: leave it out, or use a method that undoes a known blur"
            )
        self._build = method.build(self.parameters, self.device)

    def page(
        self, photo: Photo, index: int, protected: Tensor | None, *, bare: bool = False
    ) -> Page:
        """Show the method one page; `bare` values are shown as they are."""
        light: Values = getattr(self.parameters, "light", "encoded")
        if bare and light == "display":
            light = "encoded"
        return Page(photo, index, light, self.device, protected)

    def prepare(self, page: Page, given: Given, progress: Progress | None) -> Prepared:
        """Let the method look at a page; one without any structure is not worth a look."""
        if _is_flat(page.photo.samples[page.index]):
            return Prepared(None, unchanged="flat: every pixel has the same value")
        if page.protected is not None and bool(page.protected.all()):
            return Prepared(None, unchanged="masked: every pixel is to be left alone")
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
        """Restore every page of a picture; the arguments are those of `deblur`."""
        started = time.perf_counter()
        check_settings(strength=strength, tile=tile, seed=seed)
        adapted = adapt(image, encoding)
        photo = adapted.photo
        profile = profile_for(self.lens, photo)
        given, doubts = with_lens(
            profile,
            self.method,
            photo,
            Given(self.kernel, roi=check_roi(roi, photo.size), seed=seed),
        )
        protected = check_mask(mask, photo.size)
        samples = torch.empty_like(photo.samples)
        limit = budget(max_memory, self.device) - samples.nbytes
        held = held_bytes(self.device) + samples.nbytes
        # Only finding a blur takes time before the tiles.
        told = given.kernel is not None or self.method.needs_weights
        looking = 0.0 if told else _LOOKING
        prepared: list[Prepared] = []
        records: list[dict[str, Any]] = []
        warnings = list(doubts)
        for index in range(photo.pages):
            span = part(progress, index / photo.pages, (index + 1) / photo.pages)
            protect = _protect(photo, index, protected)
            page = self.page(photo, index, protect, bare=adapted.bare)
            found = self.prepare(page, given, part(span, 0.0, looking))
            tiled = restore_page(
                page, found.restorer, samples[index], limit=limit, held=held, tile=tile,
                strength=strength, progress=part(span, looking, 1.0),
            )  # fmt: skip
            prepared.append(found)
            records.append(_record(found, tiled.tiles))
            warnings += [*found.warnings, *tiled.warnings]
        # What the file left out is not left out of what was restored.
        carried = replace(photo.carried, coarse_colour=False, step=0.0)
        restored = replace(photo, samples=samples, carried=carried)
        first, blur = records[0], prepared[0].blur
        untouched = strength == 0 or all(found.restorer is None for found in prepared)
        record = Report(
            method=_name(self.method, prepared[0].solver),
            parameters=dict(vars(prepared[0].solver or self.parameters)),
            unchanged=first["unchanged"],
            kernel=first["kernel"],
            measured=first["measured"],
            seconds=time.perf_counter() - started,
            peak_memory_bytes=peak_bytes(),
            device=str(self.device),
            versions=_versions(),
            warnings=tuple(dict.fromkeys(warnings)),
            pages=tuple(records) if photo.pages > 1 else (),
            lens=lens_record(profile),
        )
        return Result(
            adapted.same() if untouched else adapted.back(restored),
            blur if isinstance(blur, Kernel) else None,
            blur if isinstance(blur, Field) else prepared[0].varying,
            record,
        )


def _is_flat(samples: Tensor) -> bool:
    # NumPy finds extremes of every integer type without a copy.
    planes = [plane.numpy() for plane in samples]
    return all(bool(plane.min() == plane.max()) for plane in planes)


def _name(method: Method, solver: Any) -> str:
    """The name of a solver by its parameters, or that of the method where it took none."""
    if solver is None:
        return method.name
    return next(each.name for each in METHODS if each.parameters is type(solver))


def _as_blur(kernel: Any) -> Kernel | Field:
    return kernel if isinstance(kernel, Kernel | Field) else Kernel.from_array(kernel)


def _protect(photo: Any, index: int, mask: Tensor | None) -> Tensor | None:
    """The user's mask, and what is fully transparent: hidden colours must not leak."""
    if photo.alpha is None:
        return mask
    hidden = photo.alpha[index, 0] == 0
    if mask is not None:
        hidden = hidden | mask
    return hidden if bool(hidden.any()) else None


def _record(found: Prepared, tiles: int) -> dict[str, Any]:
    kernel = None
    if isinstance(found.blur, Kernel):
        kernel = {"size": list(found.blur.size), **json.loads(found.blur.record.to_json())}
    elif found.blur is not None:
        kernel = {"size": list(found.blur.kernel_size), "grid": list(found.blur.grid)}
    if kernel is not None and found.varying is not None:
        kernel["grid"] = list(found.varying.grid)
    return {
        "unchanged": found.unchanged,
        "kernel": kernel,
        "measured": {**found.measured, "tiles": tiles},
    }


def _versions() -> dict[str, str]:
    from unblur import __version__

    return {"unblur": __version__, "torch": torch.__version__, "numpy": np.__version__}
