"""What does the endpoint answer to the golden set, now? Examples and an endpoint in, responses out.

- A fixed pool of workers takes examples from one iterator; the golden set is asked once through before its next repeat.
- Retried are transport faults, 429 and 5xx only, at most ``retries`` times, after a random wait below 0.5, 1, 2 ...
  30 s, or the server's own Retry-After where that is longer. An answer is never retried.
- A request waits at most ``timeout_s``, and never beyond the run's deadline. What was not asked by then fails as
  ``deadline``.
- *Early surrender*: if each of the first ``2 x concurrency`` examples (8 at least) failed because the endpoint is
  plainly down or closed to us (``connect``, ``tls``, ``timeout``, ``server_error``, ``auth``, ``not_found``,
  ``redirect``), retries included, the rest fails at once with the same reason. An outage is recorded in seconds, not
  at the deadline.
- When a day's limit of tokens or dollars is used up, the rest fails as ``limit``.
- ``save`` gets the responses as they arrive: at most 100 at a time, at most 0.25 s old, one call at a time, in a
  thread.
- When ``stop`` is set, or the task is cancelled, nothing more is asked, what is in flight has ``drain_s`` to finish,
  and what arrived is saved. Examples that have no response then are asked by the run that resumes (``already``).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.types import ErrorKind, Example, Response, ResponseError, Served
from service.errors import UserError
from service.limits import DayLimits, backoff_s, cost_usd
from service.text import safe

if TYPE_CHECKING:
    import httpx

    from service.endpoints import Endpoint

__all__ = ["ReplayPlan", "ReplayResult", "SaveError", "cost_usd", "replay"]

BATCH = 100
FLUSH_S = 0.25
_LEAST_BEFORE_SURRENDER = 8
_IDENTIFY_S = 10.0
_GRACE_S = 1.0
_DOWN = frozenset({
    ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.AUTH, ErrorKind.NOT_FOUND,
    ErrorKind.REDIRECT,
})  # fmt: skip

Save = Callable[[list[Response]], None]


class SaveError(UserError):
    """Responses could not be saved, so that asking on would be in vain. The store's own error is its cause."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """How to ask. ``tokens_left`` and ``usd_left`` are what is left of the day's limits, None without one."""

    repeats: int = 1
    concurrency: int = 8
    timeout_s: float = 30.0
    deadline_s: float = 1800.0
    retries: int = 3
    requests_per_second: float | None = None
    tokens_left: int | None = None
    usd_left: float | None = None
    drain_s: float = 8.0

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.concurrency < 1 or self.retries < 0:
            raise ValueError("repeats and concurrency are at least 1, retries at least 0")
        if not (self.timeout_s > 0 and self.deadline_s > 0 and self.drain_s >= 0):
            raise ValueError("timeout_s and deadline_s are more than 0, drain_s is at least 0")
        if self.requests_per_second is not None and not self.requests_per_second > 0:
            raise ValueError("requests_per_second is more than 0")


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What came back. Counts are over responses, each example and repeat once; ``retried`` counts extra requests.

    ``responses`` are those of this replay (without ``already``), in the golden set's order, then by repeat. Token sums
    are None unless every answer told its own. ``served`` is what the server's pages say, with the model and fingerprint
    that most answers named. ``interrupted``: ``stop`` was set before everything had been asked.
    """

    responses: list[Response]
    asked: int
    ok: int
    failed: int
    retried: int
    input_tokens: int | None
    output_tokens: int | None
    duration_s: float
    served: Served
    interrupted: bool = False


async def replay(
    examples: Sequence[Example],
    endpoint: Endpoint,
    plan: ReplayPlan,
    *,
    save: Save,
    already: Collection[tuple[str, int]] = (),
    client: httpx.AsyncClient | None = None,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    progress: Callable[[int, int], None] | None = None,
    sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    stop: asyncio.Event | None = None,
) -> ReplayResult:
    """Ask the endpoint every example.

    Args:
        examples: the golden set, in order.
        endpoint: whom to ask.
        plan: how.
        save: called in a thread with the next responses, never twice at a time.
        already: the (example id, repeat) pairs that are stored and not asked again.
        client: whom to ask through; by default one of its own, from ``service.http``.
        clock: seconds from any fixed moment, for the deadline and the rate.
        rng: for the jitter.
        progress: called with how many are done and how many there are, ``already`` included.
        sleep: waits for so many seconds.
        stop: ends the replay early when it is set.

    Raises:
        SaveError: ``save`` raised; asking stopped.
        asyncio.CancelledError: the task was cancelled; what had arrived is saved.
    """
    work = [(e, r) for r in range(plan.repeats) for e in examples if (e.id, r) not in already]
    total = len(examples) * plan.repeats
    begun = clock()
    if not work:
        return _result([], examples, Served(), clock() - begun, interrupted=False)
    state = _Replay(
        endpoint, plan, work, total, clock, rng or random.Random(), sleep, progress, begun + plan.deadline_s
    )
    if client is not None:
        served = await state.run(client, save, stop)
    else:
        from service.http import client as new_client  # noqa: PLC0415  # aiohttp is heavy, and only now needed

        async with new_client(plan.concurrency) as own:
            served = await state.run(own, save, stop)
    return _result(
        state.responses, examples, served, clock() - begun, interrupted=len(state.responses) < len(work)
    )


