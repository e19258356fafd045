"""When is a target due? Pure ticks: multiples of the interval since 1970, or cron.

A tick is the time that a run is scheduled for, not when it happens to start: after a pause the newest missed
tick is run once, and the database lets one scheduled time have one run.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.config import Schedule

_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366), timedelta(days=1500))


def next_tick(schedule: Schedule, after: float) -> float | None:
    """The first tick later than ``after``, seconds since 1970; None if a cron never comes again.

    >>> from service.config import Schedule
    >>> next_tick(Schedule(every="1h"), after=7200.0)
    10800.0
    """
    if schedule.every_s is not None:
        return (math.floor(after / schedule.every_s) + 1) * schedule.every_s
    found = _trigger(schedule).get_next_fire_time(None, _moment(after) + timedelta(microseconds=1))
    return None if found is None else float(found.timestamp())


def last_tick(schedule: Schedule, now: float) -> float | None:
    """The newest tick at or before ``now``; None if a cron had none in the last four years.

    >>> from service.config import Schedule
    >>> last_tick(Schedule(every="1h"), now=7300.0)
    7200.0
    """
    if schedule.every_s is not None:
        return math.floor(now / schedule.every_s) * schedule.every_s
    trigger, end = _trigger(schedule), _moment(now)
    for back in _BACK:
        found, tick = None, trigger.get_next_fire_time(None, end - back)
        while tick is not None and tick <= end:
            found, tick = tick, trigger.get_next_fire_time(tick, tick + timedelta(microseconds=1))
        if found is not None:
            return float(found.timestamp())
    return None


def due(schedule: Schedule, last_scheduled_at: float | None, *, ran: bool, now: float) -> float | None:
    """The tick that should be run now, or None.

    Args:
        schedule: the target's.
        last_scheduled_at: the newest scheduled time that has had its run.
        ran: whether the target ever ran; one that never did starts at once.
        now: seconds since 1970.
    """
    tick = last_tick(schedule, now)
    if tick is None:
        return now if not ran else None
    if last_scheduled_at is not None:
        return tick if tick > last_scheduled_at else None
    return tick


def trigger(schedule: Schedule) -> Any:
    """An APScheduler trigger that fires at the schedule's ticks."""
    if schedule.cron is not None:
        return _trigger(schedule)
    from apscheduler.triggers.base import BaseTrigger  # noqa: PLC0415  # only the daemon needs it

    class Aligned(BaseTrigger):  # type: ignore[misc]  # untyped
        def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
            after = now if previous is None else max(previous, now - timedelta(microseconds=1))
            tick = next_tick(schedule, after.timestamp())
            return None if tick is None else _moment(tick)

    return Aligned()


def _trigger(schedule: Schedule) -> Any:
    from service.config import cron  # noqa: PLC0415  # only cron schedules need it

    return cron.trigger(schedule.cron or "", schedule.timezone)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
