"""Does it really notice? The demo's story: healthy replays, a fine-tune that is silently dropped, an alert.

Everything but time is real: a served model, a ``goldwatch.yaml`` that is written and loaded, the frozen golden set
that ships, the pipeline, the store, the dispatcher, a webhook receiver that verifies signatures, and the web
application with ``/metrics``. Each replay stands for an hour: the clock is put forward between replays. Nothing
is written outside the given folder, and nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from checks.types import Verdict
from service import dispatch
from service.config import Config, Target, load
from service.demo.pages import DemoFacts, WebServer
from service.demo.receiver import Delivery, WebhookReceiver
from service.demo.stage import Stage
from service.doctor import Diagnosis
from service.doctor.base_model import SAMPLE, look_at_base_model
from service.golden import check_lock, lock_path
from service.http import client as open_client
from service.notifiers._http import client as open_notifier_client
from service.pipeline import Shell, run_target
from service.records import Golden, RunKind, RunRecord
from service.store import Store

NOTIFIER: Final = "local-webhook"
BAD_REPLAYS: Final = 2
"""After the drop, at most so many hours are replayed until the alert must have fired."""

_HOUR_S: Final = 3600.0
_DELIVERY_S: Final = 20.0
_QUIET: Final = frozenset({Verdict.LEARNING, Verdict.OK, Verdict.IMPROVED})


class HourClock:
    """Seconds since 1970 in the story: an hour per replay, the last of them the present one.

    Within an hour it goes on as time does, so it is never ahead of the real time.
    """

    def __init__(self, hours: int) -> None:
        self._first = (time.time() // _HOUR_S - hours + 1) * _HOUR_S
        self.turn(0)

    def turn(self, hour: int) -> None:
        """Begin the hour of that number, from 0."""
        self._begins, self._since = self._first + hour * _HOUR_S, time.monotonic()

    def __call__(self) -> float:
        """The time now."""
        return self._begins + time.monotonic() - self._since


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything is up. ``config`` is the text of the configuration that was written and loaded."""

    config: str
    about: str
    examples: int
    endpoint_url: str
    pages_url: str
    metrics_url: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What ``goldwatch doctor`` says before the first run, and after the alert: does it answer like its base model?"""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run. ``hour`` counts from 1; ``confirms`` if a bad run was replayed at once."""

    hour: int
    run: RunRecord
    confirms: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """The fine-tune was taken away just now."""

    how: str


