"""How does the web server live inside the daemon? Uvicorn in the same loop, with its hands off the signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from service.errors import UserError

if TYPE_CHECKING:
    from service.config.models import Web

_BACKLOG = 128
_GRACE_S = 1


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


class WebServer(uvicorn.Server):
    """Serves an application on a socket until :meth:`stop`; the requests of then have a second to end."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
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
