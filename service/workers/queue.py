"""Who looks at a target next? Jobs in PostgreSQL, through procrastinate.

A job is a look at one target, or a run of it that somebody asked for. At most one of each waits in the queue (its
queueing lock), however many replicas tick. Jobs of a worker that died are given to another one as soon as its
heartbeat is ``STALLED_S`` old. When the database goes away, the work begins anew once it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from service.records import RunKind
from service.store.errors import StoreError
from service.store.jobs import conninfo

QUEUE = "goldwatch"
TASK = "goldwatch.look"
HEARTBEAT_S = 10.0
STALLED_S = 30.0
"""A worker whose heartbeat is older than this is dead, and its jobs are somebody else's."""

AGAIN_S = 5.0
"""How long until the queue is tried again after the database failed."""

_log = structlog.get_logger("goldwatch")

Look = Callable[[str, RunKind | None, float], Awaitable[None]]
"""Look at a target; the kind of run that was asked for, if one was; when, in seconds since 1970."""


class JobQueue:
    """The jobs in one PostgreSQL. Every method is called from the event loop.

    Args:
        url: the store's, ``postgresql+psycopg://...``.
        clock: seconds since 1970.
    """

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._conninfo, self._clock = conninfo(url), clock
        self._app: Any = None
        self._open = asyncio.Event()
        self._waiting: dict[str, asyncio.Task[None]] = {}
        for name in (
            "procrastinate",
            "psycopg.pool",
        ):  # what they have to say is told here, once and in words
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def look(self, target: str) -> None:
        """Have somebody look at a target soon. Tried until the database takes it; too often does no harm."""
        if target not in self._waiting:
            task = asyncio.create_task(self._until_put(target), name=f"put {target}")
            self._waiting[target] = task
            task.add_done_callback(lambda _: self._waiting.pop(target, None))

    async def ask(self, target: str, kind: RunKind) -> bool:
        """Have somebody run a target now. False if the same waits in the queue already.

        Raises:
            StoreError: the database does not take it.
        """
        try:
            return await self._put(target, kind)
        except Exception as error:
            raise StoreError("the run cannot be put into the queue", "try again", retryable=True) from error

    async def take_back(self) -> int:
        """Hand the jobs of dead workers to living ones; how many there were.

        Raises:
            StoreError: the database does not answer.
        """
        if self._app is None:
            return 0
        try:
            return await self._taken_back()
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(
                "the queue of runs does not answer", "it is tried again", retryable=True
            ) from error

    async def _taken_back(self) -> int:
        manager = self._app.job_manager
        stalled = await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_S)
        for job in stalled:
            kind = job.task_kwargs.get("kind")
            await self._put(
                str(job.task_kwargs["target"]), RunKind(kind) if kind else None, at=job.task_kwargs.get("at")
            )
            with contextlib.suppress(Exception):  # another replica was quicker
                await manager.finish_job_by_id_async(job_id=job.id, status=_failed(), delete_job=True)
        return len(stalled)

    async def run(self, look: Look | None, at_once: int) -> None:
        """Hold the queue open, and work it unless ``look`` is None; ends when it is cancelled.

        Args:
            look: does one job.
            at_once: jobs that this process does at the same time.
        """
        asyncio.get_running_loop().set_exception_handler(_without_lost_acknowledgements)
        while True:
            try:
                async with self._opened(look) as app:
                    if look is None:
                        await asyncio.Event().wait()
                    else:
                        await self._worked(app, at_once)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  # the database is away: it is tried again for ever
                _log.error("the queue of runs does not answer", reason=type(error).__name__)
            await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """Give up what could not be put."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _opened(self, look: Look | None) -> AsyncIterator[Any]:
        import procrastinate  # noqa: PLC0415  # only where several workers are

        connector = procrastinate.PsycopgConnector(
            conninfo=self._conninfo, min_size=1, max_size=4, timeout=AGAIN_S, max_idle=60.0
        )
        app = procrastinate.App(connector=connector)

        async def do(target: str, kind: str | None = None, at: float = 0.0) -> None:
            if look is not None:
                await look(target, RunKind(kind) if kind else None, at)

        app.task(name=TASK, queue=QUEUE)(do)
        async with app.open_async():
            self._app = app
            self._open.set()
            try:
                yield app
            finally:
                self._app = None
                self._open.clear()

    async def _worked(self, app: Any, at_once: int) -> None:
        """Do jobs until something fails. A loop that only lost its heartbeat ends too, and begins anew."""
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=at_once,
            install_signal_handlers=False,
            delete_jobs="always",
            fetch_job_polling_interval=AGAIN_S,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=STALLED_S,
        )

    async def _until_put(self, target: str) -> None:
        while True:
            await self._open.wait()
            try:
                await self._put(target, None)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is tried again
                _log.debug(
                    "a look cannot be put into the queue yet", target=target, reason=type(error).__name__
                )
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def _put(self, target: str, kind: RunKind | None, at: float | None = None) -> bool:
        from procrastinate.exceptions import AlreadyEnqueued  # noqa: PLC0415  # only where several workers are

        if self._app is None:
            raise StoreError("the queue is not open yet", retryable=True)
        lock = target if kind is None else f"{target}:{kind.value}"  # no target's name holds a colon
        job = self._app.configure_task(TASK, queue=QUEUE, queueing_lock=lock)
        said = {"kind": kind.value, "at": self._clock() if at is None else at} if kind else {}
        try:
            await job.defer_async(target=target, **said)
        except AlreadyEnqueued:
            return False
        return True


def _without_lost_acknowledgements(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Be silent on a job whose end could not be written: the database was away, which is told once."""
    if type(context.get("exception")).__module__ != "procrastinate.exceptions":
        loop.default_exception_handler(context)


def _failed() -> Any:
    from procrastinate.jobs import Status  # noqa: PLC0415  # only where several workers are

    return Status.FAILED
