"""Who is told what, and when?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.types import ALL, Finding, Verdict
from service.alerting import (
    Acknowledgement,
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AlertState,
    Notice,
    Outcome,
    Transition,
    transitions,
)

HOUR = 3600.0
POLICY = AlertPolicy()


def finding(
    verdict: Verdict = Verdict.REGRESSED, *, check: str = "quality", scorer: str = "label", slice_: str = ALL
) -> Finding:
    return Finding(check=check, scorer=scorer, slice=slice_, verdict=verdict, evidence=1.5, effect=-0.1)


def outcome(run: int, verdict: Verdict, *findings: Finding, **more: object) -> Outcome:
    values = {
        "target": "router",
        "run": run,
        "started_at": run * HOUR,
        "verdict": verdict,
        "findings": findings,
    }
    return Outcome(**{**values, **more})  # type: ignore[arg-type]


def bad(run: int, **more: object) -> Outcome:
    return outcome(run, Verdict.REGRESSED, finding(), **{"onset_run": run, **more})


def good(run: int, **more: object) -> Outcome:
    return outcome(run, Verdict.OK, finding(Verdict.OK), **more)


def dark(run: int, in_a_row: int, **more: object) -> Outcome:
    return outcome(run, Verdict.INCONCLUSIVE, unmeasured_runs=in_a_row, **more)


def follow(*outcomes: Outcome, policy: AlertPolicy = POLICY) -> tuple[dict[str, Alert], list[list[Notice]]]:
    """All alerts after a history judged at its runs' own times, and the messages of each run."""
    alerts: dict[str, Alert] = {}
    told = []
    for each in outcomes:
        step = transitions(tuple(alerts.values()), each, each.started_at, policy)
        alerts |= {a.id: a for a in step.alerts}
        told.append(list(step.messages))
    return alerts, told


def events(told: list[list[Notice]]) -> list[list[tuple[str, str]]]:
    return [[(str(n.alert.kind), str(n.event)) for n in notices] for notices in told]


def test_who_sees_to_a_slow_model_is_told_once_that_its_answers_are_wrong_too() -> None:
    """A check of answers that joins a standing alert of latency is told at once, acknowledged or not; and only once."""
    slow, wrong = finding(check="latency"), finding()
    said = [
        (1, slow),
        (2, slow),
        (3, slow, wrong),
        (4, slow, wrong),
        (5, slow, finding(check="adapter_applied")),
    ]
    alerts: dict[str, Alert] = {}
    told = []
    for run, *found in said:
        acknowledged = [replace(a, acknowledgement=Acknowledgement("Kim", HOUR)) for a in alerts.values()]
        step = transitions(acknowledged, outcome(run, Verdict.REGRESSED, *found), run * HOUR, POLICY)
        alerts |= {a.id: a for a in step.alerts}
        told.append([(str(n.event), sorted(f.check for f in n.alert.findings)) for n in step.messages])
    assert told == [[("alert.firing", ["latency"])], [], [("alert.repeated", ["latency", "quality"])], [], []]
    assert len(alerts) == 1


def test_a_regression_fires_once_with_its_findings_inside() -> None:
    """Several regressed subjects of one run make one alert that holds exactly them."""
    findings = (finding(), finding(slice_="lang=de"), finding(Verdict.OK, scorer="format"))
    alerts, told = follow(outcome(7, Verdict.REGRESSED, *findings, onset_run=5, severity="critical"))
    (alert,) = alerts.values()
    assert (alert.kind, alert.state, alert.severity) == (AlertKind.REGRESSION, AlertState.FIRING, "critical")
    assert (alert.opened_run, alert.onset_run, alert.notified_at) == (7, 5, 7 * HOUR)
    assert alert.findings == findings[:2]
    assert told == [[Notice(AlertEvent.FIRING, alert)]]


