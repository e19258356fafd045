"""How is a server asked? One client for a whole replay, and bodies that cannot outgrow their bound.

httpx speaks, aiohttp carries: httpx's own connection pool slows down as concurrency rises. A :class:`Client` is an
ordinary ``httpx.AsyncClient``; :func:`send` goes past its middle layers (cookies, authentication, redirects, event
hooks, a log line per request), none of which a measurement wants, straight to the transport.

Proxies come from the environment (``HTTPS_PROXY``, ``NO_PROXY`` ...), but never for loopback. Cookies are not kept: one
example must not change the next.

A server may close a kept connection at the very moment when the next request is written to it (llama.cpp does so after
each stream, though it announces the contrary). Such a request was not answered by anybody and is sent again at once, on
another connection; it is no retry of a measurement and is not counted as one.
"""

from __future__ import annotations

import ipaddress
import logging
import ssl
import time
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import Any
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # not in typeshed

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from service import __version__

USER_AGENT = f"goldwatch/{__version__}"
MAX_RESPONSE_BYTES = 10_000_000
"""The default bound of a response's body, decoded."""

ACCEPT_ENCODING = "gzip, deflate"
"""What :func:`chunks` can decode piece by piece, and so within the bound."""

_KEEPALIVE_S = (
    4.0  # below the 5 s of common servers, which would else close a connection as it is taken up again
)
_PIECE_BYTES = 65_536
_STALE_S = (
    1.0  # a connection that was closed while it idled shows it at once; later it is the request that failed
)
_reused: ContextVar[bool] = ContextVar("reused", default=False)
_written: ContextVar[str] = ContextVar("written", default="")


