"""Durations, cron lines and hostile YAML."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import ConfigError, parse
from service.config.cron import cron_fields, trigger
from service.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("2d", 172800),
        ("1w", 604800),
        ("10m", 600),
        (" 5 m ", 300),
    ],
)
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    """Every unit of the contract."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "1h30m", "5 M", "1e3s", "٣s", "nan s", "5parsecs"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """No guessing."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.floats(0.001, 3e9))
def test_a_shown_duration_reads_back_as_itself(seconds: float) -> None:
    """What a message shows can be pasted into the file."""
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "sun"), ("7", "sun"), ("1-5", "mon,tue,wed,thu,fri"), ("5-7", "fri,sat,sun"), ("6-1", "sat,sun,mon"),
        ("mon-wed", "mon,tue,wed"), ("*/2", "sun,tue,thu,sat"), ("1,3", "mon,wed"), ("*", "*"), ("sun", "sun"),
        ("SUN", "sun"), ("1/2", "mon,wed,fri"),
    ],
)  # fmt: skip
def test_weekdays_count_as_crontab_counts_them(field: str, days: str) -> None:
    """Sunday is 0 and 7, not Monday."""
    assert cron_fields(f"0 9 * * {field}")["day_of_week"] == days


def test_a_cron_line_ticks_when_crontab_would() -> None:
    """``0 9 * * 1`` after Saturday 2024-06-01 is Monday the third, in the zone's own time."""
    after = datetime(2024, 6, 1, tzinfo=UTC)
    tick = trigger("0 9 * * 1", "Europe/Berlin").get_next_fire_time(None, after)
    assert tick.isoformat() == "2024-06-03T09:00:00+02:00"


@pytest.mark.parametrize("line", ["@daily", "@hourly", "*/5 * * * *", "0 0 1 * ?"])
def test_common_forms_are_understood(line: str) -> None:
    """Macros, steps and question marks."""
    assert trigger(line, None).get_next_fire_time(None, datetime(2024, 6, 1, tzinfo=UTC)) is not None


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_a_configuration_error(content: bytes) -> None:
    """Garbage is refused, never a traceback."""
    with pytest.raises(ConfigError):
        parse(content, Path("goldwatch.yaml"))


@given(st.text(alphabet="ab:-?&*![]{}<>|'\"#%@`, \n\t0_.~", max_size=200))
def test_no_yaml_raises_anything_but_a_configuration_error(text: str) -> None:
    """Nor do odd structures."""
    with pytest.raises(ConfigError):
        parse(text.encode(), Path("goldwatch.yaml"))


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"a: " + b"{a: " * 50_000,
        b"- " * 50_000 + b"x",
        "".join(f"k{i}: &a{i} [{'*a' + str(i - 1) if i else 'x'}]\n" for i in range(300)).encode(),
        b"a: &a {<<: *a}\n",
    ],
    ids=["brackets", "braces", "dashes", "alias chain", "merge into itself"],
)
def test_deep_yaml_is_refused(content: bytes) -> None:
    """Depth neither exhausts the stack nor the patience."""
    with pytest.raises(ConfigError):
        parse(content, Path("goldwatch.yaml"))
