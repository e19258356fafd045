"""When does ``0 9 * * 1-5`` tick? As crontab says: Sunday is 0 and 7, Monday is 1.

APScheduler 3 counts weekdays from Monday = 0, so numbers are turned into names before it sees them. Classic cron
ticks when *either* the day of the month or the day of the week matches, APScheduler when both do; a line that
restricts both is refused rather than guessed at.
"""

from __future__ import annotations

import re
from typing import Any

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}


def cron_fields(line: str) -> dict[str, str]:
    """The five fields as keyword arguments of APScheduler's ``CronTrigger``.

    >>> cron_fields("30 9 * * 1-5")["day_of_week"]
    'mon,tue,wed,thu,fri'

    Raises:
        ValueError: it is not a line that cron and the scheduler read alike; the message says why.
    """
    parts = _MACROS.get(line.strip().lower(), line).split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{line!r} has {len(parts)} fields: write five (minute, hour, day of month, month, day of week), "
            "such as '0 * * * *'"
        )
    if parts[2] not in ("*", "?") and parts[4] not in ("*", "?"):
        raise ValueError(
            f"{line!r} restricts the day of the month and the day of the week: leave one of them *"
        )
    fields = {name: part.lower().replace("?", "*") for name, part in zip(_FIELDS, parts, strict=True)}
    fields["day_of_week"] = _weekdays(fields["day_of_week"])
    return fields


def trigger(line: str, timezone: str | None) -> Any:
    """APScheduler's trigger for a crontab line in an IANA time zone, UTC by default.

    Raises:
        ValueError: a field of the line cannot be read.
    """
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415  # only where a cron line is used

    return CronTrigger(**cron_fields(line), timezone=timezone or "UTC")


def check_cron(line: str) -> None:
    """Refuse a line that no scheduler could follow.

    Raises:
        ValueError: the message names the line and the fault.
    """
    cron_fields(line)
    try:
        trigger(line, None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{line!r} is not a cron line: {error}") from None


def check_timezone(name: str) -> None:
    """Refuse a time zone that the system does not know.

    Raises:
        ValueError: the message names the nearest known zones.
    """
    from difflib import get_close_matches  # noqa: PLC0415  # only where a time zone is set
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        zones = {zone.lower(): zone for zone in available_timezones()}
        near = get_close_matches(name.lower(), list(zones), n=3, cutoff=0.6)
        cities = [zone for low, zone in zones.items() if low.rpartition("/")[2] == name.strip().lower()]
        hints = list(dict.fromkeys([*sorted(cities), *(zones[low] for low in near)]))[:3]
        hint = f"; did you mean {' or '.join(map(repr, hints))}?" if hints else ", such as Europe/Berlin"
        raise ValueError(f"unknown time zone {name!r}: write an IANA name{hint}") from None


def _weekdays(text: str) -> str:
    """Numbers as names; a range is spelt out so that ``5-7`` and ``0-2`` may cross the week's end."""
    if text == "*":
        return text
    names: list[str] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\*|[a-z]{3}|[0-7])(?:-([a-z]{3}|[0-7]))?(?:/([1-9]))?", part)
        if match is None:
            raise ValueError(f"{part!r} is not a day of the week: write 0-7 (0 and 7 are Sunday) or mon-sun")
        first, last = _day(match[1]), _day(match[2] or match[1])
        if match[1] == "*":
            first, last = 0, 6
        elif match[2] is None and match[3]:
            last = 6
        if match[2] is not None and last < first:
            last += 7
        names += [_DAYS[day % 7] for day in range(first, last + 1, int(match[3] or 1))]
    return ",".join(dict.fromkeys(names))


def _day(text: str) -> int:
    if text == "*":
        return 0
    if text.isdigit():
        return int(text)
    if text not in _DAYS:
        raise ValueError(f"{text!r} is not a day of the week: write 0-7 (0 and 7 are Sunday) or mon-sun")
    return _DAYS.index(text)
