"""Does a person learn whether newer knowledge is answered worse, and by when to retrain?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from checks.types import Example
from service.staleness import sentences

N = 300
DAYS = [date(2025, 1, 1) + timedelta(days=i) for i in range(N)]
EXAMPLES = [Example(f"e{i}", "x", "y", as_of=str(day)) for i, day in enumerate(DAYS)]


def scored(per_day):
    rng = np.random.default_rng(4)
    return {"label": (rng.random(N) < 0.95 - per_day * np.arange(N)).astype(float)}


def test_a_fall_is_told_with_its_interval_and_the_day_of_the_floor():
    """Points per quarter, and a date before which the floor surely holds."""
    [said] = sentences(EXAMPLES, scored(0.0015), {"label": 0.4})
    assert said.startswith("label: knowledge that is a quarter newer scores -")
    assert "300 dated examples" in said
    assert "it would reach the floor of 0.4 for knowledge of 20" in said
    assert "not before 202" in said


def test_what_does_not_fall_has_no_date():
    """Unknown is said, and no far date made up; without a floor nothing is forecast."""
    [said] = sentences(EXAMPLES, scored(0.0), {"label": 0.4})
    assert said.endswith("is unknown")
    assert "floor" not in sentences(EXAMPLES, scored(0.0), {})[0]


def test_undated_examples_say_nothing():
    """Without dates there is no sentence."""
    bare = [Example(f"e{i}", "x") for i in range(N)]
    assert sentences(bare, scored(0.0015), {}) == []
