"""Which examples broke, and what did the model use to say? The facts that a page shows beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from checks.types import FloatArray, Response, Verdict
from service.message import BrokenExample
from service.records import BaselineRecord, Golden, RunRecord, ScoreVector

RIGHT = 0.5
"""From here on an answer counts as right."""

_TELLING = 0.05  # a smaller fall of a graded score is noise to a reader


class Reader(Protocol):
    """What is read from the store."""

    def vectors(self, run_id: int) -> list[ScoreVector]:
        """A run's scores, one vector per scorer."""

    def responses(self, run_id: int) -> list[Response]:
        """A run's responses in golden order."""

    def response_texts(
        self, run_ids: Sequence[int], example_ids: Sequence[str]
    ) -> dict[tuple[int, str], str]:
        """Answers by run and example."""

    def runs(self, target: str, *, limit: int | None, before: int | None = None) -> list[RunRecord]:
        """A target's runs, newest first."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The examples that changed sides, worst first. ``good_run`` is the run whose answers are "before"."""

    broke: tuple[BrokenExample, ...]
    broke_count: int
    fixed_count: int
    scorer: str | None
    good_run: int | None


def baseline_means(store: Reader, baseline: BaselineRecord | None) -> Mapping[str, FloatArray]:
    """Each scorer's mean per example over the pinned runs; empty while nothing is pinned."""
    sums: dict[str, FloatArray] = {}
    counts: dict[str, FloatArray] = {}
    for run in baseline.runs if baseline else ():
        for vector in store.vectors(run):
            known = ~np.isnan(vector.values)
            sums[vector.scorer] = sums.get(vector.scorer, 0.0) + np.where(known, vector.values, 0.0)
            counts[vector.scorer] = counts.get(vector.scorer, 0.0) + known.astype(float)
    return {
        name: np.where(counts[name] > 0, sums[name] / np.maximum(counts[name], 1.0), np.nan) for name in sums
    }


def good_run(store: Reader, run_id: int, target: str, onset: int | None) -> int | None:
    """The newest run before the onset that was measured and not bad: its answers are "before"."""
    before = onset if onset is not None else run_id
    for limit in (10, 190):  # nearly always among the first: reading a run costs
        candidates = store.runs(target, limit=limit, before=before)
        for candidate in candidates:
            if candidate.measured and candidate.verdict in {Verdict.OK, Verdict.LEARNING, Verdict.IMPROVED}:
                return candidate.id
        if len(candidates) < limit:
            break
        before = candidates[-1].id
    return None


def right_before(
    store: Reader, good: int | None, baseline: BaselineRecord | None, scorer: str, positions: Sequence[int]
) -> dict[int, int]:
    """For each position the run whose answer is "before": the good run, or a run of the baseline that had it right.

    An example that is nearly always right may have been wrong in the good run by chance; what it answered then does
    not say what it used to answer. Without any run that had it right the good run stands.
    """
    found = {} if good is None else dict.fromkeys(positions, good)
    open_ones = set(positions)
    for run in [*([] if good is None else [good]), *reversed(baseline.runs if baseline else ())]:
        if not open_ones:
            break
        vector = next((v for v in store.vectors(run) if v.scorer == scorer), None)
        if vector is None:
            continue
        right = {p for p in open_ones if p < len(vector.values) and vector.values[p] >= RIGHT}
        found.update(dict.fromkeys(right, run))
        open_ones -= right
    return found


@dataclass(frozen=True, slots=True)
class Sides:
    """Who changed sides by one scorer: positions of those that broke, worst first, and how many were fixed."""

    broke: NDArray[np.intp]
    fixed_count: int


def changed(mean: FloatArray, now: FloatArray) -> Sides:
    """Which examples broke, by one scorer: right in the baseline's mean and wrong now, the largest fall first.

    Where none changed sides, those whose score fell by more than a twentieth. Unknown (NaN) is no fall.

    Args:
        mean: Float [examples], the baseline's mean of each.
        now: Float [examples], a run's scores.
    """
    fall = np.nan_to_num(mean - now)
    was, known = mean >= RIGHT, ~np.isnan(mean) & ~np.isnan(now)
    right = now >= RIGHT
    crossed = np.flatnonzero(known & was & ~right)
    order = crossed if len(crossed) else np.flatnonzero(fall > _TELLING)
    return Sides(order[np.argsort(-fall[order], kind="stable")], int((known & ~was & right).sum()))


def broken(
    store: Reader,
    run_id: int,
    target: str,
    golden: Golden,
    baseline: BaselineRecord | None,
    *,
    vectors: Sequence[ScoreVector] | None = None,
    scorer: str | None = None,
    onset: int | None = None,
    limit: int | None = None,
) -> Broken:
    """The examples that broke in a run, by the scorer that lost most (or by ``scorer``), the worst first.

    An example broke if it was right in the mean of the baseline runs and is wrong in this one; where none was,
    those whose score fell are shown.
    """
    now = {v.scorer: v for v in (store.vectors(run_id) if vectors is None else vectors)}
    means = baseline_means(store, baseline)
    falls = {
        name: np.nan_to_num(means[name] - now[name].values)
        for name in now
        if name in means and len(means[name]) == len(now[name].values)
    }  # unknown is no fall
    if scorer is not None:
        falls = {name: fall for name, fall in falls.items() if name == scorer}
    before = good_run(store, run_id, target, onset)
    if not falls:
        return Broken((), 0, 0, None, before)
    name = max(falls, key=lambda n: float(falls[n].sum()))
    sides = changed(means[name], now[name].values)
    order = sides.broke
    chosen = [int(i) for i in (order if limit is None else order[:limit])]
    examples = [golden.examples[i] for i in chosen]
    told = right_before(store, before, baseline, name, chosen)
    texts = store.response_texts([run_id, *told.values()], [example.id for example in examples])
    broke = tuple(
        BrokenExample(
            id=example.id,
            expected=example.expected,
            before=texts.get((told[i], example.id)) if i in told else None,
            now=texts.get((run_id, example.id)),
            reason=now[name].reasons.get(i),
        )
        for i, example in zip(chosen, examples, strict=True)
    )
    return Broken(broke, len(order), sides.fixed_count, name, before)
