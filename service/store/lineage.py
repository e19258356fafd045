"""Which earlier runs does a segment begin with? Its ancestors, and their runs in the terms of its own golden set.

A segment that was opened by accepting a change begins with the runs since the onset; one that a new version of the
golden set opened begins with all runs of the segment before, restricted to the examples that both versions share. The
runs stay where they are, and are read as if they were the segment's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from checks.types import Measurement
from service.store.tables import GOLDEN_EXAMPLE, LINEAGE, RUN


@dataclass(frozen=True, slots=True)
class Ancestry:
    """Where a segment's runs are: (segment, first run that counts), itself first. ``golden_id`` is its golden set."""

    parts: tuple[tuple[str, int], ...]
    golden_id: int | None = None

    def condition(self) -> ColumnElement[bool]:
        """The runs that belong to the segment."""
        return or_(*(and_(RUN.c.segment == name, RUN.c.id >= first) for name, first in self.parts))


def ancestry(connection: Connection, target: str, segment: str) -> Ancestry:
    """A segment and those that it carries on; itself alone where nothing was carried."""
    parts, first, golden_id = [(segment, 0)], 0, None
    while True:
        row = connection.execute(
            select(LINEAGE).where(LINEAGE.c.target == target, LINEAGE.c.segment == parts[-1][0])
        ).one_or_none()
        if row is None or row.parent in {name for name, _ in parts}:
            return Ancestry(tuple(parts), golden_id)
        golden_id = row.golden_id if golden_id is None else golden_id
        first = max(first, row.from_run)
        parts.append((row.parent, first))


def places(connection: Connection, golden_id: int, earlier_id: int) -> NDArray[np.int64]:
    """Where each example of a golden set stands in an earlier one; -1 where that has no example of the same content."""
    known = {number: position for position, number in _numbers(connection, earlier_id)}
    return np.array([known.get(number, -1) for _, number in _numbers(connection, golden_id)], dtype=np.int64)


def moved(run: Measurement, at: NDArray[np.int64]) -> Measurement:
    """A run of an earlier golden set over the examples of a later one; NaN, unanswered and not asked where it had none.

    Args:
        run: what the earlier set's run was.
        at: the later set's examples' places in the earlier one, -1 where new.
    """
    shared = at >= 0
    known = {int(old): new for new, old in enumerate(at) if old >= 0}

    def floats(row: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(shared, row[at], np.nan) if len(row) else row

    return replace(
        run,
        scores={name: floats(row) for name, row in run.scores.items()},
        observed={name: floats(row) for name, row in run.observed.items()},
        latency_s=floats(run.latency_s),
        answered=run.answered[at] & shared if len(run.answered) else run.answered,
        labels={
            name: {known[p]: label for p, label in labels.items() if p in known}
            for name, labels in run.labels.items()
        },
        malformed={name: [known[p] for p in places if p in known] for name, places in run.malformed.items()},
        asked=shared,
    )


def _numbers(connection: Connection, golden_id: int) -> list[tuple[int, int]]:
    query = (
        select(GOLDEN_EXAMPLE.c.position, GOLDEN_EXAMPLE.c.example_id)
        .where(GOLDEN_EXAMPLE.c.golden_id == golden_id)
        .order_by(GOLDEN_EXAMPLE.c.position)
    )
    return [(row.position, row.example_id) for row in connection.execute(query)]
