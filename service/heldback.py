"""What was kept quiet, and still fires? Told as soon as its silence is over, not only by the next run.

A run that ends while a silence holds keeps its alert and tells nobody. Where runs are a day apart the next one would
tell of it a day late; so whoever keeps the watch looks from time to time. The message is the one that the run would
have sent: its figures, its examples, its causes. While a run is under way nothing is told: that run tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from service import evidence
from service.alerting import (
    Alert,
    AlertKind,
    AlertPolicy,
    AlertState,
    Notification,
    Silence,
    Transition,
    repetition,
)
from service.message import Evidence, body, outbox
from service.records import RunState

if TYPE_CHECKING:
    from service.config import Config, Target
    from service.store import Store

_SHOWN = 5


def tell(
    store: Store, config: Config, policy: AlertPolicy, silences: Sequence[Silence], now: float
) -> tuple[str, ...]:
    """Tell of every regression and outage that nobody was told of and no silence covers any more; their ids."""
    if not policy.notify:
        return ()
    targets = {target.name: target for target in config.targets}
    told: list[str] = []
    for alert in store.alerts(state=AlertState.FIRING):
        target = targets.get(alert.target)
        if target is not None and _held(alert, silences, now) and not _running(store, alert):
            facts = _facts(store, alert)
            if facts is not None:
                told += _tell(store, config, target, alert, facts, policy, silences, now)
    return tuple(told)


def _held(alert: Alert, silences: Sequence[Silence], now: float) -> bool:
    return (
        alert.kind in (AlertKind.REGRESSION, AlertKind.OUTAGE, AlertKind.JUDGE)
        and alert.notified_at is None
        and alert.state is AlertState.FIRING
        and not any(silence.covers(alert.target, alert.id, now) for silence in silences)
    )


def _running(store: Store, alert: Alert) -> bool:
    last = store.last_run(alert.target)
    return last is not None and (last.state is RunState.RUNNING or last.id != alert.updated_run)


def _tell(
    store: Store,
    config: Config,
    target: Target,
    seen: Alert,
    facts: Evidence,
    policy: AlertPolicy,
    silences: Sequence[Silence],
    now: float,
) -> list[str]:
    told: list[str] = []

    def decide(firing: Sequence[Alert]) -> tuple[Transition, tuple[Notification, ...]]:
        alert = next((a for a in firing if a.id == seen.id and a.updated_run == seen.updated_run), None)
        if alert is None or not _held(alert, silences, now):  # a run or another process was quicker
            return Transition(), ()
        notice, _ = repetition(alert, now, policy, silences)
        told.append(alert.id)
        content = body(notice.event, notice.alert, facts, external_url=config.web.external_url)
        names = [notifier.name for notifier in config.notifiers_of(target)]
        return Transition((notice.alert,), (notice,)), outbox([notice], {alert.kind: content}, names, now)

    store.change_alerts(seen.kind, decide)
    return told


def _facts(store: Store, alert: Alert) -> Evidence | None:
    """What the run that the alert was last seen in would have said; None where it is gone."""
    run = None if alert.updated_run is None else store.run(alert.updated_run)
    golden = None if run is None else store.golden(run.golden_digest)
    if run is None or golden is None:
        return None
    onset = None if alert.onset_run is None else store.run(alert.onset_run)
    first = min(alert.opened_run or run.id, alert.onset_run or run.id)
    diagnosis = store.newest_diagnosis(alert.target, first, run.id)
    facts = Evidence(
        answered=run.requests.ok,
        asked=len(golden.examples),
        started_at=run.started_at,
        onset_at=None if onset is None else onset.started_at,
        reason=run.reason,
        failures=Counter(str(r.error.kind) for r in store.responses(run.id) if r.error is not None),
        cause=() if diagnosis is None else diagnosis.sentences,
        causes=() if diagnosis is None else diagnosis.causes,
    )
    if alert.kind is not AlertKind.REGRESSION:
        return facts
    found = evidence.broken(
        store, run.id, alert.target, golden, store.baseline(alert.target), onset=alert.onset_run, limit=_SHOWN
    )
    return replace(facts, examples=found.broke, broke=found.broke_count, fixed=found.fixed_count)
