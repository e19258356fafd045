"""Why was there no answer, in words for a person? Every failure of an exchange becomes one :class:`ResponseError`.

What a server sent is quoted shortly, harmlessly, and without the key.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from checks.types import ErrorKind, ResponseError
from service.text import safe

EXCERPT_CHARACTERS = 120
_LONGEST_WAIT_S = 86_400.0
_LOOKED_AT_BYTES = 8_192


class Fault(Exception):  # noqa: N818  # it is no error of the program: it carries the error of a response
    """There is no answer; ``error`` says why."""

    def __init__(self, error: ResponseError) -> None:
        super().__init__(error.message)
        self.error = error


def bad_body(why: str, body: bytes | str | None = None, status: int | None = 200) -> NoReturn:
    """End the exchange: the body is not what the protocol promises. Quotes its beginning.

    Raises:
        Fault: always, of kind ``bad_body``.
    """
    quoted = "" if body is None else f": {excerpt(body)}"
    raise Fault(ResponseError(ErrorKind.BAD_BODY, f"{why}{quoted}", status))


def excerpt(body: bytes | str) -> str:
    r"""The beginning of a body in quotes: one harmless line of at most 120 characters.

    >>> excerpt(b'<html>\n<b>502</b>')
    '"<html>⏎<b>502</b>"'
    """
    text = body[:_LOOKED_AT_BYTES].decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body
    return f'"{safe(text.strip(), EXCERPT_CHARACTERS)}"' if text.strip() else "(empty)"


def of_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    url: str,
    model: str | None,
    params: Mapping[str, Any],
    has_key: bool,
    now: float,
) -> ResponseError:
    """The words for an answer whose status is not 2xx.

    Args:
        status: the HTTP status.
        headers: the answer's.
        body: the beginning of its body.
        url: the address asked, without credentials.
        model: the model asked for.
        params: the parameters that the configuration sends, to say which to change.
        has_key: whether a key was sent.
        now: seconds since 1970, to read Retry-After as a date.
    """
    said = _said(body)
    quoted = f": {excerpt(said)}" if said.strip() else ""
    wait_s = retry_after_s(headers, now)
    if status in (401, 403):
        hint = "check the key that is sent" if has_key else "no key is sent; set api_key_env"
        return ResponseError(ErrorKind.AUTH, f"{status} from {url}: {hint}{quoted}", status)
    if status == 404:
        named = f"no model {model!r} at {url}, or no such path: check model and the address" if model else (
            f"nothing at {url}: check the address"
        )  # fmt: skip
        return ResponseError(ErrorKind.NOT_FOUND, f"404: {named}{quoted}", status)
    if status == 429:
        return ResponseError(ErrorKind.RATE_LIMITED, f"429: too many requests{quoted}", status, wait_s)
    if status == 408:
        return ResponseError(ErrorKind.TIMEOUT, f"408: the server waited too long{quoted}", status, wait_s)
    if status >= 500:
        return ResponseError(ErrorKind.SERVER, f"{status} from the server{quoted}", status, wait_s)
    if status >= 400:
        remedy = _remedy(body, said, params)
        advice = f"{remedy} " if remedy else ""
        return ResponseError(ErrorKind.REFUSED, f"{advice}({status}{quoted})" if advice else
                             f"{status}: the request is refused{quoted}", status)  # fmt: skip
    return ResponseError(ErrorKind.BAD_BODY, f"status {status} is no answer{quoted}", status)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """The server's wish when to be asked again in seconds from ``now``, at most a day; None without a usable one.

    >>> retry_after_s({"retry-after": "7"}, 0.0), retry_after_s({"retry-after": "soon"}, 0.0)
    (7.0, None)
    >>> retry_after_s({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 30.0)
    30.0
    """
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            wait_s = float(milliseconds) / 1000
        elif value is None:
            return None
        else:
            wait_s = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value or "")
        except ValueError:
            return None
        wait_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S) if math.isfinite(wait_s) else None


_UNSUPPORTED = re.compile(
    r"(?:unsupported|unknown|unrecognized|invalid|unexpected)[^'\"`]{0,60}?['\"`]([\w.]{1,64})['\"`]",
    re.IGNORECASE,
)
_DEPRECATED = re.compile(
    r"['\"`]([\w.]{1,64})['\"`] is (?:deprecated|not supported|no longer)", re.IGNORECASE
)
_INSTEAD = re.compile(r"\buse\s+['\"`]([\w.]{1,64})['\"`]\s+instead", re.IGNORECASE)
_DEFAULT = re.compile(r"only the default \(?([\w.]{1,20})\)? value is supported", re.IGNORECASE)


def _remedy(body: bytes, said: str, params: Mapping[str, Any]) -> str | None:
    """What to write instead of a parameter that the model refuses."""
    named = _field(body, "param")
    match = _UNSUPPORTED.search(said) or _DEPRECATED.search(said)
    name = named if isinstance(named, str) and named in params else match[1] if match else None
    if name is None or name not in params:
        return None
    value = _yaml(params[name])
    if instead := _INSTEAD.search(said):
        return f"the model refuses {name}: write params: {{{instead[1]}: {value}}} instead of {{{name}: {value}}}"
    if default := _DEFAULT.search(said):
        return f"the model refuses {name}: {value}: remove it from params: only its default ({default[1]}) is supported"
    if match and name == "max_tokens":
        return f"the model refuses max_tokens: write params: {{max_completion_tokens: {value}}} instead"
    return f"the model refuses {name}: {value}: change it in params, or remove it"


def _yaml(value: Any) -> str:
    return safe(json.dumps(value, ensure_ascii=False), 60)


def _said(body: bytes) -> str:
    """The server's own message, out of the shapes in which servers put it; else the body's beginning."""
    for name in ("message", "detail"):
        found = _field(body, name)
        if isinstance(found, str) and found.strip():
            return found
    return body[:_LOOKED_AT_BYTES].decode("utf-8", "backslashreplace")


def _field(body: bytes, name: str) -> Any:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        return None
    error = content.get("error")
    if isinstance(error, str) and name == "message":
        return error
    return error.get(name) if isinstance(error, dict) else content.get(name)


def error_in(content: Any) -> str | None:
    """What an answer with status 200 says went wrong, if it holds an error instead of an answer."""
    if not isinstance(content, dict) or not content.get("error"):
        return None
    error = content["error"]
    said = error.get("message") if isinstance(error, dict) else error
    return said if isinstance(said, str) else json.dumps(error)