class BodyTooLargeError(Exception):
    """The decoded body exceeds its bound, of which it holds the number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"more than {max_bytes} bytes")
        self.max_bytes = max_bytes


class BodyEncodingError(Exception):
    """The body is not in the encoding that its headers name, or in one that was not asked for."""


class Router(httpx.AsyncBaseTransport):
    """Carries a request directly, or through the proxy that the environment names for its host."""

    def __init__(self, concurrency: int, proxies: Mapping[str, str]) -> None:
        self._concurrency, self._proxies = concurrency, dict(proxies)
        self._by_origin: dict[tuple[str, str, int | None], AiohttpTransport] = {}
        self._by_way: dict[tuple[str | None, bool], AiohttpTransport] = {}

    def route(self, url: httpx.URL) -> AiohttpTransport:
        """The transport that a request to this address takes."""
        origin = (url.scheme, url.host, url.port)
        transport = self._by_origin.get(origin)
        if transport is None:
            proxy = proxy_for(url.scheme, url.host, self._proxies)
            encrypted = url.scheme == "https" or (proxy or "").startswith("https:")
            transport = self._by_way.get((proxy, encrypted))
            if transport is None:
                transport = self._by_way[proxy, encrypted] = AiohttpTransport(
                    verify=(trusted := self._authorities if encrypted else _nobody()),
                    client=lambda: self._session(trusted),
                    proxy=httpx.Proxy(proxy) if proxy else None,
                )
            self._by_origin[origin] = transport
        return transport

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        """Whose certificates are trusted: read when TLS is first wanted, since they take 3 MB."""
        return httpx.create_ssl_context()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return when its headers have come; a stale connection is replaced by another."""
        transport = self.route(request.url)
        _written.set(str(request.url))
        while True:
            _reused.set(False)
            started = time.monotonic()
            try:
                return await transport.handle_async_request(request)
            except (
                httpx.TransportError
            ) as error:  # each turn uses up one idle connection, and a new one is not reused
                if not (_reused.get() and _disconnected(error)) or time.monotonic() - started > _STALE_S:
                    raise

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._by_way.values():
            await transport.aclose()

    def _session(self, trusted: ssl.SSLContext) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            trace_configs=[trace],
            request_class=_AsWritten,
            connector=aiohttp.TCPConnector(
                limit=self._concurrency, keepalive_timeout=_KEEPALIVE_S, ssl=trusted
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


def _nobody() -> ssl.SSLContext:
    """For addresses without TLS: it would trust no certificate at all."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _AsWritten(aiohttp.ClientRequest):
    """A request to the address as it was written: aiohttp would send ``%3A`` as ``:``, which breaks a signature."""

    def __init__(self, method: str, url: URL, **options: Any) -> None:
        if "%" in (written := _written.get()) and URL(written) == url:
            url = URL(written, encoded=True)
        super().__init__(method, url, **options)


class Client(httpx.AsyncClient):
    """An ``httpx.AsyncClient`` whose transport can be reached directly; made by :func:`client`."""

    def __init__(self, router: Router, **options: Any) -> None:
        super().__init__(transport=router, **options)
        self.router = router


def client(concurrency: int = 8) -> Client:
    """A client for at most ``concurrency`` requests at a time; close it, or use it in ``async with``.

    It follows no redirects, keeps no cookies and sets no timeouts: those are the caller's.
    """
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # httpx logs whole addresses, which may hold a secret
    return Client(
        Router(max(concurrency, 1), getproxies_environment()),
        headers={"User-Agent": USER_AGENT},
        follow_redirects=False,
        timeout=None,
    )


async def send(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send a request as it is; returns when the headers have come. The caller closes the response.

    Raises:
        Exception: httpx's and aiohttp's own; ``service.endpoints`` puts them into words.
    """
    if isinstance(client, Client):
        return await client.router.handle_async_request(request)
    return await client.send(request, stream=True, follow_redirects=False)


async def chunks(response: httpx.Response, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The decoded body piece by piece, at most ``max_bytes`` in all, whatever it was compressed from.

    Raises:
        BodyTooLargeError: there is more.
        BodyEncodingError: it cannot be decoded.
    """
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise BodyEncodingError("not a stream")
    decoder = _Decoder.of(response.headers.get("content-encoding"))
    left = max_bytes
    async for raw in stream:
        for piece in (raw,) if decoder is None else decoder.pieces(raw):
            left -= len(piece)
            if left < 0:
                raise BodyTooLargeError(max_bytes)
            yield piece
    if decoder is not None:
        decoder.finish()


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses.

    >>> is_loopback("localhost"), is_loopback("127.0.0.9"), is_loopback("::1"), is_loopback("example.com")
    (True, True, True, False)
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_for(scheme: str, host: str, proxies: Mapping[str, str]) -> str | None:
    """The proxy's address for a host, or None for a direct connection.

    >>> proxy_for("https", "example.com", {"https": "http://proxy:3128"})
    'http://proxy:3128'
    >>> proxy_for("https", "localhost", {"https": "http://proxy:3128"})

    Args:
        scheme: ``http`` or ``https``.
        host: the name or address asked.
        proxies: as ``urllib.request.getproxies_environment`` gives them.
    """
    if not proxies or is_loopback(host) or proxy_bypass_environment(host, dict(proxies)):
        return None
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


async def _note_reuse(*_: Any) -> None:
    _reused.set(True)


def _disconnected(error: BaseException) -> bool:
    """Whether the other side had gone; aiohttp may say so one or two causes deep."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ServerDisconnectedError | ConnectionResetError | BrokenPipeError):
            return True
        cause = cause.__cause__
    return False


class _Decoder:
    """Inflates gzip or deflate in pieces of bounded size, so that a bomb is seen before it has gone off."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip, self._started = gzip, False
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)

    @classmethod
    def of(cls, encoding: str | None) -> _Decoder | None:
        name = (encoding or "identity").strip().lower()
        if name in ("identity", ""):
            return None
        if name not in ("gzip", "x-gzip", "deflate"):
            raise BodyEncodingError(f"content-encoding {name[:40]!r} was not asked for")
        return cls(gzip=name != "deflate")

    def pieces(self, raw: bytes) -> Iterator[bytes]:
        while raw and not self._inflate.eof:
            try:
                piece = self._inflate.decompress(raw, _PIECE_BYTES)
            except zlib.error:
                if self._started or self._gzip:
                    raise BodyEncodingError("the compressed body is damaged") from None
                self._inflate = zlib.decompressobj(
                    -zlib.MAX_WBITS
                )  # some servers send deflate without its header
                self._started = True
                continue
            self._started = True
            raw = self._inflate.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        if not self._inflate.eof:
            raise BodyEncodingError("the compressed body is cut short")
