"""When is a target due? Pure ticks: multiples of the interval since 1970, or cron.

A tick is the time that a run is scheduled for, not when it happens to start: after a pause the newest missed
tick is run once, and the database lets one scheduled time have one run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from service.config import Schedule

_BACK_S = tuple(days * 86_400 for days in (1 / 24, 1, 32, 366, 1500))
"""How far back a cron's newest tick is looked for, at first near, in seconds."""


_NEAR = timedelta(hours=3)
"""No clock is put forward or back by more than this."""


def next_tick(schedule: Schedule, after: float) -> float | None:
    """The first tick later than ``after``, seconds since 1970; None if a cron never comes again.

    A cron in a time zone with daylight saving ticks at every hour that the clock shows: twice in an hour that
    comes twice. A time that the clock leaves out comes as much later as the clock was put forward.

    >>> from service.config import Schedule
    >>> next_tick(Schedule(every="1h"), after=7200.0)
    10800.0
    """
    if schedule.every_s is not None:
        return (_passed(after, schedule.every_s) + 1) * schedule.every_s
    return _Cron(schedule).next(math.floor(after) + 1)


def last_tick(schedule: Schedule, now: float) -> float | None:
    """The newest tick at or before ``now``; None if a cron had none in the last four years.

    >>> from service.config import Schedule
    >>> last_tick(Schedule(every="1h"), now=7300.0)
    7200.0
    """
    if schedule.every_s is not None:
        return _passed(now, schedule.every_s) * schedule.every_s
    cron = _Cron(schedule)
    for back_s in _BACK_S:
        found, tick = None, cron.next(math.floor(now - back_s))
        while tick is not None and tick <= now:
            found, tick = tick, cron.next(math.floor(tick) + 1)
        if found is not None:
            return found
    return None


def due(schedule: Schedule, last_scheduled_at: float | None, *, ran: bool, now: float) -> float | None:
    """The tick that should be run now, or None.

    However many ticks were missed, only the newest is due. A schedule that never made a run is due at once.

    Args:
        schedule: the target's.
        last_scheduled_at: the newest scheduled time that has had its run.
        ran: whether the target ever ran, for a cron whose first tick is still to come.
        now: seconds since 1970.
    """
    tick = last_tick(schedule, now)
    if tick is None:
        return now if not ran else None
    if last_scheduled_at is not None:
        return tick if tick > last_scheduled_at else None
    return tick


def trigger(schedule: Schedule) -> Any:
    """An APScheduler trigger that fires at the schedule's ticks, and after a pause only at the next one."""
    from apscheduler.triggers.base import BaseTrigger  # noqa: PLC0415  # only the daemon needs it

    class Ticks(BaseTrigger):  # type: ignore[misc]  # untyped
        def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
            after = now if previous is None else max(previous, now)
            tick = next_tick(schedule, after.timestamp())
            return None if tick is None else datetime.fromtimestamp(tick, UTC)

    return Ticks()


def _passed(at: float, every_s: float) -> int:
    """How many whole intervals lie between 1970 and ``at``, whatever the division rounds to."""
    count = math.floor(at / every_s)
    while count * every_s > at:
        count -= 1
    while (count + 1) * every_s <= at:
        count += 1
    return count


class _Cron:
    """A crontab line on the wall clock of its time zone.

    APScheduler finds the next time on a clock without daylight saving, and what that time is in UTC is found here:
    its own arithmetic in local time leaves out the first of April in Berlin, and turns back in the hour that comes
    twice.
    """

    def __init__(self, schedule: Schedule) -> None:
        from service.config import cron  # noqa: PLC0415  # only cron schedules need it

        self._wall = cron.trigger(schedule.cron or "", "UTC")
        self._zone = ZoneInfo(schedule.timezone or "UTC")

    def next(self, from_s: int) -> float | None:
        """The first tick at or after a whole second; None if there is none."""
        shown = datetime.fromtimestamp(from_s, self._zone).replace(tzinfo=None, fold=0)
        if self._changes_near(from_s):
            shown -= _NEAR
        found: float | None = None
        while (wall := self._next_on_the_wall(shown)) is not None:
            for at in self._instants(wall):
                if at >= from_s and (found is None or at < found):
                    found = at
            if found is not None and not self._changes_near(found):
                return found
            if (
                found is not None
                and wall - datetime.fromtimestamp(found, self._zone).replace(tzinfo=None) > _NEAR
            ):
                return found
            shown = wall + timedelta(seconds=1)
        return found

    def _next_on_the_wall(self, shown: datetime) -> datetime | None:
        tick: datetime | None = self._wall.get_next_fire_time(None, shown.replace(tzinfo=UTC))
        return None if tick is None else tick.replace(tzinfo=None)

    def _instants(self, wall: datetime) -> Iterator[float]:
        """When the clock shows this time: once, or twice; a time that it leaves out, as much later as it jumps."""
        first = wall.replace(tzinfo=self._zone)
        yield first.timestamp()
        again = first.replace(fold=1).timestamp()
        if datetime.fromtimestamp(again, self._zone).replace(tzinfo=None, fold=0) == wall:
            yield again

    def _changes_near(self, at: float) -> bool:
        moment = datetime.fromtimestamp(at, UTC)
        before, after = ((moment + shift).astimezone(self._zone).utcoffset() for shift in (-_NEAR, _NEAR))
        return before != after
