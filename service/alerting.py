"""Who must be told what, now? Pure transitions (previous alerts, this run, now) -> alerts and messages.

One alert is one regression (or one outage) of one target from one onset, with its scorers and slices
inside it. The transitions read no clock and no database; the store writes what they return in the
same transaction as the findings. What an alert is, is said in ``alerts.py``, whose words can be had from here too.

The rules, in order of what they protect:

- A run that could not be measured says nothing about quality. It never opens, repeats or resolves a
  regression; it only counts towards an outage.
- A regression opens with the first measured run that has a regressed finding, is refreshed by the next
  ones, is repeated every ``repeat_every_s``, and resolves with the first measured run that finds none
  regressed and none of the alert's own subjects unmeasured.
- An outage opens after ``outage_after`` unmeasured runs in a row, or once the last measured run is as
  many intervals old. The first measured run resolves it. While it fires, every run is unmeasured, so the
  regression's messages are held back by the first rule: an outage inhibits them.
- At most one alert of a kind (and, for the watch's own troubles, of a topic) fires per target.
- Who was told that an alert fires is told that it resolved, once. A silence holds back the first message and the
  repetitions; when it ends while the alert still fires, the next run says what was held back. An acknowledgement
  stops the repetitions. An alert that was told as slower, or as answering in another shape, is told once more when
  answers are found wrong too, acknowledged or not.
- Flapping: an alert that opens for the third time within the window (a day, or ten intervals where that is longer)
  is told as every alert is, and is marked ``flapping``. It then resolves only after a quarter of the window without a
  bad run: one alert and one resolution instead of one pair per swing. No first page is ever held back.
- Ids are functions of the target, the kind and the run that opened the alert. A transition that is
  computed twice gives the same alerts and the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from checks.types import Finding, Verdict
from service.alerts import (
    OF_ANSWERS,
    Acknowledgement,
    Alert,
    AlertEvent,
    AlertKind,
    AlertPolicy,
    AlertStanding,
    AlertState,
    Notification,
    Silence,
    Subject,
    alert_id,
    identity,
    notification_id,
    standing,
    subject,
)

__all__ = [
    "Acknowledgement",
    "Alert",
    "AlertEvent",
    "AlertKind",
    "AlertPolicy",
    "AlertStanding",
    "AlertState",
    "Notice",
    "Notification",
    "Outcome",
    "Silence",
    "Subject",
    "Transition",
    "alert_id",
    "flap_window_s",
    "identity",
    "notification_id",
    "of_a_judge",
    "opening",
    "repetition",
    "resolution",
    "standing",
    "subject",
    "transitions",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished run as the alerts see it.

    ``verdict`` is the run's, ``onset_run`` the first bad run as far as it is known. ``unmeasured_runs``
    counts the target's inconclusive runs in a row, this one included (0 if this one was measured);
    ``last_measured_at`` is the start of the last run that was measured, None if there was none, and
    ``interval_s`` the schedule's interval, None where there is none to speak of. ``answered``: the
    endpoint answered, though the run may be inconclusive since no judge can be trusted.
    """

    target: str
    run: int
    started_at: float
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    onset_run: int | None = None
    unmeasured_runs: int = 0
    last_measured_at: float | None = None
    interval_s: float | None = None
    answered: bool = False

    @property
    def measured(self) -> bool:
        """True if the run could be judged."""
        return self.verdict is not Verdict.INCONCLUSIVE

    @property
    def regressed(self) -> tuple[Finding, ...]:
        """The regressed findings; none where the run was not measured."""
        if not self.measured:
            return ()
        return tuple(f for f in self.findings if f.verdict is Verdict.REGRESSED)


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody must be told of this event of this alert."""

    event: AlertEvent
    alert: Alert


@dataclass(frozen=True, slots=True)
class Transition:
    """``alerts`` are those that were opened or changed; ``messages`` say who must be told what, in order."""

    alerts: tuple[Alert, ...] = ()
    messages: tuple[Notice, ...] = ()


def transitions(
    previous: Sequence[Alert],
    outcome: Outcome,
    now: float,
    policy: AlertPolicy,
    silences: Sequence[Silence] = (),
) -> Transition:
    """What one finished run does to its target's alerts.

    Args:
        previous: The target's alerts: the firing ones, and those that were resolved lately, to see flapping. A run
            that they have already seen (``updated_run``) changes nothing.
        outcome: The run.
        now: When it is judged, in seconds since 1970.
        policy: When to speak.
        silences: What is to be kept quiet.

    Returns:
        The alerts to write and the messages to send. Alerts that stay as they are, are left out.
    """
    steps = [
        step
        for kind, decide in (
            (AlertKind.OUTAGE, _outage),
            (AlertKind.JUDGE, _judge),
            (AlertKind.REGRESSION, _regression),
        )
        if (step := _step(kind, decide, previous, outcome, now, policy, silences)) is not None
    ]
    return Transition(
        alerts=tuple(notice.alert for notice, _ in steps),
        messages=tuple(notice for notice, told in steps if told),
    )


class _Do(StrEnum):
    """What to do with the alert of one kind."""

    NOTHING = "nothing"
    FIRE = "fire"
    RESOLVE = "resolve"


_Decision: TypeAlias = "Callable[[Alert | None, Outcome, AlertPolicy], _Do]"


def flap_window_s(policy: AlertPolicy, interval_s: float | None) -> float:
    """How far back openings count: the policy's window, or ten intervals where that is longer.

    >>> flap_window_s(AlertPolicy(), 3600.0), flap_window_s(AlertPolicy(), 86400.0)
    (86400.0, 864000.0)
    """
    return max(policy.flap_window_s, 10 * (interval_s or 0.0))


def _regression(firing: Alert | None, outcome: Outcome, _policy: AlertPolicy) -> _Do:
    if not outcome.measured:
        return _Do.NOTHING
    if outcome.regressed:
        return _Do.FIRE
    if firing is None:
        return _Do.NOTHING
    unmeasured = {subject(f) for f in outcome.findings if f.verdict is Verdict.INCONCLUSIVE}
    still_dark = any(subject(f) in unmeasured for f in firing.findings)
    return _Do.NOTHING if still_dark else _Do.RESOLVE


def _judge(firing: Alert | None, outcome: Outcome, _policy: AlertPolicy) -> _Do:
    found = [f for f in outcome.findings if f.check == "judge_drift"]
    if any(of_a_judge(f) for f in found):
        return _Do.FIRE
    if firing is None or not (outcome.measured or outcome.answered):
        return _Do.NOTHING
    return _Do.NOTHING if any(f.verdict is Verdict.INCONCLUSIVE for f in found) else _Do.RESOLVE


def of_a_judge(finding: Finding) -> bool:
    """Whether a judge changed, or gave no verdicts in several runs."""
    inconclusive = finding.check == "judge_drift" and finding.verdict is Verdict.INCONCLUSIVE
    return inconclusive and finding.onset_run is not None


def _outage(firing: Alert | None, outcome: Outcome, policy: AlertPolicy) -> _Do:
    if outcome.measured or outcome.answered:
        return _Do.RESOLVE if firing else _Do.NOTHING
    dark_s = None if outcome.last_measured_at is None else outcome.started_at - outcome.last_measured_at
    overdue = (
        dark_s is not None
        and outcome.interval_s is not None
        and dark_s >= policy.outage_after * outcome.interval_s
    )
    if firing or overdue or outcome.unmeasured_runs >= policy.outage_after:
        return _Do.FIRE
    return _Do.NOTHING


def _step(
    kind: AlertKind,
    decide: _Decision,
    previous: Sequence[Alert],
    outcome: Outcome,
    now: float,
    policy: AlertPolicy,
    silences: Sequence[Silence],
) -> tuple[Notice, bool] | None:
    """The alert of one kind after this run with its event, and whether anyone is told."""
    own = [a for a in previous if a.target == outcome.target and a.kind is kind]
    if any(a.updated_run is not None and a.updated_run >= outcome.run for a in own):
        return None
    firing = max((a for a in own if a.state is AlertState.FIRING), key=lambda a: a.updated_at, default=None)
    do = decide(firing, outcome, policy)
    if do is _Do.NOTHING:
        return None
    window_s = flap_window_s(policy, outcome.interval_s)
    if firing is None:
        before = sum(now - a.opened_at < window_s for a in own)
        flapping = before + 1 >= policy.flap_openings
        return opening(replace(_opened(kind, outcome, now), flapping=flapping), now, policy, silences)
    if do is _Do.RESOLVE:
        if firing.flapping and now - _bad_at(firing) < window_s / 4:
            return None
        return resolution(_resolved(firing, outcome, now), policy)
    refreshed = _refreshed(firing, outcome, now)
    if _answers_too(firing, refreshed):
        told = policy.notify and not _silent(refreshed, silences, now)
        again = replace(refreshed, notified_at=now, repeats=refreshed.repeats + 1) if told else refreshed
        return Notice(AlertEvent.REPEATED, again), told
    return repetition(refreshed, now, policy, silences)


def _answers_too(before: Alert, after: Alert) -> bool:
    """Whether an alert that people were told of as slower, or longer, is now about wrong answers as well."""
    if before.notified_at is None:
        return False
    was, now = ({f.check for f in alert.findings} for alert in (before, after))
    return bool(now & OF_ANSWERS) and not was & OF_ANSWERS


def opening(
    alert: Alert, now: float, policy: AlertPolicy, silences: Sequence[Silence]
) -> tuple[Notice, bool]:
    """A new alert, and whether anyone is told: not where it is silenced, or where Prometheus pages."""
    told = policy.notify and not _silent(alert, silences, now)
    return Notice(AlertEvent.FIRING, replace(alert, notified_at=now if told else None)), told


def repetition(
    alert: Alert, now: float, policy: AlertPolicy, silences: Sequence[Silence]
) -> tuple[Notice, bool]:
    """A standing alert, and whether anyone is told again; or for the first time, if nobody could be told before."""
    told = policy.notify and not _silent(alert, silences, now)
    if alert.notified_at is None:
        return Notice(AlertEvent.FIRING, replace(alert, notified_at=now if told else None)), told
    due = now - alert.notified_at >= policy.repeat_every_s
    if not (told and due) or alert.acknowledgement is not None:
        return Notice(AlertEvent.REPEATED, alert), False
    return Notice(AlertEvent.REPEATED, replace(alert, notified_at=now, repeats=alert.repeats + 1)), True


def resolution(alert: Alert, policy: AlertPolicy) -> tuple[Notice, bool]:
    """An alert that is over. Who was told of it is told this too, silence or not; nobody else is."""
    return Notice(AlertEvent.RESOLVED, alert), policy.notify and alert.notified_at is not None


def _silent(alert: Alert, silences: Sequence[Silence], now: float) -> bool:
    return any(silence.covers(alert.target, alert.id, now) for silence in silences)


def _bad_at(alert: Alert) -> float:
    return alert.updated_at if alert.bad_at is None else alert.bad_at


def _opened(kind: AlertKind, outcome: Outcome, now: float) -> Alert:
    return Alert(
        id=alert_id(outcome.target, kind, outcome.run, outcome.started_at),
        target=outcome.target,
        kind=kind,
        state=AlertState.FIRING,
        severity=outcome.severity,
        opened_at=now,
        opened_run=outcome.run,
        updated_at=now,
        updated_run=outcome.run,
        onset_run=outcome.onset_run if kind is AlertKind.REGRESSION else None,
        labels=dict(outcome.labels),
        findings=_inside(kind, outcome),
        bad_at=now,
        identity=identity(outcome.severity, outcome.labels),
    )


def _refreshed(alert: Alert, outcome: Outcome, now: float) -> Alert:
    onset_run = outcome.onset_run if alert.kind is AlertKind.REGRESSION else None
    return replace(
        alert,
        severity=outcome.severity,
        labels=dict(outcome.labels),
        updated_at=now,
        updated_run=outcome.run,
        onset_run=alert.onset_run if onset_run is None else onset_run,
        findings=_inside(alert.kind, outcome),
        bad_at=now,
    )


def _resolved(alert: Alert, outcome: Outcome, now: float) -> Alert:
    """The alert, over; its findings are those of this run on the subjects that had regressed."""
    subjects = {subject(f) for f in alert.findings}
    return replace(
        alert,
        state=AlertState.RESOLVED,
        updated_at=now,
        updated_run=outcome.run,
        resolved_at=now,
        findings=tuple(f for f in outcome.findings if subject(f) in subjects),
    )


def _inside(kind: AlertKind, outcome: Outcome) -> tuple[Finding, ...]:
    if kind is AlertKind.REGRESSION:
        return outcome.regressed
    if kind is AlertKind.JUDGE:
        return tuple(f for f in outcome.findings if of_a_judge(f))
    return tuple(f for f in outcome.findings if f.check == "availability")
