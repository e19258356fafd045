"""How does one request go out and its answer come in? With redirects that stay at home, and a fault in words.

Redirects within the same scheme, host and port are followed, at most three; the request is repeated as it was (after
303 as a GET). Any other redirect is refused: neither the key nor the golden set goes to a host that nobody configured.
Where a protocol has none, because requests are signed, every redirect is refused.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from checks.types import ErrorKind, ResponseError
from service.endpoints._faults import Fault, of_status
from service.endpoints._network import of_exception
from service.http import BodyTooLargeError, chunks, send
from service.text import safe

T = TypeVar("T")

_MAX_REDIRECTS = 3
_MAX_ERROR_BYTES = 65_536
_LONGEST_URL = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. ``model``, ``params``, ``has_key`` and ``refined`` are for the words of an error."""

    method: str
    url: httpx.URL
    headers: Sequence[tuple[str, str]]
    content: bytes | None = None
    max_bytes: int = 10_000_000
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    has_key: bool = False
    follows: bool = True
    refined: Callable[[ResponseError, Mapping[str, str], bytes], ResponseError] | None = None


async def exchange(
    client: httpx.AsyncClient,
    outgoing: Outgoing,
    consume: Callable[[AsyncGenerator[bytes, None]], Awaitable[T]],
) -> T:
    """Send a request and hand the decoded body of its answer, piece by piece and bounded, to ``consume``.

    Returns:
        What ``consume`` made of it.

    Raises:
        Fault: there was no answer with a status of 2xx and a body, or ``consume`` raised it.
        TimeoutError: the caller's own limit of time.
    """
    method, url, content = outgoing.method, outgoing.url, outgoing.content
    for _ in range(_MAX_REDIRECTS + 1):
        request = httpx.Request(method, url, headers=outgoing.headers, content=content)
        try:
            response = await send(client, request)
        except Exception as error:  # every library below has its own
            raise Fault(of_exception(error, host_of(url), began=False)) from error
        try:
            status = response.status_code
            if 200 <= status < 300 and status != 204:
                pieces = chunks(response, outgoing.max_bytes)
                try:
                    return await consume(pieces)
                finally:
                    await pieces.aclose()
            if status not in _REDIRECTS or "location" not in response.headers:
                raise await _refusal(response, outgoing, url)  # noqa: TRY301  # the body is read within the same guard
            if not outgoing.follows:
                raise _elsewhere(url, response.headers["location"], status)  # noqa: TRY301  # as above
            url = _follow(url, response.headers["location"], status)
            if status == 303:
                method, content = "GET", None
        except (Fault, TimeoutError):
            raise
        except Exception as error:
            raise Fault(of_exception(error, host_of(url), began=True)) from error
        finally:
            with suppress(Exception):
                await response.aclose()
    where = shown(outgoing.url)
    message = f"more than {_MAX_REDIRECTS} redirects from {where}: check the address"
    raise Fault(ResponseError(ErrorKind.REDIRECT, message))


async def whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    """The whole body."""
    parts = [piece async for piece in pieces]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def host_of(url: httpx.URL) -> str:
    """The host, with the port where it is not the scheme's own."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port is None else f"{host}:{url.port}"


def shown(url: httpx.URL) -> str:
    """The address as it may be shown: without a query, which may hold a secret."""
    return safe(f"{url.scheme}://{host_of(url)}{url.path}", _LONGEST_URL)


async def _refusal(response: httpx.Response, outgoing: Outgoing, url: httpx.URL) -> Fault:
    """The words for a status that is no answer, with what the body says."""
    body = b""
    with suppress(BodyTooLargeError):
        async for piece in chunks(response, _MAX_ERROR_BYTES):
            body += piece
    error = of_status(
        response.status_code,
        response.headers,
        body,
        url=shown(url),
        model=outgoing.model,
        params=outgoing.params,
        has_key=outgoing.has_key,
        now=time.time(),
    )
    refined = outgoing.refined
    return Fault(error if refined is None else refined(error, response.headers, body))


def _elsewhere(url: httpx.URL, location: str, status: int) -> Fault:
    """The words for a redirect from an API that has none."""
    message = (
        f"{status}: {url.scheme}://{host_of(url)} redirects to {safe(location, 100)!r}, which is refused and was not "
        "asked: this API has no redirects; check the address"
    )
    return Fault(ResponseError(ErrorKind.REDIRECT, message, status))


def _follow(url: httpx.URL, location: str, status: int) -> httpx.URL:
    """The address that a redirect names, if it is on the same server."""
    try:
        there = url.join(location)
        same = (there.scheme, host_of(there)) == (url.scheme, host_of(url))
    except (httpx.InvalidURL, ValueError):
        message = f"{status}: the redirect's address cannot be read: {safe(location, 80)!r}"
        raise Fault(ResponseError(ErrorKind.REDIRECT, message, status)) from None
    if not same:
        message = (
            f"{status}: {url.scheme}://{host_of(url)} redirects to {there.scheme}://{safe(host_of(there), 100)}, which "
            "is refused and was not asked; configure that address if it is meant"
        )
        raise Fault(ResponseError(ErrorKind.REDIRECT, message, status))
    return there.copy_with(username="", password="") if there.userinfo else there
