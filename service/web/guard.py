"""What does every answer carry, how long may a body be, and who may change something where no token is configured?

Without a configured token a change of state is answered on loopback only, and then not if it was forwarded by a
proxy, or comes from a page of another origin: a browser on the same machine can be made to send requests by any site
that it visits. Where a token is configured, ``door.py`` decides.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from hashlib import blake2b
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer; the pages need no script, so none is allowed."""

API = "/api/v1/"
_FOR_PROBES = ("/healthz", "/readyz")


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


class OwnHost:
    """ASGI middleware of a server that only this machine reaches: it answers to this machine's names alone.

    A page on the internet may let its own name lead to 127.0.0.1 (DNS rebinding); a browser then takes what it reads
    here, which may be customers' texts, for that page's own. Such a request bears that page's name as its Host.
    ``external_url`` is asked at each request: the name that a proxy on this machine passes on.
    """

    def __init__(self, app: ASGIApp, external_url: Callable[[], str | None]) -> None:
        self._app, self._external_url = app, external_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 421."""
        if scope["type"] != "http" or scope["path"] in _FOR_PROBES:
            await self._app(scope, receive, send)
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if all(is_own_host(host, self._external_url()) for host in hosts):
            await self._app(scope, receive, send)
            return
        detail = "this is not the name of this goldwatch: if a proxy leads here, set web.external_url to its address"
        if scope["path"].startswith(API):
            answer: Response = JSONResponse({"detail": detail}, 421)
        else:
            answer = PlainTextResponse(f"{detail}\n", 421)
        await answer(scope, receive, send)


class Revalidated:
    """ASGI middleware that gives the API's answers an ETag, and 304 to who has that answer already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a 200 back until it is whole, then send it, or only its name."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        known = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"if-none-match"), None)
        start: Message | None = None
        parts: list[bytes] = []

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                if message["status"] != 200:
                    await send(message)
                return
            if start is None or start["status"] != 200:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            body = b"".join(parts)
            tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
            same = known is not None and _names(known, tag)
            bodily = (b"content-length", b"content-type") if same else ()
            headers = [h for h in start["headers"] if h[0] not in bodily]
            headers += [(b"etag", tag.encode()), (b"cache-control", b"private, no-cache")]
            await send({**start, "status": 304 if same else 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if same else body})

        await self._app(scope, receive, held)


class BoundedBody:
    """ASGI middleware that refuses bodies above ``most_bytes``, whatever their headers claim.

    ``larger`` gives the bound of a request that has one of its own, or raises an HTTPException for whoever may not send
    it: a stranger's long body is refused before it is read, and so takes no memory.
    """

    def __init__(
        self, app: ASGIApp, most_bytes: int, larger: Callable[[Scope], int | None] | None = None
    ) -> None:
        self._app, self._most, self._larger = app, most_bytes, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the bound, then pass the request on with it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            own = None if self._larger is None else self._larger(scope)
        except HTTPException as error:
            refused = JSONResponse({"detail": error.detail}, error.status_code, dict(error.headers or {}))
            await refused(scope, receive, send)
            return
        most = self._most if own is None else own
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client went away
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                answer = JSONResponse({"detail": f"the body is above {most} bytes"}, 413)
                await answer(scope, receive, send)
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


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


def is_own_host(host: str, external_url: str | None) -> bool:
    """Whether a Host header names this machine's loopback, or the address that people are told.

    >>> [is_own_host(h, None) for h in ("127.0.0.1:9790", "[::1]:9790", "evil.example", "localhost.evil.example:80")]
    [True, True, False, False]
    >>> is_own_host("gold.example", "https://gold.example/watch"), is_own_host("127.0.0.1@evil.example", None)
    (True, False)
    """
    name = _hostname(f"//{host}")
    return name is not None and (is_loopback(name) or name == _hostname(external_url or ""))


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


def _names(if_none_match: str, tag: str) -> bool:
    """Whether the header names the tag, weakly compared (RFC 9110, 13.1.2).

    >>> _names('W/"a", "b"', '"a"'), _names("*", '"a"'), _names('"b"', '"a"')
    (True, True, False)
    """
    given = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag in given or "*" in given


def _is_forwarding(header: str) -> bool:
    return header.lower().startswith("x-forwarded")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
