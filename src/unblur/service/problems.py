"""What went wrong, as RFC 9457 has it: a status, a code that stays, a sentence."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from unblur import errors

__all__ = ["CODES", "code_of", "problem", "status_of"]

_OF_ERRORS: Mapping[type[BaseException], tuple[str, int]] = {
    errors.UnsupportedFormat: ("unsupported_format", 415),
    errors.CorruptImage: ("corrupt_image", 422),
    errors.ImageTooLarge: ("image_too_large", 413),
    errors.NonFiniteInput: ("nonfinite_input", 422),
    errors.InputError: ("input", 422),
    errors.OutputError: ("output", 422),
    errors.KernelError: ("kernel", 422),
    errors.ParameterError: ("parameter", 422),
    errors.WeightsError: ("weights", 422),
    errors.MissingDependency: ("missing_dependency", 415),
    errors.OutOfMemory: ("out_of_memory", 413),
    MemoryError: ("out_of_memory", 413),
    errors.Cancelled: ("cancelled", 409),
}

CODES: Mapping[str, int] = {
    **dict(_OF_ERRORS.values()),
    "decode_time": 422,
    "job_time": 422,
    "memory_limit": 413,
    "crashed": 422,
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "not_finished": 409,
    "already_finished": 409,
    "idempotency_conflict": 409,
    "gone": 410,
    "body_too_large": 413,
    "unsupported_encoding": 415,
    "invalid_request": 422,
    "queue_full": 429,
    "too_many_watchers": 429,
    "internal": 500,
    "storage": 503,
    "shutting_down": 503,
}
"""Every code that the service answers with, and its HTTP status."""


def code_of(error: BaseException) -> str:
    """Give the code of an error: that of its class, or of the nearest one above it.

    Example:
        >>> code_of(errors.CorruptImage("cut off")), code_of(KeyError("x"))
        ('corrupt_image', 'internal')
    """
    for kind in type(error).__mro__:
        if kind in _OF_ERRORS:
            return _OF_ERRORS[kind][0]
    return "internal"


def status_of(code: str) -> int:
    """Give the HTTP status of a code.

    Example:
        >>> status_of("queue_full")
        429
    """
    return CODES.get(code, 500)


def problem(code: str, detail: str, **more: Any) -> dict[str, Any]:
    """Give the members of the JSON object.

    Args:
        code: one of `CODES`.
        detail: what was expected, what came, what to do.
        more: further members.

    Example:
        >>> problem("gone", "the job was removed")["status"]
        410
    """
    status = status_of(code)
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
