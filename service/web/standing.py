"""How does a target stand now? The three kinds of bad told apart, since when, and why it could not be measured.

Silence is never health: where a target is not run (an edited golden set, a worker that hangs), its last good verdict
is shown as what was, and not as what is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.types import Finding, Verdict
from service import wording
from service.alerting import Alert, AlertKind
from service.records import RunRecord
from service.report import finding_object
from service.text import safe
from service.web import views

if TYPE_CHECKING:
    from service.store import Store

STALE_INTERVALS = 2
NOT_MEASURED = "not measured"
_MOST_REASONS = 4
_KINDS = (AlertKind.REGRESSION, AlertKind.OUTAGE, AlertKind.JUDGE, AlertKind.WATCH, AlertKind.NOTICE)
_CALM = (Verdict.OK, Verdict.IMPROVED, Verdict.LEARNING, Verdict.SUSPECT)


def stale(view: views.TargetView, now: float) -> bool:
    """Whether the newest measurement is older than two intervals: what stands there may no longer be so."""
    measured_at, interval_s = views.ended_at(view.last_measured), view.facts.interval_s
    if measured_at is None or interval_s is None:
        return False
    return now - measured_at > STALE_INTERVALS * interval_s


def lapsed(view: views.TargetView, now: float) -> bool:
    """Whether the last verdict was a calm one and says nothing any more, since no run has followed that could."""
    return view.verdict in _CALM and (view.facts.trouble is not None or stale(view, now))


def dated(view: views.TargetView, now: float) -> bool:
    """Whether the newest scores are not today's health: the last run could not be measured, or none followed."""
    if view.last_measured is None:
        return False
    return view.verdict is Verdict.INCONCLUSIVE or lapsed(view, now)


def unjudged(view: views.TargetView) -> bool:
    """Whether the last run was answered and has no verdict all the same, since no judge of it can be trusted."""
    run = view.last_run
    return run is not None and run.verdict is Verdict.INCONCLUSIVE and bool(run.measured)


def state(view: views.TargetView, now: float) -> tuple[str, str]:
    """How it stands in a word, and the class that colours it."""
    if view.verdict is None:
        return "not run", "unknown"
    if lapsed(view, now):
        return NOT_MEASURED, str(Verdict.INCONCLUSIVE)
    return str(view.verdict), str(view.verdict)


def telling(run: RunRecord) -> Finding | None:
    """The finding that says why a run was judged so: of a bad run one that is bad itself, else the worst of a score."""
    found = {id(f): f for f in run.findings if f.verdict is run.verdict}
    if not found or run.verdict not in (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED):
        found = {id(f): f for f in run.findings if f.scorer is not None and f.check == "quality"}
    objects = {number: finding_object(f) for number, f in found.items()}
    worst = wording.worst(objects.values())
    return next((found[number] for number, made in objects.items() if made is worst), None)


def says(view: views.TargetView, now: float) -> str:
    """How a target stands, in one sentence."""
    run = view.last_run
    if run is None:
        return "is being replayed for the first time" if view.running else "has not run yet"
    if lapsed(view, now):
        ended = views.ended_at(run) or run.started_at
        return f"was {run.verdict} {wording.ago(now - ended)} ago; no run has been measured since"
    if run.verdict is Verdict.INCONCLUSIVE:
        why = run.reason or "no reason given"
        if unjudged(view):
            return f"cannot be judged: {safe(why.partition(';')[0], 200)}"
        return f"could not be measured: {safe(why.removeprefix('availability: '), 200)}"
    if run.verdict is Verdict.LEARNING:
        learning = next((f.reason for f in run.findings if f.verdict is Verdict.LEARNING and f.reason), None)
        return safe(learning or f"learning: a baseline has {view.facts.baseline_runs} runs", 200)
    if run.verdict is Verdict.OK:
        return "no change found"
    finding = telling(run)
    if finding is None:
        return safe(run.reason or str(run.verdict), 200)
    made = finding_object(finding)
    said = f"{wording.subject(made)} {wording.happened(made)}"
    return f"{said}; one bad run, not yet confirmed" if run.verdict is Verdict.SUSPECT else said


def lead(view: views.TargetView, now: float) -> Mapping[str, Any] | None:
    """The finding that :func:`says` speaks of, where it is of a bad run that stands; as an object."""
    run = view.last_run
    if run is None or run.verdict not in (Verdict.REGRESSED, Verdict.SUSPECT) or lapsed(view, now):
        return None
    finding = telling(run)
    return None if finding is None else finding_object(finding)


def by_urgency(alerts: Sequence[Alert]) -> list[Alert]:
    """Regressions first, then outages, judges, the watch's own troubles, and last what is to be planned for."""
    return sorted(alerts, key=lambda alert: (_KINDS.index(alert.kind), alert.opened_at))


def unanswered(store: Store, run: RunRecord | None) -> list[tuple[str, int]]:
    """Why a run that could not be measured has no answers: each reason as the transport told it, with its count."""
    if run is None or run.verdict is not Verdict.INCONCLUSIVE:
        return []
    counted = Counter(r.error.message for r in store.responses(run.id) if r.error is not None)
    return [(safe(message, 200), many) for message, many in counted.most_common(_MOST_REASONS)]


def dark_since(runs: Sequence[RunRecord]) -> RunRecord | None:
    """The first of the unbroken stretch of unmeasured runs that ends with the newest one; None if that was measured.

    Args:
        runs: The newest first.
    """
    first = None
    for run in runs:
        if run.verdict is None:
            continue
        if run.verdict is not Verdict.INCONCLUSIVE:
            break
        first = run
    return first
