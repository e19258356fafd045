"""What does each page say? The values behind the templates, made of what the store and the daemon know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from checks.causes import Diagnosis
from checks.types import ALL, Finding, Verdict
from service import wording
from service.alerting import Alert, AlertKind
from service.confused import confusions, moved_words
from service.facts import Facts, Known
from service.original import versus_original
from service.records import BaselineRecord, RunRecord
from service.report import finding_object
from service.retirement import in_words
from service.text import safe
from service.traffic.view import view as traffic_view
from service.web import standing, views
from service.web.chart import Event, Point, chart
from service.web.evidence import evidence_chart

if TYPE_CHECKING:
    from service.store import Store

_MOST_SLICES = 8
_MOVED = (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED)
_ORDER = ("quality", "floor")


@dataclass(frozen=True, slots=True)
class Spend:
    """What a target has used since the month began; ``usd`` is None where no price is known."""

    tokens: int
    usd: float | None


def fleet_row(store: Store, facts: Known, view: views.TargetView) -> dict[str, Any]:
    """One line of the fleet: the target, what is to be said of it, its headline score, freshness, spend."""
    now = facts.now()
    return {
        "view": view,
        "state": standing.state(view, now),
        "headline": (head := headline(view.last_measured)),
        "evidence": (standing.lead(view, now) or head or {}).get("evidence"),
        "says": standing.says(view, now),
        "why": _why(store, facts, view),
        "silenced": max((s.until for s in store.silences(view.facts.name, active_at=now)), default=None),
        "measured_at": views.ended_at(view.last_measured),
        "stale": standing.stale(view, now),
        "dated": standing.dated(view, now),
        "firing": standing.by_urgency(view.firing),
        "spend": spend(store, facts, view),
    }


def _why(store: Store, facts: Known, view: views.TargetView) -> tuple[str, bool] | None:
    """The likeliest cause of what is told about the model or its judge, and whether it is more than possible.

    None where none is known.
    """
    asked_of = _asked_of(view)
    found = [] if asked_of is None else causes_of(store, facts, asked_of)["causes"]
    return (safe(str(found[0]["title"]), 120), found[0]["likelihood"] != "possible") if found else None


def _asked_of(view: views.TargetView) -> Alert | None:
    """The firing alert whose causes a person wants first."""
    kinds = {alert.kind: alert for alert in reversed(view.firing)}
    return kinds.get(AlertKind.REGRESSION) or kinds.get(AlertKind.JUDGE)


def tally(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """How many targets stand how, the worst first, as a word, the class that colours it, and how many."""
    counted = Counter(row["state"] for row in rows)
    order = [str(verdict or "unknown") for verdict in views.ORDER]
    return [
        (word, look, many)
        for (word, look), many in sorted(counted.items(), key=lambda c: order.index(c[0][1]))
    ]


def spend(store: Store, facts: Known, view: views.TargetView) -> Spend | None:
    """What a target has used this month (UTC); None before its first run."""
    if view.last_run is None:
        return None
    begin = datetime.fromtimestamp(facts.now(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    tokens, usd = store.usage_since(view.facts.name, begin.timestamp())
    priced = any(run is not None and run.cost_usd is not None for run in (view.last_run, view.last_measured))
    return Spend(tokens, usd if priced else None)


def headline(run: RunRecord | None) -> dict[str, Any] | None:
    """The finding that stands for the whole run: the worst one that has a scorer."""
    if run is None:
        return None
    found = [finding_object(f) for f in run.findings if f.scorer is not None and f.check == "quality"]
    worst = wording.worst(found)
    return dict(worst) if worst else None


@dataclass(frozen=True, slots=True)
class Findings:
    """A run's findings as a person reads them: what fell (or rose), the worst damage first, and what did not."""

    moved: list[dict[str, Any]]
    steady: list[dict[str, Any]]


def findings_of(run: RunRecord | None) -> Findings:
    """A run's findings in two parts.

    Slices follow the whole set, those that lost most answers (change times examples) first. A slice of a scorer that
    moved is told with it even where it did not move enough by itself.
    """
    if run is None:
        return Findings([], [])
    sizes = {(s.scorer, s.slice): s.n for s in run.summaries}
    whole = {(f.check, f.scorer) for f in run.findings if f.verdict in _MOVED and f.slice == ALL}
    moved: list[dict[str, Any]] = []
    steady: list[dict[str, Any]] = []
    for finding in run.findings:
        if finding.slice != ALL and finding.current is None and finding.verdict is Verdict.INCONCLUSIVE:
            continue  # no figure, and the whole set says why
        made = _sized(finding, sizes)
        with_it = (
            finding.slice != ALL
            and (finding.check, finding.scorer) in whole
            and finding.effect is not None
            and finding.effect < 0
        )
        (moved if finding.verdict in _MOVED or with_it else steady).append(made)
    moved.sort(key=_by_damage)
    steady.sort(key=_by_damage)
    kept: list[dict[str, Any]] = []
    seen = 0
    for made in moved:
        seen = seen + 1 if made["slice"] != ALL else 0
        own = made["verdict"] in {str(v) for v in _MOVED}
        (kept if seen <= _MOST_SLICES or own else steady).append(made)
    return Findings(kept, steady)


