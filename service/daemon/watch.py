"""What does one target do next? One step does one thing and says whether there may be more.

A step takes up what a dead process left, then makes the run that somebody asked for, or else the newest tick
that is due, or else the burst that ``service/bursting.py`` asks for. The store says which ticks had their run,
so a missed tick runs once, the ticks that a long run has missed run once, and a second daemon on the same store
changes nothing. What goes wrong with one target is logged and told in ``trouble``; it stops neither the others
nor the daemon, and the next tick tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from service import pipeline
from service.bursting import burst_for
from service.bursts import Decision
from service.conclude import Finished
from service.errors import UserError
from service.pipeline import Shell
from service.records import RunKind
from service.schedule import due, next_tick
from service.store import NotRunningError, StoreError

BUSY_S = 5.0
"""How long until a target that another process is replaying is looked at again."""

RETRY_S = 30.0
"""How long until a target is looked at again after a fault of the store that may pass."""

_log = structlog.get_logger("goldwatch")


@dataclass(frozen=True, slots=True)
class Crew:
    """What all targets share: the shell with the configuration in force, the slots to run in, whom to tell."""

    shell: Callable[[], Shell]
    slots: asyncio.Semaphore
    stop: asyncio.Event
    told: Callable[[], None]


class Watch:
    """One target. ``trouble`` says why it could not be run as it should have been, None where nothing is wrong."""

    def __init__(self, name: str, crew: Crew) -> None:
        self.name = name
        self.trouble: str | None = None
        self._crew = crew
        self._woken = False
        self._asked: list[RunKind] = []
        self._running = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The work under way; None if there is none."""
        return None if self._task is None or self._task.done() else self._task

    def wake(self) -> None:
        """See whether something is due. Called at each tick; too often does no harm."""
        self._woken = True
        self._start()

    def ask(self, kind: RunKind) -> bool:
        """Ask for a run now. False if the same is asked for already, or a run is under way.

        A deployment mark wants a run that begins after it: it waits for the one that is under way.
        """
        if kind in self._asked or (self._running and kind is not RunKind.MARK) or self._crew.stop.is_set():
            return False
        self._asked.append(kind)
        self.wake()  # a step that is about to find nothing to do must look again
        return True

    def _start(self) -> None:
        if self.task is None and not self._crew.stop.is_set():
            self._task = asyncio.create_task(self._work(), name=f"watch {self.name}")

    async def _work(self) -> None:
        while not self._crew.stop.is_set() and await self._step():
            pass

    async def _step(self) -> bool:
        """Do the next thing; True if there may be more to do."""
        async with self._crew.slots:
            self._woken = False
            asked: RunKind | None = None
            if self._crew.stop.is_set():
                return False
            try:
                shell = self._crew.shell()
                target = next((t for t in shell.config.targets if t.name == self.name), None)
                if target is None:  # a reload took it away
                    self._asked.clear()
                    return False
                self._tell(await pipeline.resume(shell, only={self.name}))
                asked = self._asked[0] if self._asked else None
                tick = None if asked else await asyncio.to_thread(self._due, shell)
                kind = asked or RunKind.SCHEDULED
                if asked is None and tick is None:
                    burst = await asyncio.to_thread(burst_for, shell.store, target, shell.clock())
                    if not self._burst_now(burst, shell.clock()):
                        return self._woken
                    kind = RunKind.BURST
                self._running = True
                runs = await pipeline.run_target(shell, target, kind=kind, scheduled_at=tick)
                self._tell(runs)
                if not runs:  # stopped, or another process is at it
                    self._later(BUSY_S)
                    return False
                if target.challengers and kind is RunKind.SCHEDULED:
                    from service.challengers import ask_due  # noqa: PLC0415  # only where there are any

                    await ask_due(shell, target)
            except Exception as error:  # noqa: BLE001  # one target's fault is not the others'
                self._failed(error)
                self._drop(asked)
                return self._woken
            finally:
                self._running = False
            self.trouble = None
            self._drop(asked)
            return True

    def _burst_now(self, burst: Decision, now: float) -> bool:
        """Whether a burst is due; one that comes later wakes the target then."""
        if burst.at is None:
            return False
        if burst.at > now:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(burst.at - now, self.wake)
            return False
        _log.info("burst", target=self.name, reason=burst.reason)
        return True

    def _due(self, shell: Shell) -> float | None:
        schedule = shell.config.target(self.name).schedule
        now = shell.clock()
        last_at = shell.store.last_scheduled_at(self.name, until=next_tick(schedule, now))
        ran = last_at is not None or shell.store.last_run(self.name) is not None
        return due(schedule, last_at, ran=ran, now=now)

    def _drop(self, asked: RunKind | None) -> None:
        if asked in self._asked:
            self._asked.remove(asked)

    def _later(self, after_s: float) -> None:
        asyncio.get_running_loop().call_later(after_s, self.wake)

    def _tell(self, runs: Sequence[Finished]) -> None:
        for finished in runs:
            run = finished.run
            _log.info(
                "run finished",
                target=run.target,
                run=run.id,
                kind=str(run.kind),
                verdict=str(run.verdict),
                reason=run.reason,
                answered=run.requests.ok,
                failed=run.requests.failed,
                duration_s=round(run.finished_at - run.started_at, 3)
                if run.finished_at is not None
                else None,
            )
        if runs:
            self._crew.told()

    def _failed(self, error: Exception) -> None:
        if isinstance(
            error, NotRunningError
        ):  # somebody else has closed or taken over the run: it is in good hands
            _log.warning("run was taken over", target=self.name, reason=error.message)
            self._later(BUSY_S)
            return
        if isinstance(error, UserError):
            self.trouble = error.message
            _log.error("target cannot be run", target=self.name, reason=error.message, remedy=error.remedy)
            if isinstance(error, StoreError) and error.retryable:
                self._later(RETRY_S)
            return
        self.trouble = f"internal error: {type(error).__name__}"
        _log.error("target cannot be run: this is a fault of goldwatch", target=self.name, exc_info=error)
