"""How are numbers and times said? Percent, points, counts, UTC times; the same everywhere on the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from service.text import safe

MINUS = "−"


def percent(ratio: float | None) -> str:
    """A score as a percentage.

    >>> percent(0.9431), percent(None)
    ('94.3%', 'unknown')
    """
    return "unknown" if ratio is None else f"{100 * ratio:.1f}%"


def points(change: float, *, unit: bool = True) -> str:
    """A change of a score in percentage points, with its sign.

    >>> points(-0.128), points(0.004, unit=False)
    ('−12.8 points', '+0.4')
    """
    text = f"{100 * change:+.1f}".replace("-", MINUS)
    text = text[1:] if float(f"{100 * change:.1f}") == 0 else text
    return f"{text} points" if unit else text


def count(number: float | None) -> str:
    """A count, short.

    >>> count(812), count(161_000), count(2_500_000), count(None)
    ('812', '161k', '2.5M', 'unknown')
    """
    if number is None:
        return "unknown"
    if number < 1000:
        return f"{number:g}"
    if number < 999_500:
        return f"{number / 1000:.3g}k"
    return f"{number / 1_000_000:.3g}M"


def usd(amount: float) -> str:
    """US dollars.

    >>> usd(0.0612), usd(0.00012), usd(1234.5)
    ('$0.06', '$0.00012', '$1,234.50')
    """
    return f"${amount:,.2f}" if amount >= 0.01 or amount == 0 else f"${amount:.2g}"


def epoch(value: Any) -> float | None:
    """Seconds since 1970 from a number or an ISO 8601 text; None where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def day(at: float) -> str:
    """A date in UTC.

    >>> day(1_731_542_400.0)
    '14 Nov 2024'
    """
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y}"


def clock(at: float, near: float | None = None) -> str:
    """A time in UTC; its date too, unless it is the day of ``near``.

    >>> clock(1_731_549_600.0, near=1_731_553_200.0), clock(1_731_549_600.0)
    ('02:00 UTC', '14 Nov 02:00 UTC')
    """
    moment = datetime.fromtimestamp(at, UTC)
    if near is not None and datetime.fromtimestamp(near, UTC).date() == moment.date():
        return f"{moment:%H:%M} UTC"
    return f"{moment.day} {moment:%b %H:%M} UTC"


def text_of(value: Any, limit: int) -> str:
    """Any JSON as one harmless line; a missing value is a dash."""
    if value is None:
        return "-"
    return safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)
