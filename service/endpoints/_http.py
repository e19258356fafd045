"""What do all protocols over HTTP have in common? Keys, headers, bounds, redirects and errors in words.

A subclass says what to send (:meth:`HttpEndpoint.body_for`) and how to read the answer (:meth:`HttpEndpoint.read`).

httpx and aiohttp are imported with the first request: reading a configuration needs neither.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from checks.types import ErrorKind, Example, Response, ResponseError
from service.endpoints import Endpoint
from service.endpoints._faults import Fault, bad_body
from service.endpoints._secrets import SecretError, from_env, from_file, hide, hide_in
from service.text import safe

if TYPE_CHECKING:
    import httpx

    from service.endpoints._exchange import Outgoing

MAX_RESPONSE_BYTES = 10_000_000
_MAX_PAGE_BYTES = 1_000_000
_LONGEST_NAME = 200
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"})
_OWN_HEADERS = frozenset({
    "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "accept-encoding",
    "te", "upgrade", "expect",
})  # fmt: skip

Headers = list[tuple[str, str]]
Answer = dict[str, Any]
"""What a protocol found in an answer: the fields of a Response by name."""


def address(value: str, *, query: bool = False) -> str:
    """Check an http(s) address; returns it without a final slash.

    Raises:
        ValueError: what is wrong, and what to write instead.
    """
    if any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("an address holds no blanks and no control characters")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("a secret must not stand in an address: write api_key_env: VARIABLE, or headers_env")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"{value!r} is not an address: write http:// or https:// and a host")
    if parts.fragment or (parts.query and not query):
        raise ValueError(f"an address here holds no {'#' if parts.fragment else '?'} part")
    return value if parts.query else value.rstrip("/")


Address = Annotated[str, AfterValidator(address)]


def _plain_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        _header_name(name)
        if name.lower() in _SECRET_HEADERS:
            other = (
                "api_key_env: VARIABLE"
                if name.lower() == "authorization"
                else f"headers_env: {{{name}: VARIABLE}}"
            )
            raise ValueError(
                f"the header {name} holds a secret, which must not stand in this file: write {other}"
            )
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the header {name} must be one line of printable ASCII")
    return headers


def _secret_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, variable in headers.items():
        _header_name(name)
        if not _VARIABLE.fullmatch(variable):
            raise ValueError(
                f"{name}: not the name of an environment variable: write the variable's name, not the secret itself"
            )
    return headers


def _header_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{safe(name, 40)!r} is not a header's name")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"the header {name} is set by goldwatch itself: remove it")


class HttpEndpoint(Endpoint):
    """The base of protocols over HTTP. The key goes out as ``Authorization: Bearer``, or as the protocol says."""

    api_key_env: Annotated[str | None, Field(min_length=1, description="The variable with the key.")] = None
    api_key_file: Annotated[str | None, Field(min_length=1, description="The file with the key.")] = None
    headers: Annotated[
        dict[str, str],
        AfterValidator(_plain_headers),
        Field(default_factory=dict, description="Headers without secrets."),
    ]
    headers_env: Annotated[
        dict[str, str],
        AfterValidator(_secret_headers),
        Field(
            default_factory=dict,
            description="Headers that are secrets: each with the variable that holds its whole value.",
        ),
    ]
    max_response_bytes: Annotated[
        int, Field(ge=1_000, le=1_000_000_000, description="The bound of an answer, decoded.")
    ] = MAX_RESPONSE_BYTES

    KEY_HEADER: ClassVar[str] = "Authorization"
    """The header that carries the key."""
    KEY_PREFIX: ClassVar[str] = "Bearer "
    """What stands before the key in it."""

    @model_validator(mode="after")
    def _one_of_each(self) -> HttpEndpoint:
        if self.api_key_env is not None and self.api_key_file is not None:
            raise ValueError("api_key_env and api_key_file exclude each other")
        plain, secret = {n.lower() for n in self.headers}, {n.lower() for n in self.headers_env}
        if both := sorted(plain & secret):
            raise ValueError(f"{both[0]} stands in headers and in headers_env")
        if self.KEY_HEADER.lower() in secret and (self.api_key_env or self.api_key_file):
            raise ValueError(
                f"headers_env.{self.KEY_HEADER} and the key exclude each other: both set that header"
            )
        return self

    # What a protocol says

    def body_for(self, example: Example) -> bytes | None:
        """The body of the request for an example; None sends none."""
        raise NotImplementedError

    def read(self, body: bytes) -> Answer:
        """What the answer to a request says.

        Raises:
            Fault: the body is not what the protocol promises.
        """
        raise NotImplementedError

    async def read_stream(self, pieces: AsyncGenerator[bytes, None], started: float) -> Answer:  # noqa: ARG002
        """What the answer says while it arrives; by default the whole body is read first.

        Args:
            pieces: the decoded body.
            started: ``time.perf_counter`` when the request went out, for ``ttft_s``.

        Raises:
            Fault: the body is not what the protocol promises.
        """
        parts = [piece async for piece in pieces]
        return self.read(parts[0] if len(parts) == 1 else b"".join(parts))

    @property
    def method(self) -> str:
        """The HTTP method of a request."""
        return "POST"

    @property
    def address(self) -> str:
        """The whole address of a request; unlike ``url`` it is not for showing."""
        return self.url

    @property
    def sent_params(self) -> Mapping[str, Any]:
        """The parameters that are sent, by name: an error says which of them to change."""
        return {}

    @property
    def own_headers(self) -> Mapping[str, str]:
        """The headers that the protocol demands, such as its version; ``headers`` may replace them."""
        return {}

    def refined(self, error: ResponseError, headers: Mapping[str, str], body: bytes) -> ResponseError:  # noqa: ARG002
        """The error of a status that is no answer, told better where the protocol has codes of its own."""
        return error

    async def authorised(
        self, client: httpx.AsyncClient, content: bytes | None, secrets: tuple[str, ...], headers: Headers
    ) -> tuple[tuple[str, ...], Headers]:
        """The secrets and headers of one request, with what its credentials add: a signature, a fresh token.

        Raises:
            SecretError: there are no usable credentials.
            Fault: a token was to be fetched, and was not given.
        """
        del client, content
        return secrets, headers

    FOLLOWS: ClassVar[bool] = True
    """Whether a redirect on the same server is followed."""

    # What they share

    async def ask(self, client: httpx.AsyncClient, example: Example, *, timeout_s: float) -> Response:
        """One attempt at one example; see :meth:`Endpoint.ask`."""
        from service.endpoints._exchange import exchange  # noqa: PLC0415  # httpx comes with the first request

        at, started = time.time(), time.perf_counter()
        secrets: tuple[str, ...] = ()

        async def consume(pieces: AsyncGenerator[bytes, None]) -> Answer:
            return await self.read_stream(pieces, started)

        try:
            secrets, headers = self._headers()
            content = self.body_for(example)
            async with asyncio.timeout(timeout_s):
                secrets, headers = await self.authorised(client, content, secrets, headers)
                answer = await exchange(client, self._outgoing(headers, content), consume)
        except TimeoutError:
            error = ResponseError(ErrorKind.TIMEOUT, f"no complete answer within {timeout_s:g} s")
        except SecretError as fault:
            error = ResponseError(ErrorKind.AUTH, fault.message)
        except Fault as fault:
            error = fault.error
        except Exception as fault:  # noqa: BLE001  # a fault of goldwatch must not end the run either
            said = safe(str(fault), 100)
            error = ResponseError(
                ErrorKind.BAD_BODY, f"the answer cannot be read: {type(fault).__name__}: {said}"
            )
        else:
            latency_s = answer.pop("latency_s", None) or time.perf_counter() - started
            if secrets:
                answer = hide_in(answer, secrets)
            return Response(example.id, at=at, latency_s=latency_s, **answer)
        error = replace(error, message=hide(error.message, secrets))
        return Response(example.id, error=error, at=at, latency_s=time.perf_counter() - started)

    async def fetch(self, client: httpx.AsyncClient, url: str, *, timeout_s: float) -> Any:
        """The JSON at an address of the same server, asked for with the key; None if there is none. Never raises."""
        import httpx  # noqa: PLC0415  # as above

        from service.endpoints._exchange import Outgoing, exchange, whole  # noqa: PLC0415

        with suppress(Exception):
            secrets, headers = self._headers()
            async with asyncio.timeout(timeout_s):
                body = await exchange(
                    client, Outgoing("GET", httpx.URL(url), headers, None, _MAX_PAGE_BYTES), whole
                )
            return hide_in(json.loads(body), secrets)
        return None

    def secrets(self) -> dict[str, Any]:
        """The configuration keys that name secrets, each with its variable or file."""
        named: dict[str, Any] = {}
        if self.api_key_env is not None:
            named["api_key_env"] = self.api_key_env
        if self.api_key_file is not None:
            named["api_key_file"] = self.api_key_file
        return named | {f"headers_env.{name}": variable for name, variable in self.headers_env.items()}

    def check_secrets(self) -> list[SecretError]:
        """What is wrong with the secrets; empty if nothing is."""
        faults = []
        for key, where in HttpEndpoint.secrets(self).items():
            try:
                _ = from_file(where, key) if key == "api_key_file" else from_env(where, key)
            except SecretError as error:
                faults.append(error)
        return faults

    def _headers(self) -> tuple[tuple[str, ...], Headers]:
        """The secrets, and the headers of a request."""
        headers = self._constant_headers
        if self.api_key_env is None and self.api_key_file is None and not self.headers_env:
            return (), headers
        headers, secrets = list(headers), []
        if self.api_key_env is not None:
            secrets.append(from_env(self.api_key_env, "api_key_env"))
        elif self.api_key_file is not None:
            secrets.append(from_file(self.api_key_file, "api_key_file"))
        if secrets:
            headers.append((self.KEY_HEADER, f"{self.KEY_PREFIX}{secrets[0]}"))
        for name, variable in self.headers_env.items():
            value = from_env(variable, f"headers_env.{name}")
            headers.append((name, value))
            secrets += [value, *(part for part in value.split() if len(part) >= 8)]
        return tuple(secrets), headers

    @cached_property
    def _constant_headers(self) -> Headers:
        from service.http import ACCEPT_ENCODING, USER_AGENT  # noqa: PLC0415

        own = {"Accept": "*/*", "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": USER_AGENT}
        own |= self.own_headers
        if self.method != "GET":
            own["Content-Type"] = "application/json"
        chosen = {name.lower() for name in self.headers}
        return [(n, v) for n, v in own.items() if n.lower() not in chosen] + list(self.headers.items())

    @cached_property
    def _parsed(self) -> httpx.URL:
        import httpx  # noqa: PLC0415

        return httpx.URL(self.address)

    def _outgoing(self, headers: Headers, content: bytes | None) -> Outgoing:
        from service.endpoints._exchange import Outgoing  # noqa: PLC0415

        return Outgoing(
            self.method, self._parsed, headers, content, self.max_response_bytes, self.model_name, self.sent_params,
            headers is not self._constant_headers, self.FOLLOWS, self.refined,
        )  # fmt: skip


def name_or_none(value: Any) -> str | None:
    """A server's name for something, cut at 200 characters; None if it is no text."""
    return value[:_LONGEST_NAME] if isinstance(value, str) and value else None


