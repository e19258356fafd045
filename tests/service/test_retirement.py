"""Is a model's end told in time, from whoever knows it?"""

from __future__ import annotations

from datetime import date

import pytest

from service.endpoints._retirement import retires_at
from service.retirement import DAY_S, Retirement, retirement, stage, start_of, told

DAY = date(2027, 1, 15)
END = start_of(DAY)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (91, None),
        (90, (90, "info")),
        (31, (90, "info")),
        (30, (30, "warning")),
        (7, (7, "critical")),
        (-3, (7, "critical")),
    ],
)
def test_each_threshold_has_its_severity(left: int, expected: tuple[int, str] | None) -> None:
    """The nearest threshold that was crossed decides; before the first there is nothing to tell."""
    assert stage(Retirement(END, "configuration"), END - left * DAY_S) == expected


def test_words_change_with_the_threshold_only() -> None:
    """Two looks within one threshold say the same, so that nobody is told twice; past the day they say so."""
    found = Retirement(END, "provider")
    at_60, at_59, at_20 = (told(found, END - days * DAY_S) for days in (60, 59, 20))
    assert at_60 == at_59 != at_20
    assert told(found, END + 1) == (
        "its model retired on 2027-01-15, says the provider's model list",
        "critical",
    )


def test_the_configured_day_wins() -> None:
    """The configuration knows better than the provider's list; without both nothing is known."""
    assert retirement(DAY, 1.0) == Retirement(END, "configuration")
    assert retirement(None, END) == Retirement(END, "provider")
    assert retirement(None, None) is None


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"deprecation": "2027-01-15T00:00:00Z"}, END),
        ({"expiration_date": "2027-01-15"}, END),
        ({"deprecation": {"fine_tune": 1, "inference": END}}, END),
        ({"shutdown_date": "2027-01-15T01:00:00+01:00", "deprecation": "2026-01-01"}, END),
        ({"deprecation": None}, None),
        ({"deprecation": True}, None),
        ({"deprecation": "soon"}, None),
        ({"deprecation": "9" * 5000}, None),
        ({"deprecation": 12}, None),
        ({"deprecation": float("nan")}, None),
        ({"deprecation": ["2027-01-15"]}, None),
        ({}, None),
    ],
)
def test_what_a_model_list_says(card: dict[str, object], expected: float | None) -> None:
    """The forms that providers offer are read; whatever else stands there is unknown, and breaks nothing."""
    assert retires_at(card) == expected
