"""Files as answers: by job and kind, never by a path."""

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from unblur.jobs.page import Preview, page
from unblur.photo.sniff import sniff
from unblur.service.answers import Problem
from unblur.service.hall import Hall
from unblur.service.order import Job

__all__ = ["TYPES", "send_kernel", "send_preview", "send_report", "send_result"]

TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".webp": "image/webp",
}
_CHUNK = 1 << 18
_SHOWN = {"avif", "gif", "jpeg", "png", "webp"}
# A page with pictures in it that are larger than this opens nowhere.
_EMBEDDED = 16 << 20


def send_result(hall: Hall, job: Job) -> Response:
    """Answer with the restored picture."""
    name = job.result["files"]["result"] if job.result else "result"
    return _send(hall, job, name, _offered(job, PurePath(name).suffix))


def send_kernel(hall: Hall, job: Job, extension: str) -> Response:
    """Answer with the kernel: ".tif" to be used again, ".png" for the eye."""
    if job.result is None or "kernel" not in job.result["files"]:
        raise Problem("not_found", "the job has no kernel: nothing was deblurred with one")
    return _send(hall, job, f"kernel{extension}", _offered(job, f".kernel{extension}"))


def send_report(hall: Hall, job: Job, *, as_page: bool) -> Response:
    """Answer with what was done, as data or as a page that needs nothing beside it."""
    record = dict((job.result or {}).get("record", {}))
    if not as_page:
        text = json.dumps(record, indent=2, allow_nan=False) + "\n"
        return _attached(text.encode(), _offered(job, ".json"))
    pictures = [
        Preview(name, content, kind)
        for name in ("before", "after", "kernel")
        if (found := _small(hall, job, name)) is not None
        for content, kind in (found,)
    ]
    return _attached(page([(record, pictures)]).encode(), _offered(job, ".html"))


def send_preview(hall: Hall, job: Job, which: str) -> Response:
    """Answer with the input or the result as something that browsers show."""
    where, kind = _preview(hall, job, which)
    stream, size = _open(hall, job, *where)
    return _stream(stream, size, kind, f"{which}.preview")


def _preview(hall: Hall, job: Job, which: str) -> tuple[tuple[str, ...], str]:
    """Find the file, and its type."""
    files = (job.result or {}).get("files", {})
    attempt = str(job.attempt)
    if which == "kernel":
        if "kernel" not in files:
            raise Problem("not_found", "the job has no kernel")
        return (attempt, "kernel.png"), "image/png"
    if which in files:
        return (attempt, files[which]), "image/png"
    where: tuple[str, ...] = ("input",) if which == "before" else (attempt, files["result"])
    stream, _ = _open(hall, job, *where)
    with stream:
        kind = sniff(stream.read(4096), which)
    if kind not in _SHOWN:
        raise Problem("not_found", "browsers do not show this format: send previews=true")
    return where, f"image/{kind}"


def _small(hall: Hall, job: Job, which: str) -> tuple[bytes, str] | None:
    try:
        where, kind = _preview(hall, job, which)
    except Problem:
        return None
    stream, size = _open(hall, job, *where)
    with stream:
        return (stream.read(), kind) if size <= _EMBEDDED else None


def _send(hall: Hall, job: Job, name: str, offered: str) -> Response:
    stream, size = _open(hall, job, str(job.attempt), name)
    return _stream(stream, size, TYPES[PurePath(name).suffix], offered)


def _open(hall: Hall, job: Job, *names: str) -> tuple[BinaryIO, int]:
    try:
        return hall.store.read(
            job.order.of if names == ("input",) and job.order.of else job.id, *names
        )
    except FileNotFoundError:
        raise Problem("gone", "the files of this job were removed") from None


def _stream(stream: BinaryIO, size: int, kind: str, offered: str) -> Response:
    headers = {"Content-Length": str(size), "Content-Disposition": _disposition(offered)}
    headers["Cache-Control"] = "private, max-age=3600"
    return StreamingResponse(_chunks(stream), media_type=kind, headers=headers)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _attached(content: bytes, offered: str) -> Response:
    kind = TYPES[PurePath(offered).suffix]
    return Response(
        content, media_type=kind, headers={"Content-Disposition": _disposition(offered)}
    )


def _offered(job: Job, extension: str) -> str:
    return f"{PurePath(job.order.name).stem}.unblur{extension}"


def _disposition(name: str) -> str:
    """Offer a name as RFC 6266 has it, for old readers in ASCII too."""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
