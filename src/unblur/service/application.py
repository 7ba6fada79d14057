"""The whole of it: calls, page, guard, and what starts and ends with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.responses import Response

from unblur.restore import catalogue
from unblur.service import answers
from unblur.service.calls import calls
from unblur.service.described import faults
from unblur.service.finding import Here
from unblur.service.guard import Guard
from unblur.service.hall import Hall
from unblur.service.page.lazy import Page
from unblur.service.parsing import describe
from unblur.service.reference import reference
from unblur.service.settings import Settings
from unblur.service.shapes import Health, MethodShown

__all__ = ["create"]

# A service is ready when a picture was restored in so many seconds.
_PROVEN = 180.0


def create(settings: Settings) -> Guard:
    """Make the ASGI application; it starts and stops its workers with its lifespan."""
    from unblur import __version__

    hall = Hall(settings)
    app = FastAPI(
        title="unblur",
        version=__version__,
        summary="A blurred photograph in, a sharp one out.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False},
    )
    app.state.hall = hall
    answers.register(app)
    app.include_router(calls)
    _add_looks(app)
    page = app.state.page = Page() if settings.page else None
    return Guard(app, page, hall)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    hall: Hall = app.state.hall
    await run_in_threadpool(hall.start)
    page: Page | None = app.state.page
    tasks = [asyncio.create_task(hall.board.run())]
    if page is not None:
        tasks.append(asyncio.create_task(page.load()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if page is not None:
            await page.close()
        await run_in_threadpool(hall.stop)


def _add_looks(app: FastAPI) -> None:
    """Add the calls that only look."""

    @app.get("/v1/methods", tags=["methods"], responses=faults())
    def methods() -> list[MethodShown]:
        """The catalogue, with a JSON schema of the options of each method."""
        return [MethodShown(**describe(method)) for method in catalogue.METHODS]

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        """The calls, described."""
        text = reference(app.openapi(), str(request.base_url).rstrip("/"))
        return Response(text, media_type="text/html; charset=utf-8")

    @app.get("/healthz", tags=["health"])
    async def healthz() -> Health:
        """The process lives."""
        return Health(status="ok")

    @app.get("/readyz", tags=["health"], response_model=Health, responses={503: {"model": Health}})
    def readyz(hall: Here) -> Any:
        """The database answers, and a worker has restored a picture lately."""
        since = hall.roster.proven()
        if hall.draining:
            detail = "being stopped"
        elif since is None or since > _PROVEN:
            detail = "no worker has restored a picture lately"
        else:
            return Health(status="ok", detail=f"a picture was restored {since:.0f} s ago")
        return JSONResponse({"status": "not ready", "detail": detail}, 503)

    @app.get("/metrics", tags=["health"], response_class=Response, responses=faults())
    def metrics(hall: Here) -> Response:
        """Numbers for Prometheus."""
        return Response(hall.counters.text(), media_type="text/plain; version=0.0.4")
