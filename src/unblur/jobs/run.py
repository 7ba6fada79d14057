"""One photograph from file to file: read, deblurred, written whole or not at all.

One that comes back as it was is the file itself, unless another encoding was asked for.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from unblur.jobs.files import (
    Source,
    check_target,
    format_for,
    open_source,
    rehearse,
    store,
    store_copy,
)
from unblur.jobs.job import Job, Options
from unblur.jobs.page import Preview, preview
from unblur.jobs.storage import is_remote, nearby, put
from unblur.jobs.warm import Warm
from unblur.photo import Photo, read
from unblur.progress import Progress, part, report
from unblur.restore.api import Result

__all__ = ["NO_KERNEL", "Outcome", "run"]

NO_KERNEL = "there is no kernel to save: the picture was not deblurred with one"
"""The warning where `save_kernel` names a file and no kernel was in use."""

_DEFAULT = Options()
# What asks for another encoding than the file has.
_ENCODING = ("quality", "background", "strip_metadata", "encoding")


@dataclass(frozen=True)
class Outcome:
    """What became of a job: all that the report knows, and small pictures if asked for."""

    job: Job
    record: Mapping[str, Any]
    warnings: tuple[str, ...]
    previews: tuple[Preview, ...] = ()


def run(
    job: Job,
    progress: Progress | None = None,
    *,
    warm: Warm | None = None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
    look: Callable[[Photo], None] | None = None,
    again: bool = False,
) -> Outcome:
    """Do `job`: every file is written whole, or is as it was before.

    Names may be URLs of whatever storage fsspec knows.

    Args:
        job: What to do.
        progress: Called with the stage and the fraction done; may raise to stop the work.
        warm: Keeps the method ready from one job to the next.
        stdin: Where a source of `STREAM` is read from; standard input if not given.
        stdout: Where a target of `STREAM` is written to; standard output if not given.
        look: Shown what was read before the work begins; may raise to leave it.
        again: An earlier attempt may have left its result at the target, which may be replaced.

    Raises:
        InputError: The source cannot be used, or it changed during the work.
        OutputError: The target cannot be written, or exists and `overwrite` is not set.
        UnblurError: Whatever else `unblur.load` and what it gives report.

    Example:
        >>> import tempfile, torch, unblur
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     grey = unblur.Photo.from_tensor(torch.full((3, 8, 8), 0.5))
        ...     unblur.write(f"{folder}/a.png", grey)
        ...     run(Job(f"{folder}/a.png", f"{folder}/b.png")).record["unchanged"]
        ()
        'flat: every pixel has the same value'
    """
    near = nearby(job)
    options = near.options
    check_target(job.target, overwrite=options.overwrite or options.in_place or again)
    if options.save_kernel is not None:
        check_target(options.save_kernel, overwrite=options.overwrite)
    source = open_source(job.source, stdin)
    report(progress, "read", 0.0)
    photo = read(
        source.content,
        max_pixels=options.max_pixels,
        max_pages=options.max_pages,
        salvage=options.salvage,
        nonfinite=options.nonfinite,
        encoding=options.encoding,
    )
    if look is not None:
        look(photo)
    report(progress, "prepare", 0.01)
    rehearse(
        job.target,
        photo,
        format=_format(job, photo),
        quality=options.quality,
        background=options.background,
    )
    restore = (warm or Warm()).restorer(near)
    result = restore(
        photo,
        max_memory=options.max_memory,
        tile=options.tile,
        strength=options.strength,
        roi=options.roi,
        mask=None if options.mask is None else _load_mask(options.mask),
        seed=options.seed,
        progress=part(progress, 0.02, 0.95),
    )
    source.check_unchanged()
    report(progress, "write", 0.95)
    copied = result.image is photo and _stays(job, photo)
    warnings = [
        *_write(job, source, result.image, stdout, copied=copied, again=again),
        *_save_kernel(job, result),
    ]
    record = {"source": job.source, "target": job.target, "ok": True, **result.report.as_dict()}
    record["copied"] = copied
    record["warnings"] = list(dict.fromkeys([*warnings, *record.get("warnings", ())]))
    previews = _previews(photo, result) if options.previews else ()
    report(progress, "done", 1.0)
    return Outcome(job, record, tuple(record["warnings"]), previews)


def _previews(photo: Photo, result: Result[Photo]) -> tuple[Preview, ...]:
    pictures = [preview("before", photo), preview("after", result.image)]
    if result.kernel is not None:
        pictures.append(preview("kernel", Photo.from_tensor(result.kernel.show()[None] / 255.0)))
    return tuple(pictures)


def _load_mask(name: str) -> Any:
    """Read a mask: True where the picture is at least half bright."""
    return read(name).encoded()[0].mean(dim=0) >= 0.5


def _format(job: Job, photo: Photo) -> str | None:
    return photo.carried.format if job.options.in_place else job.options.format


def _stays(job: Job, photo: Photo) -> bool:
    """Say whether the file itself can be the result, where nothing was done to the picture."""
    options = job.options
    asked = any(getattr(options, name) != getattr(_DEFAULT, name) for name in _ENCODING)
    # What was mended while it was read would be broken again.
    mended = photo.warnings and (options.salvage or options.nonfinite == "fill")
    same = format_for(job.target, photo, _format(job, photo)) == photo.carried.format
    return same and not (asked or mended)


def _write(
    job: Job, source: Source, photo: Photo, stdout: BinaryIO | None, *, copied: bool, again: bool
) -> tuple[str, ...]:
    options = job.options
    # Of what is ours already, a storage refuses only what differs.
    mine = again and not is_remote(job.target)
    overwrite = options.overwrite or options.in_place or mine
    if copied:
        if not options.in_place:
            store_copy(job.target, source, stdout=stdout, overwrite=overwrite)
        return ()
    return photo.warnings + store(
        job.target,
        photo,
        stdout=stdout,
        format=_format(job, photo),
        quality=options.quality,
        overwrite=overwrite,
        strip_metadata=options.strip_metadata,
        background=options.background,
        note=f"unblur {job.method}",
    )


def _save_kernel(job: Job, result: Result[Photo]) -> tuple[str, ...]:
    name = job.options.save_kernel
    if name is None:
        return ()
    found = result.kernel if result.kernel is not None else result.field
    if found is None:
        return (NO_KERNEL,)
    if is_remote(name):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, os.path.basename(name))
            found.save(path)
            with open(path, "rb") as file:
                put(name, file.read(), overwrite=job.options.overwrite)
    else:
        found.save(name, overwrite=job.options.overwrite)
    if result.kernel is not None and result.field is not None:
        text = (
            "a kernel that varies over the frame was undone; what was saved is the one kernel "
            "nearest to it (field=false restores with that)"
        )
        return (text,)
    return ()
