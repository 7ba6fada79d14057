"""The REST calls on jobs."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from unblur.restore import catalogue
from unblur.service import described as d
from unblur.service.answers import Problem
from unblur.service.board import Crowded
from unblur.service.finding import Found, Here, Owner, finished
from unblur.service.hall import Hall
from unblur.service.order import Job
from unblur.service.removal import remove as remove_rows
from unblur.service.sending import send_kernel, send_preview, send_report, send_result
from unblur.service.shapes import Shown, show
from unblur.service.taking import Sent, take, take_blend

__all__ = ["calls"]

calls = APIRouter(prefix="/v1", tags=["jobs"])

# So often something is said to those who follow a job, that proxies do not take it for dead.
_ALIVE = 15.0


@calls.post(
    "/jobs",
    status_code=202,
    form_limits=d.LIMITS,
    responses=d.faults(400, 408, 409, 413, 415, 422, 429),
)
async def submit(  # noqa: PLR0917 - the parts of the request
    request: Request,
    response: Response,
    hall: Here,
    owner: Owner,
    file: d.File_,
    method: d.MethodName = catalogue.DEFAULT,
    options: d.Options = "{}",
    previews: d.Previews = False,
    kernel: d.Kernel = None,
    mask: d.Mask = None,
    lens: d.Lens = None,
    idempotency_key: d.Key = None,
) -> Shown:
    """Hand in a photograph. The answer comes at once; the work is done when `state` is "done"."""
    await _check_parts(request)
    sent = _sent(file=file, kernel=kernel, mask=mask, lens=lens)
    job = await run_in_threadpool(
        take, hall, sent, method, options, owner=owner, key=idempotency_key, previews=previews
    )
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await run_in_threadpool(_show, hall, job)


@calls.get("/jobs/{job_id}", responses=d.faults(404, 410))
def look(hall: Here, job: Found) -> Shown:
    """How far a job is, and what was done."""
    return _show(hall, job)


@calls.get(
    "/jobs/{job_id}/events", response_class=EventSourceResponse, responses=d.faults(404, 410, 429)
)
async def follow(hall: Here, job: Found) -> AsyncIterator[ServerSentEvent]:
    """The same whenever it changes, as server-sent events, until the job has come to its end."""
    while True:
        yield ServerSentEvent(event="job", data=await run_in_threadpool(_show, hall, job))
        if job.final:
            return
        known = job
        while job == known:
            try:
                job = await hall.board.wait(known, _ALIVE)
            except Crowded:
                return  # the client asks again, as it does after a broken connection
            if job == known:
                yield ServerSentEvent(comment="still here")


@calls.get(
    "/jobs/{job_id}/result",
    responses={
        **d.pictures(*d.IMAGES),
        **d.faults(404, 409, 410, 413, 415, 422, 429),
    },
    response_class=Response,
)
async def result(
    request: Request,
    hall: Here,
    job: Found,
    strength: Annotated[
        float,
        Query(
            ge=0,
            le=1,
            allow_inf_nan=False,
            description="mix the result with the input, without computing it again",
        ),
    ] = 1.0,
) -> Response:
    """The restored photograph, in the format that the job's options chose."""
    if "as" in request.query_params:
        text = "'as' is for /kernel and /report; give the job the option 'format'"
        raise Problem("invalid_request", text)
    finished(job)
    if strength < 1.0 and job.order.do == "deblur":
        job = await _until(request, hall, await run_in_threadpool(take_blend, hall, job, strength))
        finished(job)
    return await run_in_threadpool(send_result, hall, job)


@calls.get(
    "/jobs/{job_id}/kernel",
    responses={**d.pictures(".tif", ".png"), **d.faults(404, 409, 410, 413, 415, 422)},
    response_class=Response,
)
def kernel_of(
    hall: Here, job: Found, as_: Annotated[Literal["tif", "png"], Query(alias="as")] = "tif"
) -> Response:
    """The blur: a TIFF of floats that can be sent again as `kernel`, or a PNG for the eye."""
    return send_kernel(hall, finished(job), f".{as_}")


@calls.get(
    "/jobs/{job_id}/report",
    responses={**d.pictures(".json", ".html"), **d.faults(404, 409, 410, 413, 415, 422)},
    response_class=Response,
)
def report_of(
    hall: Here, job: Found, as_: Annotated[Literal["json", "html"], Query(alias="as")] = "json"
) -> Response:
    """What was done, as JSON or as a page with pictures."""
    return send_report(hall, finished(job), as_page=as_ == "html")


