"""How long is ``90d``? Durations are a number and a unit: ``30s``, ``1.5h``.

A bare number is refused: whether ``timeout: 30`` means seconds or milliseconds is what people get wrong.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""Seconds in each unit."""

PATTERN = r"^\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)\s*$"
_DURATION = re.compile(PATTERN, re.ASCII)
_ALLOWED = "a number and one of ms, s, m, h, d, w, such as 30s or 1.5h"
_LONGEST_S = 100 * 365 * 86400.0
_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m",
    "minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d",
    "week": "w", "weeks": "w", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
}  # fmt: skip


def parse_duration(text: str) -> float:
    """The duration in seconds.

    >>> parse_duration("1.5h")
    5400.0

    Raises:
        ValueError: it is not a duration; the message says what is allowed and, where it can be told, what was meant.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write {_ALLOWED}{_meant(text)}")
    seconds = float(match[1]) * UNITS_S[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that :func:`parse_duration` reads back as the same number of seconds.

    >>> format_duration(5400), format_duration(90), format_duration(7776000), format_duration(0.25)
    ('1.5h', '1.5m', '90d', '250ms')
    """
    for unit in ("w", "d", "h", "m", "s", "ms"):
        number = f"{seconds / UNITS_S[unit]:g}"
        small = float(number) < 1 or len(number) > 4
        if unit != "w" and not small and parse_duration(number + unit) == seconds:
            return number + unit
    return f"{seconds:.12g}s"


def _meant(text: str) -> str:
    match = re.match(r"^\s*([0-9.]+)\s*([A-Za-z]+)\s*$", text)
    if match and (unit := _WORDS.get(match[2].lower())):
        return f"; did you mean {match[1] + unit!r}?"
    if match and match[2].lower() in UNITS_S:
        return f"; did you mean {match[1] + match[2].lower()!r}?"
    return ""


def _read(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise PydanticCustomError("duration", "{why}", {"why": str(error)}) from None
    why = f"a duration is {_ALLOWED}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        why = f"{value!r} has no unit: a duration is {_ALLOWED}"
    raise PydanticCustomError("duration", "{why}", {"why": why})


Duration = Annotated[
    float,
    BeforeValidator(_read),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": PATTERN, "examples": ["30s", "1.5h", "90d"]}, mode="validation"
    ),
]
"""A Pydantic field that is written as ``30s`` and held as seconds."""
