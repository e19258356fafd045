"""Did one score drop? The streams of one scorer (headline, rare failures, slices), folded over runs.

A group watches one score of one golden set: a mean stream over all examples (``noise.py``), a rare-failure
stream (``counts.py``) and a mean stream per slice, which share the group's part of the budget 36/39/25 (55/45
without slices; what is absent is shared among the rest). ``initial`` and ``advance`` are the whole interface:
``advance`` takes in rows of scores, one live run or ten thousand recorded ones, and gives the
new state and what each row showed. The state is a value (``streams.py``): everything that is used at a run was
settled by the runs before it.

Each run is held against a reference (``reference.py``), fitted anew whenever the number of past runs has doubled.
The failures of a run at its cap are learnt one run later: otherwise the first of two bad runs would teach the
frailty that such runs happen, and the second would not be believed.

Once paged, nothing is learnt until the drop is over (``resolve.py``): a broken model is not the new normal.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from checks.inference import (
    calibration,
    clock,
    conformal,
    counts,
    noise,
    onset,
    overshoot,
    reference,
    resolve,
    tails,
)
from checks.inference.streams import REMEMBERED, Page, Plan, State, Trace, initial
from checks.inference.stretch import Now
from checks.types import BoolArray, FloatArray

__all__ = ["CHUNK", "REMEMBERED", "STATE_TYPES", "Page", "Plan", "State", "Trace", "advance", "initial"]

WARM, REST, HELD = 0.05, 10.0, 0.1
"""After a run that was not at its cap, and from evidence below WARM or below REST times the time between runs (what
time alone brings on a sparse schedule), one bad run may lift the evidence to HELD at most: two runs must agree. What
one glitch leaves behind pages later with about that chance, however healthy the runs that follow."""

CHUNK = 512

STATE_TYPES = (
    State,
    Page,
    reference.Reference,
    noise.Noise,
    counts.Counts,
    tails.Tails,
    calibration.Record,
)
"""What a state of a group is made of, for checks that keep one."""


def advance(
    plan: Plan,
    state: State,
    scores: FloatArray,
    at_h: FloatArray,
    threshold_h: FloatArray,
    *,
    learn: bool = True,
) -> tuple[State, Trace]:
    """Take in rows of scores, oldest first.

    Args:
        plan: the group.
        state: what the past left.
        scores: float [rows, examples], NaN where unanswered or unscored. A row of only NaN was not measured.
        at_h: float [rows], when each run started, hours; increasing.
        threshold_h: float [rows], A at each run: the budget's period over this group's share of it.
        learn: false while another finding of the target stands, so that a broken model is not learnt.
    """
    rows = len(scores)
    trace = Trace(
        np.zeros(rows),
        np.zeros((rows, plan.streams + 1)),
        np.zeros(rows, dtype=bool),
        np.zeros(rows, dtype=bool),
    )
    done = 0
    while done < rows:
        if state.learning:
            state = _collect(plan, state, scores[done], float(at_h[done]), learn=learn)
            done += 1
            continue
        size = min(rows - done, max(state.refit_at - state.runs, 1), _until_known(plan, state), CHUNK)
        part = slice(done, done + size)
        state = _judge(plan, state, scores[part], at_h[part], threshold_h[part], trace, done, learn)
        done += size
    return state, trace


def _collect(plan: Plan, state: State, row: FloatArray, at_h: float, *, learn: bool) -> State:
    answered = ~np.isnan(row)
    if not answered.any():
        return state
    if not learn:
        return replace(state, seen=state.seen + 1, last_at_h=at_h)
    state = _absorb(state, row[None], answered[None])
    state = replace(
        state,
        seen=state.seen + 1,
        last_at_h=at_h,
        rows=np.vstack([state.rows, row]),
        times=np.append(state.times, at_h),
    )
    return _arm(plan, state) if state.runs >= plan.baseline_runs else state


def _absorb(state: State, rows: FloatArray, answered: BoolArray) -> State:
    """Add runs [rows, examples] to the examples' sums and to the two least scores of each."""
    if not len(rows):
        return state
    filled = np.where(answered, rows, 0.0)
    lows = np.vstack([state.low, state.second, np.where(answered, rows, np.inf)])
    least = np.partition(lows, 1, axis=0)[:2]
    return replace(
        state,
        runs=state.runs + len(rows),
        total=state.total + filled.sum(axis=0),
        squares=state.squares + (filled * filled).sum(axis=0),
        answers=state.answers + answered.sum(axis=0),
        low=least[0],
        second=least[1],
    )


def _until_known(plan: Plan, state: State) -> int:
    """The least number of runs after which an example that joined later may be judged too."""
    fitted = state.fitted
    if fitted is None or fitted.known.all():
        return CHUNK
    return max(int(plan.baseline_runs - state.answers[~fitted.known].max()), 1)


def _known(plan: Plan, state: State) -> BoolArray:
    """The examples that are judged: those of the baseline, and those that have been answered as often since."""
    if state.fitted is None:
        return state.answers > 0
    known: BoolArray = state.fitted.known | (state.answers >= plan.baseline_runs)
    return known


def _fit(plan: Plan, state: State, graded: bool) -> reference.Reference:
    return reference.fit(
        plan.masks,
        state.total,
        state.squares,
        state.answers,
        graded=graded,
        least_variance=plan.least_variance,
        conformal_below=plan.conformal_below,
        known=_known(plan, state),
    )


def _fit_counts(plan: Plan, state: State, graded: bool) -> counts.Fit:
    answers = np.where(_known(plan, state), state.answers, 0.0)
    if graded:
        return counts.fit_graded(state.low, state.second, answers, state.counts)
    return counts.fit_binary(answers - np.where(answers > 0, state.total, 0.0), answers, state.counts)


def _arm(plan: Plan, state: State) -> State:
    """The baseline is complete: fit the reference and let the noise models see the baseline's own runs."""
    known = state.rows[~np.isnan(state.rows)]
    graded = bool(np.any((known != 0.0) & (known != 1.0)))
    fitted = _fit(plan, state, graded)
    answered = ~np.isnan(state.rows)
    y = reference.statistic(plan.masks, fitted, state.rows, answered)
    learnt = noise.initial(plan.streams)
    for row, at_h in zip(y, state.times, strict=True):
        clean = np.where(np.isnan(row), learnt.mean, row)
        prediction = noise.predict(learnt, clean, float(at_h))
        learnt = noise.learn(learnt, prediction, clean, float(at_h), seen=~np.isnan(row))
    rare = counts.settle(_fit_counts(plan, state, graded), state.rows, answered) if plan.rare else None
    return replace(
        state,
        refit_at=2 * state.runs,
        fitted=fitted,
        noise=learnt,
        counts=rare,
        pool=y.T[:, -conformal.POOL :],
        rows=state.rows[:0],
        times=state.times[:0],
    )


def _refit(plan: Plan, state: State) -> State:
    old, learnt = state.fitted, state.noise
    assert old is not None and learnt is not None  # noqa: S101, PT018  # only an armed group refits
    new = _fit(plan, state, old.graded)
    shift = (plan.masks @ np.where(old.known, old.rate - new.rate, 0.0)) / old.unit
    ratio = old.unit / new.unit
    return replace(
        state,
        refit_at=2 * state.runs,
        fitted=new,
        noise=noise.rescale(learnt, shift, ratio),
        counts=_fit_counts(plan, state, old.graded).state if plan.rare else None,
        pool=ratio[:, None] * (state.pool + shift[:, None]),
    )


def _judge(
    plan: Plan,
    state: State,
    scores: FloatArray,
    at_h: FloatArray,
    threshold_h: FloatArray,
    trace: Trace,
    offset: int,
    learn: bool,
) -> State:
    fitted = state.fitted
    assert fitted is not None  # noqa: S101  # only an armed group judges
    answered = ~np.isnan(scores)
    y = reference.statistic(plan.masks, fitted, scores, answered)
    margin = plan.masks.sum(axis=1) * plan.margin / fitted.unit
    x, m = counts.count(state.counts, scores, answered) if state.counts else (y, y)
    measured: BoolArray = np.any(answered, axis=1)
    learnt = np.zeros(len(scores), dtype=bool)
    now = Now.of(plan, state)
    for i in range(len(scores)):
        at, threshold = float(at_h[i]), float(threshold_h[i])
        if not measured[i]:
            since = 0.0 if now.last_at_h is None else at - now.last_at_h
            resting = float(_weights(plan, now.noise) @ now.evidence + since) / threshold
            trace.evidence[offset + i] = now.page.evidence if now.page else min(resting, 0.999)
            continue
        prediction, capped, parts = _one(
            plan, fitted, now, y[i], margin, x[i], m[i], at, threshold, learn=learn
        )
        trace.parts[offset + i] = parts
        trace.capped[offset + i] = capped
        trace.paged[offset + i] = now.page is not None and now.page.run == now.seen - 1
        trace.evidence[offset + i] = now.page.evidence if now.page else parts.sum()
        if learn and now.page is None:
            learnt[i] = True
            _learn(now, prediction, y[i], x[i], m[i], at, capped=capped)
    state = _absorb(now.into(state), scores[learnt], answered[learnt])
    joined = not fitted.known.all() and bool((_known(plan, state) != fitted.known).any())
    return _refit(plan, state) if joined or state.runs >= state.refit_at else state


def _learn(
    now: Now,
    prediction: noise.Prediction,
    y: FloatArray,
    x: FloatArray,
    m: FloatArray,
    at_h: float,
    *,
    capped: bool,
) -> None:
    seen = ~np.isnan(y)
    clean = y if seen.all() else np.where(seen, y, now.noise.mean)
    now.noise = noise.learn(now.noise, prediction, clean, at_h, seen=seen)
    now.pool.add(y)
    if now.counts is None:
        return
    for before in now.held:
        now.counts = counts.learn(now.counts, before[0], before[1])
    held = np.stack([x, m])[None]
    if capped:
        now.held = held
    else:
        now.counts = counts.learn(now.counts, x, m)
        now.held = held[:0]


def _one(
    plan: Plan,
    fitted: reference.Reference,
    now: Now,
    y: FloatArray,
    margin: FloatArray,
    x: FloatArray,
    m: FloatArray,
    at_h: float,
    threshold_h: float,
    *,
    learn: bool,
) -> tuple[noise.Prediction, bool, FloatArray]:
    """Judge one measured run: what was predicted, whether it was at its cap, and the evidence by stream."""
    blind = np.isnan(y)
    weights = _weights(plan, now.noise)
    clean = np.where(blind, now.noise.mean, y) if blind.any() else y
    prediction = noise.predict(now.noise, clean, at_h)
    z_mean = noise.z_values(prediction, margin)
    better = noise.better(z_mean) & ~blind
    log_e = noise.log_bets(z_mean, prediction.log_w)
    if fitted.ranked.any():
        z = conformal.z_values(
            now.pool.array().T, clean, conformal.uniforms(plan.key, plan.streams, now.seen)
        )
        ranked = z[:, None] * noise.THETAS - 0.5 * noise.THETAS**2
        log_e = np.where(
            fitted.ranked[:, None], conformal.doubted(ranked, log_e, now.noise.log_w[:, 0]), log_e
        )
    log_e = np.where(blind[:, None], 0.0, np.where(better[:, None], np.minimum(log_e, 0.0), log_e)).ravel()
    rare = np.zeros(0)
    if now.counts is not None:
        rare = counts.log_bets(now.counts, x, m)
        log_e = np.concatenate([log_e, np.minimum(rare, 0.0) if better[0] else rare])
    shift = np.where(blind, np.nan, -(prediction.error[:, 0]) / prediction.scale[:, 0])
    dt_h = clock.SHORTEST_DT_H if now.last_at_h is None else max(at_h - now.last_at_h, clock.SHORTEST_DT_H)
    now.seen, now.last_at_h = now.seen + 1, at_h
    if now.page is not None:
        _recover(plan, now, now.page, shift, rare)
        return prediction, False, _parts(plan, weights * now.evidence / threshold_h)
    mixed = _mixed(plan, weights, log_e)
    bounded = log_e - _per_bet(plan, tails.excess(now.tails, mixed))
    fair = bounded - calibration.excess(now.record)
    grown, capped = clock.step(now.evidence, fair, weights, dt_h=dt_h, threshold_h=threshold_h)
    warm = max(WARM * threshold_h, REST * clock.counted(dt_h, threshold_h))
    alone = capped and not now.hot and float(weights @ now.evidence) < warm
    if alone:
        grown = grown * min(1.0, HELD * threshold_h / float(weights @ grown))
    now.evidence, now.hot = grown, capped
    now.log_e.add(fair)
    now.dt.add(np.float64(dt_h))
    now.shift.add(shift)
    parts = _parts(plan, weights * grown / threshold_h)
    if parts.sum() >= 1.0:
        now.page, now.held = _page(plan, now, weights, parts), now.held[:0]
    elif learn:
        now.tails = tails.learn(now.tails, mixed, seen=np.append(~blind, True))
        now.record = calibration.learn(now.record, bounded)
    return prediction, capped, parts


def _mixed(plan: Plan, weights: FloatArray, log_e: FloatArray) -> FloatArray:
    """Log of each stream's mixture e-value [streams + 1]; 0 for rare failures where they are not watched."""
    means = plan.streams * len(noise.THETAS)
    mean = np.logaddexp.reduce(log_e[:means].reshape(plan.streams, -1) + _LOG_THETA_WEIGHTS, axis=1)
    rare = np.logaddexp.reduce(log_e[means:] + _LOG_GAMMA_WEIGHTS) if len(weights) > means else 0.0
    return np.append(mean, rare)


_LOG_THETA_WEIGHTS, _LOG_GAMMA_WEIGHTS = np.log(noise.THETA_WEIGHTS), np.log(counts.GAMMA_WEIGHTS)


def _weights(plan: Plan, learnt: noise.Noise) -> FloatArray:
    """The weights of all bets at a run; rare failures go with the headline."""
    factor = overshoot.factor(learnt)
    if not plan.corrected:
        factor = np.minimum(factor, 1.0)
    return plan.bets * _per_bet(plan, np.append(factor, factor[0]))


def _per_bet(plan: Plan, by_stream: FloatArray) -> FloatArray:
    """A value per stream repeated for each of its bets."""
    return by_stream[_streams_of_bets(plan.streams, plan.rare)]


@lru_cache(maxsize=64)
def _streams_of_bets(streams: int, rare: bool) -> NDArray[np.intp]:
    return np.repeat(np.arange(streams + rare), [len(noise.THETAS)] * streams + [len(counts.GAMMAS)] * rare)


def _parts(plan: Plan, relative: FloatArray) -> FloatArray:
    """Evidence by stream [streams + 1]: the mean streams, then rare failures."""
    means = plan.streams * len(noise.THETAS)
    return np.append(relative[:means].reshape(plan.streams, -1).sum(axis=1), relative[means:].sum())


def _page(plan: Plan, now: Now, weights: FloatArray, parts: FloatArray) -> Page:
    lead = int(np.argmax(parts))
    stream = 0 if lead == plan.streams else lead
    past = now.log_e.array()
    probability = onset.posterior(past, now.dt.array(), weights)
    first = now.seen - len(probability)
    start = int(np.argmax(probability))
    shifts = now.shift.array()[start:, stream]
    known = shifts[~np.isnan(shifts)]
    lost = past[start:, plan.streams * len(noise.THETAS) :].sum(axis=0, dtype=np.float64)
    shift = float(known.mean()) if len(known) else resolve.LEAST_SHIFT
    return Page(
        run=now.seen - 1,
        onset=first + start,
        onset_set=tuple(first + i for i in onset.credible(probability)),
        stream=plan.names[stream],
        shift=max(shift, resolve.LEAST_SHIFT),
        evidence=float(parts.sum()),
        gamma=resolve.half(lost) if lead == plan.streams else None,
    )


def _recover(plan: Plan, now: Now, page: Page, shift: FloatArray, rare: FloatArray) -> None:
    """One more measured run under a standing page; when it is over the clock starts again from nothing.

    A run that does not show the stream that paged says nothing of it.
    """
    today = float(shift[plan.names.index(page.stream)])
    if math.isnan(today):
        return
    if page.gamma is None:
        recovery, well = resolve.step(page.recovery, today, page.shift), today < page.shift / 2.0
    else:
        refuted = -float(rare[page.gamma])
        recovery, well = (
            resolve.add(page.recovery, refuted),
            refuted > 0.0 and today < max(page.shift / 2.0, 1.0),
        )
    good = page.good_runs + 1 if well else 0
    if recovery >= math.log(resolve.THRESHOLD_H) and good >= resolve.LEAST_RUNS:
        now.page, now.hot, now.evidence = None, False, np.zeros_like(now.evidence)
        for past in (now.log_e, now.dt, now.shift):
            past.clear()
    else:
        now.page = replace(page, recovery=recovery, good_runs=good)