def test_a_standing_regression_is_repeated_every_four_hours() -> None:
    """Between the first message and its repetition there are four hours of silence."""
    _, told = follow(*(bad(run) for run in range(1, 10)))
    assert [[e for _, e in told_] for told_ in events(told)] == [
        ["alert.firing"], [], [], [], ["alert.repeated"], [], [], [], ["alert.repeated"],
    ]  # fmt: skip
    assert told[8][0].alert.repeats == 2


def test_a_measured_run_without_a_regressed_finding_resolves() -> None:
    """The first good run resolves, and the message carries what the subjects look like now."""
    alerts, told = follow(bad(1), good(2), good(3))
    (alert,) = alerts.values()
    assert (alert.state, alert.resolved_at, alert.updated_run) == (AlertState.RESOLVED, 2 * HOUR, 2)
    assert [f.verdict for f in alert.findings] == [Verdict.OK]
    assert events(told)[1:] == [[("regression", "alert.resolved")], []]


def test_the_verdict_alone_does_not_hold_a_regression() -> None:
    """A run that is called regressed only because its alert stands resolves that alert."""
    alerts, _ = follow(bad(1), outcome(2, Verdict.REGRESSED, finding(Verdict.OK)))
    assert [a.state for a in alerts.values()] == [AlertState.RESOLVED]


def test_an_unmeasured_subject_keeps_its_alert() -> None:
    """Where the very slice that fell could not be measured, the rest being fine resolves nothing."""
    fell = finding(slice_="lang=de")
    unknown = replace(fell, verdict=Verdict.INCONCLUSIVE)
    alerts, told = follow(
        outcome(1, Verdict.REGRESSED, fell), outcome(2, Verdict.OK, finding(Verdict.OK), unknown)
    )
    assert [a.state for a in alerts.values()] == [AlertState.FIRING]
    assert told[1] == []


def test_a_second_regression_after_the_first_is_another_alert() -> None:
    """An alert that was resolved never comes back: the next regression has an id of its own."""
    alerts, _ = follow(bad(1), good(2), bad(3))
    assert [a.state for a in alerts.values()] == [AlertState.RESOLVED, AlertState.FIRING]


def test_an_outage_needs_two_runs() -> None:
    """One unmeasured run is no outage, the second is, and the first measured one ends it."""
    alerts, told = follow(good(1), dark(2, 1), dark(3, 2), dark(4, 3), good(5))
    assert events(told) == [[], [], [("outage", "alert.firing")], [], [("outage", "alert.resolved")]]
    (alert,) = alerts.values()
    assert (alert.opened_run, alert.resolved_at) == (3, 5 * HOUR)


def test_two_silent_intervals_are_an_outage_at_the_first_unmeasured_run() -> None:
    """Where nothing was measured for two intervals, one more unmeasured run is enough."""
    late = dark(9, 1, last_measured_at=6 * HOUR, interval_s=HOUR)
    soon = dark(9, 1, last_measured_at=8 * HOUR, interval_s=HOUR)
    assert [n.alert.kind for n in transitions((), late, 0.0, POLICY).messages] == [AlertKind.OUTAGE]
    assert transitions((), soon, 0.0, POLICY) == Transition()


def test_an_outage_inhibits_the_regression_and_does_not_resolve_it() -> None:
    """While nothing can be measured, only the outage speaks; the regression stands and speaks again after."""
    alerts, told = follow(bad(1), *(dark(1 + n, n) for n in range(1, 7)), bad(8))
    spoken = events(told)
    assert spoken[0] == [("regression", "alert.firing")]
    assert all(kind == "outage" for notices in spoken[1:7] for kind, _ in notices)
    assert spoken[7] == [("outage", "alert.resolved"), ("regression", "alert.repeated")]
    assert {a.kind: a.state for a in alerts.values()} == {
        AlertKind.REGRESSION: AlertState.FIRING,
        AlertKind.OUTAGE: AlertState.RESOLVED,
    }