def findings_in(alert: Alert, run: RunRecord | None) -> list[dict[str, Any]]:
    """An alert's findings, those that lost most first; ``run`` is the one that they are of."""
    sizes = {(s.scorer, s.slice): s.n for s in run.summaries} if run is not None else {}
    return sorted((_sized(finding, sizes) for finding in alert.findings), key=_by_damage)


def _sized(finding: Finding, sizes: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    n = sizes.get((finding.scorer, finding.slice)) if finding.scorer else None
    return {**finding_object(finding), "n": n}


def _by_damage(made: Mapping[str, Any]) -> tuple[Any, ...]:
    check = str(made["check"])
    return (
        _ORDER.index(check) if check in _ORDER else len(_ORDER),
        check,
        made["scorer"] or "",
        made["slice"] != ALL,
        (made["effect"] or 0.0) * (made["n"] or 1),
        made["slice"],
    )


def target_context(
    store: Store, facts: Facts, view: views.TargetView, runs: Sequence[RunRecord]
) -> dict[str, Any]:
    """What the target page shows besides its runs."""
    name, now = view.facts.name, facts.now()
    head = headline(view.last_measured)
    scorer = head["scorer"] if head else _scorer(runs)
    marks = store.marks(name, runs[-1].started_at if runs else 0.0)
    alerts = store.alerts(name, limit=8)
    regression = next((a for a in view.firing if a.kind is AlertKind.REGRESSION), None)
    onset = _onset(store, view, regression)
    events = [Event(m.at, f"deployed {safe(m.version, 24)}", "mark") for m in marks]
    if onset is not None:
        events.append(Event(onset.started_at, "first bad run", "onset"))
    baseline = store.baseline(name)
    asked_of = _asked_of(view)
    why = None if asked_of is None else causes_of(store, facts, asked_of)
    band = _band(store, baseline, runs, scorer) if scorer else None
    return {
        "view": view,
        "state": standing.state(view, now),
        "says": standing.says(view, now),
        "lead": standing.lead(view, now),
        "lapsed": standing.lapsed(view, now),
        "firing": standing.by_urgency(view.firing),
        "unanswered": standing.unanswered(store, view.last_run),
        "unjudged": standing.unjudged(view),
        "dark": standing.dark_since(runs),
        "findings": findings_of(view.last_measured),
        "headline": head,
        "onset": onset,
        "regression": regression,
        "broke": broke(store, regression),
        "why": why,
        "baseline": baseline,
        "scorer": scorer,
        "key": _key(runs, band is not None),
        "chart": chart(_points(runs, scorer), name=scorer, band=band, events=events) if scorer else None,
        "evidence": evidence_chart(_evidence(runs, scorer), name=scorer) if scorer else None,
        "marks": list(reversed(marks))[:6],
        "alerts": alerts,
        "silences": store.silences(name, active_at=now),
        "spend": spend(store, facts, view),
        "promises": _promises(view, now),
        "per_thousand": _per_thousand(view.last_measured),
        "stale": standing.stale(view, now),
        "retires": None
        if view.retires is None
        else {"day": view.retires.day, "words": in_words(view.retires, now)},
        "measured_at": views.ended_at(view.last_measured),
        "dated": standing.dated(view, now),
        "traffic": None
        if view.facts.traffic_window_s is None
        else traffic_view(store, name, view.facts.traffic_window_s),
        "finds": facts.finds(name),
        "worth": facts.worth(name),
        "original": _versus_original(store, view.last_measured),
    }


def _promises(view: views.TargetView, moment: float) -> list[dict[str, Any]]:
    """What is promised and whether the last run kept it; ``now`` is None where that is old or was not measured."""
    run = None if standing.dated(view, moment) else view.last_measured
    seen = {f.scorer: f.current for f in (run.findings if run else ()) if f.check == "promises"}
    found = []
    for name, limit in view.facts.promises.items():
        about, now = {"check": "promises", "scorer": name}, seen.get(name)
        found.append(
            {
                "name": wording.subject(about),
                "limit": wording.value(about, limit),
                "now": None if now is None else wording.value(about, now),
                "kept": now is not None and now <= limit,
            }
        )
    return found


def confused(store: Store, run: RunRecord) -> list[dict[str, Any]]:
    """The confusion matrices of a run: the pairs that moved in words, and rows of (now, usual) by expected label."""
    return [
        {
            "scorer": name,
            "moved": [moved_words(pair) for pair in found.moved[:_MOST_SLICES]],
            "columns": [column or "no label" for column in found.columns],
            "rows": [
                (label, [(int(n), round(float(w), 1), column == label) for n, w, column in cells])
                for label, cells in zip(
                    found.labels,
                    (
                        zip(n, w, found.columns, strict=True)
                        for n, w in zip(found.now, found.was, strict=True)
                    ),
                    strict=True,
                )
            ],
        }
        for name, found in confusions(store, run).items()
    ]


def _per_thousand(run: RunRecord | None) -> str | None:
    """What a thousand requests cost in a run; None where no price is known."""
    if run is None or run.cost_usd is None or not run.requests.ok:
        return None
    return wording.dollars(1000.0 * run.cost_usd / (run.requests.ok * max(run.repeats, 1)))


def _versus_original(store: Store, run: RunRecord | None) -> list[dict[str, Any]]:
    """A run against the first baseline, in the shape of findings; empty where that is its own."""
    found = [] if run is None else versus_original(store, run)
    return [
        {
            "check": "quality",
            "scorer": one.scorer,
            "baseline": one.original,
            "current": one.current,
            "effect": one.effect,
            "interval": list(one.interval),
            "n": one.examples,
            "from_run": one.first_run,
        }
        for one in found
    ]


def causes_of(store: Store, facts: Known, alert: Alert) -> dict[str, Any]:
    """What probably changed: the causes, and where there are none, what was looked at in vain."""
    return said_of(views.diagnosis(store, alert), facts)


def said_of(found: Diagnosis | None, facts: Known) -> dict[str, Any]:
    """A diagnosis as pages show it."""
    return {
        "causes": views.causes(found, show_texts=facts.show_texts),
        "in_vain": list(found.looked_at) if found and not found.causes else [],
        "not_known": list(found.not_looked_at) if found else [],
    }


def broke(store: Store, alert: Alert | None) -> int | None:
    """How many examples broke, as the newest message about the alert says; None if unknown."""
    if alert is None:
        return None
    for item in reversed(store.notifications(alert.id)):
        found = item.notification.body.get("alert", {}).get("broke")
        if isinstance(found, int):
            return found
    return None


def _onset(store: Store, view: views.TargetView, regression: Alert | None) -> RunRecord | None:
    run = regression.onset_run if regression is not None else None
    if run is None and view.verdict is Verdict.SUSPECT and view.last_measured is not None:
        run = min((f.onset_run for f in view.last_measured.findings if f.onset_run is not None), default=None)
    return None if run is None else store.run(run)


def _scorer(runs: Sequence[RunRecord]) -> str | None:
    return next((s.scorer for run in runs for s in run.summaries), None)


def _mean(run: RunRecord, scorer: str) -> float | None:
    return next((s.mean for s in run.summaries if (s.scorer, s.slice) == (scorer, ALL)), None)


def _points(runs: Sequence[RunRecord], scorer: str) -> list[Point]:
    """Oldest first; a run that could not be judged is a gap, even if some of it was scored."""
    return [
        Point(run.id, run.started_at, _mean(run, scorer) if run.measured else None, str(run.verdict))
        for run in reversed(runs)
        if run.verdict is not None
    ]


def _evidence(runs: Sequence[RunRecord], scorer: str) -> list[Point]:
    """Oldest first: how near to a page the scorer was, its slices among it."""
    found = []
    for run in reversed(runs):
        if run.verdict is not None:
            own = [
                finding.evidence
                for finding in run.findings
                if (finding.check, finding.scorer) == ("quality", scorer) and finding.evidence is not None
            ]
            value = max(own, default=None) if run.measured else None
            found.append(Point(run.id, run.started_at, value, str(run.verdict)))
    return found


def _key(runs: Sequence[RunRecord], banded: bool) -> list[tuple[str, str]]:
    """What the chart's colours mean, of those that it has: a class and a word each."""
    words = {
        Verdict.REGRESSED: "● regressed",
        Verdict.SUSPECT: "● suspect",
        Verdict.IMPROVED: "● improved",
        Verdict.INCONCLUSIVE: "▮ not measured",
        Verdict.OK: "● ok",
        Verdict.LEARNING: "● learning",
    }
    there = {run.verdict for run in runs}
    band = [("band", "baseline")] if banded else []
    return band + [(str(verdict), word) for verdict, word in words.items() if verdict in there]


def _band(
    store: Store, baseline: BaselineRecord | None, runs: Sequence[RunRecord], scorer: str
) -> tuple[float, float] | None:
    if baseline is None or not baseline.runs:
        return None
    near = {run.id: run for run in runs}
    pinned = [near.get(run_id) or store.run(run_id) for run_id in baseline.runs]
    means = [mean for run in pinned if run is not None and (mean := _mean(run, scorer)) is not None]
    return (min(means), max(means)) if means else None
