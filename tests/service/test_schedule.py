"""When is a target due? Ticks of intervals and crons, through pauses, daylight saving and month ends."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.config import Schedule
from service.schedule import due, last_tick, next_tick, trigger

BERLIN = ZoneInfo("Europe/Berlin")
CRONS = [
    "* * * * *",
    "0 * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 9 * * 1-5",
    "15 23 31 * *",
    "0 0 1 * *",
    "0 0 1 1 *",
    "0,59 2,3 * * *",
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]

times = st.floats(min_value=0, max_value=4e9, allow_nan=False)
intervals = st.one_of(
    st.integers(1, 366 * 86_400).map(lambda s: Schedule(every=f"{s}s")),
    st.integers(1000, 10_000_000).map(lambda ms: Schedule(every=f"{ms}ms")),
)
crons = st.builds(
    lambda line, zone: Schedule(cron=line, timezone=zone), st.sampled_from(CRONS), st.sampled_from(ZONES)
)
schedules = st.one_of(intervals, crons)


def berlin(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def shown(schedule: Schedule, after: float, count: int) -> list[str]:
    """The next ticks as the clock on a Berlin wall shows them."""
    ticks = []
    for _ in range(count):
        tick = next_tick(schedule, after)
        assert tick is not None
        ticks.append(datetime.fromtimestamp(tick, BERLIN).strftime("%d %H:%M%z"))
        after = tick
    return ticks


@given(schedules, times)
@settings(max_examples=300, deadline=None)
def test_ticks_surround_now(schedule: Schedule, now: float) -> None:
    """The last tick is at or before now, the next is after it, and no tick lies between the two."""
    last, following = last_tick(schedule, now), next_tick(schedule, now)
    assert following is not None
    assert following > now
    if last is not None:
        assert last <= now
        assert next_tick(schedule, last) == following
    assert last_tick(schedule, following) == following


@given(schedules, times, st.floats(0, 1e8))
@settings(max_examples=200, deadline=None)
def test_ticks_never_turn_back(schedule: Schedule, now: float, later_s: float) -> None:
    """A later time never has an earlier next tick."""
    first, second = next_tick(schedule, now), next_tick(schedule, now + later_s)
    assert first is not None
    assert second is not None
    assert first <= second


@given(intervals, st.integers(0, 10**6))
def test_an_interval_ticks_at_its_multiples(schedule: Schedule, number: int) -> None:
    """``every`` ticks at multiples of the interval since 1970, whatever a division would round to."""
    assert schedule.every_s is not None
    tick = number * schedule.every_s
    assert last_tick(schedule, tick) == tick
    assert last_tick(schedule, math.nextafter(tick, math.inf)) == tick
    assert next_tick(schedule, tick) == (number + 1) * schedule.every_s


@given(schedules, times, st.floats(0, 1e8))
@settings(max_examples=200, deadline=None)
def test_a_long_pause_makes_one_tick_due(schedule: Schedule, start: float, pause_s: float) -> None:
    """After a pause of any length exactly one tick is due, the newest; once it had its run, none is."""
    began = due(schedule, None, ran=False, now=start)
    assert began is not None
    now = start + pause_s
    tick = due(schedule, began, ran=True, now=now)
    following = next_tick(schedule, began)
    if following is None or following > now:
        assert tick is None
        return
    assert tick is not None
    assert began < tick <= now
    assert due(schedule, tick, ran=True, now=now) is None
    after = next_tick(schedule, tick)
    assert after is not None
    assert after > now
    assert due(schedule, tick, ran=True, now=after) == after


@given(schedules, times)
@settings(max_examples=200, deadline=None)
def test_a_target_that_never_ran_starts_at_once(schedule: Schedule, now: float) -> None:
    """Where nothing ever ran something is due now, and no second run follows before the next tick."""
    tick = due(schedule, None, ran=False, now=now)
    assert tick is not None
    assert tick <= now
    assert due(schedule, tick, ran=True, now=now) is None


def test_a_cron_whose_first_tick_is_to_come_waits_once_it_ran() -> None:
    """A cron that had no tick in years starts at once, and after any run waits for its tick."""
    never = Schedule(cron="0 0 30 2 *")
    assert next_tick(never, 1e9) is None
    assert due(never, None, ran=False, now=1e9) == 1e9
    assert due(never, None, ran=True, now=1e9) is None


def test_a_shorter_interval_is_due_at_its_own_tick() -> None:
    """A changed schedule goes on from what the old one ran, with neither a lost nor a doubled tick."""
    assert due(Schedule(every="5m"), 36_000.0, ran=True, now=36_299.0) is None
    assert due(Schedule(every="5m"), 36_000.0, ran=True, now=36_300.0) == 36_300.0
    assert due(Schedule(every="1d"), 90_000.0, ran=True, now=100_000.0) is None


def test_a_clock_that_is_set_back_makes_nothing_due() -> None:
    """When the clock goes back no scheduled time comes a second time."""
    assert due(Schedule(every="1h"), 7200.0, ran=True, now=5000.0) is None


def test_hourly_through_the_autumn_night() -> None:
    """In the hour that comes twice an hourly cron ticks twice, an hour apart, as an interval does."""
    hourly = Schedule(cron="0 * * * *", timezone="Europe/Berlin")
    after = berlin("2026-10-25T01:30")
    assert shown(hourly, after, 4) == ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100", "25 04:00+0100"]
    assert shown(Schedule(every="1h"), after, 4) == shown(hourly, after, 4)


def test_hourly_through_the_spring_night() -> None:
    """An hour that the clock leaves out is not run; the ticks stay an hour apart."""
    hourly = Schedule(cron="0 * * * *", timezone="Europe/Berlin")
    after = berlin("2026-03-29T00:30")
    assert shown(hourly, after, 3) == ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]


def test_a_daily_time_that_the_clock_leaves_out_still_comes() -> None:
    """A daily cron at a time that does not exist in the spring night ticks an hour later, once."""
    daily = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    after = berlin("2026-03-28T12:00")
    assert shown(daily, after, 3) == ["29 03:30+0200", "30 02:30+0200", "31 02:30+0200"]


def test_a_daily_time_outside_the_changed_hour_keeps_to_the_wall_clock() -> None:
    """A daily cron at nine is at nine on both sides of a change, whatever that is in UTC."""
    daily = Schedule(cron="0 9 * * *", timezone="Europe/Berlin")
    assert shown(daily, berlin("2026-10-24T00:00"), 3) == ["24 09:00+0200", "25 09:00+0100", "26 09:00+0100"]
    assert shown(daily, berlin("2026-03-28T00:00"), 3) == ["28 09:00+0100", "29 09:00+0200", "30 09:00+0200"]


def test_the_first_of_each_month_comes_in_every_month() -> None:
    """A monthly cron leaves no month out, whichever of them the clocks change in."""
    monthly = Schedule(cron="0 0 1 * *", timezone="Europe/Berlin")
    for day in range(1, 366, 5):
        after = datetime(2026, 1, 1, 12, tzinfo=BERLIN) + timedelta(days=day)
        expected = datetime(after.year + after.month // 12, after.month % 12 + 1, 1, tzinfo=BERLIN)
        assert next_tick(monthly, after.timestamp()) == expected.timestamp()


@pytest.mark.parametrize("day", ["2026-10-25", "2026-03-29"])
def test_the_last_tick_is_found_all_through_a_change(day: str) -> None:
    """Minute by minute through both nights of change the last tick is the newest of those that came."""
    half_hourly = Schedule(cron="*/30 * * * *", timezone="Europe/Berlin")
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC).timestamp()
    for minute in range(0, 240, 7):
        now = start + minute * 60
        assert last_tick(half_hourly, now) == start + minute // 30 * 1800


def test_month_ends() -> None:
    """The 31st comes only in months that have one, and the 29th of February in leap years."""
    after = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert shown(Schedule(cron="0 12 31 * *"), after, 3) == [
        "31 13:00+0100",
        "31 14:00+0200",
        "31 14:00+0200",
    ]
    leap = next_tick(Schedule(cron="0 0 29 2 *"), after)
    assert leap == datetime(2028, 2, 29, tzinfo=UTC).timestamp()
    before_leap_day = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert (
        last_tick(Schedule(cron="0 0 29 2 *"), before_leap_day)
        == datetime(2024, 2, 29, tzinfo=UTC).timestamp()
    )


def test_the_trigger_fires_at_the_ticks() -> None:
    """APScheduler is given the same ticks, and after a pause the next one only."""
    hourly = trigger(Schedule(every="1h"))
    now = datetime(2026, 5, 1, 10, 20, tzinfo=UTC)
    first = hourly.get_next_fire_time(None, now)
    assert first == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert hourly.get_next_fire_time(first, first) == first + timedelta(hours=1)
    assert hourly.get_next_fire_time(first, first + timedelta(hours=5, minutes=1)) == first + timedelta(
        hours=6
    )
    assert trigger(Schedule(cron="0 0 30 2 *")).get_next_fire_time(None, now) is None
