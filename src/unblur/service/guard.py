"""What every request passes before anything else sees it, and every answer after.

Who asks, from where, how much and how slowly it is sent; a request id, security headers, a line in
the log. Nothing here reads a body into memory.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unblur.service.answers import Problem, answer, as_problem
from unblur.service.hall import Hall

__all__ = ["Guard", "owner_of"]

log = logging.getLogger("unblur.service.access")

_OPEN = ("/healthz", "/readyz")
_SAFE = ("GET", "HEAD", "OPTIONS")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# A sender that pauses for so long, or is slower than this on average after a first while, is cut
# off: it would hold a connection for ever.
_IDLE = 30.0
_RATE = 16 * 1024
_FIRST = 30.0
# What comes after a refusal is taken for so long, and thrown away; less of what is too long anyway.
_PATIENCE = 60.0
_LINGER = 3.0
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# Nothing that the calls answer with may do anything in a browser.
_STRICT = "default-src 'none'; frame-ancestors 'none'; sandbox"
_REFERENCE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
# Gradio's page builds its components from templates at run time, hence 'unsafe-eval'. Whatever runs
# there reaches no other host than this one.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_CALLS = re.compile(r"/(v1|healthz|readyz|metrics|docs|openapi\.json)(/|$)")


def owner_of(headers: Headers, tokens: Mapping[str, str]) -> str | None:
    """Give the name of whoever sent the right token, as a bearer or as a password; None: nobody.

    Every token is compared, in a time that does not depend on how much of it is right.
    """
    if not tokens:
        return "local"
    kind, _, given = headers.get("authorization", "").partition(" ")
    claimed: str | None = None
    if kind.lower() == "basic":
        try:
            claimed, _, given = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif kind.lower() != "bearer":
        return None
    digest, found = hashlib.sha256(given.strip().encode("utf-8", "replace")).hexdigest(), None
    for name, known in tokens.items():
        if hmac.compare_digest(digest, known) and claimed in (None, name):
            found = name
    return found


class Guard:
    """ASGI middleware around the calls and the page.

    Args:
        calls: the application of the REST calls.
        page: the application of the page, or None.
        hall: the service.
    """

    def __init__(self, calls: ASGIApp, page: ASGIApp | None, hall: Hall) -> None:
        self.calls, self.page, self.hall, self.settings = calls, page, hall, hall.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.calls(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks over web sockets
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        is_call = _CALLS.match(scope["path"]) is not None
        policy = _REFERENCE if scope["path"] == "/docs" else _STRICT if is_call else _PAGE
        body = _Body(receive, self.settings.limits.body)
        exchange = _Exchange(send, body, request, policy, strict=is_call)
        scope.setdefault("state", {})["request_id"] = request
        try:
            fault = await self._refusal(scope, headers)
            if fault is not None:
                await answer(fault)(scope, receive, exchange.send)
            else:
                app = self.page if self.page is not None and not is_call else self.calls
                await app(scope, body.receive, exchange.send)
        except Exception as error:
            if exchange.begun:
                raise
            await answer(as_problem(error))(scope, receive, exchange.send)
        finally:
            self._note(exchange, scope)

    async def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        """Say why the request goes no further, if so."""
        method, path = scope["method"], scope["path"]
        fault = _from_elsewhere(headers, method, self.settings.hosts)
        if fault is not None:
            return fault
        if path not in _OPEN:
            owner = owner_of(headers, self.settings.tokens)
            if owner is None:
                return _unauthorized(headers)
            scope["state"]["owner"] = owner
        if headers.get("content-encoding", "identity").lower() != "identity":
            return Problem("unsupported_encoding", "send the body without Content-Encoding")
        if _length(headers) > self.settings.limits.body:
            return _too_large(self.settings.limits.body)
        if method == "POST" and path in ("/v1/jobs", "/v1/deblur"):
            return await self._no_room(headers)
        return None

    async def _no_room(self, headers: Headers) -> Problem | None:
        if self.hall.draining:
            text = "the service is being stopped: try again in a minute"
            return Problem("shutting_down", text, retry_after=30)
        # A request that is repeated may be about a job that is there already.
        if "idempotency-key" not in headers and await asyncio.to_thread(self.hall.is_full):
            return Problem("queue_full", "as many jobs wait as may", retry_after=3)
        return None

    def _note(self, exchange: "_Exchange", scope: Scope) -> None:
        route = scope.get("route")
        path = getattr(route, "path", None) or ("page" if not exchange.strict else "other")
        seconds = time.perf_counter() - exchange.start
        self.hall.counters.request(path, scope["method"], exchange.status, seconds)
        log.info(
            "%s %s %d", scope["method"], path, exchange.status,
            extra={"request": exchange.request, "route": path, "status": exchange.status,
                   "user": scope["state"].get("owner"), "seconds": round(seconds, 4)},
        )  # fmt: skip


class _Exchange:
    """Adds headers to the answer, and remembers how it began."""

    def __init__(
        self, send: Send, body: "_Body", request: str, policy: str, *, strict: bool
    ) -> None:
        self._send, self._body = send, body
        self.request, self.policy, self.strict = request, policy, strict
        self.begun, self.status, self.start = False, 499, time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            if self.status >= 400:
                await self._body.drain(_LINGER if self.status == 413 else _PATIENCE)
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["content-security-policy"] = self.policy
            headers["x-request-id"] = self.request
            if self.strict and "cache-control" not in headers:
                headers["cache-control"] = "no-store"
        await self._send(message)


class _Body:
    """Passes a body on, and cuts off what is too long or too slow."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self.limit = receive, limit
        self.taken, self.over, self.start = 0, False, time.monotonic()

    async def receive(self) -> Message:
        if self.over:  # what comes now is only that the client has gone
            return await self._receive()
        try:
            async with asyncio.timeout(_IDLE):
                message = await self._receive()
        except TimeoutError:
            raise Problem("request_timeout", "the body paused for too long") from None
        if message["type"] == "http.request":
            self.taken += len(message.get("body", b""))
            self.over = not message.get("more_body", False)
            passed = time.monotonic() - self.start
            if self.taken > self.limit:
                raise _too_large(self.limit)
            if not self.over and passed > _FIRST and self.taken < _RATE * passed:
                raise Problem("request_timeout", "the body came too slowly")
        return message

    async def drain(self, seconds: float) -> None:
        """Take what is still sent, for so long: a client that only sends hears the answer then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.over:
                    message = await self._receive()
                    self.over = not message.get("more_body", False)


def _length(headers: Headers) -> int:
    given = headers.get("content-length", "0")
    return int(given) if given.isdecimal() else 0


def _too_large(limit: int) -> Problem:
    return Problem("body_too_large", f"the request is larger than {limit / 2**20:.3g} MiB")


def _unauthorized(headers: Headers) -> Problem:
    wants_page = "text/html" in headers.get("accept", "")
    scheme = 'Basic realm="unblur", charset="UTF-8"' if wants_page else 'Bearer realm="unblur"'
    text = "send a token of this service: Authorization: Bearer TOKEN"
    return Problem("unauthorized", text, headers={"WWW-Authenticate": scheme})


def _from_elsewhere(headers: Headers, method: str, hosts: tuple[str, ...]) -> Problem | None:
    """Refuse what another site makes a browser send, and names that are not the service's own."""
    host = headers.get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if hosts and name.lower() not in hosts:
        return Problem("forbidden", "the service does not answer to this host name")
    if method in _SAFE:
        return None
    origin = headers.get("origin")
    own = origin is None or origin.partition("://")[2].lower() == host.lower()
    if not own or headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site"):
        return Problem("forbidden", "requests from pages of other sites are not taken")
    return None
