"""What if a judge is changed on purpose? Stored answers are scored again, so that the change is none of the model.

Where the configuration names another judge (model, address, prompt, verdicts, ``version``) and nothing else changed,
the answers of the pinned baseline runs are put to the new judge before the next run. The runs are taken in once more
with these scores, as a baseline of their own, and the next run is judged against them: both by the same judge. The
other scorers' scores are kept as they were. The judge's anchors are learnt anew beside that.

Where the answers are gone, or the judge does not give verdicts on enough of them, the target learns anew, as after any
other change of what is measured.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from checks.judge_drift import COUNTS
from checks.types import FloatArray, Response
from service.judging import anchors_of, asking, observed, put_to_judges
from service.records import BaselineRecord, Golden, ImportedRun, RunRecord
from service.scoring import score_run
from service.segment import segment_key, without_judges

if TYPE_CHECKING:
    from checks.types import Measurement
    from service.config import Target
    from service.judging import Judged
    from service.pipeline import Shell

DAY_S = 86_400.0

REASON = "a judge changed: stored answers were scored again"
"""The reason of such a baseline."""

_log = structlog.get_logger("goldwatch")


async def rescore_if_judges_changed(shell: Shell, target: Target, golden: Golden) -> BaselineRecord | None:
    """Score the baseline's answers again where only judges changed since the last run.

    Returns:
        The new baseline, pinned; None where nothing had to be done, or it could not be.
    """
    store = shell.store
    changed = await asyncio.to_thread(_changed, shell, target, golden)
    if changed is None:
        return None
    baseline, records = changed
    answers = {record.id: await asyncio.to_thread(store.responses, record.id) for record in records}
    if not all(answers.values()):
        _log.warning("not_scored_again", target=target.name, reason="stored answers are gone")
        return None
    begun = shell.clock()
    every = [response for responses in answers.values() for response in responses]
    judged = await put_to_judges(shell, target, golden, every, anchors_of(target), since=begun)
    if judged.interrupted or not _enough(target, judged):
        _log.warning("not_scored_again", target=target.name, reason="the judge gave too few verdicts")
        return None
    return await asyncio.to_thread(
        _taken_in, shell, target, golden, baseline, records, answers, judged, begun
    )


def _changed(shell: Shell, target: Target, golden: Golden) -> tuple[BaselineRecord, list[RunRecord]] | None:
    """The pinned baseline and its runs, where the judges and nothing else changed since; else None."""
    store = shell.store
    baseline, last = store.baseline(target.name), store.last_run(target.name)
    if baseline is None or last is None:
        return None
    rest = without_judges(target, golden.digest)
    now = segment_key(target, golden.digest, baseline.id)
    store.put_unjudged(target.name, now, rest)
    if not baseline.runs or last.baseline_id != baseline.id or last.segment == now:
        return None
    if store.unjudged(target.name, last.segment) != rest:
        return None
    records = [record for number in baseline.runs if (record := store.run(number)) is not None]
    whole = len(records) == len(baseline.runs) and all(r.golden_digest == golden.digest for r in records)
    return (baseline, records) if whole else None


def _enough(target: Target, judged: Judged) -> bool:
    counts = [judged.seen[COUNTS + scorer.scorer_name] for scorer in asking(target.scorers)]
    return all(told >= target.min_answered * asked for _, asked, told in counts)


def _taken_in(
    shell: Shell,
    target: Target,
    golden: Golden,
    baseline: BaselineRecord,
    records: Sequence[RunRecord],
    answers: dict[int, list[Response]],
    judged: Judged,
    begun: float,
) -> BaselineRecord | None:
    store = shell.store
    segments = {record.segment for record in records}
    known: dict[int, Measurement] = {}
    for segment in segments:
        known |= {run.run: run for run in store.measurements(target.name, segment)}
    moved_s = DAY_S * math.floor((begun - records[-1].started_at) / DAY_S)
    runs = [
        _again(target, golden, record, known[record.id], answers[record.id], judged, moved_s)
        for record in records
        if record.id in known
    ]
    last = store.last_run(target.name)
    first = 1 if last is None else last.id + 1
    opened = store.open_baseline(target.name, first, REASON, begun, replaces=baseline.id)
    if opened.reason != REASON or opened.runs:
        return None  # another process was quicker
    segment = segment_key(target, golden.digest, opened.id)
    pinned = store.import_runs(
        target.name,
        runs,
        golden_digest=golden.digest,
        segment=segment,
        baseline_id=opened.id,
        share=target.share,
        period_h=shell.config.period_h,
    )
    store.put_unjudged(target.name, segment, without_judges(target, golden.digest))
    store.pin_baseline(opened.id, pinned)
    _log.info("scored_again", target=target.name, runs=len(pinned), answers=sum(map(len, answers.values())))
    return replace(opened, runs=pinned)


def _again(
    target: Target,
    golden: Golden,
    record: RunRecord,
    run: Measurement,
    responses: Sequence[Response],
    judged: Judged,
    moved_s: float,
) -> ImportedRun:
    """A baseline run with the new judge's scores, moved by whole days to end within the last one."""
    scored = score_run(golden.examples, judged.scorers, responses)
    asked = {scorer.scorer_name for scorer in asking(target.scorers)}
    kept = tuple(s for s in record.summaries if s.scorer not in asked)
    made = {vector.scorer: vector for vector in scored.vectors}
    counts: dict[str, FloatArray] = {}
    for scorer in asking(judged.scorers):
        counts |= observed(scorer, golden.examples, responses, None)
    vectors = tuple(
        made[name]
        if name in asked or name not in run.scores
        else replace(made[name], values=run.scores[name])
        for name in (scorer.scorer_name for scorer in target.scorers)
    )
    return ImportedRun(
        started_at=record.started_at + moved_s,
        finished_at=None if record.finished_at is None else record.finished_at + moved_s,
        summaries=kept + tuple(s for s in scored.summaries if s.scorer in asked),
        vectors=vectors,
        answered=run.answered,
        latency_s=run.latency_s,
        served=record.served,
        responses=tuple(replace(r, at=None if r.at is None else r.at + moved_s) for r in responses),
        observed=run.observed,
        judged=counts,
    )
