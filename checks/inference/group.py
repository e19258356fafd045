"""Did one score drop? The streams of one scorer (headline, rare failures, slices), folded over runs.

A group watches one score of one golden set: a mean stream over all examples (``noise.py``), a rare-failure
stream (``counts.py``) and a mean stream per slice, which share the group's part of the budget 40/35/25 (60/40
without slices; what is absent is shared among the rest). ``initial`` and ``advance`` are the whole interface:
``advance`` takes in rows of scores, one live run or ten thousand recorded ones, and gives the
new state and what each row showed. The state is a value: everything that is used at a run was settled by
the runs before it.

Each run is held against a reference (``reference.py``), fitted anew whenever the number of past runs has doubled.
The failures of a run at its cap are learnt one run later: otherwise the first of two bad runs would teach the
frailty that such runs happen, and the second would not be believed.

Once paged, nothing is learnt until the drop is over (``resolve.py``): a broken model is not the new normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checks.inference import clock, conformal, counts, noise, onset, reference, resolve, tails
from checks.types import BoolArray, FloatArray

Float32Array: TypeAlias = NDArray[np.float32]

REMEMBERED = 256
"""Runs whose e-values are kept for the onset (as they were, not capped: the onset asks when, not whether)."""

WARM, REST, HELD = 0.05, 10.0, 0.99
"""After a run that was not at its cap, and from evidence below WARM or below REST times the time between runs (what
time alone brings on a sparse schedule), one bad run may lift the evidence to HELD at most: two runs must agree."""

CHUNK = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """What never changes in a group.

    ``masks`` [streams, examples], the first one all true; ``names`` the streams' names, the first "all";
    ``key`` numbers the group for the counter-based generator; ``margin`` is a drop that is granted, in
    units of the score; ``least_variance`` floors PB, and below ``conformal_below`` the mean stream is conformal;
    ``remembered`` runs are kept for the onset.
    """

    masks: BoolArray
    names: tuple[str, ...]
    baseline_runs: int
    key: int = 0
    rare: bool = True
    margin: float = 0.0
    least_variance: float = 0.5
    conformal_below: float = 2.5
    remembered: int = REMEMBERED

    @property
    def streams(self) -> int:
        """The number of mean streams."""
        return len(self.names)

    @property
    def bets(self) -> FloatArray:
        """The weight of every bet [bets], summing to 1: mean streams' thetas in order, then the gammas."""
        slices = self.streams - 1
        parts = {"mean": 0.4 if slices else 0.6, "rare": (0.35 if slices else 0.4) * self.rare}
        parts["slices"] = 0.25 if slices else 0.0
        whole = sum(parts.values())
        shares = [parts["mean"] / whole, *[parts["slices"] / whole / max(slices, 1)] * slices]
        means = np.concatenate([share * noise.THETA_WEIGHTS for share in shares])
        return np.concatenate([means, parts["rare"] / whole * counts.GAMMA_WEIGHTS]) if self.rare else means


