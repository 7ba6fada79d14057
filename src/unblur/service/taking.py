"""Taking a job: what was sent is checked, kept in the store, and entered in the table."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from unblur.errors import UnsupportedFormat
from unblur.photo.sniff import sniff
from unblur.service.answers import Problem
from unblur.service.hall import Hall
from unblur.service.job_table import KeyTaken, QueueFull
from unblur.service.order import Job, Order, new_id
from unblur.service.parsing import display_name, parse_options
from unblur.service.removal import blend_key

__all__ = ["Sent", "take", "take_blend"]

_HEAD = 4096
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Sent:
    """A file that came with a request."""

    file: BinaryIO
    name: str | None


def take(
    hall: Hall,
    files: Mapping[str, Sent],
    method: str,
    options: str,
    *,
    owner: str,
    key: str | None = None,
    quick: bool = False,
    previews: bool = False,
) -> Job:
    """Accept a job.

    Args:
        hall: the service.
        files: "file", and "kernel", "mask" or "lens" where they were sent.
        method: name in the catalogue.
        options: a JSON object.
        owner: who sent it.
        key: makes a repeated request harmless.
        quick: whether it is to be answered in the same request.
        previews: whether what browsers cannot show is made for them.

    Raises:
        Problem: Something is wrong with the request, or there is no room.
    """
    chosen, parameters, shared = parse_options(
        method, options, has_kernel="kernel" in files, has_lens="lens" in files
    )
    names = {kind: _stored_name(kind, sent) for kind, sent in files.items()}
    order = Order(
        do="deblur",
        method=chosen.name,
        parameters=parameters,
        options=shared,
        name=display_name(files["file"].name),
        kernel=names.get("kernel"),
        mask=names.get("mask"),
        lens=names.get("lens"),
        quick=quick,
        previews=previews,
    )
    job_id = new_id()
    print_ = hashlib.sha256(repr((order.method, options, quick)).encode("utf-8", "replace"))
    try:
        for kind, sent in sorted(files.items()):
            print_.update(f"\0{kind}\0{_digest(sent.file)}".encode())
            hall.store.save(job_id, names[kind], sent.file)
        job = _enter(hall, job_id, order, owner=owner, fingerprint=print_.hexdigest(), key=key)
    except BaseException:
        hall.store.drop(job_id)
        raise
    if job.id != job_id:
        hall.store.drop(job_id)
    hall.wake()
    return job


def take_blend(hall: Hall, job: Job, strength: float) -> Job:
    """Accept the work of mixing the result of `job` with its input."""
    result = job.result or {}
    options = {
        "strength": strength, "attempt": job.attempt, "result": result["files"]["result"],
    }  # fmt: skip
    order = Order("blend", "blend", {}, options, job.order.name, of=job.id)
    key = blend_key(job.id, strength)
    made = _enter(hall, new_id(), order, owner=job.owner, fingerprint=key, key=key)
    hall.wake()
    return made


def _enter(
    hall: Hall, job_id: str, order: Order, *, owner: str, fingerprint: str, key: str | None
) -> Job:
    try:
        return hall.table.submit(
            job_id,
            order,
            owner=owner,
            fingerprint=hashlib.sha256(fingerprint.encode()).hexdigest(),
            key=key,
            queue=hall.settings.queue,
        )
    except QueueFull as error:
        raise Problem("queue_full", str(error), retry_after=3) from error
    except KeyTaken as error:
        raise Problem("idempotency_conflict", str(error)) from error


def _stored_name(kind: str, sent: Sent) -> str:
    """Look at the first bytes, never at more: decoding is for the child process."""
    head = sent.file.read(_HEAD)
    sent.file.seek(0)
    if not head:
        what = sent.name[:80] if sent.name else f"the part '{kind}'"
        raise Problem("corrupt_image", f"{what} is empty")
    if kind == "lens":
        return "lens.safetensors"
    if kind == "kernel":
        return _kernel_name(head, sent.name)
    try:
        sniff(head, display_name(sent.name))
    except UnsupportedFormat as error:
        raise Problem("unsupported_format", str(error)) from error
    return "input" if kind == "file" else kind


def _kernel_name(head: bytes, name: str | None) -> str:
    if head.startswith(b"\x93NUMPY"):
        return "kernel.npy"
    if (name or "").lower().endswith(".safetensors"):  # a field; it begins with a length
        return "kernel.safetensors"
    return "kernel.tif"  # any picture: what it is, is seen from its content


def _digest(file: BinaryIO) -> str:
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        found.update(chunk)
    file.seek(0)
    return found.hexdigest()