def count_or_none(value: Any) -> int | None:
    """A server's count of something; None unless it is a whole number from 0 to 10¹².

    >>> count_or_none(7), count_or_none(True), count_or_none(-1), count_or_none("7")
    (7, None, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= 10**12 else None


def logprobs_or_none(values: list[Any]) -> tuple[float, ...] | None:
    """Log-probabilities as numbers; None if there are none or one of them is no number. -inf becomes -9999."""
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  # NaN
            return None
        found.append(min(max(float(value), -9999.0), 0.0))
    return tuple(found) or None


def parse_json(body: bytes) -> Any:
    """The JSON of a body.

    Raises:
        Fault: it is none; the beginning is quoted.
    """
    try:
        return json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        bad_body("the body is not UTF-8", body)
    except (ValueError, RecursionError):
        bad_body("the body is not JSON" if body.strip() else "the body is empty", body or None)


def canonical(value: Any) -> str:
    """A JSON value as text, always the same for the same value: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def json_problem(value: Any, path: str) -> str | None:
    """Where a configured value is not JSON (YAML has dates and infinities, too); None if it is."""
    if value is None or isinstance(value, bool | int | str):
        return None
    if isinstance(value, float):
        return None if value - value == 0 else f"{path}: {value} is not JSON"
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{path}: the key {key!r} must be a text"
            if problem := json_problem(item, f"{path}.{key}"):
                return problem
        return None
    if isinstance(value, list | tuple):
        return next((p for i, item in enumerate(value) if (p := json_problem(item, f"{path}[{i}]"))), None)
    return f"{path}: {safe(str(value), 40)} ({type(value).__name__}) is not JSON: put it in quotes"


def check_params(params: dict[str, Any], reserved: Mapping[str, str], *more: str) -> dict[str, Any]:
    """Check parameters that are merged into a request; returns them.

    Args:
        params: as configured.
        reserved: names that they cannot set, each with what to write instead.
        more: faults that were found besides.

    Raises:
        ValueError: every fault.
    """
    faults = [f"params cannot set {name}: {instead}" for name, instead in reserved.items() if name in params]
    faults += more
    if problem := json_problem(params, "params"):
        faults.append(problem)
    if faults:
        raise ValueError("; ".join(faults))
    return params


def flattened(example: Example) -> str:
    """An example's input as one text: a text as it is, a single turn its content, else ``role: content`` lines."""
    if isinstance(example.input, str):
        return example.input
    if len(example.input) == 1:
        return example.input[0].content
    return "\n".join(f"{turn.role}: {turn.content}" for turn in example.input)
