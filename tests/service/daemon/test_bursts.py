"""Is a suspicion settled within minutes? The daemon's steps on a clock of their own, a real endpoint and store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checks.types import Verdict
from service.bursting import burst_for, closeness_of
from service.config import load
from service.daemon.watch import Crew, Watch
from service.demo.endpoint import DemoEndpoint, Fault, FaultKind
from service.demo.model import GOLDEN
from service.original import notes_of
from service.pipeline import Shell
from service.records import RunKind, RunRecord
from service.store import Store

CONFIG = """
version: 1
targets:
  - name: router
    endpoint: {{kind: openai_chat, base_url: "{url}", model: ticket-router, system: Route the ticket.,
               params: {{temperature: 0, max_tokens: 16}}}}
    golden: {golden}
    schedule: {{every: 1h}}
    confirm: {confirm}
    baseline: {{runs: 4}}
    scorers: [{{kind: label, labels: [billing, login, shipping, bug, refund]}}]
    {more}
"""


@dataclass
class Hours:
    """A watch whose clock goes where the test says."""

    watch: Watch
    store: Store
    shell: Shell
    now: list[float]

    async def at(self, at: float) -> list[RunRecord]:
        """Go there, see what is due, and tell the runs that were made, oldest first."""
        last = self.store.last_run("router")
        self.now[0] = at
        self.watch.wake()
        while (task := self.watch.task) is not None:
            await task
        assert self.watch.trouble is None
        return self.store.runs("router", limit=None, after=last.id if last else None, newest_first=False)

    def burst_at(self) -> float | None:
        """When the next burst is due."""
        return burst_for(self.store, self.shell.config.targets[0], self.now[0]).at


async def opened(folder: Path, endpoint: DemoEndpoint, *, confirm: bool = True, more: str = "") -> Hours:
    path = folder / "goldwatch.yaml"
    path.write_text(
        CONFIG.format(url=endpoint.url, golden=GOLDEN, confirm=str(confirm).lower(), more=more), "utf-8"
    )
    store = Store.open("sqlite:///goldwatch.db", base_dir=folder)
    now = [1_699_999_200.0]
    shell = Shell(store, load(path), clock=lambda: now[0])
    watch = Watch("router", Crew(lambda: shell, asyncio.Semaphore(1), asyncio.Event(), lambda: None))
    return Hours(watch, store, shell, now)


def go(folder: Path, story: Any, **options: Any) -> None:
    """Tell the story with an endpoint and a watch."""

    async def told() -> None:
        async with DemoEndpoint(latency_s=0.0) as endpoint:
            hours = await opened(folder, endpoint, **options)
            try:
                await story(hours, endpoint)
            finally:
                hours.store.close()

    asyncio.run(told())


async def armed(hours: Hours) -> float:
    """Complete the baseline; the time of the last run."""
    at = hours.now[0]
    while not (known := hours.store.baseline("router")) or not known.runs:
        await hours.at(at)
        at += 3600.0
    return at


def test_half_of_a_baseline_comes_from_bursts(tmp_path: Path) -> None:
    """Each scheduled run is followed by one burst five minutes later until the baseline is pinned."""

    async def story(hours: Hours, endpoint: DemoEndpoint) -> None:
        start = hours.now[0]
        for at in (0, 60, 300, 600, 3600, 3900, 4200):
            await hours.at(start + at)
        runs = hours.store.runs("router", limit=None, newest_first=False)
        assert [(run.kind, run.started_at - start) for run in runs] == [
            (RunKind.SCHEDULED, 0), (RunKind.BURST, 300), (RunKind.SCHEDULED, 3600), (RunKind.BURST, 3900),
        ]  # fmt: skip
        assert hours.store.baseline("router").runs == tuple(run.id for run in runs)

    go(tmp_path, story)


def test_without_bursts_only_the_schedule_runs(tmp_path: Path) -> None:
    """`bursts: false` leaves a baseline to the schedule."""

    async def story(hours: Hours, endpoint: DemoEndpoint) -> None:
        start = hours.now[0]
        for at in (0, 300, 600, 3600):
            await hours.at(start + at)
        runs = hours.store.runs("router", limit=None)
        assert [run.kind for run in runs] == [RunKind.SCHEDULED] * 2

    go(tmp_path, story, more="bursts: false")


def test_twenty_points_are_paged_within_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """A drop of 20 points pages within 15 minutes of the first bad run, and no burst follows a page."""

    async def story(hours: Hours, endpoint: DemoEndpoint) -> None:
        at = await armed(hours)
        endpoint.fault = Fault(FaultKind.GIBBERISH, ratio=0.4)
        runs = await hours.at(at)
        first_bad, paged = runs[0], runs[-1]
        assert paged.verdict is Verdict.REGRESSED
        assert paged.kind is RunKind.CONFIRM
        mean = next(s.mean for s in paged.summaries if s.slice == "all")
        before = next(s.mean for s in hours.store.run(1).summaries if s.slice == "all")
        assert before - mean >= 0.2
        assert paged.finished_at - first_bad.started_at <= 900
        assert hours.burst_at() is None

    go(tmp_path, story)


def test_a_calm_run_is_repeated_to_test_the_independence(tmp_path: Path) -> None:
    """Once the baseline is pinned one scheduled run in four hours is followed by a burst, and the pair is counted."""

    async def story(hours: Hours, endpoint: DemoEndpoint) -> None:
        start = await armed(hours)
        for hour in range(5):
            await hours.at(start + 3600 * hour)
            await hours.at(start + 3600 * hour + 300)
        runs = hours.store.runs("router", limit=None, after=4, newest_first=False)
        assert [run.started_at - start for run in runs if run.kind is RunKind.BURST] == [300, 4 * 3600 + 300]
        assert len(hours.store.repeated_runs("router", runs[-1].segment, limit=9)) == 4
        assert closeness_of(hours.store, runs[-1]).pairs == 2
        assert notes_of(hours.store, runs[-1]) == [
            "whether runs minutes apart are independent is not known yet (2 pairs): rising evidence brings no bursts"
        ]

    go(tmp_path, story)


def test_what_is_asked_for_while_a_step_finds_nothing_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is asked for just when the watch has seen that no tick is due is made at once, not at the tick."""

    async def story(hours: Hours, endpoint: DemoEndpoint) -> None:
        at = await armed(hours)
        await hours.at(at)
        loop, last_scheduled_at, asked = asyncio.get_running_loop(), hours.store.last_scheduled_at, []

        def seen(target: str, **more: float | None) -> float | None:
            if not asked:
                asked.append(loop.call_soon_threadsafe(hours.watch.ask, RunKind.MANUAL))
            return last_scheduled_at(target, **more)

        monkeypatch.setattr(hours.store, "last_scheduled_at", seen)
        assert [run.kind for run in await hours.at(at + 60.0)] == [RunKind.MANUAL]

    go(tmp_path, story)
