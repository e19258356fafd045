"""Is newer knowledge answered worse, and when would it fall to the floor? Sentences for people, of one run.

Examples say by ``as_of`` of which day the knowledge is that they ask for. The line through the scores by that day, and
the day on which it reaches the scorer's own floor (``min``), are reckoned in ``checks/inference/slope.py``. This pages
nobody; it is for those who plan the next fine-tune.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from checks.inference.slope import Crossing, crossing, fit
from checks.types import Example

if TYPE_CHECKING:
    from checks.types import FloatArray
    from service.records import RunRecord
    from service.store import Store

_EPOCH = date(1970, 1, 1)
_QUARTER_DAYS = 91.0
_FAR_DAYS = 47_482.0  # the year 2100


def staleness(store: Store, run: RunRecord, floors: Mapping[str, float]) -> list[str]:
    """A sentence per scorer; empty where the run was not measured or too few examples have an ``as_of``."""
    golden = store.golden(run.golden_digest) if run.measured else None
    if golden is None or all(example.as_of is None for example in golden.examples):
        return []
    scores = {vector.scorer: vector.values for vector in store.vectors(run.id)}
    return sentences(golden.examples, scores, floors)


def sentences(
    examples: Sequence[Example], scores: Mapping[str, FloatArray], floors: Mapping[str, float]
) -> list[str]:
    """The same of a run's scores [examples] by scorer. Pure."""
    days = np.array([_day(example) for example in examples])
    numbers: dict[str, int] = {}
    groups = np.array(
        [numbers.setdefault(example.group or f"\0{i}", len(numbers)) for i, example in enumerate(examples)]
    )
    told = []
    for scorer, values in sorted(scores.items()):
        line = fit(values, days, groups)
        if line is None:
            continue
        low, high = (100.0 * _QUARTER_DAYS * end for end in line.interval)
        said = (
            f"{scorer}: knowledge that is a quarter newer scores {100.0 * _QUARTER_DAYS * line.per_day:+.1f} points "
            f"(95% CI {low:+.1f} … {high:+.1f}, {line.n} dated examples)"
        )
        floor = floors.get(scorer)
        if floor is not None:
            said += f"; {_forecast(crossing(line, floor), floor)}"
        told.append(said)
    return told


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


def _day(example: Example) -> float:
    """Days since 1970 of an example's ``as_of``, NaN without one."""
    return float("nan") if example.as_of is None else float((date.fromisoformat(example.as_of) - _EPOCH).days)
