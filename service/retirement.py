"""When is a target's model switched off, and how near is that? Pure.

A fine-tuned model lives on a base model that its provider retires. The date is what the configuration says
(``retires_on``), else what the provider's model list said in the newest run that read it. The moment is the start of
that day (UTC): the last day on which the model surely answers is the one before.

Three thresholds, each told once: 90, 30 and 7 days. The numbers are those of certificate expiry's habits, stretched to
what a new fine-tune takes: data, training, an evaluation, a roll-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil

from service.records import RunRecord

DAY_S = 86_400.0

STAGES = ((7, "critical"), (30, "warning"), (90, "info"))
"""Days left, and the severity from there on; nearest first."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """When the model goes, in seconds since 1970, and who says so: ``configuration`` or ``provider``."""

    at: float
    said_by: str

    @property
    def day(self) -> str:
        """The date (UTC), as ``2027-01-15``."""
        return datetime.fromtimestamp(self.at, UTC).date().isoformat()


def start_of(day: date) -> float:
    """The start of a day (UTC) in seconds since 1970.

    >>> start_of(date(1970, 1, 2))
    86400.0
    """
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def retirement(configured: date | None, listed_at: float | None) -> Retirement | None:
    """When the model retires: the configured date, else the listed moment; None if nobody says."""
    if configured is not None:
        return Retirement(start_of(configured), "configuration")
    return None if listed_at is None else Retirement(listed_at, "provider")


def listed_at(*newest_first: RunRecord | None) -> float | None:
    """What the provider's list said in the newest of these runs in which the server said what it is; None: nothing."""
    served = next((run.served for run in newest_first if run is not None and run.served is not None), None)
    return None if served is None else served.retires_at


def days_left(at: float, now: float) -> int:
    """Whole days until then, begun ones counted; 0 on the day itself and later.

    >>> days_left(10 * DAY_S, now=8.5 * DAY_S), days_left(0.0, now=5.0)
    (2, 0)
    """
    return max(ceil((at - now) / DAY_S), 0)


def in_words(found: Retirement, now: float) -> str:
    """When the model goes, for a person.

    >>> in_words(Retirement(52 * DAY_S, "provider"), now=0.0)
    'retires in 52 days'
    """
    left = days_left(found.at, now)
    if found.at <= now:
        return f"retired on {found.day}"
    return f"retires in {left} day{'' if left == 1 else 's'}"


def stage(found: Retirement, now: float) -> tuple[int, str] | None:
    """The threshold that has been crossed, in days, and its severity; None while more than 90 days are left.

    >>> stage(Retirement(40 * DAY_S, "configuration"), now=0.0)
    (90, 'info')
    >>> stage(Retirement(40 * DAY_S, "configuration"), now=33.5 * DAY_S)
    (7, 'critical')
    """
    return next(((days, severity) for days, severity in STAGES if found.at - now <= days * DAY_S), None)


def told(found: Retirement, now: float) -> tuple[str, str] | None:
    """What to tell now and how urgent it is; None while there is time. The words change with the threshold only."""
    reached = stage(found, now)
    if reached is None:
        return None
    days, severity = reached
    by = "retires_on" if found.said_by == "configuration" else "the provider's model list"
    if found.at <= now:
        return f"its model retired on {found.day}, says {by}", severity
    return f"its model retires on {found.day}: {days} days or less are left, says {by}", severity
