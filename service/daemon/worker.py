"""What does ``goldwatch worker`` do? It makes the runs that the replicas of ``goldwatch serve`` put into the queue.

No schedule, no pages, no messages: those are serve's, and there may be several of it. A worker that ends, or is killed,
leaves its run with the answers that were saved; another one goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import structlog

from service import __version__
from service.daemon.daemon import Daemon
from service.daemon.watch import Watch

if TYPE_CHECKING:
    from service.config import Config

_log = structlog.get_logger("goldwatch")
_RUNS_WITHIN_S = 8.0


class Worker(Daemon):
    """The daemon's hands alone."""

    async def run(self) -> None:
        """Make runs until a signal says otherwise."""
        self._listen_to_signals()
        self._put_in_force(self.config, None)
        hands = self._start_queue()
        _log.info("working", version=__version__, targets=len(self.config.targets), pid=os.getpid())
        await self._stop.wait()
        under_way = {task for watch in self._watches.values() if (task := watch.task) is not None}
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=_RUNS_WITHIN_S)
            for task in late:
                task.cancel()
        await self._close_queue(hands)
        _log.info("stopped")

    def _put_in_force(self, config: Config, token: str | None) -> None:  # noqa: ARG002  # the daemon's
        self._log_as(config)
        self.config, self._reloaded = config, True
        for target in config.targets:
            self._watches.setdefault(target.name, Watch(target.name, self._crew()))
