"""What does ``goldwatch serve --read-only`` do? It shows: pages, API and metrics of a store that others fill.

It makes no run, sends no message and lets nothing change state; the database itself refuses writes besides. So it may
stand where more people see it than may act, or look at a restored backup while nothing happens to it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import structlog

from service import __version__
from service.daemon.daemon import Daemon
from service.daemon.server import WebServer, is_local
from service.errors import UserError
from service.schedule import next_tick

if TYPE_CHECKING:
    from service.config import Config
    from service.records import BaselineRecord, RunKind

_log = structlog.get_logger("goldwatch")


class Reader(Daemon):
    """The daemon without its hands."""

    async def run(self) -> None:
        """Answer until a signal says otherwise."""
        from service.web.app import create_app  # noqa: PLC0415  # FastAPI is heavy, and tests of parts need none

        self._listen_to_signals()
        server = WebServer(create_app(self._store, self, read_only=True, local=is_local(self._bound)))
        web = asyncio.create_task(server.serve(sockets=[self._bound] if self._bound else None), name="web")
        self._put_in_force(self.config, None)
        _log.info(
            "showing, read-only",
            version=__version__,
            url=self.url,
            targets=len(self.config.targets),
            pid=os.getpid(),
        )
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({stopped, web}, return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        server.stop()
        await web
        _log.info("stopped")

    @property
    def token(self) -> None:
        """There is nothing to log in to."""
        return

    def next_run_at(self, target: str, /) -> float | None:
        """When its schedule ticks next, wherever it is run."""
        return next_tick(self.config.target(target).schedule, self._clock())

    async def request_run(self, target: str, kind: RunKind, /) -> bool:  # noqa: ARG002  # the protocol's
        """Never."""
        return False

    def accept_baseline(self, target: str, reason: str, /) -> BaselineRecord:  # noqa: ARG002  # the protocol's
        """Never.

        Raises:
            UserError: always.
        """
        raise UserError("this goldwatch is read-only")

    def _put_in_force(self, config: Config, token: str | None) -> None:  # noqa: ARG002  # the daemon's
        self._log_as(config)
        self.config, self._reloaded = config, True