@dataclass(frozen=True, slots=True)
class Alerted:
    """The alert arrived at the webhook, rightly signed; ``run`` is the one that it speaks of."""

    run: RunRecord
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it. ``missing`` says what should have happened and did not; empty if all went well."""

    missing: tuple[str, ...]
    metric: str | None

    @property
    def exit_code(self) -> int:
        """0 if all went well, else 1."""
        return 1 if self.missing else 0


Event: TypeAlias = "Opened | Examined | Replayed | Dropped | Alerted | Ended"


@dataclass(slots=True)
class _Seen:
    """What the story has seen so far."""

    noisy: list[str] = field(default_factory=list)
    early: int = 0
    fired: RunRecord | None = None
    delivery: Delivery | None = None


class Story:
    """The demo while its ``async with`` block lasts.

    Args:
        stage: what is watched.
        folder: an empty folder for configuration, golden set and store.
        port: of the pages and metrics; 0 takes a free one.
    """

    store: Store
    config: Config
    target: Target

    def __init__(self, stage: Stage, folder: Path, *, port: int = 0) -> None:
        self._stage, self._folder = stage, folder
        self._clock = HourClock(stage.healthy_replays + BAD_REPLAYS)
        self._web = WebServer(port=port)
        self._secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        self._receiver = WebhookReceiver(self._secret)
        self._wake, self._stop = asyncio.Event(), asyncio.Event()
        self._extra: asyncio.Task[None] | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @property
    def pages_url(self) -> str:
        """Where the pages are."""
        return self._web.address

    async def tell(self) -> AsyncIterator[Event]:
        """What happens, as it happens; the last event is :class:`Ended`."""
        seen = _Seen()
        golden = await asyncio.to_thread(check_lock, self.target.golden)
        yield Opened(
            config=(self._folder / "goldwatch.yaml").read_text("utf-8"),
            about=self._stage.about,
            examples=len(golden.examples),
            endpoint_url=self._stage.url,
            pages_url=self.pages_url,
            metrics_url=f"{self.pages_url}/metrics",
        )
        if self.target.reference is not None:
            yield Examined(await self._examined(golden))
        for hour in range(self._stage.healthy_replays):
            last = None
            async for replayed in self._replay(hour):
                yield replayed
                last = replayed.run
            if last is None or last.verdict not in _QUIET:
                seen.noisy.append(f"replay {hour + 1}: {last.verdict if last is not None else 'none'}")
        seen.early = len(self._receiver.deliveries)
        await self._stage.drop()
        yield Dropped(self._stage.broken_by)
        for hour in range(self._stage.healthy_replays, self._stage.healthy_replays + BAD_REPLAYS):
            async for replayed in self._replay(hour):
                yield replayed
                seen.fired = replayed.run if replayed.run.verdict is Verdict.REGRESSED else None
            if seen.fired is not None:
                break
        if seen.fired is not None and (alert := await self._arrived()) is not None:
            seen.delivery = alert
            yield Alerted(seen.fired, alert)
            if self.target.reference is not None:
                yield Examined(await self._examined(golden))
        metric = await self._metric()
        yield Ended(tuple(self._missing(seen, metric)), metric)

    async def serve_on(self) -> None:
        """Keep pages and metrics up, and replay when a page asks for it, until cancelled."""
        self._facts.run = self._replay_again
        await asyncio.Event().wait()

    async def _start(self) -> None:
        enter = self._open.enter_async_context
        await enter(self._stage)
        await enter(self._receiver)
        await enter(self._web)
        await asyncio.to_thread(self._write_files)
        self.config = await asyncio.to_thread(load, self._folder / "goldwatch.yaml")
        self.target = self.config.targets[0]
        self.store = self._open.enter_context(
            await asyncio.to_thread(Store.open, self.config.store_url(os.environ))
        )
        self._shell = Shell(self.store, self.config, clock=self._clock)
        self._facts = DemoFacts(self.config, self._clock)
        from service.web.app import create_app  # noqa: PLC0415  # heavy, and only once all else is well

        self._web.application = create_app(self.store, self._facts, local=True)
        outward = await enter(open_notifier_client())
        deliveries = asyncio.create_task(
            dispatch.run_forever(
                self.store,
                lambda: {notifier.name: notifier for notifier in self.config.notifiers},
                outward,
                owner=self._shell.owner,
                clock=time.time,  # the signature's time is the real one
                wake=self._wake,
                stop=self._stop,
            )
        )
        self._open.push_async_callback(self._end, deliveries)

    async def _end(self, deliveries: asyncio.Task[None]) -> None:
        self._stop.set()
        if self._extra is not None:
            self._extra.cancel()
            await asyncio.wait({self._extra})
        await deliveries

    def _write_files(self) -> None:
        golden = self._folder / self._stage.golden.name
        shutil.copyfile(self._stage.golden, golden)
        shutil.copyfile(lock_path(self._stage.golden), lock_path(golden))
        secret = self._folder / "webhook.secret"
        secret.touch(mode=0o600)
        secret.write_text(self._secret, "utf-8")
        text = configuration(self._stage, self._web.address, self._receiver.url)
        (self._folder / "goldwatch.yaml").write_text(text, "utf-8")

    async def _replay(self, hour: int) -> AsyncIterator[Replayed]:
        self._clock.turn(hour)
        runs = await run_target(self._shell, self.target, kind=RunKind.SCHEDULED, scheduled_at=self._clock())
        self._wake.set()
        for number, finished in enumerate(runs):
            yield Replayed(hour + 1, finished.run, confirms=number > 0)

    async def _examined(self, golden: Golden) -> Diagnosis:
        async with open_client(self.target.concurrency) as client:
            served = await self.target.endpoint.identify(client, timeout_s=self.target.timeout_s)
            return await look_at_base_model(client, self.target, golden, served, SAMPLE)

    def _replay_again(self) -> bool:
        if self._extra is not None and not self._extra.done():
            return False

        async def again() -> None:
            await run_target(self._shell, self.target)
            self._wake.set()

        self._extra = asyncio.create_task(again())
        return True

    async def _arrived(self) -> Delivery | None:
        try:
            accepted = await self._receiver.wait_for(1, timeout_s=_DELIVERY_S)
        except TimeoutError:
            return None
        return next((d for d in accepted if d.verified and d.body.get("event") == "alert.firing"), None)

    async def _metric(self) -> str | None:
        """The line of ``/metrics`` that says that the target's scores regressed, as anybody would scrape it."""
        async with open_client(1) as client:
            answer = await client.get(f"{self.pages_url}/metrics")
        found = re.search(
            rf'^goldwatch_regressed\{{check="quality",target="{re.escape(self.target.name)}"\}} 1(?:\.0)?$',
            answer.text,
            re.MULTILINE,
        )
        return found[0] if found and answer.status_code == 200 else None

    def _missing(self, seen: _Seen, metric: str | None) -> list[str]:
        missing = []
        if seen.noisy or seen.early:
            told = ", ".join(seen.noisy) or f"{seen.early} messages"
            missing.append(f"the {self._stage.healthy_replays} healthy replays were not all quiet ({told})")
        if seen.fired is None:
            missing.append(f"no replay was judged as regressed in {BAD_REPLAYS} hours after the drop")
        if seen.delivery is None:
            refused = sum(d.verified is False for d in self._receiver.deliveries)
            why = f" ({refused} came with a wrong signature)" if refused else ""
            missing.append(f"no signed alert arrived at the webhook{why}")
        if metric is None:
            missing.append("/metrics does not show goldwatch_regressed 1")
        return missing


def configuration(stage: Stage, pages_url: str, webhook_url: str) -> str:
    """The demo's ``goldwatch.yaml``; its file names are relative to the folder that it stands in."""
    reference = f"""\
    reference:                       # the base model, to tell whether the fine-tune is applied
      kind: openai_chat
      base_url: {stage.url}
      model: {stage.base_model}
"""
    return f"""\
version: 1
store: sqlite:///goldwatch.db
web: {{listen: {pages_url.removeprefix("http://")}, external_url: {pages_url}}}
targets:
  - name: {stage.model}
    labels: {{team: support, env: demo}}
    severity: critical
    endpoint:
      kind: openai_chat
      base_url: {stage.url}
      model: {stage.model}
      system: >-
        {stage.system}
      params: {{temperature: 0, max_tokens: {stage.max_tokens}}}
{reference if stage.base_model is not None else ""}    golden: {stage.golden.name}
    schedule: {{every: 1h}}
    concurrency: {stage.concurrency}
    baseline: {{runs: {stage.baseline_runs}}}
    scorers:
      - {{kind: label, labels: [{", ".join(stage.labels)}]}}
notifiers:
  - name: {NOTIFIER}
    kind: webhook
    url: {webhook_url}
    secret_file: webhook.secret      # messages are signed with it
"""
