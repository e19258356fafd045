"""Which fault of the network was it? Exceptions of httpx, aiohttp and Python in words."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import aiohttp
import httpx

from checks.types import ErrorKind, ResponseError
from service.endpoints._faults import EXCERPT_CHARACTERS, excerpt
from service.http import BodyEncodingError, BodyTooLargeError
from service.text import safe


def of_exception(error: BaseException, host: str, *, began: bool) -> ResponseError:
    """The words for an exception of httpx, aiohttp or the network.

    Args:
        error: what was raised.
        host: the host and port asked.
        began: whether the answer's headers had come.
    """
    chain = list(_chain(error))
    if isinstance(error, BodyTooLargeError):
        size = f"{error.max_bytes / 1e6:g} MB" if error.max_bytes >= 1e5 else f"{error.max_bytes} bytes"
        return ResponseError(
            ErrorKind.TOO_LARGE,
            f"the body exceeds {size} decoded (max_response_bytes: {error.max_bytes}); reading stopped there",
        )
    if isinstance(error, BodyEncodingError):
        return ResponseError(ErrorKind.BAD_BODY, str(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLError | ssl.CertificateError | aiohttp.ClientSSLError):
            return ResponseError(ErrorKind.TLS, _tls(chain, host))
    if began:
        return ResponseError(ErrorKind.BAD_BODY, f"{host} cut the body short ({_name(chain)})")
    for cause in chain:
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            return ResponseError(
                ErrorKind.CONNECT, f"the name of {host} cannot be resolved: check base_url or url, and DNS"
            )
        if isinstance(
            cause, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError | httpx.ProxyError
        ):
            return ResponseError(
                ErrorKind.CONNECT, f"the proxy towards {host} cannot be used: check HTTPS_PROXY and NO_PROXY"
            )
        if isinstance(cause, ConnectionRefusedError):
            return ResponseError(ErrorKind.CONNECT, f"{host} refuses connections: is the server running?")
        if isinstance(
            cause, aiohttp.ServerDisconnectedError | ConnectionResetError | httpx.RemoteProtocolError
        ):
            return ResponseError(ErrorKind.CONNECT, f"{host} closed the connection without an answer")
        if isinstance(cause, aiohttp.ClientResponseError):
            return ResponseError(ErrorKind.BAD_BODY, f"{host} does not speak HTTP: {excerpt(cause.message)}")
        if isinstance(cause, httpx.TimeoutException | TimeoutError) and cause is chain[-1]:
            return ResponseError(ErrorKind.TIMEOUT, f"{host} did not answer in time")
    if isinstance(error, httpx.HTTPError | aiohttp.ClientError | OSError):
        reason = next((c.strerror for c in chain if isinstance(c, OSError) and c.strerror), "") or _name(
            chain
        )
        return ResponseError(ErrorKind.CONNECT, f"{host} cannot be reached: {safe(str(reason), 100)}")
    return ResponseError(
        ErrorKind.BAD_BODY,
        f"the endpoint failed: {type(error).__name__}: {safe(str(error), EXCERPT_CHARACTERS)}",
    )


def _tls(chain: list[BaseException], host: str) -> str:
    said = " ".join(str(c) for c in chain)
    if "CERTIFICATE_VERIFY_FAILED" in said or any(isinstance(c, ssl.CertificateError) for c in chain):
        match = re.search(r"certificate verify failed: ([^(\]]{1,80})", said)
        why = f" ({safe(match[1].strip(' .'), 80)})" if match else ""
        if match and "mismatch" in match[1]:
            return f"the certificate of {host} is another host's{why}: use the name that stands in it"
        return f"the certificate of {host} is not trusted{why}: for a CA of your own set SSL_CERT_FILE to its bundle"
    if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER" in said.upper():
        return f"{host} does not speak TLS: should the address begin with http://?"
    return f"TLS with {host} fails: {safe(next((str(c) for c in chain if isinstance(c, ssl.SSLError)), ''), 100)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop(0)
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += [one.__cause__, one.__context__, getattr(one, "os_error", None)]


def _name(chain: list[BaseException]) -> str:
    return type(chain[-1]).__name__
