"""What does the daemon do from time to time, whatever its targets' schedules say?

It takes up runs whose process died, deletes old texts, reads followed files of production samples, looks for rollouts
of Kubernetes, and looks at the watch itself. How often, ``daemon.py`` says. What goes wrong in a chore is logged, and
the chore's next turn tries again: no fault ends the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from service import dispatch, pipeline
from service.daemon.lookout import Lookout
from service.daemon.rollouts import Rollouts
from service.errors import UserError
from service.records import RunKind

if TYPE_CHECKING:
    import httpx

    from service.daemon.traffic import Traffic
    from service.pipeline import Shell
    from service.workers.queue import JobQueue

_log = structlog.get_logger("goldwatch")


@dataclass(frozen=True, slots=True)
class House:
    """What the chores are done in, and with.

    Args:
        shell: the store and the clock, with the configuration in force.
        queue: what hands the runs to several processes; None where this one makes them all.
        notifiers: by name, those of the configuration in force.
        hindered: by target, why it could not be run when it was last tried.
        wake: has a target looked at.
        ask: asks for a run of a target.
        told: called where there may be something to send.
    """

    shell: Callable[[], Shell]
    queue: JobQueue | None
    notifiers: Callable[[], Mapping[str, Any]]
    hindered: Callable[[], Mapping[str, str | None]]
    wake: Callable[[str], None]
    ask: Callable[[str, RunKind], Awaitable[bool]]
    told: Callable[[], None]


class Chores:
    """One method each. ``troubles`` says what the last look found wrong, by target.

    Args:
        house: the daemon's parts.
        traffic: what counts production samples; the web server hands it some too.
    """

    def __init__(self, house: House, traffic: Traffic) -> None:
        shell = house.shell()
        self.troubles: dict[str, str] = {}
        self._house, self._traffic = house, traffic
        self._lookout = Lookout(shell.store, shell.clock)
        self._rollouts = Rollouts(shell.store, shell.clock)
        self._reminded_at: dict[str, float] = {}

    async def sweep(self) -> None:
        """Wake the targets whose runs nobody works on; close those of targets that are gone."""
        shell = self._house.shell()
        try:
            orphans = await asyncio.to_thread(shell.store.orphans, shell.clock())
            known = {target.name for target in self._house.shell().config.targets}  # as a reload left them
            for name in {orphan.target for orphan in orphans}:
                if name in known:
                    self._house.wake(name)
                else:
                    await pipeline.resume(self._house.shell(), only={name})
            if self._house.queue is not None:
                await self._house.queue.take_back()
        except Exception as error:  # noqa: BLE001  # the next sweep tries again
            fault("interrupted runs cannot be looked for", error)

    async def prune(self) -> None:
        """Delete texts that were kept for long enough."""
        shell = self._house.shell()
        try:
            keep_s = shell.config.retention.texts_s
            deleted = await asyncio.to_thread(shell.store.prune, shell.clock(), keep_s)
            await asyncio.to_thread(shell.store.prune_traffic, shell.clock(), keep_s)
            if deleted:
                _log.info("old texts deleted", responses=deleted)
        except Exception as error:  # noqa: BLE001  # tomorrow is another day
            fault("old texts cannot be deleted", error)

    async def follow(self) -> None:
        """Count what is new in followed files."""
        config = self._house.shell().config
        if not any(target.traffic and target.traffic.file for target in config.targets):
            return
        try:
            await asyncio.to_thread(self._traffic.follow, config)
        except Exception as error:  # noqa: BLE001  # the next look tries again
            fault("followed files cannot be read", error)

    async def see_rollouts(self) -> None:
        """Mark what Kubernetes has rolled out, and have it asked."""
        config = self._house.shell().config
        if not any(target.deployments.kubernetes for target in config.targets):
            return
        try:
            for name in await asyncio.to_thread(self._rollouts.look, config):
                await self._house.ask(name, RunKind.MARK)
        except Exception as error:  # noqa: BLE001  # the next look tries again
            fault("rollouts cannot be marked", error)

    async def look(self, client: httpx.AsyncClient) -> None:
        """See whether the watch does its work, and remind the receivers that forget."""
        house, shell = self._house, self._house.shell()
        try:
            self.troubles = await asyncio.to_thread(self._lookout.look, shell.config, house.hindered())
            house.told()
            config = house.shell().config  # a reload may have come meanwhile
            if config.alerting.owner == "goldwatch":
                await dispatch.remind(
                    shell.store, house.notifiers(), client, self._reminded_at, clock=shell.clock
                )
        except Exception as error:  # noqa: BLE001  # the next look tries again
            fault("the watch cannot look at itself", error)


def fault(event: str, error: Exception) -> None:
    """Log what went wrong; with a traceback where the fault may be goldwatch's own."""
    known = isinstance(error, UserError)
    _log.error(event, reason=str(error), exc_info=None if known else error)
