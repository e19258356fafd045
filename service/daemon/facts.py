"""What are metrics and pages told of the configuration? Each target's facts, without secrets."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from service.config.durations import format_duration
from service.facts import TargetFacts
from service.schedule import last_tick, next_tick

if TYPE_CHECKING:
    from service.config import Schedule, Target


def facts_of(
    target: Target, trouble: str | None = None, *, pager: str = "goldwatch", now: float | None = None
) -> TargetFacts:
    """A target as it is configured.

    Args:
        target: what the configuration says.
        trouble: why it cannot be run as it stands.
        pager: the side that pages for it.
        now: seconds since 1970; without it a cron's interval is unknown.
    """
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
        interval_s=interval_s(target.schedule, now),
        baseline_runs=target.baseline.runs,
        floors={s.scorer_name: s.min for s in target.scorers if s.min is not None},
        promises=target.promises.limits,
        trouble=trouble,
        pager=pager,
        tokens_per_day=target.limits.tokens_per_day,
        usd_per_day=target.limits.usd_per_day,
        retires_on=target.retires_on,
        traffic_window_s=None if target.traffic is None else target.traffic.window_s,
    )


def interval_s(schedule: Schedule, now: float | None) -> float | None:
    """The time between runs. A cron's is the longest of the gap around ``now`` and the two before it.

    So a run of Monday is not overdue because Friday's is three days old. None if a cron has no two ticks around.

    >>> from service.config import Schedule
    >>> interval_s(Schedule(cron="0 9 * * 1-5"), 1_794_830_400.0) / 3600  # Monday, 16 November 2026, noon
    72.0
    """
    if schedule.every_s is not None or now is None:
        return schedule.every_s
    return _cron_interval_s(schedule, int(now // 60))


@lru_cache(maxsize=1024)
def _cron_interval_s(schedule: Schedule, minute: int) -> float | None:
    at = minute * 60.0
    ticks = [next_tick(schedule, at)]
    for _ in range(3):
        ticks.append(last_tick(schedule, at))
        if ticks[-1] is None:
            break
        at = ticks[-1] - 1.0
    known = [tick for tick in ticks if tick is not None]
    return max((later - earlier for later, earlier in pairwise(known)), default=None)


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
