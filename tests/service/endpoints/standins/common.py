"""How does a stand-in for a provider answer? It checks the request as the provider does, and refuses a wrong one.

A stand-in is called with a request of the scripted server and returns a :class:`Reply`; ``behaviour`` puts it there.
Field names, codes and statuses are the providers'; the words are ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Reply:
    """An answer; what is no bytes goes out as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is not what the provider takes."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.body))
        self.reply = reply


class StandIn:
    """The base. ``failures`` are answered first, each once, to requests that are right."""

    def __init__(self) -> None:
        self.failures: list[Reply] = []
        self.accepted: list[Any] = []

    def check(self, request: Any) -> Any:
        """Look at the whole request; returns what is to be answered to.

        Raises:
            RefusedError: it is wrong.
        """
        raise NotImplementedError

    def answer(self, asked: Any) -> Reply:
        """The good answer."""
        raise NotImplementedError

    def __call__(self, request: Any) -> Reply:
        try:
            asked = self.check(request)
        except RefusedError as refused:
            return refused.reply
        self.accepted.append(asked)
        return self.failures.pop(0) if self.failures else self.answer(asked)

    async def behaviour(self, request: Any, writer: asyncio.StreamWriter) -> None:
        """A behaviour of the scripted server."""
        reply = self(request)
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        named = {"Content-Type": "application/json", "Content-Length": str(len(content))} | reply.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode() + content)
        await writer.drain()


def events(named: Iterable[tuple[str | None, Any]]) -> Reply:
    """A stream of server-sent events, each with its name (or None) and its data."""
    lines = ""
    for name, data in named:
        lines += f"event: {name}\n" if name else ""
        lines += f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
    return Reply(200, lines.encode(), {"Content-Type": "text/event-stream"})


def json_object(request: Any, wrong: Any) -> dict[str, Any]:
    """The JSON object that a request carries; ``wrong`` makes the refusal of another."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        content = json.loads(request.body)
    except ValueError:
        content = None
    if kind != "application/json" or not isinstance(content, dict):
        raise RefusedError(wrong("the body must be a JSON object with Content-Type: application/json"))
    return content


def unknown(content: Mapping[str, Any], allowed: Iterable[str]) -> list[str]:
    """The names that the provider does not know."""
    return sorted(set(content) - set(allowed))


def parts(path: str) -> tuple[str, dict[str, str]]:
    """A path without its query, and the query, each name once."""
    split = urlsplit(path)
    return split.path, {name: values[0] for name, values in parse_qs(split.query).items()}