def _result(
    responses: list[Response],
    examples: Sequence[Example],
    served: Served,
    duration_s: float,
    *,
    interrupted: bool,
) -> ReplayResult:
    position = {example.id: i for i, example in enumerate(examples)}
    ordered = sorted(responses, key=lambda r: (position[r.example_id], r.repeat))
    answered = [r for r in ordered if r.answered]
    models = Counter(r.served_model for r in answered if r.served_model is not None)
    fingerprints = Counter(r.fingerprint for r in answered if r.fingerprint is not None)
    return ReplayResult(
        responses=ordered,
        asked=len(ordered),
        ok=len(answered),
        failed=len(ordered) - len(answered),
        retried=sum(max(r.attempts - 1, 0) for r in ordered),
        input_tokens=_sum([r.input_tokens for r in answered]),
        output_tokens=_sum([r.output_tokens for r in answered]),
        duration_s=duration_s,
        served=replace(
            served,
            model=models.most_common(1)[0][0] if models else served.model,
            fingerprint=fingerprints.most_common(1)[0][0] if fingerprints else served.fingerprint,
        ),
        interrupted=interrupted,
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


class _Replay:
    """The running state of one replay."""

    def __init__(
        self,
        endpoint: Endpoint,
        plan: ReplayPlan,
        work: Sequence[tuple[Example, int]],
        total: int,
        clock: Callable[[], float],
        rng: random.Random,
        sleep: Callable[[float], Coroutine[Any, Any, None]],
        progress: Callable[[int, int], None] | None,
        deadline_at: float,
    ) -> None:
        self.endpoint, self.plan, self.deadline_at = endpoint, plan, deadline_at
        self.clock, self.rng, self.sleep, self.progress = clock, rng, sleep, progress
        self.work: Iterator[tuple[Example, int]] = iter(work)
        self.done, self.total = total - len(work), total
        self.responses: list[Response] = []
        self.limits = DayLimits(plan.tokens_left, plan.usd_left, endpoint.price)
        self.halt = asyncio.Event()  # no new request
        self.hurry = asyncio.Event()  # waits end
        self.surrendered: ResponseError | None = None
        self.answered = False
        self.surrender_after = max(2 * plan.concurrency, _LEAST_BEFORE_SURRENDER)
        self.next_at = float("-inf")
        self.wake = asyncio.Event()  # for the writer
        self.saved = 0

    async def run(self, client: httpx.AsyncClient, save: Save, stop: asyncio.Event | None) -> Served:
        """Start everything, and leave nothing behind."""
        finished = asyncio.Event()
        identity = asyncio.create_task(self._identify(client))
        writer = asyncio.create_task(self._write(save, finished))
        watch = asyncio.create_task((stop or asyncio.Event()).wait())
        size = min(self.plan.concurrency, self.total - self.done)
        workers = [asyncio.create_task(self._worker(client)) for _ in range(size)]
        pool = asyncio.gather(*workers)
        waiting: set[asyncio.Future[Any]] = {pool, writer, watch}
        complete = False
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if pool.done():
                pool.result()
                complete = self.surrendered is None
            else:  # asked to stop, or nothing can be saved
                await self._drain(pool, 0.0 if writer.done() else self.plan.drain_s)
        except asyncio.CancelledError:
            await self._drain(pool, self.plan.drain_s)
            raise
        finally:
            for task in (*workers, watch, *(() if complete else (identity,))):
                task.cancel()
            finished.set()
            self.wake.set()
            await writer
        await asyncio.wait({identity})
        return Served() if identity.cancelled() else identity.result()

    async def _drain(self, pool: asyncio.Future[Any], drain_s: float) -> None:
        """Let what is in flight finish, for so long."""
        self.halt.set()
        self.hurry.set()
        await asyncio.wait({pool}, timeout=drain_s)
        if not pool.done():
            pool.cancel()
        with suppress(asyncio.CancelledError):
            await pool

    async def _identify(self, client: httpx.AsyncClient) -> Served:
        limit_s = min(self.plan.timeout_s, _IDENTIFY_S)
        try:
            async with asyncio.timeout(limit_s + _GRACE_S):
                return await self.endpoint.identify(client, timeout_s=limit_s)
        except Exception:  # noqa: BLE001  # a faulty plug-in, or no such pages: unknown
            return Served()

    async def _worker(self, client: httpx.AsyncClient) -> None:
        for example, repeat in self.work:
            if self.halt.is_set():
                return
            response = await self._answer(client, example, repeat)
            if response is None:
                return
            self._keep(response)
            if response.attempts == 0:
                await asyncio.sleep(0)  # the rest fails quickly, but not all at one stroke

    def _keep(self, response: Response) -> None:
        self.responses.append(response)
        self.done += 1
        if len(self.responses) - self.saved >= BATCH:
            self.wake.set()
        if not self.answered:
            self._surrender(response)
        if self.progress is not None:
            self.progress(self.done, self.total)

    def _surrender(self, response: Response) -> None:
        """Give up if everything so far says that the endpoint is down."""
        if response.error is None or response.error.kind not in _DOWN:
            self.answered = True  # something is alive there
        elif self.surrendered is None and len(self.responses) >= self.surrender_after:
            said = f"not asked: each of the first {len(self.responses)} examples failed: {response.error.message}"
            self.surrendered = replace(response.error, message=said, retry_after_s=None)
            self.hurry.set()

    async def _answer(self, client: httpx.AsyncClient, example: Example, repeat: int) -> Response | None:
        """The response to one example with its retries; None if the replay stops before there is one."""
        last: Response | None = None
        attempt = 0
        while True:
            error = self.surrendered or await self._may_send()
            if self.halt.is_set() and last is None:
                return None
            if error is not None or self.halt.is_set():
                break
            attempt += 1
            last = await self._attempt(client, example)
            self.limits.settle(example, last)
            if (
                last.error is None
                or not last.error.kind.retryable
                or attempt > self.plan.retries
                or self.surrendered
            ):
                break
            wait_s = backoff_s(attempt, last.error.retry_after_s, self.rng)
            if self.clock() + wait_s >= self.deadline_at:
                break  # its own failure says more than the deadline
            await self._pause(wait_s)
        if last is None:
            return Response(example.id, error=error, repeat=repeat, attempts=0)
        if repeat or attempt != 1:
            last = replace(last, repeat=repeat, attempts=attempt)
        return last

    async def _may_send(self) -> ResponseError | None:
        """Wait for the next request's turn; returns why there is none. None stands for one request."""
        late = ResponseError(
            ErrorKind.DEADLINE, f"not asked within the run's deadline of {self.plan.deadline_s:g} s"
        )
        now = self.clock()
        if now >= self.deadline_at:
            return late
        if (refusal := self.limits.refusal()) is not None:
            return ResponseError(ErrorKind.LIMIT, refusal)
        rate = self.plan.requests_per_second
        if rate is None:
            return None
        turn_at = max(now, self.next_at)
        if turn_at < self.deadline_at:
            self.next_at = turn_at + 1.0 / rate
            if turn_at > now:
                await self._pause(turn_at - now)
            if self.surrendered is None:
                return None
        self.limits.release()
        return self.surrendered or late

    async def _attempt(self, client: httpx.AsyncClient, example: Example) -> Response:
        """One request; whatever the plug-in does, a response."""
        left_s = self.deadline_at - self.clock()
        limit_s = min(self.plan.timeout_s, left_s)
        try:
            async with asyncio.timeout(limit_s + _GRACE_S):
                response = await self.endpoint.ask(client, example, timeout_s=limit_s)
        except TimeoutError:
            message = f"no complete answer within {limit_s:g} s"
            response = Response(example.id, error=ResponseError(ErrorKind.TIMEOUT, message))
        except Exception as fault:  # noqa: BLE001  # a faulty plug-in must not end the run
            said = f"the endpoint plug-in {self.endpoint.kind} failed: {type(fault).__name__}: {safe(str(fault), 120)}"
            response = Response(example.id, error=ResponseError(ErrorKind.BAD_BODY, said))
        cut = limit_s < self.plan.timeout_s
        if cut and response.error is not None and response.error.kind is ErrorKind.TIMEOUT:
            message = f"not answered by the run's deadline of {self.plan.deadline_s:g} s"
            response = replace(response, error=ResponseError(ErrorKind.DEADLINE, message))
        return response

    async def _pause(self, wait_s: float) -> None:
        """Wait, but not beyond the moment when the replay stops."""
        nap = asyncio.ensure_future(self.sleep(wait_s))
        hurry = asyncio.ensure_future(self.hurry.wait())
        try:
            await asyncio.wait({nap, hurry}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            hurry.cancel()

    async def _write(self, save: Save, finished: asyncio.Event) -> None:
        """Hand responses to ``save`` as they arrive, one call at a time, the last ones too."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), FLUSH_S)
            self.wake.clear()
            last = finished.is_set()
            while len(self.responses) > self.saved:
                batch = self.responses[self.saved : self.saved + BATCH]
                try:
                    await asyncio.to_thread(save, batch)
                except Exception as error:
                    why = safe(str(error) or type(error).__name__, 300)
                    message = f"responses could not be saved, so asking stopped: {why}"
                    raise SaveError(message, "run: goldwatch doctor") from error
                self.saved += len(batch)
                if not last and len(self.responses) - self.saved < BATCH:
                    break
            if last:
                return
