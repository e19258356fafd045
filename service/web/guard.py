"""Who may change something, and what does every answer carry?

A change of state bears the configured token. Without one configured it is answered on loopback only, and then
not if it was forwarded by a proxy, or comes from a page of another origin: a browser on the same machine can be
made to send requests by any site that it visits.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.facts import Facts

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer; the pages need no script, so none is allowed."""

_REMEDY = "configure web.token_env and send the token as: Authorization: Bearer TOKEN"


class SecurityHeaders:
    """ASGI middleware that puts :data:`HEADERS` on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add what an answer does not set itself."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in self._headers if h[0] not in present)]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BoundedBody:
    """ASGI middleware that refuses bodies above ``most_bytes``, whatever their headers claim."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app, self._most = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the bound, then pass the request on with it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client went away
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                answer = JSONResponse({"detail": f"the body is above {self._most} bytes"}, 413)
                await answer(scope, receive, send)
                return
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def require(request: Request, facts: Facts) -> None:
    """Let a change of state pass, or say why not.

    Raises:
        HTTPException: 401 without the right token, 403 where no token is configured and the request is not a
            plain one from this machine.
    """
    if facts.token is not None:
        if not _bears(request.headers.get("authorization"), facts.token):
            raise HTTPException(
                401, "this needs the token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )
        return
    host = request.client.host if request.client else None
    if fault := fault_without_token(host, request.url.scheme, request.headers):
        raise HTTPException(403, f"{fault}; {_REMEDY}")


def fault_without_token(client: str | None, scheme: str, headers: Mapping[str, str]) -> str | None:
    """Why a request that bears no token may not change anything; None if it may.

    Args:
        client: The address that it came from.
        scheme: ``http`` or ``https``, as it was asked.
        headers: Its headers; looked up in lower case.

    >>> fault_without_token("127.0.0.1", "http", {"host": "localhost:9790"}) is None
    True
    >>> fault_without_token("127.0.0.1", "http", {"host": "evil.example"})
    'the Host header names another machine'
    """
    if not is_loopback(client):
        return "without a token this is answered on loopback only"
    forwarded = [h for h in headers if h.lower() in ("forwarded", "via", "x-real-ip") or _is_forwarding(h)]
    if forwarded:
        return "without a token a forwarded request is refused"
    host = headers.get("host", "")
    if not is_loopback(_hostname(f"//{host}")):
        return "the Host header names another machine"
    origin = headers.get("origin")
    if origin is not None and origin != f"{scheme}://{host}":
        return "the request comes from a page of another origin"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "the request comes from a page of another origin"
    return None


def is_loopback(host: str | None) -> bool:
    """True for loopback addresses and ``localhost``.

    >>> [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "localhost.evil.example", None)]
    [True, True, True, False, False, False]
    """
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def _is_forwarding(header: str) -> bool:
    return header.lower().startswith("x-forwarded")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _bears(authorization: str | None, token: str) -> bool:
    scheme, _, given = (authorization or "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), token.encode())
    return right and scheme.lower() == "bearer"
