"""The page as an ASGI application that is ready a moment after the calls are.

Gradio takes seconds to load, and the calls need none of it.
"""

import asyncio
import logging
import re
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unblur.service.answers import Problem
from unblur.service.page.blocks import ASSETS, build

__all__ = ["Page"]

# What the browser needs of Gradio: its own files and its description of the page. Whatever runs
# functions, takes files or gives them by path stays closed; the page has no use for it.
_OPEN = re.compile(
    r"/|/config/?|/theme\.css|/(assets|static|svelte)/.*"
    r"|/gradio_api/(app_id|info|startup-events|theme\.css)/?"
)
_OWN = {f"/page/{name}": str(ASSETS / name) for name in ("page.js", "view.js", "page.css")}
_OWN |= {
    "/favicon.ico": str(ASSETS / "icon.png"),
    "/page/example-clock.png": str(files("skimage") / "data" / "clock_motion.png"),
}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
# Descriptions for social networks, with pictures from elsewhere.
_SOCIAL = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')
_PATIENCE = 60.0

log = logging.getLogger("unblur.service")


class Page:
    """Gradio's application, once it is loaded, behind a list of what may be asked of it."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._ready = asyncio.Event()
        self._stack = AsyncExitStack()

    async def load(self) -> None:
        """Load Gradio in a thread of its own, and start its application."""
        try:
            app = await asyncio.to_thread(_application)
            await self._stack.enter_async_context(app.router.lifespan_context(app))
            self._app = app
        except Exception:
            log.exception("the page cannot be loaded; the calls can be used all the same")
        finally:
            self._ready.set()

    async def close(self) -> None:
        """Stop Gradio's application."""
        await self._stack.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            known = path in _OWN or _OPEN.fullmatch(path)
            if known:
                raise Problem("method_not_allowed", "only GET", headers={"Allow": "GET, HEAD"})
            raise Problem("not_found", "there is nothing here")
        file = _OWN.get(path)
        if file is not None:
            answer = FileResponse(file, media_type=_TYPES[PurePath(file).suffix])
            await answer(scope, receive, send)
            return
        if not _OPEN.fullmatch(path):
            raise Problem("not_found", "there is nothing here")
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ready.wait()
        except TimeoutError:
            raise Problem("storage", "the page is still being loaded", retry_after=5) from None
        if self._app is None:
            raise Problem("storage", "the page cannot be loaded")
        await (self._front if path == "/" else self._app)(scope, receive, send)

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the page itself, without what names other hosts."""
        status, headers, body = 200, [], b""

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                body += message.get("body", b"")

        if self._app is not None:
            await self._app(scope, receive, keep)
        kept = {k.decode(): v.decode() for k, v in headers if k.lower() != b"content-length"}
        await Response(_SOCIAL.sub(b"", body), status, kept)(scope, receive, send)


def _application() -> Any:
    blocks = build()
    from fastapi import FastAPI
    from gradio import mount_gradio_app

    theme, head = blocks.theme, blocks.head
    parent = FastAPI()
    mount_gradio_app(
        parent, blocks, path="/", theme=theme, head=head, footer_links=[], run_history=False,
        ssr_mode=False, mcp_server=False, enable_monitoring=False, show_error=False,
    )  # fmt: skip
    return parent
