"""What the calls ask for first: the service, who asks, and which job is meant."""

import re
from typing import Annotated

from fastapi import Depends, Request

from unblur.service.answers import Problem
from unblur.service.hall import Hall
from unblur.service.order import Job

__all__ = ["Found", "Here", "Owner", "finished"]

_ID = re.compile(r"[A-Za-z0-9_-]{16,32}")


def _hall(request: Request) -> Hall:
    hall: Hall = request.app.state.hall
    return hall


def _owner(request: Request) -> str:
    name: str = request.state.owner
    return name


Here = Annotated[Hall, Depends(_hall)]
Owner = Annotated[str, Depends(_owner)]


def _found(job_id: str, hall: Here, owner: Owner) -> Job:
    """Look the job up; that of somebody else does not exist."""
    job = hall.table.get(job_id) if _ID.fullmatch(job_id) else None
    if job is None or job.owner != owner:
        raise Problem("not_found", "there is no such job")
    if job.state == "gone":
        raise Problem("gone", "the job was removed, and what it made with it")
    return job


Found = Annotated[Job, Depends(_found)]


def finished(job: Job) -> Job:
    """Refuse a job that made nothing, or has not yet.

    Raises:
        Problem: What it failed with, or "not_finished".
    """
    if job.state == "gone":
        raise Problem("gone", "the job was removed, and what it made with it")
    if job.state == "failed":
        raise Problem(job.code or "internal", job.detail or "the job failed")
    if job.state == "cancelled":
        raise Problem("cancelled", "the job was cancelled")
    if job.state != "done":
        raise Problem("not_finished", f"the job is {job.state}: ask again later", retry_after=1)
    return job
