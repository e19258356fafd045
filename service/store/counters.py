"""How many, ever? Totals that never go down, whatever retention deletes.

One row per (name, subject, part, outcome), added to in the transaction that makes the thing counted.
Durations are counted in the buckets of :data:`BUCKETS_S`; the bucket's number is the ``outcome``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from sqlalchemy import Connection

from service.records import Histogram, ScoreVector
from service.store.tables import COUNTER, clean

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects.sqlite import Insert

Key: TypeAlias = tuple[str, str, str, str]
"""(name, subject, part, outcome)"""

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms, in seconds; above the last there is one more bucket."""

PASSED_FROM = 0.5
"""An example passes a scorer from this score on; for right/wrong scores that means right."""


def add(connection: Connection, insert: Callable[[Table], Insert], amounts: Mapping[Key, float]) -> None:
    """Add to totals. In order of keys, so that two writers never wait for each other."""
    summed: dict[Key, float] = defaultdict(float)
    for (name, subject, part, outcome), value in amounts.items():
        summed[name, clean(subject), clean(part), clean(outcome)] += value
    rows = [
        {"name": name, "subject": subject, "part": part, "outcome": outcome, "value": summed[key]}
        for key in sorted(summed)
        for name, subject, part, outcome in [key]
    ]
    if not rows:
        return
    statement = insert(COUNTER)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[COUNTER.c.name, COUNTER.c.subject, COUNTER.c.part, COUNTER.c.outcome],
            set_={"value": COUNTER.c.value + statement.excluded.value},
        ),
        rows,
    )


def outcomes(target: str, vectors: Iterable[ScoreVector]) -> dict[Key, float]:
    """Passed, failed and unscored examples of one run, per scorer."""
    found: dict[Key, float] = {}
    for vector in vectors:
        unscored = int(np.isnan(vector.values).sum())
        passed = int((vector.values >= PASSED_FROM).sum())
        found["examples", target, vector.scorer, "passed"] = passed
        found["examples", target, vector.scorer, "failed"] = len(vector.values) - passed - unscored
        found["examples", target, vector.scorer, "unscored"] = unscored
    return found


def durations(name: str, target: str, microseconds: Sequence[int]) -> dict[Key, float]:
    """One run's durations by bucket, and their sum in seconds."""
    if not microseconds:
        return {}
    seconds = np.asarray(microseconds, dtype=np.float64) / 1e6
    places = np.searchsorted(BUCKETS_S, seconds, side="left")
    counts = np.bincount(places, minlength=len(BUCKETS_S) + 1)
    found: dict[Key, float] = {(name, target, "", f"{i:02}"): int(n) for i, n in enumerate(counts)}
    found[name, target, "", "sum"] = float(seconds.sum())
    return found


def histogram(totals: Mapping[str, float]) -> Histogram | None:
    """The histogram of totals by bucket; None if nothing was ever counted."""
    if not totals:
        return None
    counts = tuple(int(totals.get(f"{i:02}", 0)) for i in range(len(BUCKETS_S) + 1))
    return Histogram(BUCKETS_S, counts, totals.get("sum", 0.0))