def test_an_outage_never_counts_as_a_regression() -> None:
    """An inconclusive run opens no regression even if it carries a regressed finding."""
    alerts, _ = follow(outcome(1, Verdict.INCONCLUSIVE, finding(), unmeasured_runs=1))
    assert alerts == {}


def test_nobody_is_told_where_prometheus_pages() -> None:
    """Alerts are kept as ever; only the messages are left out, and come once goldwatch owns the paging."""
    quiet = AlertPolicy(notify=False)
    alerts, told = follow(bad(1), bad(9), policy=quiet)
    assert told == [[], []]
    assert [a.state for a in alerts.values()] == [AlertState.FIRING]
    later = transitions(tuple(alerts.values()), bad(10), 10 * HOUR, POLICY)
    assert [n.event for n in later.messages] == [AlertEvent.FIRING]


def test_a_store_begun_anew_has_ids_of_its_own() -> None:
    """Run 1 of another store never repeats an id that a receiver may have seen."""
    (first,) = transitions((), bad(1), 0.0, POLICY).alerts
    (second,) = transitions((), bad(1, started_at=5.0), 0.0, POLICY).alerts
    assert first.id != second.id


def test_other_targets_alerts_are_left_alone() -> None:
    """A good run of one target resolves nothing of another."""
    alerts, _ = follow(bad(1))
    assert transitions(tuple(alerts.values()), good(2, target="other"), 0.0, POLICY) == Transition()


@pytest.mark.parametrize("wrong", [{"repeat_every_s": 0.0}, {"outage_after": 0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """A policy says which of its fields is out of range."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AlertPolicy(**wrong)  # type: ignore[arg-type]


steps = st.lists(
    st.tuples(
        st.sampled_from(list(Verdict)),
        st.lists(
            st.tuples(st.sampled_from(list(Verdict)), st.sampled_from([ALL, "lang=de", "lang=en"])),
            max_size=3,
            unique_by=lambda pair: pair[1],
        ),
        st.floats(min_value=1.0, max_value=6 * HOUR),
    ),
    max_size=30,
)


@given(steps)
def test_what_holds_in_every_history(history: list[tuple[Verdict, list[tuple[Verdict, str]], float]]) -> None:
    """One firing alert per kind at most; the unmeasured resolves nothing; a replay says nothing new."""
    alerts: dict[str, Alert] = {}
    now, dark_runs, resolved = 0.0, 0, set()
    spoken: set[tuple[str, AlertEvent, int]] = set()
    for run, (verdict, subjects, wait_s) in enumerate(history, start=1):
        now += wait_s
        dark_runs = dark_runs + 1 if verdict is Verdict.INCONCLUSIVE else 0
        findings = tuple(finding(v, slice_=s) for v, s in subjects)
        each = outcome(run, verdict, *findings, started_at=now, unmeasured_runs=dark_runs)
        before = tuple(alerts.values())
        step = transitions(before, each, now, POLICY)
        assert step == transitions(before, each, now, POLICY)
        alerts |= {a.id: a for a in step.alerts}
        assert transitions(tuple(alerts.values()), each, now, POLICY).messages == ()
        if not each.measured:
            assert all(n.alert.kind is AlertKind.OUTAGE for n in step.messages)
            assert all(a.state is AlertState.FIRING for a in step.alerts)
        for kind in AlertKind:
            firing = [a for a in alerts.values() if a.kind is kind and a.state is AlertState.FIRING]
            assert len(firing) <= 1
        assert not any(alerts[i].state is AlertState.FIRING for i in resolved)
        resolved |= {a.id for a in alerts.values() if a.state is AlertState.RESOLVED}
        for notice in step.messages:
            key = (notice.alert.id, notice.event, run)
            assert key not in spoken
            spoken.add(key)
    fired = {i for i, event, _ in spoken if event is AlertEvent.FIRING}
    assert fired == set(alerts)
    assert {i for i, event, _ in spoken if event is AlertEvent.RESOLVED} == resolved
