"""A real HTTP server on loopback whose every byte can be scripted, in a thread of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checks.types import Example, Response
from service.endpoints import Endpoint
from service.http import client

Behaviour = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """``script`` maps a path to behaviours, used in turn, the last one for good; ``default`` is for other paths."""

    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    default: list[Behaviour] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    stopping: bool = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, *behaviours: Behaviour) -> None:
        """What every POST gets, in turn."""
        self.default = list(behaviours)

    # Behaviours

    def reply(self, status: int = 200, body: Any = b"", headers: dict[str, str] | None = None) -> Behaviour:
        """A whole answer; what is no bytes goes out as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": "application/json", "Content-Length": str(len(content))} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return self.raw(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content)

    def raw(self, *parts: bytes, close: bool = False) -> Behaviour:
        async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if close:
                writer.close()

        return behave

    def cut(self, body: bytes = b'{"choices": [', missing: int = 100) -> Behaviour:
        length = len(body) + missing
        return self.raw(f"HTTP/1.1 200 X\r\nContent-Length: {length}\r\n\r\n".encode() + body, close=True)

    def close(self) -> Behaviour:
        return self.raw(close=True)

    def hang(self) -> Behaviour:
        async def behave(_: Request, __: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        return behave

    def drip(self) -> Behaviour:
        """One byte every 20 ms, for ever."""

        async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

        return behave

    def endless(self, piece: bytes = b" " * 65_536, headers: str = "") -> Behaviour:
        """A gigabyte, if somebody reads it."""

        async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 200 X\r\n{headers}Content-Length: 1000000000\r\n\r\n".encode())
            for _ in range(1_000_000_000 // len(piece)):
                writer.write(piece)
                await writer.drain()

        return behave

    def bomb(self) -> Behaviour:
        """Half a gigabyte of blanks in half a megabyte of gzip."""
        bomb = gzip.compress(b" " * 50_000_000) * 10
        return self.reply(200, bomb, {"Content-Encoding": "gzip"})

    def redirect(self, location: str, status: int = 307) -> Behaviour:
        return self.reply(status, b"", {"Location": location})

    def events(self, *events: Any, done: bool = True, newline: str = "\n") -> Behaviour:
        """A stream of server-sent events, closed at its end."""
        lines = [f"data: {e if isinstance(e, str) else json.dumps(e)}{newline}{newline}" for e in events]
        lines += [f"data: [DONE]{newline}{newline}"] if done else []
        head = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        return self.raw(head, *(line.encode() for line in lines), close=True)

    # The server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if self.stopping:
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS handshake: say what servers without TLS say
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(method, path, headers, body)
            self.requests.append(request)
            script = self.script.get(path.partition("?")[0])
            if script is None:
                script = self.default if method == "POST" else [self.reply(404)]
            await (script.pop(0) if len(script) > 1 else script[0])(request, writer)


@pytest.fixture
def new_server() -> Iterator[Callable[..., Server]]:
    """Starts one more server."""
    loop, listening, servers = asyncio.new_event_loop(), [], []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start(server: Server, tls: ssl.SSLContext | None) -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        listening.append(listener)
        server.port = listener.sockets[0].getsockname()[1]

    def make(tls: ssl.SSLContext | None = None) -> Server:
        server = Server()
        servers.append(server)
        asyncio.run_coroutine_threadsafe(start(server, tls), loop).result()
        return server

    async def stop() -> None:
        for listener in listening:
            listener.close()
        for server in servers:
            server.stopping = True
        await asyncio.sleep(0)  # a connection that was just accepted becomes a task
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close with the loop's next turn

    yield make
    asyncio.run_coroutine_threadsafe(stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def server(new_server: Callable[[], Server]) -> Server:
    return new_server()


Ask = Callable[..., Response]


@pytest.fixture
def ask() -> Ask:
    """Asks an endpoint once, on a client of its own."""

    def once(endpoint: Endpoint, text: Any = "Where is my parcel?", *, timeout_s: float = 10.0) -> Response:
        async def run() -> Response:
            async with client(2) as http:
                return await endpoint.ask(http, Example("T-1", text), timeout_s=timeout_s)

        return asyncio.run(run())

    return once


@pytest.fixture
def identify() -> Callable[[Endpoint], Any]:
    def once(endpoint: Endpoint) -> Any:
        async def run() -> Any:
            async with client(2) as http:
                return await endpoint.identify(http, timeout_s=5.0)

        return asyncio.run(run())

    return once


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this machine: no variable, no file, no instance."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