@calls.get(
    "/jobs/{job_id}/preview/{which}",
    responses={
        **d.pictures(".png", ".jpg", ".webp", ".avif", ".gif"),
        **d.faults(404, 409, 410, 413, 415, 422),
    },
    response_class=Response,
)
def preview_of(hall: Here, job: Found, which: Literal["before", "after", "kernel"]) -> Response:
    """The input, the result or the kernel as something that browsers show."""
    return send_preview(hall, finished(job), which)


@calls.post("/jobs/{job_id}/cancel", status_code=202, responses=d.faults(404, 409, 410))
def cancel(hall: Here, job: Found) -> Shown:
    """Stop a job that is not finished."""
    if job.final or hall.table.cancel(job.id, keep=hall.settings.keep) not in ("queued", "running"):
        raise Problem("already_finished", f"the job is {job.state} already")
    now = hall.table.get(job.id)
    return _show(hall, job if now is None else now)


@calls.delete("/jobs/{job_id}", status_code=204, responses=d.faults(404, 410))
def remove(hall: Here, job: Found) -> None:
    """Remove a job with all that it was given and made; one that runs is stopped."""
    for buried in remove_rows(hall.database, job.id):
        hall.store.drop(buried)
    hall.table.changed()


@calls.post(
    "/deblur",
    form_limits=d.LIMITS,
    responses={
        **d.pictures(*d.IMAGES),
        202: {"model": Shown, "description": "It takes longer: follow the job"},
        **d.faults(400, 408, 409, 413, 415, 422, 429),
    },
    response_class=Response,
)
async def deblur(  # noqa: PLR0917 - the parts of the request
    request: Request,
    hall: Here,
    owner: Owner,
    file: d.File_,
    method: d.MethodName = catalogue.DEFAULT,
    options: d.Options = "{}",
    kernel: d.Kernel = None,
    mask: d.Mask = None,
    lens: d.Lens = None,
) -> Response:
    """A photograph in, the restored one out, for what is small and quick."""
    await _check_parts(request)
    if (file.size or 0) > hall.settings.limits.quick_body:
        raise Problem("body_too_large", "this picture is too large to be waited for: use /v1/jobs")
    sent = _sent(file=file, kernel=kernel, mask=mask, lens=lens)
    job = await run_in_threadpool(take, hall, sent, method, options, owner=owner, quick=True)
    job = await _until(request, hall, job)
    headers = {"Location": f"/v1/jobs/{job.id}"}
    if not job.final:
        shown = await run_in_threadpool(_show, hall, job)
        return JSONResponse(shown.model_dump(mode="json"), 202, headers)
    answer = await run_in_threadpool(send_result, hall, finished(job))
    answer.headers.update(headers)
    return answer


async def _until(request: Request, hall: Hall, job: Job) -> Job:
    """Wait for the end of a job; one whose client leaves is cancelled."""
    until = time.monotonic() + hall.settings.limits.quick_seconds
    while not job.final and (left := until - time.monotonic()) > 0:
        try:
            job = await hall.board.wait(job, min(left, 1.0))
        except Crowded:
            await asyncio.sleep(0.5)
            found = await run_in_threadpool(hall.table.get, job.id)
            job = job if found is None else found
        if not job.final and await request.is_disconnected():
            await run_in_threadpool(hall.table.cancel, job.id)
            raise Problem("cancelled", "the client has left")
    return job


async def _check_parts(request: Request) -> None:
    """Refuse parts that nobody knows, and parts that come twice."""
    names = [name for name, _ in (await request.form()).multi_items()]
    if unknown := set(names) - d.PARTS:
        text = f"there is no part {min(unknown)[:80]!r}; there are {', '.join(sorted(d.PARTS))}"
        raise Problem("invalid_request", text)
    if len(set(names)) < len(names):
        raise Problem("invalid_request", "a part comes twice; one request is about one picture")


def _sent(**parts: UploadFile | None) -> dict[str, Sent]:
    return {
        kind: Sent(part.file, part.filename) for kind, part in parts.items() if part is not None
    }


def _show(hall: Hall, job: Job) -> Shown:
    waiting = hall.table.position(job) if job.state == "queued" else None
    return show(job, time.time(), waiting)
