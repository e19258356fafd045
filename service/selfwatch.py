"""Does the watch itself do its work? Pure transitions (alerts of kind ``watch``, troubles, now) -> alerts, messages.

A run that never starts, a golden set that was edited on disk, a notifier that delivers nothing: none of them says
anything about a model, and each would otherwise look like health. Each is an alert of its own kind, told once,
repeated like any other, and resolved when it is mended.

Notices (kind ``notice``) take the same way: a model that is switched off soon, one that no longer pays. They are told
once, and again when there is something new to say.

There is no run behind such an alert. Its one finding is inconclusive and holds the trouble in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from checks.types import ALL, Finding, Verdict
from service.alerting import (
    Alert,
    AlertKind,
    AlertPolicy,
    AlertState,
    Notice,
    Silence,
    Transition,
    identity,
    opening,
    repetition,
    resolution,
)
from service.schedule import next_tick

if TYPE_CHECKING:
    from service.config import Schedule

SERVICE = "goldwatch"
"""The target of what is the whole service's trouble."""

OVERDUE, GOLDEN_SET, RETIREMENT, TRAFFIC = "overdue", "golden_set", "retirement", "traffic"
OVERDUE_INTERVALS = 2
MIN_ATTEMPTS = 8
"""Attempts (over two minutes of them) after which a notifier is said to fail."""

_NAMESPACE = UUID("0c1f2f64-6a0e-5f57-8f2c-0f4f7ad1d7c0")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps the watch from its work, in one sentence about the target.

    ``topic`` tells a target's troubles apart. ``opens`` is false for what is bad enough to keep an alert that fires,
    and not to open one. ``once``: it is told again when its words change, and not by the clock.
    """

    target: str
    topic: str
    reason: str
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    opens: bool = True
    once: bool = False
    kind: AlertKind = AlertKind.WATCH


def overdue(schedule: Schedule, since: float, now: float) -> bool:
    """Whether no run has begun since ``since`` though one was due, and two more intervals have passed.

    >>> from service.config import Schedule
    >>> hourly = Schedule(every="1h")
    >>> overdue(hourly, since=36060.0, now=46799.0), overdue(hourly, since=36060.0, now=46800.0)
    (False, True)
    """
    tick: float | None = since
    for _ in range(1 + OVERDUE_INTERVALS):
        tick = None if tick is None else next_tick(schedule, tick)
    return tick is not None and tick <= now


def notifier_topic(name: str) -> str:
    """The topic of a notifier that fails."""
    return f"notifier:{name}"


def watch_transitions(
    previous: Sequence[Alert],
    troubles: Sequence[Trouble],
    now: float,
    policy: AlertPolicy,
    silences: Sequence[Silence] = (),
    kind: AlertKind = AlertKind.WATCH,
) -> Transition:
    """What the troubles of this moment do to the alerts of kind ``watch``, or of another kind.

    Args:
        previous: The firing alerts of that kind, of all targets.
        troubles: All of that kind that is wrong now; a firing alert whose trouble is not among them is mended.
        now: Seconds since 1970.
        policy: When to speak.
        silences: What is to be kept quiet.
        kind: Of what; troubles and alerts of other kinds are left alone.

    Returns:
        The alerts to write and the messages to send; nothing for what stands and need not be said again.
    """
    firing = {(a.target, a.topic): a for a in previous if a.kind is kind and a.state is AlertState.FIRING}
    steps: list[tuple[Notice, bool]] = []
    present: set[tuple[str, str]] = set()
    for trouble in troubles:
        key = (trouble.target, trouble.topic)
        if trouble.kind is not kind or key in present:
            continue
        present.add(key)
        standing = firing.get(key)
        if standing is None:
            if trouble.opens:
                steps.append(opening(_opened(trouble, now), now, policy, silences))
            continue
        refreshed = replace(standing, findings=_inside(trouble), severity=trouble.severity, bad_at=now)
        pace = policy
        if trouble.once:
            changed = standing.findings != refreshed.findings
            pace = replace(policy, repeat_every_s=math.ulp(0.0) if changed else math.inf)
            if changed:
                known_by = {**standing.identity, "severity": trouble.severity}
                refreshed = replace(refreshed, acknowledgement=None, identity=known_by)
        notice, told = repetition(replace(refreshed, updated_at=now), now, pace, silences)
        if told or standing.findings != refreshed.findings:
            steps.append((notice, told))
    for key, alert in firing.items():
        if key not in present:
            over = replace(alert, state=AlertState.RESOLVED, updated_at=now, resolved_at=now)
            steps.append(resolution(over, policy))
    return Transition(
        alerts=tuple(notice.alert for notice, _ in steps),
        messages=tuple(notice for notice, told in steps if told),
    )


def _opened(trouble: Trouble, now: float) -> Alert:
    return Alert(
        id=str(uuid5(_NAMESPACE, f"{trouble.target}\0{trouble.topic}\0{now!r}")),
        target=trouble.target,
        kind=trouble.kind,
        state=AlertState.FIRING,
        severity=trouble.severity,
        opened_at=now,
        opened_run=None,
        updated_at=now,
        updated_run=None,
        labels=dict(trouble.labels),
        findings=_inside(trouble),
        topic=trouble.topic,
        bad_at=now,
        identity=identity(trouble.severity, trouble.labels),
    )


def _inside(trouble: Trouble) -> tuple[Finding, ...]:
    return (Finding(trouble.kind.value, None, ALL, Verdict.INCONCLUSIVE, reason=trouble.reason),)