@dataclass(frozen=True, slots=True)
class Page:
    """A standing page: ``run`` paged, ``onset`` is the first bad run; both count judged runs from 0.

    ``stream`` is the one that led; ``shift`` its mean distance from health in standard deviations;
    ``evidence`` the highest seen; ``onset_set`` the 90% set of starts.
    """

    run: int
    onset: int
    onset_set: tuple[int, ...]
    stream: str
    shift: float
    evidence: float
    recovery: float = 0.0
    good_runs: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the past has left. ``seen`` counts measured runs, ``runs`` those that were learnt.

    ``held`` [0 or 1, 2, strata]: the failures and answers of a run at its cap, not learnt yet. ``hot``: the
    newest judged run was at its cap.
    """

    seen: int
    runs: int
    refit_at: int
    total: FloatArray
    squares: FloatArray
    answers: FloatArray
    low: FloatArray
    second: FloatArray
    rows: FloatArray
    times: FloatArray
    last_at_h: float | None
    evidence: FloatArray
    past_log_e: Float32Array
    past_dt: FloatArray
    past_shift: Float32Array
    pool: FloatArray
    held: FloatArray
    tails: tails.Tails
    hot: bool = False
    fitted: reference.Reference | None = None
    noise: noise.Noise | None = None
    counts: counts.Counts | None = None
    page: Page | None = None

    @property
    def learning(self) -> bool:
        """True until the baseline is complete."""
        return self.fitted is None


@dataclass(frozen=True, slots=True)
class Trace:
    """What each row showed.

    ``evidence`` [rows], 1 pages; ``parts`` [rows, streams + 1], its split over mean streams and
    rare failures; ``capped`` [rows], a bad run that wants a second; ``paged`` [rows], the page began here.
    """

    evidence: FloatArray
    parts: FloatArray
    capped: BoolArray
    paged: BoolArray


def initial(plan: Plan) -> State:
    """No run seen yet."""
    n, bets = plan.masks.shape[1], len(plan.bets)
    return State(
        seen=0,
        runs=0,
        refit_at=plan.baseline_runs,
        total=np.zeros(n),
        squares=np.zeros(n),
        answers=np.zeros(n),
        low=np.full(n, np.inf),
        second=np.full(n, np.inf),
        rows=np.zeros((0, n)),
        times=np.zeros(0),
        last_at_h=None,
        evidence=np.zeros(bets),
        past_log_e=np.zeros((0, bets), dtype=np.float32),
        past_dt=np.zeros(0),
        past_shift=np.zeros((0, plan.streams), dtype=np.float32),
        pool=np.zeros((plan.streams, 0)),
        held=np.zeros((0, 2, counts.STRATA)),
        tails=tails.initial(plan.streams + 1),
    )


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
        size = min(rows - done, max(state.refit_at - state.runs, 1), CHUNK)
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
    state = _absorb(state, np.where(answered, row, 0.0), answered)
    state = replace(
        state,
        seen=state.seen + 1,
        last_at_h=at_h,
        rows=np.vstack([state.rows, row]),
        times=np.append(state.times, at_h),
    )
    return _arm(plan, state) if state.runs >= plan.baseline_runs else state


def _absorb(state: State, row: FloatArray, answered: BoolArray) -> State:
    """Add one run to the examples' sums; ``row`` holds 0 where unanswered."""
    value = np.where(answered, row, np.inf)
    return replace(
        state,
        runs=state.runs + 1,
        total=state.total + row,
        squares=state.squares + row * row,
        answers=state.answers + answered,
        low=np.minimum(state.low, value),
        second=np.minimum(state.second, np.maximum(state.low, value)),
    )


def _fit(plan: Plan, state: State, graded: bool) -> reference.Reference:
    return reference.fit(
        plan.masks,
        state.total,
        state.squares,
        state.answers,
        graded=graded,
        least_variance=plan.least_variance,
        conformal_below=plan.conformal_below,
    )


def _fit_counts(state: State, graded: bool) -> counts.Fit:
    if graded:
        return counts.fit_graded(state.low, state.second, state.answers, state.counts)
    return counts.fit_binary(state.answers - state.total, state.answers, state.counts)


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
        learnt = noise.learn(learnt, noise.predict(learnt, clean, float(at_h)), clean, seen=~np.isnan(row))
    rare = counts.settle(_fit_counts(state, graded), state.rows, answered) if plan.rare else None
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
    shift = (plan.masks @ (old.rate - new.rate)) / old.unit
    ratio = old.unit / new.unit
    return replace(
        state,
        refit_at=2 * state.runs,
        fitted=new,
        noise=noise.rescale(learnt, shift, ratio),
        counts=_fit_counts(state, old.graded).state if plan.rare else None,
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
    filled = np.where(answered, scores, 0.0)
    y = reference.statistic(plan.masks, fitted, scores, answered)
    sizes = plan.masks.sum(axis=1) * plan.margin / fitted.unit
    x, m = counts.count(state.counts, scores, answered) if state.counts else (y, y)
    weights = plan.bets
    for i in range(len(scores)):
        if not answered[i].any():
            since = 0.0 if state.last_at_h is None else float(at_h[i]) - state.last_at_h
            resting = (weights @ state.evidence + since) / threshold_h[i]
            trace.evidence[offset + i] = state.page.evidence if state.page else min(resting, 0.999)
            continue
        state, capped, paged, parts = _one(
            plan, state, weights, y[i], sizes, x[i], m[i], float(at_h[i]), float(threshold_h[i]), learn=learn
        )
        trace.parts[offset + i] = parts
        trace.capped[offset + i], trace.paged[offset + i] = capped, paged
        trace.evidence[offset + i] = state.page.evidence if state.page else parts.sum()
        if learn and state.page is None:
            state = _absorb(state, filled[i], answered[i])
            state = _learn(state, y[i], x[i], m[i], float(at_h[i]), capped=capped)
    return _refit(plan, state) if state.runs >= state.refit_at else state


def _learn(state: State, y: FloatArray, x: FloatArray, m: FloatArray, at_h: float, *, capped: bool) -> State:
    learnt = state.noise
    assert learnt is not None  # noqa: S101  # only an armed group learns
    clean = np.where(np.isnan(y), learnt.mean, y)
    learnt = noise.learn(learnt, noise.predict(learnt, clean, at_h), clean, seen=~np.isnan(y))
    pool = np.concatenate([state.pool, y[:, None]], axis=1)[:, -conformal.POOL :]
    state = replace(state, noise=learnt, pool=pool)
    if state.counts is None:
        return state
    known = state.counts
    for before in state.held:
        known = counts.learn(known, before[0], before[1])
    now = np.stack([x, m])[None]
    if capped:
        return replace(state, counts=known, held=now)
    return replace(state, counts=counts.learn(known, x, m), held=now[:0])


def _one(
    plan: Plan,
    state: State,
    weights: FloatArray,
    y: FloatArray,
    margin: FloatArray,
    x: FloatArray,
    m: FloatArray,
    at_h: float,
    threshold_h: float,
    *,
    learn: bool,
) -> tuple[State, bool, bool, FloatArray]:
    """Judge one measured run: the new state, whether it was at its cap, whether it paged, evidence by stream."""
    fitted, learnt = state.fitted, state.noise
    assert fitted is not None and learnt is not None  # noqa: S101, PT018  # only an armed group judges
    blind = np.isnan(y)
    clean = np.where(blind, learnt.mean, y)
    prediction = noise.predict(learnt, clean, at_h)
    log_e = noise.log_bets(noise.z_values(prediction, margin), prediction.log_w)
    if fitted.ranked.any():
        z = conformal.z_values(state.pool, clean, conformal.uniforms(plan.key, plan.streams, state.seen))
        ranked = z[:, None] * noise.THETAS - 0.5 * noise.THETAS**2
        log_e = np.where(fitted.ranked[:, None], ranked, log_e)
    log_e = np.where(blind[:, None], 0.0, log_e).ravel()
    if state.counts is not None:
        log_e = np.concatenate([log_e, counts.log_bets(state.counts, x, m)])
    shift = np.where(blind, np.nan, -(prediction.error[:, 0]) / prediction.scale[:, 0])
    dt_h = (
        clock.SHORTEST_DT_H if state.last_at_h is None else max(at_h - state.last_at_h, clock.SHORTEST_DT_H)
    )
    state = replace(state, seen=state.seen + 1, last_at_h=at_h)
    if state.page is not None:
        state = _recover(plan, state, state.page, shift)
        return state, False, False, _parts(plan, weights * state.evidence / threshold_h)
    mixed = _mixed(plan, weights, log_e)
    bounded = log_e - _per_bet(plan, tails.excess(state.tails, mixed))
    grown, capped = clock.step(state.evidence, bounded, weights, dt_h=dt_h, threshold_h=threshold_h)
    warm = max(WARM * threshold_h, REST * clock.counted(dt_h, threshold_h))
    alone = capped and not state.hot and float(weights @ state.evidence) < warm
    if alone:
        grown = grown * min(1.0, HELD * threshold_h / float(weights @ grown))
    state = replace(
        state,
        evidence=grown,
        hot=capped,
        past_log_e=_recent(state.past_log_e, bounded, plan.remembered),
        past_dt=np.append(state.past_dt, dt_h)[-plan.remembered :],
        past_shift=_recent(state.past_shift, shift, plan.remembered),
    )
    parts = _parts(plan, weights * grown / threshold_h)
    if parts.sum() < 1.0:
        return replace(state, tails=tails.learn(state.tails, mixed)) if learn else state, capped, False, parts
    return replace(state, page=_page(plan, state, weights, parts), held=state.held[:0]), capped, True, parts


def _recent(past: Float32Array, row: FloatArray, keep: int) -> Float32Array:
    """The newest ``keep`` rows, the given one last; single precision is enough to ask when."""
    return np.vstack([past[-keep + 1 :] if keep > 1 else past[:0], row.astype(np.float32)])


def _mixed(plan: Plan, weights: FloatArray, log_e: FloatArray) -> FloatArray:
    """Log of each stream's mixture e-value [streams + 1]; 0 for rare failures where they are not watched."""
    means = plan.streams * len(noise.THETAS)
    mean = np.logaddexp.reduce(log_e[:means].reshape(plan.streams, -1) + np.log(noise.THETA_WEIGHTS), axis=1)
    rare = np.logaddexp.reduce(log_e[means:] + np.log(counts.GAMMA_WEIGHTS)) if len(weights) > means else 0.0
    return np.append(mean, rare)


def _per_bet(plan: Plan, by_stream: FloatArray) -> FloatArray:
    """A value per stream repeated for each of its bets."""
    means = np.repeat(by_stream[:-1], len(noise.THETAS))
    return np.concatenate([means, np.repeat(by_stream[-1], len(counts.GAMMAS))]) if plan.rare else means


def _parts(plan: Plan, relative: FloatArray) -> FloatArray:
    """Evidence by stream [streams + 1]: the mean streams, then rare failures."""
    means = plan.streams * len(noise.THETAS)
    return np.append(relative[:means].reshape(plan.streams, -1).sum(axis=1), relative[means:].sum())


def _page(plan: Plan, state: State, weights: FloatArray, parts: FloatArray) -> Page:
    lead = int(np.argmax(parts))
    stream = 0 if lead == plan.streams else lead
    probability = onset.posterior(state.past_log_e, state.past_dt, weights)
    first = state.seen - len(probability)
    start = int(np.argmax(probability))
    shifts = state.past_shift[start:, stream]
    known = shifts[~np.isnan(shifts)]
    shift = float(known.mean()) if len(known) else resolve.LEAST_SHIFT
    return Page(
        run=state.seen - 1,
        onset=first + start,
        onset_set=tuple(first + i for i in onset.credible(probability)),
        stream=plan.names[stream],
        shift=max(shift, resolve.LEAST_SHIFT),
        evidence=float(parts.sum()),
    )


def _recover(plan: Plan, state: State, page: Page, shift: FloatArray) -> State:
    """One more measured run under a standing page; when it is over the clock starts again from nothing.

    A run that does not show the stream that paged says nothing of it.
    """
    now = float(shift[plan.names.index(page.stream)])
    if math.isnan(now):
        return state
    recovery = resolve.step(page.recovery, now, page.shift)
    good = page.good_runs + 1 if now < page.shift / 2.0 else 0
    if recovery >= math.log(resolve.THRESHOLD_H) and good >= resolve.LEAST_RUNS:
        return replace(
            state,
            page=None,
            hot=False,
            evidence=np.zeros_like(state.evidence),
            past_log_e=state.past_log_e[:0],
            past_dt=state.past_dt[:0],
            past_shift=state.past_shift[:0],
        )
    return replace(state, page=replace(page, recovery=recovery, good_runs=good))
