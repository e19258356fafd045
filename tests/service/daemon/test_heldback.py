"""Is what a silence kept quiet told when it is over? A real endpoint, real runs, a clock by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.acts import lift_silence, silence_target
from service.alerting import AlertKind, AlertState
from service.config import load
from service.daemon.lookout import Lookout
from service.demo.endpoint import DemoEndpoint, Fault, FaultKind
from service.demo.model import GOLDEN
from service.golden import freeze
from service.pipeline import Shell, run_target
from service.store import Store

DAY = 86_400.0
CONFIG = """
version: 1
store: sqlite:///goldwatch.db
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "{url}", model: ticket-router, system: Route the ticket.}}
    golden: golden.jsonl
    schedule: {{every: 1d}}
    baseline: {{runs: 3}}
    retries: 0
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
notifiers:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:9/a"}}
"""


class Watch:
    """A target that is run by hand, and what is told of it."""

    def __init__(self, folder: Path, endpoint: DemoEndpoint, store: Store) -> None:
        path = folder / "goldwatch.yaml"
        path.write_text(CONFIG.format(url=endpoint.url))
        self.config, self.store, self.endpoint = load(path), store, endpoint
        self.now = 1_700_000_000.0
        self.lookout = Lookout(store, lambda: self.now)

    async def runs(self, count: int) -> None:
        shell = Shell(self.store, self.config, clock=lambda: self.now)
        for _ in range(count):
            self.now += DAY
            await run_target(shell, self.config.targets[0])

    def look(self, wait_s: float = 60.0) -> list[str]:
        self.now += wait_s
        self.lookout.look(self.config, {})
        return self.told()

    def told(self) -> list[str]:
        return [
            str(item.notification.event)
            for alert in self.store.alerts()
            if alert.kind in (AlertKind.REGRESSION, AlertKind.OUTAGE)
            for item in self.store.notifications(alert.id)
        ]

    def silence(self, for_s: float) -> str:
        made = silence_target(self.store, "router", by="on call", reason="a test", for_s=for_s, now=self.now)
        return made.id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = Path(GOLDEN).read_text("utf-8").splitlines(keepends=True)[:60]
    (tmp_path / "golden.jsonl").write_text("".join(lines), "utf-8")
    freeze(tmp_path / "golden.jsonl", 1.0)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open("sqlite:///goldwatch.db", base_dir=folder) as opened:
        yield opened


@pytest.mark.anyio
async def test_a_regression_is_told_when_its_silence_ends(folder: Path, store: Store) -> None:
    """Once, with its examples, a moment after the silence; not before, not twice, and the next run only repeats."""
    async with DemoEndpoint(latency_s=0.0) as endpoint:
        watch = Watch(folder, endpoint, store)
        await watch.runs(5)
        watch.silence(10 * DAY)
        endpoint.fault = Fault(FaultKind.GIBBERISH)
        await watch.runs(2)
        (alert,) = store.alerts(state=AlertState.FIRING)
        assert (alert.kind, watch.look()) == (AlertKind.REGRESSION, [])
        assert watch.look(9 * DAY) == ["alert.firing"]
        body = store.notifications(alert.id)[0].notification.body
        assert body["target"] == "router"
        assert len(body["examples"]) == 5
        assert watch.look() == ["alert.firing"]
        await watch.runs(1)
        assert set(watch.told()) == {"alert.firing", "alert.repeated"}


@pytest.mark.anyio
async def test_an_outage_is_told_when_its_silence_is_lifted(folder: Path, store: Store) -> None:
    """An outage that nobody heard of is told too, as an outage."""
    async with DemoEndpoint(latency_s=0.0) as endpoint:
        watch = Watch(folder, endpoint, store)
        await watch.runs(4)
        silence = watch.silence(10 * DAY)
        endpoint.fault = Fault(FaultKind.OUTAGE)
        await watch.runs(2)
        assert watch.look() == []
        lift_silence(store, silence, now=watch.now)
        assert watch.look() == ["alert.firing"]
        (alert,) = store.alerts(state=AlertState.FIRING)
        assert alert.kind is AlertKind.OUTAGE


@pytest.mark.anyio
async def test_what_is_over_by_then_is_not_told(folder: Path, store: Store) -> None:
    """A regression that ended under its silence is nobody's news."""
    async with DemoEndpoint(latency_s=0.0) as endpoint:
        watch = Watch(folder, endpoint, store)
        await watch.runs(5)
        watch.silence(30 * DAY)
        endpoint.fault = Fault(FaultKind.GIBBERISH)
        await watch.runs(2)
        endpoint.fault = None
        await watch.runs(12)
        assert store.alerts(state=AlertState.FIRING) == []
        assert watch.look(20 * DAY) == []
