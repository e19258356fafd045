"""What do the API and the pages show? Reads of the store, put together once for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from checks.types import Response, Verdict
from service.alerting import Alert, AlertState
from service.evidence import Broken, broken
from service.facts import Facts, TargetFacts
from service.message import BrokenExample
from service.records import (
    BaselineRecord,
    DeploymentMark,
    Golden,
    MetricsSnapshot,
    OutboxItem,
    RunRecord,
    RunState,
    ScoreVector,
    TargetMetrics,
)
from service.report import finding_object, number

ORDER = (
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.SUSPECT,
    None,
    Verdict.LEARNING,
    Verdict.IMPROVED,
    Verdict.OK,
)
"""Verdicts as a person wants them: what needs attention first; None is "never ran"."""


class Reader(Protocol):
    """What metrics, API and pages need of the store."""

    def ping(self) -> None:
        """Raise if the store does not answer."""

    def metrics_snapshot(self) -> MetricsSnapshot:
        """Totals and newest runs of all targets."""

    def run(self, run_id: int) -> RunRecord | None:
        """One run."""

    def runs(self, target: str, *, limit: int | None, before: int | None = None) -> list[RunRecord]:
        """A target's runs, newest first."""

    def last_run(self, target: str, *, state: RunState | None = None) -> RunRecord | None:
        """The newest run."""

    def vectors(self, run_id: int) -> list[ScoreVector]:
        """A run's scores."""

    def responses(self, run_id: int) -> list[Response]:
        """A run's responses."""

    def response_texts(
        self, run_ids: Sequence[int], example_ids: Sequence[str]
    ) -> dict[tuple[int, str], str]:
        """Answers by run and example."""

    def golden(self, digest: str) -> Golden | None:
        """A golden set with its examples."""

    def baseline(self, target: str) -> BaselineRecord | None:
        """The baseline in force."""

    def baselines(self, target: str) -> list[BaselineRecord]:
        """All baselines, oldest first."""

    def alerts(
        self, target: str | None = None, state: AlertState | None = None, *, limit: int | None = None
    ) -> list[Alert]:
        """Alerts, newest first."""

    def alert(self, alert_id: str) -> Alert | None:
        """One alert."""

    def notifications(self, alert_id: str) -> list[OutboxItem]:
        """The messages about an alert."""

    def add_mark(self, mark: DeploymentMark) -> None:
        """Keep a deployment mark."""

    def marks(self, target: str, since: float) -> list[DeploymentMark]:
        """A target's deployment marks."""


@dataclass(frozen=True, slots=True)
class TargetView:
    """One target: as configured, its newest runs, its firing alerts."""

    facts: TargetFacts
    last_run: RunRecord | None
    last_measured: RunRecord | None
    running: bool
    next_run_at: float | None
    firing: tuple[Alert, ...]

    @property
    def verdict(self) -> Verdict | None:
        """Of the last finished run; None before the first."""
        return self.last_run.verdict if self.last_run else None

    @property
    def object(self) -> dict[str, Any]:
        """As the API answers."""
        served = self.last_run.served if self.last_run else None
        return {
            "name": self.facts.name,
            "severity": self.facts.severity,
            "labels": dict(self.facts.labels),
            "endpoint": {
                "kind": self.facts.kind,
                "url": self.facts.url,
                "model": self.facts.model,
                "reference": self.facts.reference,
                "served_model": served.model if served else None,
                "fingerprint": served.fingerprint if served else None,
                "version": served.version if served else None,
                "parent": served.parent if served else None,
            },
            "schedule": self.facts.schedule,
            "interval_s": self.facts.interval_s,
            "next_run_at": number(self.next_run_at),
            "verdict": self.verdict,
            "measured": self.last_run.measured if self.last_run else None,
            "last_measured_at": number(ended_at(self.last_measured)),
            "last_run": self.last_run.id if self.last_run else None,
            "running": self.running,
            "trouble": self.facts.trouble,
            "alerts": [alert.id for alert in self.firing],
        }


def ended_at(run: RunRecord | None) -> float | None:
    """When a run ended, its start where that is not known."""
    return None if run is None else run.finished_at or run.started_at


def fleet(store: Reader, facts: Facts) -> list[TargetView]:
    """All targets in the configuration's order."""
    return _views(store, facts, facts.targets())


def worst_first(views: Sequence[TargetView]) -> list[TargetView]:
    """The fleet as a person wants it: firing alerts, then verdicts by urgency, then names."""
    return sorted(views, key=lambda v: (not v.firing, ORDER.index(v.verdict), v.facts.name))


def target(store: Reader, facts: Facts, name: str) -> TargetView | None:
    """One target; None if none is configured under that name."""
    found = _views(store, facts, [f for f in facts.targets() if f.name == name])
    return found[0] if found else None


def _views(store: Reader, facts: Facts, wanted: Sequence[TargetFacts]) -> list[TargetView]:
    if not wanted:
        return []
    known: Mapping[str, TargetMetrics] = store.metrics_snapshot().targets
    firing = store.alerts(None, AlertState.FIRING)
    found = []
    for one in wanted:
        state = known.get(one.name, TargetMetrics(one.name, None, None))
        newest = store.last_run(one.name)
        found.append(
            TargetView(
                facts=one,
                last_run=state.last_run,
                last_measured=state.last_measured,
                running=newest is not None and newest.state is RunState.RUNNING,
                next_run_at=facts.next_run_at(one.name),
                firing=tuple(alert for alert in firing if alert.target == one.name),
            )
        )
    return found


def alert_object(alert: Alert) -> dict[str, Any]:
    """One alert as the API answers."""
    made = asdict(alert)
    made["findings"] = [finding_object(f) for f in alert.findings]
    return made


def broken_examples(
    store: Reader, run: RunRecord, *, show_texts: bool, offset: int = 0, limit: int | None = None
) -> tuple[Broken, list[BrokenExample], bool]:
    """The examples that broke in a run: the counts, one page of them, and whether there are more.

    Without ``show_texts`` the page holds ids and nothing that was asked or answered.
    """
    nothing = Broken((), 0, 0, None, None)
    golden = store.golden(run.golden_digest)
    if golden is None or run.state is not RunState.DONE or not run.measured:
        return nothing, [], False
    baseline = next((b for b in store.baselines(run.target) if b.id == run.baseline_id), None)
    onsets = [f.onset_run for f in run.findings if f.onset_run is not None]
    onset = min(onsets, default=None)
    until = None if limit is None else offset + limit
    found = broken(store, run.id, run.target, golden, baseline, onset=onset, limit=until)
    page = list(found.broke[offset:])
    if not show_texts:
        page = [BrokenExample(e.id) for e in page]
    return found, page, found.broke_count > offset + len(page)
