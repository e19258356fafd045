"""When would goldwatch have paged? The array door: scores in, alarm out; no store, no configuration.

It is the code that judges live runs (``group.py``), not a twin of it, and it is deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from checks.inference import group
from checks.types import ALL, BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Watch:
    """What was found. Runs are 0-based rows of ``scores``.

    ``alarm_run``: the first run that pages, or None. ``evidence``: float [runs], 1 pages; 0 before
    ``baseline_runs`` measured rows; held at or above 1 from the page on. ``onset_run``: the most probable
    first bad run, or None. ``onset_set``: the rows of its 90% set. ``stream``: what paged, "all" or a
    slice's name, or None.
    """

    alarm_run: int | None
    evidence: FloatArray
    onset_run: int | None
    onset_set: tuple[int, ...]
    stream: str | None


def watch(
    scores: ArrayLike,
    *,
    baseline_runs: int,
    interval_h: float = 1.0,
    budget_h: float = 2160.0,
    slices: Mapping[str, ArrayLike] | None = None,
) -> Watch:
    """Judge a recorded history against a false-alarm budget.

    Args:
        scores: float [runs, examples] in [0, 1], oldest run first; NaN where unanswered. A row of only NaN
            was not measured: evidence neither grows nor fades but for the time that passes.
        baseline_runs: measured rows that say what healthy is; at least 2.
        interval_h: hours between two rows.
        budget_h: A: on average at most one false page in so many hours.
        slices: name to boolean mask over examples.

    Raises:
        ValueError: an argument is not of that form; the message says which, and what it was.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> healthy = rng.random((60, 200)) < 0.9
    >>> broken = rng.random((20, 200)) < 0.6
    >>> result = watch(np.vstack([healthy, broken]).astype(float), baseline_runs=10)
    >>> (result.alarm_run, result.onset_run, result.stream)
    (61, 60, 'all')
    """
    x = _checked_scores(scores)
    runs, examples = x.shape
    if baseline_runs < 2:
        raise ValueError(f"baseline_runs must be at least 2, not {baseline_runs!r}")
    for name, value in (("interval_h", interval_h), ("budget_h", budget_h)):
        if not (value > 0 and np.isfinite(value)):
            raise ValueError(f"{name} must be a number of hours above 0, not {value!r}")
    masks = _checked_slices(slices or {}, examples)
    plan = group.Plan(
        masks=np.vstack([np.ones((1, examples), dtype=bool), *[m[None] for m in masks.values()]]),
        names=(ALL, *masks),
        baseline_runs=baseline_runs,
    )
    evidence = np.zeros(runs)
    state, at = group.initial(plan), 0
    while at < runs and state.page is None:
        end = min(at + group.CHUNK, runs)
        hours = np.arange(at, end, dtype=np.float64) * interval_h
        state, trace = group.advance(plan, state, x[at:end], hours, np.full(end - at, budget_h))
        evidence[at:end] = trace.evidence
        hits = np.flatnonzero(trace.paged)
        if len(hits):
            return _paged(plan, x, at + int(hits[0]), evidence, interval_h, budget_h)
        at = end
    return Watch(None, evidence, None, (), None)


def _paged(
    plan: group.Plan, x: FloatArray, alarm: int, evidence: FloatArray, interval_h: float, budget_h: float
) -> Watch:
    """The same fold stopped at the page, where the state still holds it."""
    hours = np.arange(alarm + 1, dtype=np.float64) * interval_h
    state, _ = group.advance(plan, group.initial(plan), x[: alarm + 1], hours, np.full(alarm + 1, budget_h))
    page = state.page
    assert page is not None  # noqa: S101  # the fold is deterministic
    evidence[alarm:] = page.evidence
    measured = np.flatnonzero(~np.isnan(x[: alarm + 1]).all(axis=1))
    return Watch(
        alarm_run=alarm,
        evidence=evidence,
        onset_run=int(measured[page.onset]),
        onset_set=tuple(int(measured[i]) for i in page.onset_set),
        stream=page.stream,
    )


def _checked_scores(scores: ArrayLike) -> FloatArray:
    x = np.asarray(scores, dtype=float)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"scores must be [runs, examples] with at least one example, not of shape {x.shape}")
    bad = ~np.isnan(x) & ~((x >= 0.0) & (x <= 1.0))
    if bad.any():
        run, example = (int(v) for v in np.argwhere(bad)[0])
        raise ValueError(
            f"scores[{run}, {example}] must lie in [0, 1] or be NaN, not {float(x[run, example])!r}"
        )
    return x


def _checked_slices(slices: Mapping[str, ArrayLike], examples: int) -> dict[str, BoolArray]:
    masks: dict[str, BoolArray] = {}
    for name, given in slices.items():
        mask = np.asarray(given)
        if mask.dtype != bool or mask.shape != (examples,):
            raise ValueError(
                f"slices[{name!r}] must be a boolean mask over {examples} examples, "
                f"not {mask.dtype} of shape {mask.shape}"
            )
        if mask.any():
            masks[str(name)] = mask
    return masks
