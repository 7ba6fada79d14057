"""What is asked for, and what became of it: one row of the table of jobs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

__all__ = ["FINAL", "Job", "Order", "job_of", "new_id"]

FINAL = ("done", "failed", "cancelled")
"""The states in which a job stays until it expires; afterwards it is "gone"."""


@dataclass(frozen=True)
class Order:
    """What is asked for, ready for JSON.

    Attributes:
        do: "deblur", or "blend" (mix the result of the job `of` with its input).
        method: name in the catalogue.
        parameters: of the method.
        options: of `unblur.jobs.Options`, those that come from outside.
        name: what the user calls the picture; only shown, never a path.
        kernel: name of the kernel's file in the store, or None.
        mask: the same of the mask.
        lens: the same of the lens profile.
        quick: whether the limits of a quick answer apply.
        previews: whether what browsers cannot show is made for them.
        of: job whose files are taken.
    """

    do: str
    method: str
    parameters: Mapping[str, Any]
    options: Mapping[str, Any]
    name: str
    kernel: str | None = None
    mask: str | None = None
    lens: str | None = None
    quick: bool = False
    previews: bool = False
    of: str | None = None


@dataclass(frozen=True)
class Job:
    """A row of the table; times are seconds since 1970."""

    id: str
    owner: str
    fingerprint: str
    order: Order
    state: str
    attempt: int
    crashes: int
    cancelling: bool
    stage: str
    progress: float
    result: Mapping[str, Any] | None
    code: str | None
    detail: str | None
    created: float
    started: float | None
    finished: float | None
    expires: float | None

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in (*FINAL, "gone")


def new_id() -> str:
    """Make an identifier that nobody guesses: 128 random bits."""
    return secrets.token_urlsafe(16)


def job_of(row: Row[Any]) -> Job:
    """Read a row."""
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a mapping
    kept = {name: values[name] for name in Job.__dataclass_fields__}
    return Job(**{**kept, "order": Order(**values["order"])})
