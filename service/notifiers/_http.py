"""How does a message leave the machine? One bounded POST, and what its answer means.

Redirects are never followed: the next host was not configured, and the address may be a secret.
What an error may show of an address is its host.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx

from service.notifiers import Delivery
from service.text import safe

_MOST_ANSWER = 4096
_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_EXCERPT = 100

MAY_PASS_LATER = frozenset({408, 409, 425, 429})
"""Client errors that say "not now"."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: the status, the start of its text, and its wish when to be asked again."""

    status: int
    text: str
    retry_after_s: float | None = None


class _Later(httpx.AsyncBaseTransport):
    """The real client, made when the first message leaves; until then its 2 MB of certificates are saved."""

    def __init__(self) -> None:
        self._real: httpx.AsyncClient | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it as it is, through the proxy that the environment names."""
        if self._real is None:
            self._real = httpx.AsyncClient(
                limits=httpx.Limits(max_connections=20, max_keepalive_connections=5),
                mounts=dict.fromkeys(_LOOPBACK),
            )
        return await self._real.send(request, stream=True, auth=None, follow_redirects=False)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._real is not None:
            await self._real.aclose()


def client() -> httpx.AsyncClient:
    """A client for notifiers: no redirects, no proxy for loopback, few connections.

    httpx logs every address at INFO, and an address may be a secret: its logger is raised to WARNING.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=_Later(),
        follow_redirects=False,
        headers={"User-Agent": f"goldwatch/{version('goldwatch')}"},
    )


async def post(
    client: httpx.AsyncClient,
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    now: float,
) -> Answer | Delivery:
    """Post once.

    Returns:
        The receiver's answer, whatever its status, with as much of its text as came in time; or what to
        do where there is none. An attempt that failed before the request was out is a retry; after that it
        is unclear.
    """
    host = host_of(url)
    answer: Answer | None = None
    try:
        async with (
            asyncio.timeout(timeout_s),
            client.stream("POST", url, content=content, headers=dict(headers), timeout=timeout_s) as response,
        ):
            wait_s = _retry_after_s(response.headers.get("retry-after"), now)
            answer = Answer(response.status_code, "", wait_s)
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                answer = Answer(response.status_code, body[:_MOST_ANSWER].decode("utf-8", "replace"), wait_s)
                if len(body) >= _MOST_ANSWER:
                    break
            return answer
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        return Delivery.retry(f"{host} cannot be reached ({type(error).__name__})")
    except (httpx.TimeoutException, TimeoutError):
        return answer or Delivery.unclear(f"{host} did not answer within {timeout_s:g} s")
    except (httpx.HTTPError, httpx.StreamError) as error:
        return answer or Delivery.unclear(f"{host} broke off ({type(error).__name__})")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        return Delivery.retry(f"the address of {host} cannot be used ({type(error).__name__})")


def judge(answer: Answer, url: str, *, hopeless: Collection[int], secrets: Collection[str] = ()) -> Delivery:
    """What an answer means: 2xx is delivered, a status in ``hopeless`` permanent, everything else a retry.

    Most client errors are worth another try: 401, 403 and 404 come and go with a deployment or a
    rotated secret, and a lost page is worse than a spare request every five minutes for a day.
    """
    if 200 <= answer.status < 300:
        return Delivery.delivered()
    host = host_of(url)
    if 300 <= answer.status < 400:
        return Delivery.retry(
            f"{host} redirects ({answer.status}), which is not followed: configure its target"
        )
    excerpt = _redacted(answer.text, url, secrets)
    reason = f"{host} answered {answer.status}{f': {excerpt}' if excerpt else ''}"
    if answer.status in hopeless:
        return Delivery.permanent(reason)
    return Delivery.retry(reason, answer.retry_after_s)


def host_of(url: str) -> str:
    """The host and port of an address: all of it that may be shown.

    >>> host_of("https://hooks.slack.com/services/T0/B0/secret")
    'hooks.slack.com'
    """
    parts = urlsplit(url)
    host = parts.hostname or "the receiver"
    return host if parts.port is None else f"{host}:{parts.port}"


def _redacted(text: str, url: str, secrets: Collection[str]) -> str:
    parts = urlsplit(url)
    for secret in sorted({url, parts.path, parts.query, *secrets}, key=len, reverse=True):
        if len(secret) > 1:
            text = text.replace(secret, "***")
    return safe(text.strip(), _EXCERPT)


def _retry_after_s(value: str | None, now: float) -> float | None:
    """Retry-After in seconds, from either of its two forms; None where it says nothing usable."""
    if value is None:
        return None
    try:
        wait_s = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        wait_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return max(wait_s, 0.0) if math.isfinite(wait_s) else None


def moment(now: float) -> datetime:
    """The time as the signature library wants it.

    >>> moment(0.0).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(now, UTC)
