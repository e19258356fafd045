"""What does an alert live through: acknowledged, silenced, flapping, resolved?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from checks.types import ALL, Finding, Verdict
from service.alerting import (
    Acknowledgement,
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AlertStanding,
    AlertState,
    Notice,
    Outcome,
    Silence,
    flap_window_s,
    standing,
    transitions,
)

HOUR = 3600.0
POLICY = AlertPolicy()
WINDOW_S = flap_window_s(POLICY, HOUR)


def finding(verdict: Verdict) -> Finding:
    return Finding(check="quality", scorer="label", slice=ALL, verdict=verdict, evidence=1.5, effect=-0.1)


def run_of(run: int, verdict: Verdict, at: float, dark: int = 0) -> Outcome:
    return Outcome(
        target="router",
        run=run,
        started_at=at,
        verdict=verdict,
        findings=(finding(verdict),),
        unmeasured_runs=dark,
        interval_s=HOUR,
    )


class Life:
    """A target's alerts, driven by hand."""

    def __init__(self, policy: AlertPolicy = POLICY) -> None:
        self.policy = policy
        self.alerts: dict[str, Alert] = {}
        self.silences: list[Silence] = []
        self.told: list[Notice] = []
        self.now, self.runs, self.dark = 0.0, 0, 0

    def run(self, verdict: Verdict, wait_s: float = HOUR) -> list[Notice]:
        self.now += wait_s
        self.runs += 1
        self.dark = self.dark + 1 if verdict is Verdict.INCONCLUSIVE else 0
        step = transitions(
            tuple(self.alerts.values()),
            run_of(self.runs, verdict, self.now, self.dark),
            self.now,
            self.policy,
            self.silences,
        )
        self.alerts |= {a.id: a for a in step.alerts}
        self.told += step.messages
        return list(step.messages)

    def events(self, *verdicts: Verdict) -> list[list[str]]:
        return [[str(n.event).removeprefix("alert.") for n in self.run(v)] for v in verdicts]

    def firing(self) -> Alert:
        return next(a for a in self.alerts.values() if a.state is AlertState.FIRING)

    def acknowledge(self) -> None:
        alert = self.firing()
        self.alerts[alert.id] = replace(alert, acknowledgement=Acknowledgement("kim", self.now))

    def silence(self, for_s: float, alert: str | None = None) -> None:
        number = f"s{len(self.silences)}"
        self.silences.append(Silence(number, "router", alert, self.now, self.now + for_s, "kim", "deploy"))


BAD, GOOD, DARK = Verdict.REGRESSED, Verdict.OK, Verdict.INCONCLUSIVE


def test_an_acknowledged_alert_is_not_repeated_and_still_resolves() -> None:
    """Nine bad hours after an acknowledgement say nothing; the good run says that it is over."""
    life = Life()
    assert life.events(BAD) == [["firing"]]
    life.acknowledge()
    assert life.events(*[BAD] * 9) == [[]] * 9
    assert standing(life.firing(), life.silences, life.now) is AlertStanding.ACKNOWLEDGED
    assert life.events(GOOD) == [["resolved"]]


def test_a_silence_holds_back_and_what_it_held_back_comes_after_it() -> None:
    """What opens in a silence is told as firing by the first bad run after it."""
    life = Life()
    life.silence(3.5 * HOUR)
    assert life.events(BAD, BAD, BAD) == [[], [], []]
    assert standing(life.firing(), life.silences, life.now) is AlertStanding.SILENCED
    assert life.events(BAD, BAD) == [["firing"], []]


def test_a_silence_never_swallows_the_resolution_of_what_was_told() -> None:
    """Who was told that it fires hears that it is over, silence or not; who was not told hears nothing."""
    life = Life()
    life.run(BAD)
    life.silence(9 * HOUR)
    assert life.events(BAD, BAD, BAD, BAD, BAD, GOOD) == [[], [], [], [], [], ["resolved"]]
    assert life.events(BAD, GOOD) == [[], []]


def test_a_silence_on_one_alert_leaves_the_next_one_alone() -> None:
    """Only a silence of the whole target covers alerts that are still to come."""
    life = Life()
    life.run(BAD)
    life.silence(99 * HOUR, life.firing().id)
    assert life.events(*[BAD] * 5, GOOD, BAD) == [[], [], [], [], [], ["resolved"], ["firing"]]


def test_a_lifted_silence_holds_no_longer() -> None:
    """``ended_at`` counts as its end."""
    silence = Silence("s", "router", None, 0.0, 100.0, "kim", "why", ended_at=50.0)
    assert [silence.active(at) for at in (-1.0, 0.0, 49.9, 50.0, 100.0)] == [False, True, True, False, False]
    assert not silence.covers("other", "a", 10.0)


def test_the_third_opening_within_a_day_flaps_and_its_swings_are_one_alert() -> None:
    """Every opening is told; from the third on the alert stands through its swings and resolves once, hours later."""
    life = Life()
    assert life.events(BAD, GOOD, BAD, GOOD, BAD) == [
        ["firing"], ["resolved"], ["firing"], ["resolved"], ["firing"],
    ]  # fmt: skip
    alert = life.firing()
    assert alert.flapping
    swings = life.events(*[GOOD, BAD] * 4)
    assert [event for swing in swings for event in swing] == ["repeated", "repeated"]
    assert life.firing().id == alert.id
    quiet = life.events(*[GOOD] * 6)
    assert quiet == [[]] * 5 + [["resolved"]]
    assert WINDOW_S / 4 == 6 * HOUR


