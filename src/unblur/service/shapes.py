"""The JSON of the calls, as OpenAPI describes it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from unblur.service.order import Job
from unblur.service.problems import CODES, problem

__all__ = ["Fault", "Health", "MethodShown", "Shown", "show"]


class Fault(BaseModel):
    """A problem as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    code: Annotated[str, Field(json_schema_extra={"enum": sorted(CODES)})]
    detail: str


class Shown(BaseModel):
    """A job."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "gone"]
    method: str
    name: Annotated[str, Field(description="what the picture was called; only for show")]
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    expires: Annotated[datetime | None, Field(description="when what was made is removed")] = None
    waiting: Annotated[int | None, Field(description="jobs before this one")] = None
    stage: Annotated[str, Field(description="what is being done")] = ""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    seconds_left: Annotated[float | None, Field(description="a guess from the progress")] = None
    error: Fault | None = None
    words: Annotated[list[str], Field(description="what was done, in sentences")] = []
    report: Annotated[dict[str, Any] | None, Field(description="what was done, as data")] = None
    links: Annotated[dict[str, str], Field(description="what can be asked for now")] = {}


class MethodShown(BaseModel):
    """An entry of the catalogue."""

    name: str
    summary: str
    when: str
    needs_kernel: bool
    needs_weights: bool
    ready: Annotated[bool, Field(description="whether this server can run it")]
    why_not: str | None
    options: Annotated[dict[str, Any], Field(description="JSON schema of the part `options`")]


class Health(BaseModel):
    """Whether the service lives, or works."""

    status: Literal["ok", "not ready"]
    detail: str = ""


def show(job: Job, now: float, waiting: int | None = None) -> Shown:
    """Make of a row what its owner may see."""
    result = job.result or {}
    fault = None
    if job.state in ("failed", "cancelled"):
        fault = Fault(**problem(job.code or "internal", job.detail or "the job was cancelled"))
    return Shown(
        id=job.id,
        state=job.state,  # type: ignore[arg-type]
        method=job.order.method,
        name=job.order.name,
        created=_moment(job.created),
        started=None if job.started is None else _moment(job.started),
        finished=None if job.finished is None else _moment(job.finished),
        expires=None if job.expires is None else _moment(job.expires),
        waiting=waiting,
        stage=job.stage,
        progress=job.progress,
        seconds_left=_left(job, now),
        error=fault,
        words=list(result.get("words", [])),
        report=result.get("record"),
        links=_links(job, result.get("files", {})),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _left(job: Job, now: float) -> float | None:
    if job.state != "running" or job.started is None or job.progress < 0.05:
        return None
    return round((now - job.started) * (1.0 - job.progress) / job.progress, 1)


def _links(job: Job, files: dict[str, str]) -> dict[str, str]:
    here = f"/v1/jobs/{job.id}"
    links = {"self": here, "events": f"{here}/events"}
    if job.state == "done":
        links |= {"result": f"{here}/result", "report": f"{here}/report"}
        if "kernel" in files:
            links["kernel"] = f"{here}/kernel"
    return links
