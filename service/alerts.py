"""What is an alert, and how does it stand? The words of alerts, silences and messages, without any decision.

An alert is one regression (or one outage) of one target from one onset, with its scorers and slices inside it. Who
is told what, and when, is decided in ``alerting.py``; what a message says, in ``message.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid5

from checks.types import Finding

if TYPE_CHECKING:
    from service.config.daemon_parts import Alerting

_NAMESPACE = UUID("5a2f4b1e-6f0c-5d3a-9a53-0d1b8a1f6c77")

OF_ANSWERS = frozenset({"quality", "floor", "adapter_applied"})
"""The checks that say that answers are wrong. A standing alert of others (slower, longer) says nothing of that."""

Subject: TypeAlias = tuple[str, str | None, str]
"""What a finding is about: check, scorer, slice."""


class AlertKind(StrEnum):
    """What the alert is about. An outage is never a regression."""

    REGRESSION = "regression"
    OUTAGE = "outage"
    WATCH = "watch"
    """The watch itself does not do its work; says nothing about any model."""
    JUDGE = "judge"
    """A judge changed, or gives no verdicts; says nothing about the model."""
    NOTICE = "notice"
    """Nothing is broken: something to plan for, as a model that its provider will switch off."""


class AlertState(StrEnum):
    """Where the alert is in its life."""

    FIRING = "firing"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What a notifier is told; the values are the webhook's ``event``."""

    FIRING = "alert.firing"
    REPEATED = "alert.repeated"
    ACKNOWLEDGED = "alert.acknowledged"
    """For notifiers that show who works on it; programs that read webhooks are not sent it."""
    RESOLVED = "alert.resolved"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody has seen the alert and sees to it: who says so, since when, and what they said."""

    by: str
    at: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of a target's alerts, or of one alert, until ``until``; ``ended_at`` if it was lifted before.

    ``alert_id`` is None where the whole target is silenced.
    """

    id: str
    target: str
    alert_id: str | None
    created_at: float
    until: float
    by: str
    reason: str
    ended_at: float | None = None

    def active(self, now: float) -> bool:
        """Whether it holds at ``now``."""
        return (
            self.created_at <= now < (self.until if self.ended_at is None else min(self.until, self.ended_at))
        )

    def covers(self, target: str, alert_id: str, now: float) -> bool:
        """Whether it keeps this alert of this target quiet at ``now``."""
        return self.target == target and self.alert_id in (None, alert_id) and self.active(now)


@dataclass(frozen=True, slots=True)
class Alert:
    """One regression or outage of one target from one onset, or one trouble of the watch itself.

    ``findings`` are those of ``updated_run``. The runs are None where no run told of it. ``topic`` tells the
    watch's own troubles apart. ``bad_at`` is when the newest bad run was judged. ``identity`` holds the severity and
    labels of the beginning, for receivers that know an alert by them; of a notice the severity of its newest stage.
    ``acknowledgement`` is kept by the store beside the alert, so that no run that is judged meanwhile overwrites it.
    """

    id: str
    target: str
    kind: AlertKind
    state: AlertState
    severity: str
    opened_at: float
    opened_run: int | None
    updated_at: float
    updated_run: int | None
    onset_run: int | None = None
    resolved_at: float | None = None
    notified_at: float | None = None
    repeats: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    topic: str = ""
    bad_at: float | None = None
    flapping: bool = False
    identity: Mapping[str, str] = field(default_factory=dict)
    acknowledgement: Acknowledgement | None = None


class AlertStanding(StrEnum):
    """What a person should make of an alert now, in one word."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"


def standing(alert: Alert, silences: Sequence[Silence], now: float) -> AlertStanding:
    """How an alert stands at ``now``: resolved, else silenced, else acknowledged, else firing."""
    if alert.state is AlertState.RESOLVED:
        return AlertStanding.RESOLVED
    if any(silence.covers(alert.target, alert.id, now) for silence in silences):
        return AlertStanding.SILENCED
    return AlertStanding.FIRING if alert.acknowledgement is None else AlertStanding.ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Notification:
    """One message in the outbox. ``id`` is stable over every attempt to deliver it.

    ``body`` is the webhook's versioned body with texts at the ``all`` level; a notifier shortens it
    to its own ``texts`` level when it sends. ``receipt`` is what the receiver called the first message about
    this alert, None where there is none.
    """

    id: str
    alert_id: str
    event: AlertEvent
    notifier: str
    body: Mapping[str, Any]
    created_at: float
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When to speak.

    ``notify`` is false where Prometheus owns the paging: alerts are kept and nobody is told. An alert flaps with its
    ``flap_openings``-th opening within ``flap_window_s``.
    """

    repeat_every_s: float = 4 * 3600.0
    outage_after: int = 2
    notify: bool = True
    flap_openings: int = 3
    flap_window_s: float = 86_400.0

    def __post_init__(self) -> None:
        if not self.repeat_every_s > 0:
            raise ValueError(f"repeat_every_s must be above 0, not {self.repeat_every_s!r}")
        if self.outage_after < 1:
            raise ValueError(f"outage_after must be at least 1, not {self.outage_after!r}")

    @classmethod
    def of(cls, alerting: Alerting) -> AlertPolicy:
        """What the configuration's ``alerting`` asks for."""
        return cls(
            repeat_every_s=alerting.repeat_every_s,
            outage_after=alerting.outage_after,
            notify=alerting.owner == "goldwatch",
        )


def alert_id(target: str, kind: AlertKind, opened_run: int, started_at: float) -> str:
    """The id of the alert that a run opens.

    The run's start is part of it, so that a store that was begun anew never repeats an id that a
    receiver has seen before.
    """
    return str(uuid5(_NAMESPACE, f"alert\0{target}\0{kind}\0{opened_run}\0{started_at!r}"))


def notification_id(alert: str, event: AlertEvent, run: int, notifier: str) -> str:
    """The id of the message about one event of one alert to one notifier."""
    return str(uuid5(_NAMESPACE, f"notification\0{alert}\0{event}\0{run}\0{notifier}"))


def subject(finding: Finding) -> Subject:
    """What a finding is about."""
    return finding.check, finding.scorer, finding.slice


def identity(severity: str, labels: Mapping[str, str]) -> dict[str, str]:
    """What a receiver that knows alerts by their labels knows this one by, from its first message to its last."""
    return {**labels, "severity": severity}
