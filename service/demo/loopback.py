"""How does the demo serve HTTP inside its own process? One ASGI application on a free loopback port.

Signals stay with the program that runs the demo: Ctrl+C must end the demo, not only its server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_MAX_BODY_BYTES = 4_000_000


class BodyTooLargeError(Exception):
    """The request's body exceeds 4 MB."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: status, body and content type."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, content: Any) -> Reply:
        """A JSON answer."""
        return cls(status, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

    async def send(self, send: Send) -> None:
        """Write it."""
        named = {"content-type": self.content_type, "content-length": str(len(self.body)), **self.headers}
        await send_start(send, self.status, named)
        await send({"type": "http.response.body", "body": self.body})


async def send_start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    """Write the status and the headers of an answer."""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        BodyTooLargeError: it exceeds 4 MB.
        ConnectionError: the client went away.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        body += message.get("body", b"")
        if len(body) > _MAX_BODY_BYTES:
            raise BodyTooLargeError
        if not message.get("more_body"):
            return bytes(body)


class LoopbackServer:
    """Serves one application while its ``async with`` block lasts, on 127.0.0.1 unless another host is named.

    A subclass answers in ``respond``. ``port`` 0 takes a free one; ``address`` is known once started.
    """

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self._wanted_port = port
        self._host = host
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """``http://HOST:PORT``.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._socket is None:
            raise RuntimeError(f"{type(self).__name__} is not running; use it in an async with block")
        return "http://{}:{}".format(*self._socket.getsockname())

    async def start(self) -> None:
        """Bind the port and serve; returns when requests are accepted.

        Raises:
            OSError: the port is taken.
        """
        # Only where the protocol is named does asyncio switch Nagle's delay off: 40 ms for each answer.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self._host, self._wanted_port))
        except OSError:
            bound.close()
            raise
        self._socket = bound
        config = uvicorn.Config(
            self._application,
            interface="asgi3",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await self.stop()
            raise OSError(f"{type(self).__name__} could not start")

    async def stop(self) -> None:
        """Finish the requests in flight (for at most 2 s) and free the port. A second call does nothing."""
        task, server, bound = self._task, self._server, self._socket
        self._task = self._server = self._socket = None
        if task is not None and server is not None:
            server.should_exit = True
            await task
        if bound is not None:
            bound.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def respond(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer one request whose body was read."""
        raise NotImplementedError

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
        except BodyTooLargeError:
            await Reply.of(413, {"error": {"message": "the request exceeds 4 MB"}}).send(send)
            return
        except ConnectionError:
            return
        await self.respond(scope, body, send)


class _Server(uvicorn.Server):
    """Uvicorn's server that says when it listens and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
