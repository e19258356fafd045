"""How does the daemon live? Start, tick, answer, reload, drain: the whole of it.

One event loop holds the schedule (APScheduler), the targets (``watch.py``), what is done from time to time
(``chores.py``), the outbox (``service/dispatch.py``) and the web server. The store remembers everything, so that
whatever ends this process, the next one goes on.

- SIGTERM or SIGINT: no run and no request is started any more, requests in flight have 5 s, what is due is delivered,
  and the process leaves with 0 within 10 s. A run that is cut short stays running in the store with nobody's lease on
  it: the next start takes it up, or closes it as inconclusive if its deadline has passed. It is never judged half.
  A second signal leaves at once.
- SIGHUP: the configuration is read again. A good one is in force for whatever starts from now on; a bad one is logged
  with file and line, and the old one stays. ``store`` and ``web.listen`` change with a restart only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from service import __version__, dispatch, logs
from service.config import Config, ConfigError, load
from service.daemon.chores import Chores, House, fault
from service.daemon.facts import facts_of
from service.daemon.finds import Finds
from service.daemon.server import WebServer, address, is_local
from service.daemon.shared_secrets import token_of, warn_of_secrets, webhook_secrets_of
from service.daemon.traffic import Traffic
from service.daemon.watch import Crew, Watch
from service.daemon.worth import Worths
from service.errors import UserError
from service.facts import TargetFacts, WorthFacts
from service.notifiers._http import client as notifier_client
from service.pipeline import Shell
from service.records import BaselineRecord, RunKind, RunState
from service.schedule import trigger

if TYPE_CHECKING:
    from service.store import Store
    from service.traffic.ingest import Taken
    from service.traffic.sample import Sample
    from service.workers.queue import JobQueue

RUNS_AT_ONCE = 4
"""Targets that are replayed at the same time; the others wait for a slot."""

SWEEP_S = 15.0
"""How often runs whose process died are looked for."""

POLL_S = 5.0
"""How late a message that another process wrote may be seen; one's own runs and retries are seen at once."""

LEAVE_WITHIN_S = 9.5
_RUNS_WITHIN_S = 7.0
_MESSAGES_WITHIN_S = 8.0
LOOK_S = 30.0
"""How often the watch looks at itself, and receivers that forget are reminded."""

FOLLOW_S = 5.0
"""How often followed files of production samples are read."""

ROLLOUTS_S = 15.0
"""How often watched Deployments of Kubernetes are looked at."""

_SWEEP, _PRUNE, _LOOK, _FOLLOW, _ROLLOUTS = (
    "goldwatch:sweep",
    "goldwatch:prune",
    "goldwatch:look",
    "goldwatch:follow",
    "goldwatch:rollouts",
)  # no target's name holds a colon

_log = structlog.get_logger("goldwatch")


