"""Who must be told what, now? Pure transitions (previous alerts, this run, now) -> alerts and messages.

One alert is one regression (or one outage) of one target from one onset, with its scorers and slices
inside it. The transitions read no clock and no database; the store writes what they return in the
same transaction as the findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from checks.types import Finding


class AlertKind(StrEnum):
    """What the alert is about. An outage is never a regression."""

    REGRESSION = "regression"
    OUTAGE = "outage"


class AlertState(StrEnum):
    """Where the alert is in its life."""

    FIRING = "firing"
    RESOLVED = "resolved"


class AlertEvent(StrEnum):
    """What a notifier is told; the values are the webhook's ``event``."""

    FIRING = "alert.firing"
    REPEATED = "alert.repeated"
    RESOLVED = "alert.resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One regression or outage of one target from one onset. ``findings`` are those of ``updated_run``."""

    id: str
    target: str
    kind: AlertKind
    state: AlertState
    severity: str
    opened_at: float
    opened_run: int
    updated_at: float
    updated_run: int
    onset_run: int | None = None
    resolved_at: float | None = None
    notified_at: float | None = None
    repeats: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """One message in the outbox. ``id`` is stable over every attempt to deliver it.

    ``body`` is the webhook's versioned body with texts at the ``all`` level; a notifier shortens it
    to its own ``texts`` level when it sends.
    """

    id: str
    alert_id: str
    event: AlertEvent
    notifier: str
    body: Mapping[str, Any]
    created_at: float
