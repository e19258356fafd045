"""Does a person learn whether newer knowledge is answered worse, and by when to retrain?"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from checks import judge
from checks.staleness import CHECK, days_of
from checks.types import Example, Finding, Measurement, Subject, Verdict

N = 300
DAYS = [date(2025, 1, 1) + timedelta(days=i) for i in range(N)]
EXAMPLES = [Example(f"e{i}", "x", "y", as_of=str(day)) for i, day in enumerate(DAYS)]


def about(examples=EXAMPLES, **more) -> Subject:
    return Subject(
        **{
            "examples": N,
            "scorers": ("label",),
            "slices": {},
            "days": days_of(examples),
            "baseline_runs": 2,
            **more,
        }
    )


def run(per_day: float, number: int = 1) -> Measurement:
    scores = (np.random.default_rng(4).random(N) < 0.95 - per_day * np.arange(N)).astype(float)
    return Measurement(number, 3600.0 * number, True, {"label": scores}, np.ones(N, bool), np.full(N, np.nan))


def told(per_day: float, floor: float | None = None) -> Finding:
    subject = about(floors={} if floor is None else {"label": floor})
    _, answer = CHECK.update(subject, CHECK.initial(subject), run(per_day), share=0.0, learn=True)
    return answer.findings[0]


def test_a_fall_is_told_with_its_interval_and_the_day_of_the_floor() -> None:
    """Points per quarter, and a date before which the floor surely holds."""
    found = told(0.0015, 0.4)
    assert found.reason.startswith("knowledge that is a quarter newer scores -")
    assert "300 dated examples" in found.reason
    assert "it would reach the floor of 0.4 for knowledge of 20" in found.reason
    assert "not before 202" in found.reason
    assert found.interval[0] < found.effect == pytest.approx(-0.1365, abs=0.06)
    assert found.interval[1] < 0.0


def test_what_does_not_fall_has_no_date() -> None:
    """Unknown is said, and no far date made up; without a floor nothing is forecast."""
    assert told(0.0, 0.4).reason.endswith("is unknown")
    assert "floor" not in told(0.0).reason


def test_undated_examples_are_not_watched() -> None:
    """Without dates, or with fewer than 20, the check does not apply."""
    bare = [Example(f"e{i}", "x") for i in range(N)]
    assert days_of(bare) is None
    assert CHECK.initial(about(bare)) is None
    assert CHECK.initial(about([*EXAMPLES[:19], *bare[19:]])) is None


def test_it_never_pages_nor_changes_a_verdict() -> None:
    """However steep the line, a target whose scores stand is ok."""
    subject = about()
    state = judge.initial(subject)
    for number in range(1, 8):
        state, judged = judge.judge(subject, state, run(0.003, number))
    assert judged.verdict is Verdict.OK
    assert CHECK.name in {f.check for f in judged.findings}
