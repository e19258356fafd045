"""What do the API and the pages show? Reads of the store, put together once for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from checks.causes import Diagnosis
from checks.types import Verdict
from service.alerting import Alert, AlertKind, AlertState, Silence
from service.facts import Known, TargetFacts
from service.judges import diagnosed
from service.message import cause_object
from service.records import BaselineRecord, RunRecord, RunState, TargetMetrics
from service.report import finding_object, number
from service.retirement import Retirement, listed_at, retirement

if TYPE_CHECKING:
    from service.store import Store

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


_SEVERITIES = ("critical", "warning", "info")


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
    def retires(self) -> Retirement | None:
        """When its model is switched off; None if nobody says."""
        return retirement(self.facts.retires_on, listed_at(self.last_run, self.last_measured))

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
            "retires_at": None if self.retires is None else number(self.retires.at),
            "alerts": [alert.id for alert in self.firing],
        }


def baseline_object(baseline: BaselineRecord) -> dict[str, Any]:
    """One baseline as the API answers."""
    return {
        "id": baseline.id,
        "opened_at": number(baseline.created_at),
        "reason": baseline.reason,
        "from_run": baseline.from_run,
        "runs": list(baseline.runs),
        "replaced_at": number(baseline.replaced_at),
    }


def silence_object(silence: Silence, now: float) -> dict[str, Any]:
    """One silence as the API answers."""
    return {**asdict(silence), "active": silence.active(now)}


def diagnosis(store: Store, alert: Alert) -> Diagnosis | None:
    """The newest thought of what probably changed, over the alert's runs; None where nobody looked.

    Where it names no cause, as of the last run of a regression that is mended already, what was thought when the alert
    opened is told.
    """
    if alert.updated_run is None or alert.opened_run is None:
        return None
    first = min(alert.opened_run, alert.onset_run or alert.opened_run)
    found = store.newest_diagnosis(alert.target, first, alert.updated_run)
    if found is not None and not found.causes:
        found = store.newest_diagnosis(alert.target, first, alert.opened_run) or found
    return diagnosed(found, alert.kind)


def causes(found: Diagnosis | None, *, show_texts: bool) -> list[dict[str, Any]]:
    """The likely causes as the API answers, the likeliest first.

    Their sentences may name labels, which are answers: without ``show_texts`` only their names are told.
    """
    objects = [cause_object(cause) for cause in (found.causes if found else ())]
    if show_texts:
        return objects
    return [{**made, "title": str(made["name"]).replace("_", " "), "facts": []} for made in objects]


def ended_at(run: RunRecord | None) -> float | None:
    """When a run ended, its start where that is not known."""
    return None if run is None else run.finished_at or run.started_at


def fleet(store: Store, facts: Known, wanted: Sequence[TargetFacts] | None = None) -> list[TargetView]:
    """All targets in the configuration's order, or those that are wanted."""
    return _views(store, facts, facts.targets() if wanted is None else wanted)


def worst_first(views: Sequence[TargetView]) -> list[TargetView]:
    """The fleet as a person wants it: what pages, then verdicts and troubles by urgency, by severity, then names.

    A notice (a model that retires) puts no target before others: nothing is broken.
    """
    dark = ORDER.index(Verdict.INCONCLUSIVE)

    def urgency(view: TargetView) -> int:
        return min(ORDER.index(view.verdict), dark if view.facts.trouble is not None else len(ORDER))

    def pages(view: TargetView) -> bool:
        return any(alert.kind is not AlertKind.NOTICE for alert in view.firing)

    return sorted(
        views,
        key=lambda v: (
            not pages(v),
            urgency(v),
            _SEVERITIES.index(v.facts.severity) if v.facts.severity in _SEVERITIES else len(_SEVERITIES),
            v.facts.name,
        ),
    )


def own_troubles(store: Store) -> list[Alert]:
    """The firing alerts about the watch itself, which no model can be blamed for."""
    return [alert for alert in store.alerts(None, AlertState.FIRING) if alert.kind is AlertKind.WATCH]


def target(store: Store, facts: Known, name: str) -> TargetView | None:
    """One target; None if none is configured under that name."""
    found = _views(store, facts, [f for f in facts.targets() if f.name == name])
    return found[0] if found else None


def _views(store: Store, facts: Known, wanted: Sequence[TargetFacts]) -> list[TargetView]:
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
