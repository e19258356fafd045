"""How far apart are a schedule's runs, as rules about overdue targets need it?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.config import Schedule
from service.daemon.facts import interval_s
from service.schedule import last_tick

HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_an_interval_is_itself() -> None:
    """``every`` needs no clock; a cron without one is unknown."""
    assert interval_s(Schedule(every="90m"), None) == 1.5 * HOUR
    assert interval_s(Schedule(cron="0 * * * *"), None) is None


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2026-11-16T12:00", 72),  # Monday: Friday's gap is behind it
        ("2026-11-17T12:00", 72),
        ("2026-11-19T12:00", 24),
        ("2026-11-21T12:00", 72),  # Saturday: nothing is due before Monday
    ],
)
def test_a_cron_of_weekdays_minds_the_weekend(now: str, hours: float) -> None:
    """The longest gap of the one around now and the two before it."""
    assert interval_s(Schedule(cron="0 9 * * 1-5"), at(now)) == hours * HOUR


@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 9 * * 1-5", "0 9,10,17 * * *", "0 0 1 * *", "30 2 * * *"])
def test_a_healthy_cron_is_never_overdue(cron: str) -> None:
    """Whenever one asks, even the run of the tick before the last is younger than two and a half intervals."""
    schedule = Schedule(cron=cron, timezone="Europe/Berlin")
    for day in range(0, 400, 3):
        now = at("2026-01-01T00:00") + day * 86_400 + day * 1_237
        newest = last_tick(schedule, now)
        assert newest is not None
        before = last_tick(schedule, newest - 1)
        assert before is not None
        assert now - before <= 2.5 * (interval_s(schedule, now) or 0)
