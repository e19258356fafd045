"""What answers on the daemon's port? One application: metrics, health, API and pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

from service import __version__
from service.facts import Facts
from service.metrics import registry
from service.store.errors import StoreError
from service.web import api, api_changes, api_traffic, api_webhooks, buttons, exposition, pages
from service.web.door import Door
from service.web.guard import BoundedBody, OwnHost, Revalidated, SecurityHeaders
from service.web.render import Renderer

if TYPE_CHECKING:
    from service.store import Store

MOST_BODY_BYTES = 64 * 1024

_log = structlog.get_logger(__name__)


def create_app(
    store: Store,
    facts: Facts,
    *,
    read_only: bool = False,
    take: api_traffic.Take | None = None,
    local: bool = False,
) -> FastAPI:
    """The application over a store and the daemon's facts.

    ``/healthz`` says that the process is alive and reads nothing; ``/readyz`` answers 503 until the store
    answers and a configuration is loaded. A store that fails is a 503 with no detail of where it is.
    ``read_only``: nothing that changes state is let pass, whoever asks. ``take`` counts samples of production.
    ``local``: it listens on loopback only, and so answers to loopback's names only (and ``web.external_url``'s).
    """
    app = FastAPI(
        title="goldwatch",
        version=__version__,
        summary="Notices when a deployed fine-tuned model silently gets worse.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    metrics = registry(store, facts)
    door = Door(facts, read_only=read_only)
    render = Renderer(facts, door)
    routers = (
        api.router(store, facts),
        api_changes.router(store, facts, door),
        api_traffic.router(store, facts, door, take),
        api_webhooks.router(store, facts, door),
        pages.router(store, facts, render),
        buttons.router(store, facts, door, render),
    )
    for router in routers:
        app.include_router(router)

    @app.get("/metrics", include_in_schema=False)
    def metrics_page() -> Response:
        return Response(exposition.text(metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> PlainTextResponse:
        if facts.reload_successful() is None:
            return PlainTextResponse("no configuration is loaded\n", 503)
        try:
            await asyncio.to_thread(store.ping)
        except Exception as error:  # noqa: BLE001  # whatever it is, the store does not answer
            _log.warning("not ready", error=type(error).__name__, reason=str(error))
            return PlainTextResponse("the store does not answer\n", 503)
        return PlainTextResponse("ok\n")

    def failed(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
        path = request.url.path
        if path.startswith("/api/") or path in ("/metrics", "/healthz", "/readyz"):
            return JSONResponse({"detail": detail}, status, headers)
        page = render(request, "error.html.j2", status, status=status, detail=detail)
        page.headers.update(headers or {})
        return page

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed(routers, request)):
            headers["Allow"] = allowed  # the router names those of one route only
        return failed(request, error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:10])
        return failed(request, 422, faults)

    @app.middleware("http")
    async def survive(request: Request, call_next):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """A fault of the store or of goldwatch is logged, and told without its details."""
        try:
            return await call_next(request)
        except StoreError as error:  # it says itself what is wrong: no traceback for every look that is taken
            _log.error("request failed", path=request.url.path, reason=str(error))
            return failed(request, 503, "this cannot be answered now; the daemon's log says why")
        except Exception as error:  # noqa: BLE001  # the daemon outlives a request
            _log.exception("request failed", path=request.url.path, error=type(error).__name__)
            return failed(request, 503, "this cannot be answered now; the daemon's log says why")

    def larger(scope: Scope) -> int | None:
        own = api_traffic.larger_body(scope["path"])
        if own is not None:
            door.require(Request(scope))
        return own

    app.add_middleware(Revalidated)
    app.add_middleware(BoundedBody, most_bytes=MOST_BODY_BYTES, larger=larger)
    if local:
        app.add_middleware(OwnHost, external_url=lambda: facts.external_url)
    app.add_middleware(SecurityHeaders)
    return app


def _allowed(routers: Iterable[APIRouter], request: Request) -> str:
    """The methods that the path takes, over all of its routes."""
    routes = [route for router in routers for route in router.routes if isinstance(route, Route)]
    fits = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in fits for method in route.methods or ()}))
