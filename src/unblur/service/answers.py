"""Answers that are no success, as `application/problem+json`, at one place."""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from unblur.errors import OutputError, UnblurError
from unblur.service.problems import code_of, problem, status_of

__all__ = ["PROBLEM", "Problem", "answer", "as_problem", "register"]

log = logging.getLogger("unblur.service")

PROBLEM = "application/problem+json"
_CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 408: "request_timeout", 413: "body_too_large",
    415: "unsupported_encoding",
}  # fmt: skip


class Problem(HTTPException):
    """An answer that is no success, to be raised anywhere below a request.

    Args:
        code: one of `problems.CODES`.
        detail: what was expected, what came, what to do.
        retry_after: seconds after which it may go better.
        headers: further headers.
        more: further members of the answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.code, self.more = code, more
        headers = dict(headers or {})
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        super().__init__(status_of(code), detail, headers)


def answer(fault: Problem) -> Response:
    """Make the response."""
    body = problem(fault.code, str(fault.detail), **fault.more)
    return Response(
        json.dumps(body, allow_nan=False), fault.status_code, dict(fault.headers or {}), PROBLEM
    )


def as_problem(error: Exception) -> Problem:
    """Give the answer to any error; what nobody expected goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, SQLAlchemyError | OutputError):
        log.error("the database or the store fails: %s", error)
        text = "the service cannot reach its storage at the moment: try again in a little while"
        return Problem("storage", text, retry_after=5)
    if isinstance(error, UnblurError):
        return Problem(code_of(error), str(error))
    log.error("unexpected error", exc_info=error)
    return Problem("internal", "an error of the service; its log has the details")


def register(app: FastAPI) -> None:
    """Let every error of the application be answered so."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for kind in (UnblurError, SQLAlchemyError, Exception):
        app.add_exception_handler(kind, _other)


async def _other(_: Request, error: Exception) -> Response:
    return answer(as_problem(error))


async def _http(_: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return answer(error)
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(getattr(error, "detail", error))
    code = _CODES.get(status, "bad_request" if status < 500 else "internal")
    return answer(Problem(code, detail, headers=dict(getattr(error, "headers", None) or {})))


async def _validation(_: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    told = [
        {"where": [str(part)[:100] for part in fault["loc"]], "what": str(fault["msg"])[:200]}
        for fault in faults[:10]
    ]
    detail = "; ".join(f"{'.'.join(each['where'])}: {each['what']}" for each in told)
    return answer(Problem("invalid_request", detail, errors=told))
