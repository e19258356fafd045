"""How does the web server live inside the daemon? Uvicorn in the same loop, with its hands off the signals.

Pages must never cost the watch anything: whoever opens connections and says nothing, or says it a byte at a time, would
else take every file descriptor, and no model could be asked any more. So there are at most so many connections; when
they are all taken, a new one takes the place of the one whose request has been under way for longest.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.errors import UserError
from service.web.guard import HEADERS, is_loopback

if TYPE_CHECKING:
    from service.config.daemon_parts import Web

_BACKLOG = 64  # so many are accepted at once, before the first of them can make room for the next
_GRACE_S = 1
_MOST_CONNECTIONS = 256
_FEWEST_CONNECTIONS = 16


def most_connections() -> int:
    """A quarter of the file descriptors that this process may have, between 16 and 256.

    >>> 16 <= most_connections() <= 256
    True
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft // 4
    return min(max(allowed, _FEWEST_CONNECTIONS), _MOST_CONNECTIONS)


def bind(web: Web) -> socket.socket:
    """Take the configured address, before anything else is begun.

    Raises:
        UserError: it is taken, or is none of this machine.
    """
    try:
        found = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise UserError(
            f"web.listen: {web.listen} cannot be used: {error.strerror}", "name an address of this machine"
        ) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(found[4])
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            message, remedy = (
                "is in use",
                "stop the other program, or write another port into web.listen (0: any)",
            )
        else:
            message, remedy = (
                f"cannot be used: {error.strerror}",
                "name an address of this machine and a free port",
            )
        raise UserError(f"web.listen: {web.listen} {message}", remedy) from None
    return bound


def address(bound: socket.socket) -> str:
    """``http://HOST:PORT`` of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(bound: socket.socket | None) -> bool:
    """Whether only this machine can reach what is bound."""
    return bound is not None and is_loopback(bound.getsockname()[0])


class Connection(H11Protocol):
    """One of at most ``most`` connections; a new one beyond them ends the one whose request has taken longest."""

    most = _MOST_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or somebody's."""
        self.since = self.loop.time()
        if len(self.connections) >= self.most:
            slowest: Any = min(self.connections, key=lambda one: one.since)  # type: ignore[union-attr]
            self.connections.discard(slowest)
            slowest.transport.abort()
        super().connection_made(transport)

    def on_response_complete(self) -> None:
        """What was answered is not slow; only the next request can be."""
        self.since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused with the headers of every other answer."""
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        headers += [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class WebServer(uvicorn.Server):
    """Serves an application on a socket until :meth:`stop`; the requests of then have a second to end."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=type("Connection", (Connection,), {"most": most_connections()}),
                backlog=_BACKLOG,
                lifespan="off",
                proxy_headers=False,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._leave = asyncio.Event()

    def stop(self) -> None:
        """Take no more requests, and end."""
        self.should_exit = True
        self._leave.set()

    async def main_loop(self) -> None:
        """Keep the Date header right, once a second; uvicorn's own loop wakes ten times as often."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), 1.0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield
