"""What probably changed? The facts about a bad run, gathered from the store and from the base model.

:func:`look` is asked once a run is judged ``regressed``, before it is closed, so that its page already names causes.
The rules in ``checks/causes`` decide; this module only fetches. Nothing here may cost the page: whatever fails is
left out and counts as not looked at, and the base model is waited for :data:`WAIT_S` at most.

The base model (``reference``, or the ``parent`` that the server names) is asked the target's own questions, once a day
at most while a regression stands, within what is left of the target's daily limits and at its rate. How like it the
target *used* to be needs no further requests: the same answers are held against the stored ones of a good run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from checks.causes import Diagnosis, diagnose
from checks.causes.facts import BaseAnswers, Facts, Mark, Rescored, Side
from checks.types import Example, Response, Served, Verdict
from service import evidence
from service.records import BaseModelAnswers, Golden, RunRecord, ScoreVector
from service.scoring import score_run

if TYPE_CHECKING:
    from service.conclude import Appraised
    from service.config import Target
    from service.endpoints import Endpoint
    from service.pipeline import Shell
    from service.store import Store

WAIT_S = 60.0
"""How long a page may wait for the base model's answers; what has come by then is used."""

SAMPLE = 100
"""At most so many examples are asked of the base model, each twice: it may not always repeat itself."""

FRESH_S = 86_400.0
"""Answers of the base model that are younger are used again."""

_log = structlog.get_logger("goldwatch")
_GOOD = frozenset({Verdict.OK, Verdict.LEARNING, Verdict.IMPROVED})
_LOOK_BACK = 30
_MARKS_S = 7 * 86_400.0
_SAME = 1e-6


async def look(shell: Shell, target: Target, golden: Golden, appraised: Appraised) -> Diagnosis | None:
    """What probably changed before this run; kept in the store beside it.

    None if looking failed: the page goes out all the same, and the log says why it names no cause.
    """
    try:
        facts = await asyncio.to_thread(facts_of, shell.store, target, golden, appraised)
        base = await base_answers(shell, target, golden, appraised.served)
        found = await asyncio.to_thread(diagnose, replace(facts, base=base))
        await asyncio.to_thread(shell.store.put_diagnosis, appraised.record.id, found)
    except Exception as error:  # noqa: BLE001  # a hint must never cost the page
        _log.warning(
            "causes_unknown",
            target=target.name,
            run=appraised.record.id,
            error=f"{type(error).__name__}: {error}",
        )
        return None
    return found


def facts_of(store: Store, target: Target, golden: Golden, appraised: Appraised) -> Facts:
    """What the store knows of a bad run and of the good ones before it."""
    record, onset = appraised.record, appraised.judgement.onset_run
    first_bad = record.id if onset is None else onset
    good = [
        run
        for run in store.runs(target.name, limit=_LOOK_BACK, before=first_bad)
        if run.measured and run.verdict in _GOOD and run.golden_digest == golden.digest
    ]
    sides = [_side(store, run) for run in good[:2]]
    bad = _again(store, target.name, record.id, first_bad)
    usual = evidence.baseline_means(store, store.baseline(target.name))
    started = record if first_bad == record.id else store.run(first_bad)
    onset_at = (started or record).started_at
    return Facts(
        examples=golden.examples,
        now=_assembled(record, appraised.served, appraised.responses, appraised.scored.vectors),
        before=sides[0] if sides else None,
        earlier=sides[1] if len(sides) > 1 else None,
        again=None if bad is None else _side(store, bad),
        scorer=_most_lost(usual, appraised.scored.vectors),
        usual=usual,
        identities=tuple(run.served for run in reversed(good) if run.served is not None),
        marks=tuple(Mark(m.at, m.version, m.note) for m in store.marks(target.name, onset_at - _MARKS_S)),
        onset_at=onset_at,
        rescored=_rescored(store, target, golden, good[0]) if good else (),
    )


async def base_answers(
    shell: Shell, target: Target, golden: Golden, served: Served | None
) -> BaseAnswers | None:
    """What the base model answers to (a sample of) the golden set; None if none is known, or none can be had.

    Fresh answers are taken from the store. Else it is asked, within the target's limits and for :data:`WAIT_S` at most;
    where it cannot be, answers that are older are better than none.
    """
    from service.doctor.base_model import base_model_of, sample_of  # noqa: PLC0415  # only a bad run asks

    found = base_model_of(target, served or Served())
    if found is None or found[0].question() != target.endpoint.question():
        return None
    endpoint = found[0]
    name = endpoint.model_name or endpoint.url
    asked = _key(endpoint, golden)
    kept = await asyncio.to_thread(shell.store.base_answers, target.name, asked)
    if kept is not None and shell.clock() - kept.asked_at < FRESH_S:
        return BaseAnswers(kept.name, kept.texts)
    answers = await _ask(shell, target, endpoint, sample_of(golden, SAMPLE), asked)
    if answers is not None:
        await asyncio.to_thread(shell.store.put_base_answers, answers)
        if answers.texts:
            return BaseAnswers(name, answers.texts)
    return None if kept is None else BaseAnswers(kept.name, kept.texts)


async def _ask(
    shell: Shell, target: Target, endpoint: Endpoint, examples: Sequence[Example], asked: str
) -> BaseModelAnswers | None:
    from service.conclude import cost_usd  # noqa: PLC0415  # conclude is loaded by now, and must not be circular
    from service.pipeline import plan_of  # noqa: PLC0415
    from service.replay import replay  # noqa: PLC0415

    plan = await asyncio.to_thread(plan_of, shell, target)
    if plan.tokens_left == 0 or plan.usd_left == 0:
        return None
    came: list[Response] = []
    plan = replace(plan, repeats=2, retries=0, deadline_s=WAIT_S, timeout_s=min(plan.timeout_s, WAIT_S))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S + plan.drain_s):
            await replay(examples, endpoint, plan, save=came.extend, stop=shell.stop)
    if not came:
        return None
    texts: dict[str, list[str]] = {}
    for response in sorted(came, key=lambda r: r.repeat):
        if response.answered and response.output is not None:
            texts.setdefault(response.example_id, []).append(response.output)
    inputs = [r.input_tokens for r in came if r.input_tokens is not None]
    outputs = [r.output_tokens for r in came if r.output_tokens is not None]
    tokens = (sum(inputs) if inputs else None, sum(outputs) if outputs else None)
    return BaseModelAnswers(
        target=target.name,
        asked=asked,
        asked_at=shell.clock(),
        name=endpoint.model_name or endpoint.url,
        texts=texts,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=cost_usd(endpoint.price or target.endpoint.price, *tokens),
    )


def _key(endpoint: Endpoint, golden: Golden) -> str:
    content = [endpoint.kind, endpoint.url, endpoint.model_name, endpoint.question(), golden.digest]
    written = json.dumps(content, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _again(store: Store, target: str, run_id: int, first_bad: int) -> RunRecord | None:
    """Another bad run since the onset, the newest."""
    return next(
        (run for run in store.runs(target, limit=5, before=run_id, after=first_bad - 1) if run.measured), None
    )


def _side(store: Store, run: RunRecord) -> Side:
    return _assembled(run, run.served, store.responses(run.id), store.vectors(run.id))


def _assembled(
    run: RunRecord, served: Served | None, responses: Sequence[Response], vectors: Sequence[ScoreVector]
) -> Side:
    by_example: dict[str, list[Response]] = {}
    for response in responses:
        by_example.setdefault(response.example_id, []).append(response)
    return Side(
        run=run.id,
        started_at=run.started_at,
        served=served,
        responses=by_example,
        scores={v.scorer: v.values for v in vectors},
        labels={v.scorer: v.labels for v in vectors},
        format_failures={v.scorer: frozenset(v.format_failures) for v in vectors},
    )


def _most_lost(usual: Mapping[str, np.ndarray], vectors: Sequence[ScoreVector]) -> str | None:
    """The scorer that lost most, as for the examples that are shown."""
    falls = {
        v.scorer: float(np.nan_to_num(usual[v.scorer] - v.values).sum())
        for v in vectors
        if v.scorer in usual and len(usual[v.scorer]) == len(v.values)
    }
    return max(falls, key=lambda name: falls[name]) if falls else None


def _rescored(store: Store, target: Target, golden: Golden, good: RunRecord) -> tuple[Rescored, ...]:
    """A good run's stored answers, scored again with today's scorers. A scorer that asks others is left out."""
    own = [scorer for scorer in target.scorers if not getattr(scorer, "asks", False)]
    responses = store.responses(good.id)
    if not own or not responses:
        return ()
    stored = {v.scorer: v.values for v in store.vectors(good.id)}
    found = []
    for vector in score_run(golden.examples, own, responses).vectors:
        was = stored.get(vector.scorer)
        if was is None or len(was) != len(vector.values):
            continue
        both = ~np.isnan(was) & ~np.isnan(vector.values)
        turned = int((np.isnan(was) != np.isnan(vector.values)).sum())
        if not both.any():
            continue
        changed = int((np.abs(was[both] - vector.values[both]) > _SAME).sum()) + turned
        means = float(was[both].mean()), float(vector.values[both].mean())
        found.append(Rescored(vector.scorer, good.id, means[0], means[1], changed, len(was)))
    return tuple(found)
