"""What are metrics and pages told of the configuration? Each target's facts, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from service.config.durations import format_duration
from service.facts import TargetFacts

if TYPE_CHECKING:
    from service.config import Schedule, Target


def facts_of(target: Target, trouble: str | None = None) -> TargetFacts:
    """A target as it is configured; ``trouble`` is why it cannot be run as it stands."""
    endpoint, reference = target.endpoint, target.reference
    return TargetFacts(
        name=target.name,
        severity=target.severity,
        labels=target.labels,
        kind=endpoint.kind,
        url=_plain(endpoint.url),
        model=endpoint.model_name,
        reference=reference.model_name if reference is not None else None,
        schedule=described(target.schedule),
        interval_s=target.schedule.every_s,
        baseline_runs=target.baseline.runs,
        floors={s.scorer_name: s.min for s in target.scorers if s.min is not None},
        trouble=trouble,
    )


def described(schedule: Schedule) -> str:
    """A schedule in words.

    >>> from service.config import Schedule
    >>> described(Schedule(every="1h")), described(Schedule(cron="0 9 * * 1", timezone="Europe/Berlin"))
    ('every 1h', 'cron 0 9 * * 1 Europe/Berlin')
    """
    if schedule.every_s is not None:
        return f"every {format_duration(schedule.every_s)}"
    return f"cron {schedule.cron} {schedule.timezone or 'UTC'}"


def _plain(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
