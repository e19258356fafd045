"""What would have been said, had these recorded answers been live runs?

The same scoring and the same fold (``checks/judge.py``) that judge live runs are led over response files, oldest
first. Nothing can be replayed to confirm a bad run, so the first one stays ``suspect`` and the second decides. No
clock is read: run i starts ``(i - 1) * every_s`` seconds after ``start_at``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from checks import judge
from checks.scorers import Scorer
from checks.types import FloatArray, Measurement, Response, Verdict
from service import history
from service.message import BrokenExample
from service.records import Golden, Requests, RunKind, RunRecord, RunState
from service.report import run_object
from service.scoring import Scored, score_run

HOUR_S = 3600.0
PERIOD_H = 2160.0
RIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """One recorded run: as the store would hold it, its scores, and its answers."""

    record: RunRecord
    scored: Scored
    responses: Sequence[Response]


def backtest(
    golden: Golden,
    scorers: Sequence[Scorer],
    runs_of_responses: Iterable[Sequence[Response]],
    *,
    baseline_runs: int = 10,
    every_s: float = HOUR_S,
    period_h: float = PERIOD_H,
    share: float = 1.0,
    min_answered: float = 0.9,
    smallest_effect: float | None = None,
    target: str = "backtest",
    start_at: float = 0.0,
) -> list[dict[str, Any]]:
    """Judge recorded runs, oldest first; arguments as for :func:`judged_runs`.

    Returns:
        One object per run, as ``run --json`` prints it. ``run`` counts from 1.
    """
    judged = judged_runs(
        golden,
        scorers,
        runs_of_responses,
        baseline_runs=baseline_runs,
        every_s=every_s,
        period_h=period_h,
        share=share,
        min_answered=min_answered,
        smallest_effect=smallest_effect,
        target=target,
        start_at=start_at,
    )
    return [run_object(one.record) for one in judged]


def judged_runs(
    golden: Golden,
    scorers: Sequence[Scorer],
    runs_of_responses: Iterable[Sequence[Response]],
    *,
    baseline_runs: int = 10,
    every_s: float = HOUR_S,
    period_h: float = PERIOD_H,
    share: float = 1.0,
    min_answered: float = 0.9,
    smallest_effect: float | None = None,
    promises: Mapping[str, float] | None = None,
    target: str = "backtest",
    start_at: float = 0.0,
) -> Iterator[Judged]:
    """Judge recorded runs one by one, so that only one run's answers need be in memory.

    Args:
        golden: the set that was asked.
        scorers: at least one; their names differ.
        runs_of_responses: each run's responses; an example without one counts as unanswered.
        baseline_runs: how many measured runs are the baseline.
        every_s: the time from one run to the next, seconds.
        period_h: the false-alarm budget's period in hours per page.
        share: the part of that budget that is spent here, in (0, 1].
        min_answered: below this share of answered examples a run is inconclusive.
        smallest_effect: a smaller change of a score or rate is reported and not paged.
        promises: limits that are promised, by name.
        target: the name in the objects.
        start_at: when the first run starts, seconds since 1970.
    """
    about = history.subject(
        golden.examples,
        scorers,
        baseline_runs=baseline_runs,
        min_answered=min_answered,
        smallest_effect=smallest_effect,
        promises=promises,
    )
    state = judge.initial(about)
    for number, responses in enumerate(runs_of_responses, 1):
        at = start_at + (number - 1) * every_s
        scored = score_run(golden.examples, scorers, responses)
        state, judgement = judge.judge(
            about,
            state,
            Measurement(
                run=number,
                started_at=at,
                measured=True,
                scores={v.scorer: v.values for v in scored.vectors},
                answered=scored.answered,
                latency_s=scored.latency_s,
                share=share,
                period_h=period_h,
                observed=scored.observed,
                labels=scored.labels,
                malformed=scored.malformed,
            ),
        )
        inputs, outputs = token_sums(responses)
        answered = int(scored.answered.sum())
        record = RunRecord(
            id=number,
            target=target,
            kind=RunKind.IMPORTED,
            state=RunState.DONE,
            scheduled_at=at,
            started_at=at,
            finished_at=None,
            golden_digest=golden.digest,
            golden_version=golden.version,
            golden_examples=len(golden.examples),
            segment="",
            baseline_id=None,
            share=share,
            period_h=period_h,
            repeats=1,
            verdict=judgement.verdict,
            reason=judgement.reason,
            measured=judgement.verdict is not Verdict.INCONCLUSIVE,
            requests=Requests(answered, len(golden.examples) - answered),
            input_tokens=inputs,
            output_tokens=outputs,
            cost_usd=None,
            served=None,
            summaries=scored.summaries,
            findings=judgement.findings,
        )
        yield Judged(record, scored, responses)


def token_sums(responses: Sequence[Response]) -> tuple[int | None, int | None]:
    """Input and output tokens of recorded answers; None where no answer tells them.

    >>> token_sums([Response("a", "x", input_tokens=3), Response("b", "y", input_tokens=4)])
    (7, None)
    """
    inputs = [r.input_tokens for r in responses if r.input_tokens is not None]
    outputs = [r.output_tokens for r in responses if r.output_tokens is not None]
    return sum(inputs) if inputs else None, sum(outputs) if outputs else None


def broken_in_last(golden: Golden, judged: Sequence[Judged], scorer: str) -> list[BrokenExample]:
    """The examples that the last run lost: right (0.5 or more) in the mean of the learnt runs, wrong in it.

    ``before`` is the newest learnt run's answer. Empty where nothing was learnt.
    """
    learnt = [one for one in judged if one.record.verdict is Verdict.LEARNING]
    if not learnt:
        return []
    past = np.array([_vector(one, scorer) for one in learnt])
    known = ~np.isnan(past)
    counts = known.sum(axis=0)
    was = np.where(counts > 0, np.where(known, past, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    now = _vector(judged[-1], scorer)
    reasons = next(v.reasons for v in judged[-1].scored.vectors if v.scorer == scorer)
    before = {r.example_id: r.output for r in learnt[-1].responses}
    after = {r.example_id: r.output for r in judged[-1].responses}
    return [
        BrokenExample(e.id, e.expected, before.get(e.id), after.get(e.id), reasons.get(int(i)))
        for i in np.flatnonzero((was >= RIGHT) & (now < RIGHT))
        for e in (golden.examples[i],)
    ]


def _vector(judged: Judged, scorer: str) -> FloatArray:
    return next(v.values for v in judged.scored.vectors if v.scorer == scorer)
