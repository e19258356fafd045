"""What would the others answer? Challengers asked beside a run of the tuned model, and what may be said of them.

:func:`ask_due` asks each challenger that is due the target's golden set, within what is left of the target's daily
limits, and stores its scores beside those of the last measured run. Each comparison has a run of its own. The target's
history, its evidence and its alerts are not touched. A challenger that cannot be reached has no scores, which is
neither better nor worse.

:func:`beside` judges what is stored, by :mod:`checks.worth`. Where either model, the question, the scorers, the golden
set or the baseline changed, the comparisons begin anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog

from checks.types import Response
from checks.types import Verdict as RunVerdict
from checks.worth import Cost, Rates, Usage, Verdict, cost, judge, percentile, saving
from service.conclude import cost_usd
from service.golden import check_lock
from service.records import Comparison, ComparisonClaim, ComparisonSide, Golden, RunRecord
from service.scoring import score_run

if TYPE_CHECKING:
    from checks.scorers import Scorer
    from service.config import Target
    from service.endpoints import Endpoint, Price
    from service.pipeline import Shell
    from service.store import Store

ALPHA = 0.05
"""The probability of ever being wrong about a target, over all its challengers and all looks."""

_log = structlog.get_logger("goldwatch")


@dataclass(frozen=True, slots=True)
class Beside:
    """The tuned model beside one challenger. Means, seconds and dollars are None where unknown.

    ``saved`` is how much cheaper the tuned model is: US dollars a month, or for 1,000 requests where ``by_month`` is
    False. ``p50_s`` and ``p95_s`` are (tuned, challenger).
    """

    challenger: str
    model: str
    verdict: Verdict
    means: tuple[float | None, float | None]
    p50_s: tuple[float | None, float | None]
    p95_s: tuple[float | None, float | None]
    costs: tuple[Cost, Cost]
    saved: float | None
    by_month: bool
    comparisons: int
    asked_at: float | None


async def ask_due(shell: Shell, target: Target, *, now: bool = False) -> list[str]:
    """Ask the challengers that are due; a failure is logged and waits for the next run.

    Args:
        shell: the store, the clock and the stop sign.
        target: whose challengers.
        now: ask even those that are not due by ``worth.every``.

    Returns:
        The names of those that were asked.
    """
    asked = []
    for name in target.challengers:
        try:
            if await _ask(shell, target, name, now=now):
                asked.append(name)
        except Exception as error:  # noqa: BLE001  # a comparison must never cost a run
            _log.warning(
                "challenger_not_asked",
                target=target.name,
                challenger=name,
                error=f"{type(error).__name__}: {error}",
            )
    return asked


async def _ask(shell: Shell, target: Target, name: str, *, now: bool) -> bool:
    from service.pipeline import accepted_at, plan_of  # noqa: PLC0415  # heavy, and only runs need it
    from service.replay import replay  # noqa: PLC0415

    store, endpoint, at = shell.store, target.challengers[name], shell.clock()
    golden = await asyncio.to_thread(check_lock, Path(target.golden))
    run = await asyncio.to_thread(store.last_measured, target.name)
    if run is None or run.golden_digest != golden.digest or run.verdict is RunVerdict.INCONCLUSIVE:
        return False  # what no judge could be trusted with is nothing to compare with
    before = await asyncio.to_thread(store.comparisons, target.name, name)
    tick = int(at if now else at // target.worth.every_s)
    if before and (before[-1].claim.run_id == run.id or (not now and before[-1].claim.tick == tick)):
        return False
    plan = await asyncio.to_thread(plan_of, shell, target)
    if plan.tokens_left == 0 or plan.usd_left == 0:
        return False
    claim = ComparisonClaim(target.name, name, tick, key_of(endpoint, run), at, run.id)
    if not await asyncio.to_thread(store.claim_comparison, claim, stale_s=2.0 * target.deadline_s):
        return False
    came: list[Response] = []
    try:
        result = await (shell.ask or replay)(
            golden.examples,
            endpoint,
            replace(plan, repeats=1),
            save=came.extend,
            stop=shell.stop,
        )
        if result.interrupted:
            await asyncio.to_thread(store.drop_comparison, claim)
            return False
        scorer = target.scorer(target.worth.scorer) if target.worth.scorer else target.scorers[0]
        if getattr(scorer, "asks", False):
            from service.judging import put_to_judges  # noqa: PLC0415  # only where one asks

            since = await asyncio.to_thread(accepted_at, store, run.id)
            judged = await put_to_judges(shell, target, golden, came, {}, since=since)
            scorer = next(s for s in judged.scorers if s.scorer_name == scorer.scorer_name)
            if judged.interrupted:
                await asyncio.to_thread(store.drop_comparison, claim)
                return False
        filled = await asyncio.to_thread(_compared, store, target, golden, run, claim, came, scorer)
        await asyncio.to_thread(store.put_comparison, filled)
    except BaseException:
        await asyncio.to_thread(store.drop_comparison, claim)
        raise
    return True


def _compared(
    store: Store,
    target: Target,
    golden: Golden,
    run: RunRecord,
    claim: ComparisonClaim,
    came: Sequence[Response],
    scorer: Scorer,
) -> Comparison:
    endpoint = target.challengers[claim.challenger]
    stored = next(v.values for v in store.vectors(run.id) if v.scorer == scorer.scorer_name)
    responses = store.responses(run.id)
    mine = score_run(golden.examples, [scorer], came)
    texts: dict[str, list[str]] = {}
    for response in came:
        if response.answered and response.output is not None:
            texts.setdefault(response.example_id, []).append(response.output)
    usage = usage_of(came)
    return Comparison(
        claim=claim,
        scorer=scorer.scorer_name,
        tuned=ComparisonSide(
            stored, score_run(golden.examples, [], responses).latency_s, usage_of(responses)
        ),
        other=ComparisonSide(mine.vectors[0].values, mine.latency_s, usage),
        texts=texts,
        cost_usd=cost_usd(endpoint.price, usage.input_tokens, usage.output_tokens),
    )


def usage_of(responses: Sequence[Response]) -> Usage:
    """What the answers took; a sum is None unless every answer told its own, cached tokens unless any did."""
    answers = [r for r in responses if r.answered]
    inputs = [r.input_tokens for r in answers if r.input_tokens is not None]
    outputs = [r.output_tokens for r in answers if r.output_tokens is not None]
    cached = [r.cached_tokens for r in answers if r.cached_tokens is not None]
    whole = len(answers)
    return Usage(
        whole,
        sum(inputs) if whole and len(inputs) == whole else None,
        sum(outputs) if whole and len(outputs) == whole else None,
        sum(cached) if cached else None,
    )


def key_of(endpoint: Endpoint, run: RunRecord) -> str:
    """What must stay the same for two comparisons to count together: 32 hexadecimal digits."""
    content = [endpoint.kind, endpoint.url, endpoint.model_name, endpoint.question(), run.segment]
    written = json.dumps(content, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def beside(store: Store, target: Target, golden: Golden) -> tuple[Beside, ...]:
    """The target beside each of its challengers, from what is stored; in the configuration's order."""
    run = store.last_measured(target.name)
    found = []
    for name, endpoint in target.challengers.items():
        kept = [] if run is None else store.comparisons(target.name, name, key_of(endpoint, run))
        wanted = target.worth.scorer or target.scorers[0].scorer_name
        size = len(golden.examples)
        kept = [c for c in kept if c.scorer == wanted and len(c.tuned.scores) == size]
        found.append(_beside(target, golden, name, endpoint, kept))
    return tuple(found)


