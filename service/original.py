"""How does a run compare with the target's original baseline, and what did it carry on? Sentences for people.

Accepting change after change can hide a long way down. The first baseline that was pinned is therefore kept, and a run
that is judged by a later one is held against it too: paired over the examples that both have, with a 95% interval.
This pages nobody; it is for those who look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from checks.inference.bursts import Dependence
from checks.inference.paired import paired_interval
from service.bursting import closeness_of

if TYPE_CHECKING:
    from checks.types import FloatArray
    from service.records import RunRecord
    from service.store import Store

LEAST_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class VersusOriginal:
    """One scorer over the shared examples: the original mean, this run's, and their paired difference."""

    scorer: str
    original: float
    current: float
    effect: float
    interval: tuple[float, float]
    examples: int
    first_run: int

    @property
    def words(self) -> str:
        """One line for a person."""
        low, high = self.interval
        return (
            f"{self.scorer} versus the original baseline (from run {self.first_run}): "
            f"{self.original:.1%} → {self.current:.1%}, {100 * self.effect:+.1f} points "
            f"(95% CI {100 * low:+.1f} … {100 * high:+.1f}, {self.examples} examples)"
        )


def versus_original(store: Store, run: RunRecord) -> list[VersusOriginal]:
    """A measured run against the first pinned baseline; empty where that is its own, or nothing can be compared."""
    pinned = [baseline for baseline in store.baselines(run.target) if baseline.runs]
    if not pinned or not run.measured or pinned[0].id == run.baseline_id:
        return []
    past: dict[str, list[FloatArray]] = {}
    for run_id in pinned[0].runs:
        record = store.run(run_id)
        if record is None:
            continue
        at = store.places(run.golden_digest, record.golden_digest)
        for vector in store.vectors(run_id):
            moved = np.where(at >= 0, vector.values[at], np.nan)
            past.setdefault(vector.scorer, []).append(moved)
    found = []
    for vector in store.vectors(run.id):
        rows = np.array(past.get(vector.scorer, []))
        if not len(rows):
            continue
        count = (~np.isnan(rows)).sum(axis=0)
        before = np.where(count > 0, np.nansum(rows, axis=0) / np.maximum(count, 1), np.nan)
        pairs = ~np.isnan(before) & ~np.isnan(vector.values)
        if pairs.sum() < LEAST_EXAMPLES:
            continue
        difference = vector.values[pairs] - before[pairs]
        low, high = paired_interval(difference, None)
        if math.isfinite(low) and math.isfinite(high):
            found.append(
                VersusOriginal(
                    vector.scorer, float(before[pairs].mean()), float(vector.values[pairs].mean()),
                    float(difference.mean()), (float(low), float(high)), int(pairs.sum()), pinned[0].runs[0],
                )
            )  # fmt: skip
    return found


def notes_of(store: Store, run: RunRecord) -> list[str]:
    """What a reader of a run should know of its past, one sentence each."""
    notes = [one.words for one in versus_original(store, run)]
    carried = store.carried_version(run.target, run.segment)
    if carried is not None:
        version = (
            f"version {run.golden_version} of the golden set" if run.golden_version else "this golden set"
        )
        notes.append(
            f"{version} since run {carried[0]}: {carried[1]} of {run.golden_examples} examples carried on"
        )
    close = closeness_of(store, run)
    if close.pairs:
        brings = close.dependence is Dependence.INDEPENDENT
        notes.append(f"{close.words}: rising evidence brings {'bursts' if brings else 'no bursts'}")
    return notes
