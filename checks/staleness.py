"""Is newer knowledge answered worse, and when would it fall to the floor? A line through the scores by date.

Examples say by ``as_of`` of which day the knowledge is that they ask for. Each run's scores are fitted by that day
(``inference/slope.py``): the finding's effect is the change of the score per quarter of a year that knowledge is newer,
with its 95% interval over examples; its reason says in words when the line reaches the scorer's own floor (``min``),
with the date before which it surely does not. This pages nobody: that a model knows nothing of last month is no fault
of today. It is for those who plan the next fine-tune.

No hypothesis is tested over time. When not to use it: for fewer than 20 dated examples, where nothing is said, and as
an alarm (``quality`` watches the score itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from checks.base import Answer
from checks.inference.slope import LEAST, Crossing, Slope, crossing, fit
from checks.types import ALL, Example, Finding, FloatArray, Measurement, Subject, Verdict

QUARTER_DAYS = 91.0
_EPOCH = date(1970, 1, 1)
_FAR_DAYS = 47_482.0  # the year 2100


def days_of(examples: Sequence[Example]) -> FloatArray | None:
    """Days since 1970 of each example's ``as_of``, NaN without one; None where no example has one."""
    if all(example.as_of is None for example in examples):
        return None
    return np.array(
        [
            np.nan if example.as_of is None else float((date.fromisoformat(example.as_of) - _EPOCH).days)
            for example in examples
        ]
    )


@dataclass(frozen=True, slots=True)
class State:
    """Nothing is kept: each run is fitted by itself."""


class Staleness:
    """No hypothesis is tested over time; each run's slope has its interval."""

    name = "staleness"
    weight = 0.0
    state_types = (State,)

    def initial(self, subject: Subject) -> State | None:
        """None where too few examples are dated."""
        days = subject.days
        return State() if days is not None and int((~np.isnan(days)).sum()) >= LEAST else None

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        del share, learn
        findings = []
        for scorer in subject.scorers:
            line = None if subject.days is None else fit(run.scores[scorer], subject.days, subject.groups)
            if line is not None:
                findings.append(_finding(scorer, line, subject.floors.get(scorer)))
        return state, Answer(tuple(findings))

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, state, run
        return Answer(())


CHECK = Staleness()


def _finding(scorer: str, line: Slope, floor: float | None) -> Finding:
    low, high = (QUARTER_DAYS * end for end in line.interval)
    change = QUARTER_DAYS * line.per_day
    said = (
        f"knowledge that is a quarter newer scores {100.0 * change:+.1f} points "
        f"(95% CI {100.0 * low:+.1f} … {100.0 * high:+.1f}, {line.n} dated examples)"
    )
    if floor is not None:
        said += f"; {_forecast(crossing(line, floor), floor)}"
    return Finding(CHECK.name, scorer, ALL, Verdict.OK, effect=change, interval=(low, high), reason=said)


def _forecast(found: Crossing, floor: float) -> str:
    if found.at is None or found.not_before is None or found.not_after is None:
        return f"it is not surely falling, so when it would reach the floor of {floor:g} is unknown"
    return (
        f"it would reach the floor of {floor:g} for knowledge of {_shown(found.at)}, not before "
        f"{_shown(found.not_before)} (95%), so plan to retrain by then"
    )


def _shown(day: float) -> str:
    """The date; far ones are not told to the day.

    >>> _shown(20_000.0)
    '2024-10-04'
    """
    return "a day after 2100" if day > _FAR_DAYS else str(_EPOCH + timedelta(days=max(int(day), 0)))