def _beside(
    target: Target, golden: Golden, name: str, endpoint: Endpoint, kept: Sequence[Comparison]
) -> Beside:
    worth = target.worth
    sides = [c.tuned for c in kept], [c.other for c in kept]
    rates = _rates(target.endpoint.price, worth.training_usd, worth.life_s), _rates(endpoint.price)
    tuned, other = (
        cost(_summed([s.usage for s in side]), rate, worth.requests_per_month)
        for side, rate in zip(sides, rates, strict=True)
    )
    saved = saving(tuned, other)
    size = len(golden.examples)
    looks = np.array([c.tuned.scores - c.other.scores for c in kept], dtype=float).reshape(len(kept), size)
    weights = np.array([example.weight for example in golden.examples], dtype=float)
    said = judge(
        looks,
        margin=worth.margin,
        saved=saved,
        challengers=len(target.challengers),
        groups=[example.group for example in golden.examples],
        weights=weights,
        alpha=ALPHA,
    )
    both = ~np.isnan(looks)
    means = [
        _mean(np.array([s.scores for s in side], dtype=float).reshape(len(kept), size), both, weights)
        for side in sides
    ]
    waits = [np.concatenate([s.latency_s for s in side]) if side else np.array([]) for side in sides]
    return Beside(
        challenger=name,
        model=endpoint.model_name or name,
        verdict=said,
        means=(means[0], means[1]),
        p50_s=(percentile(waits[0], 0.5), percentile(waits[1], 0.5)),
        p95_s=(percentile(waits[0], 0.95), percentile(waits[1], 0.95)),
        costs=(tuned, other),
        saved=saved,
        by_month=tuned.month is not None and other.month is not None,
        comparisons=len(kept),
        asked_at=kept[-1].claim.asked_at if kept else None,
    )


def _rates(price: Price | None, training_usd: float | None = None, life_s: float | None = None) -> Rates:
    if price is None:
        return Rates(training_usd=training_usd, life_s=life_s)
    return Rates(
        input_per_mtok=price.input_per_mtok,
        output_per_mtok=price.output_per_mtok,
        cached_per_mtok=price.cached_per_mtok,
        hosting_per_hour=price.hosting_per_hour,
        training_usd=training_usd,
        life_s=life_s,
    )


def _summed(usages: Sequence[Usage]) -> Usage:
    """Over those comparisons whose counts are known."""
    known = [u for u in usages if u.answers and u.input_tokens is not None and u.output_tokens is not None]
    if not known:
        return Usage(0)
    cached = [u.cached_tokens for u in known if u.cached_tokens is not None]
    return Usage(
        sum(u.answers for u in known),
        sum(u.input_tokens or 0 for u in known),
        sum(u.output_tokens or 0 for u in known),
        sum(cached) if cached else None,
    )


def _mean(scores: np.ndarray, both: np.ndarray, weights: np.ndarray) -> float | None:
    weigh = both * weights
    return float((np.where(both, scores, 0.0) * weigh).sum() / weigh.sum()) if both.any() else None