class Daemon:
    """``goldwatch serve``; it is also the ``Facts`` that metrics and pages are given.

    Args:
        path: the configuration's file, read again at SIGHUP.
        config: what it says now.
        store: open; the daemon closes it.
        bound: the socket that the web server answers on; None where none does.
        redactor: learns the secrets of each configuration.
        clock: seconds since 1970.
        queue: what hands the runs to several processes; None where this one makes them all.
        work: whether this process makes runs of the queue.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        store: Store,
        bound: socket.socket | None,
        redactor: logs.Redactor,
        *,
        clock: Callable[[], float] = time.time,
        queue: JobQueue | None = None,
        work: bool = True,
    ) -> None:
        self.config = config
        self._queue, self._work = queue, work
        self.url = "" if bound is None else address(bound)
        self._path, self._store, self._bound, self._redactor, self._clock = (
            path,
            store,
            bound,
            redactor,
            clock,
        )
        self._token, self._webhook_secrets = token_of(config), webhook_secrets_of(config)
        self._owner = Shell(store, config).owner
        self._stop, self._sent = asyncio.Event(), asyncio.Event()
        self._reloaded: bool | None = None
        self._reloading = asyncio.Lock()
        self._slots = asyncio.Semaphore(RUNS_AT_ONCE)
        self._watches: dict[str, Watch] = {}
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._finds = Finds(store, clock)
        self._worths = Worths(store, clock)
        self._traffic = Traffic(store, clock)
        self._chores = Chores(self._house(), self._traffic)

    async def run(self) -> None:
        """Watch until a signal says otherwise."""
        from service.web.app import create_app  # noqa: PLC0415  # FastAPI is heavy, and tests of parts need none

        self._listen_to_signals()
        server = WebServer(create_app(self._store, self, take=self._take, local=is_local(self._bound)))
        web = asyncio.create_task(server.serve(sockets=[self._bound] if self._bound else None), name="web")
        async with notifier_client() as client:
            outbox = asyncio.create_task(
                dispatch.run_forever(
                    self._store,
                    self._notifiers,
                    client,
                    owner=self._owner,
                    clock=self._clock,
                    wake=self._sent,
                    stop=self._stop,
                    poll_s=POLL_S,
                ),
                name="outbox",
            )
            hands = self._start_queue()
            self._scheduler.start()
            chores = self._chores
            self._every(_SWEEP, chores.sweep, timedelta(seconds=SWEEP_S), first_in_s=0.0)
            self._every(_PRUNE, chores.prune, timedelta(days=1), first_in_s=60.0)
            self._every(_FOLLOW, chores.follow, timedelta(seconds=FOLLOW_S), first_in_s=1.0)
            self._every(_ROLLOUTS, chores.see_rollouts, timedelta(seconds=ROLLOUTS_S), first_in_s=2.0)
            self._every(_LOOK, partial(chores.look, client), timedelta(seconds=LOOK_S), first_in_s=LOOK_S / 2)
            self._put_in_force(self.config, self._token)
            _log.info(
                "watching",
                version=__version__,
                url=self.url,
                targets=len(self.config.targets),
                pid=os.getpid(),
            )
            stopped = asyncio.create_task(self._stop.wait())
            ended, _ = await asyncio.wait({stopped, web, outbox}, return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            await self._drain(outbox, client)
            await self._close_queue(hands)
            server.stop()
            await web
        for task in ended - {stopped}:
            task.result()  # the web server or the outbox ended by itself: its fault is ours
        _log.info("stopped")

    # What the web is told: service.facts.Facts

    @property
    def token(self) -> str | None:
        """What a change of state must bear."""
        return self._token

    @property
    def webhook_secrets(self) -> dict[str, str]:
        """What senders of webhooks must know."""
        return self._webhook_secrets

    @property
    def external_url(self) -> str | None:
        """Where people reach the pages."""
        return self.config.web.external_url

    @property
    def show_texts(self) -> bool:
        """Whether pages and API may show inputs and outputs."""
        return self.config.web.show_texts

    @property
    def slices(self) -> int:
        """How many slices ``/metrics`` holds."""
        return self.config.metrics.slices

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def targets(self) -> Sequence[TargetFacts]:
        """The targets of the configuration in force."""
        pager, now = self.config.alerting.owner, self._clock()
        return [
            facts_of(target, self._trouble(target.name), pager=pager, now=now)
            for target in self.config.targets
        ]

    def next_run_at(self, target: str, /) -> float | None:
        """When the target's next tick is."""
        job = self._scheduler.get_job(target)
        return job.next_run_time.timestamp() if job is not None and job.next_run_time is not None else None

    def reload_successful(self) -> bool | None:
        """Whether the file's newest content is in force."""
        return self._reloaded

    async def request_run(self, target: str, kind: RunKind, /) -> bool:
        """Ask for a run now."""
        if self._queue is not None:
            last = await asyncio.to_thread(self._store.last_run, target)
            busy = last is not None and last.state is RunState.RUNNING
            return not (busy and kind is not RunKind.MARK) and await self._queue.ask(target, kind)
        watch = self._watches.get(target)
        known = any(target == one.name for one in self.config.targets)
        return watch is not None and known and watch.ask(kind)

    def accept_baseline(self, target: str, reason: str, /) -> BaselineRecord:
        """Open a new baseline of what the target answers now."""
        from service.acceptance import accept  # noqa: PLC0415  # a rare act

        return accept(self._store, self.config.target(target), reason, self._clock()).baseline

    def finds(self, target: str, /) -> Sequence[str]:
        """What its detectability card says, from its own runs; reckoned anew after each run."""
        return self._finds.said(self.config, target)

    def worth(self, target: str, /) -> WorthFacts | None:
        """Whether it still pays, from the comparisons that are stored."""
        return self._worths.of(self.config, target)

    # What happens by itself

    async def _tick(self, name: str) -> None:
        self._wake(name)

    def _wake(self, name: str) -> None:
        """Have a target looked at: here, or by whichever process takes it out of the queue."""
        if self._queue is not None:
            self._queue.look(name)
        else:
            self._watches[name].wake()

    async def _do(self, name: str, kind: RunKind | None, at: float) -> None:
        """One job of the queue; it ends when there is nothing more to do for the target."""
        watch = self._watches.get(name)
        if watch is None:
            _log.warning("a job is about a target that is not configured here", target=name)
            return
        busy = watch.task is not None
        if kind is not None and not await asyncio.to_thread(self._made, name, kind, at):
            watch.ask(kind)
        else:
            watch.wake()
        if not busy and (task := watch.task) is not None:
            await asyncio.wait({task})

    def _made(self, name: str, kind: RunKind, at: float) -> bool:
        """Whether a worker that died had begun the run that was asked for; the sweep takes it up."""
        return any(run.kind is kind and run.started_at >= at for run in self._store.runs(name, limit=8))

    def _start_queue(self) -> asyncio.Task[None] | None:
        if self._queue is None:
            return None
        look = self._do if self._work else None
        return asyncio.create_task(self._queue.run(look, RUNS_AT_ONCE), name="queue")

    async def _close_queue(self, hands: asyncio.Task[None] | None) -> None:
        if self._queue is None or hands is None:
            return
        await self._queue.close()
        hands.cancel()
        await asyncio.wait({hands}, timeout=1.0)

    def _take(self, target: str, samples: Sequence[Sample], rejected: int) -> Taken:
        return self._traffic.take(self.config, target, samples, rejected)

    # Reload

    def request_reload(self) -> None:
        """Read the configuration again, soon."""
        task = asyncio.create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        async with self._reloading:
            try:
                config = await asyncio.to_thread(load, self._path)
                token, secrets = token_of(config), webhook_secrets_of(config)
                _warn_of_what_needs_a_restart(self.config, config)
                self._put_in_force(config, token)
                self._webhook_secrets = secrets
            except ConfigError as error:
                for problem in error.problems:
                    _log.error(
                        "fault", file=error.file, line=problem.line, key=problem.key, reason=problem.message
                    )
            except Exception as error:  # noqa: BLE001  # whatever it is, the watch goes on
                fault("the configuration cannot be used", error)
            else:
                _log.info("configuration reloaded", targets=len(config.targets))
                return
            self._reloaded = False
            _log.error("configuration refused: the old one stays in force", file=str(self._path))

    def _put_in_force(self, config: Config, token: str | None) -> None:
        """From now on this is what is watched. Runs under way end as they began."""
        self._log_as(config)
        before = {target.name: target for target in self.config.targets} if self._reloaded is not None else {}
        self.config, self._token, self._reloaded = config, token, True
        for name in before.keys() - {target.name for target in config.targets}:
            if self._scheduler.get_job(name) is not None:
                self._scheduler.remove_job(name)
            _log.info("no longer watched", target=name)
        for target in config.targets:
            watch = self._watches.setdefault(target.name, Watch(target.name, self._crew()))
            old = before.get(target.name)
            if old is None or old.schedule != target.schedule:
                self._scheduler.add_job(
                    self._tick, trigger(target.schedule), [target.name], id=target.name, replace_existing=True
                )
                self._wake(target.name)
            elif watch.trouble is not None:
                self._wake(target.name)
            warn_of_secrets(target)
        for notifier in config.notifiers:
            if (problem := notifier.problem()) is not None:
                _log.warning("nothing can be sent yet", notifier=notifier.name, reason=problem)

    def _log_as(self, config: Config) -> None:
        logs.configure(config.log.level, config.log.format, self._redactor)
        self._redactor.learn(logs.secrets_of(config))

    # Signals and the end

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        loop.add_signal_handler(signal.SIGHUP, self.request_reload)

    def _leave(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        _log.info("stopping: runs under way are taken up at the next start", signal=number.name)
        self._stop.set()
        # What blocks the loop or a thread must not hold the process: the store is whole whenever it ends.
        last_resort = threading.Timer(LEAVE_WITHIN_S, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()

    async def _drain(self, outbox: asyncio.Task[None], client: Any) -> None:
        """Let runs stop, send what is due, and give up on neither for longer than there is time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._scheduler.shutdown(wait=False)
        under_way = {
            task for watch in self._watches.values() if (task := watch.task) is not None
        } | self._tasks
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=_RUNS_WITHIN_S)
            for task in late:
                task.cancel()
        try:
            async with asyncio.timeout_at(began + _MESSAGES_WITHIN_S):
                await asyncio.wait({outbox})
                while await dispatch.deliver_due(
                    self._store, self._notifiers(), client, owner=self._owner, clock=self._clock
                ):
                    pass
        except TimeoutError:
            outbox.cancel()
            _log.warning("messages are left: the next start sends them")
        except UserError as error:
            fault("messages are left: the next start sends them", error)

    # Parts

    def _shell(self) -> Shell:
        return Shell(self._store, self.config, self._clock, self._owner, stop=self._stop)

    def _house(self) -> House:
        return House(
            self._shell,
            self._queue,
            self._notifiers,
            hindered=lambda: {name: watch.trouble for name, watch in self._watches.items()},
            wake=self._wake,
            ask=self.request_run,
            told=self._sent.set,
        )

    def _crew(self) -> Crew:
        return Crew(self._shell, self._slots, self._stop, self._sent.set)

    def _notifiers(self) -> dict[str, Any]:
        return {notifier.name: notifier for notifier in self.config.notifiers}

    def _trouble(self, name: str) -> str | None:
        watch = self._watches.get(name)
        return (None if watch is None else watch.trouble) or self._chores.troubles.get(name)

    def _every(self, name: str, what: Callable[[], Any], interval: timedelta, *, first_in_s: float) -> None:
        first_at = datetime.now(UTC) + timedelta(seconds=first_in_s)
        self._scheduler.add_job(
            what,
            IntervalTrigger(seconds=interval.total_seconds(), timezone=UTC),
            id=name,
            next_run_time=first_at,
        )


def _warn_of_what_needs_a_restart(old: Config, new: Config) -> None:
    for key, changed in (
        ("store", (old.store, old.store_env) != (new.store, new.store_env)),
        ("web.listen", old.web.listen != new.web.listen),
    ):
        if changed:
            _log.warning("a change takes effect with a restart only", key=key)