def test_openings_that_are_rare_do_not_flap() -> None:
    """Three openings in more than a day are three alerts."""
    life = Life()
    for _ in range(4):
        life.run(BAD, 13 * HOUR)
        assert not life.firing().flapping
        life.run(GOOD)


def test_an_outage_does_not_end_flapping() -> None:
    """Hours without a measurement are not hours without a fault: they resolve nothing."""
    life = Life()
    life.events(BAD, GOOD, BAD, GOOD, BAD)
    alert = life.firing()
    for _ in range(9):
        assert all(n.alert.kind is AlertKind.OUTAGE for n in life.run(DARK))
    assert life.alerts[alert.id].state is AlertState.FIRING


def test_nothing_is_told_where_prometheus_pages() -> None:
    """With Prometheus as the owner a whole life passes without one message."""
    life = Life(AlertPolicy(notify=False))
    assert life.events(BAD, BAD, GOOD, DARK, DARK, DARK, GOOD) == [[]] * 7
    assert len(life.alerts) == 2


class Lives(RuleBasedStateMachine):
    """Random lives: runs of every kind, acknowledgements, silences, lifted silences."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()
        self.acknowledged: set[str] = set()
        self.over: set[str] = set()

    @rule(verdict=st.sampled_from(list(Verdict)), wait_s=st.floats(60.0, 30 * HOUR))
    def replayed(self, verdict: Verdict, wait_s: float) -> None:
        life = self.life
        known = dict(life.alerts)
        spoken = life.run(verdict, wait_s)
        for notice in spoken:
            alert = notice.alert
            quiet = any(s.covers("router", alert.id, life.now) for s in life.silences)
            assert notice.event is AlertEvent.RESOLVED or not quiet
            if alert.id in self.acknowledged:
                assert notice.event is not AlertEvent.REPEATED
            if notice.event is AlertEvent.RESOLVED:
                assert verdict is not Verdict.INCONCLUSIVE
        for alert_id, alert in life.alerts.items():
            if alert_id in known:
                assert (alert.opened_at, alert.target, alert.kind) == (
                    known[alert_id].opened_at,
                    known[alert_id].target,
                    known[alert_id].kind,
                )
        if verdict is Verdict.REGRESSED:
            alert = next(
                a
                for a in life.alerts.values()
                if a.kind is AlertKind.REGRESSION and a.state is AlertState.FIRING
            )
            quiet = any(s.covers("router", alert.id, life.now) for s in life.silences)
            assert quiet or self.heard(alert.id, AlertEvent.FIRING)

    @precondition(lambda self: any(a.state is AlertState.FIRING for a in self.life.alerts.values()))
    @rule()
    def acknowledged_by_somebody(self) -> None:
        self.acknowledged.add(self.life.firing().id)
        self.life.acknowledge()

    @rule(for_s=st.floats(60.0, 50 * HOUR), whole=st.booleans())
    def silenced(self, for_s: float, whole: bool) -> None:
        alerts = list(self.life.alerts)
        self.life.silence(for_s, None if whole or not alerts else alerts[-1])

    @precondition(lambda self: bool(self.life.silences))
    @rule()
    def lifted(self) -> None:
        self.life.silences[-1] = replace(self.life.silences[-1], ended_at=self.life.now)

    def heard(self, alert_id: str, event: AlertEvent) -> int:
        return sum(n.alert.id == alert_id and n.event is event for n in self.life.told)

    @invariant()
    def every_event_is_told_once_and_in_order(self) -> None:
        for alert in self.life.alerts.values():
            events = [n.event for n in self.life.told if n.alert.id == alert.id]
            assert events[:1] in ([], [AlertEvent.FIRING])
            assert events.count(AlertEvent.FIRING) <= 1
            over = alert.state is AlertState.RESOLVED
            assert events.count(AlertEvent.RESOLVED) == int(over and bool(events))
            assert not over or not events or events[-1] is AlertEvent.RESOLVED

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for alert_id in self.over:
            assert self.life.alerts[alert_id].state is AlertState.RESOLVED
        self.over = {i for i, a in self.life.alerts.items() if a.state is AlertState.RESOLVED}

    @invariant()
    def one_alert_of_a_kind_fires(self) -> None:
        for kind in AlertKind:
            firing = [a for a in self.life.alerts.values() if a.kind is kind and a.state is AlertState.FIRING]
            assert len(firing) <= 1


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("kind", [AlertKind.REGRESSION, AlertKind.OUTAGE])
def test_identity_is_that_of_the_beginning(kind: AlertKind) -> None:
    """A label or severity that is changed while an alert fires is shown, and the alert keeps its name by them."""
    verdict, dark = (BAD, 0) if kind is AlertKind.REGRESSION else (DARK, 9)
    first = replace(run_of(1, verdict, 0.0, dark), severity="critical", labels={"team": "ml"})
    (alert,) = transitions((), first, 0.0, POLICY).alerts
    later = replace(run_of(2, verdict, HOUR, dark), severity="info", labels={"team": "web"})
    (alert,) = transitions((alert,), later, HOUR, POLICY).alerts
    assert (alert.severity, alert.labels) == ("info", {"team": "web"})
    assert alert.identity == {"severity": "critical", "team": "ml"}
