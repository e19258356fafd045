"""Is what was promised kept? Limits on the slowest answers, on the first token and on the cost of a request.

Three promises (``promises:`` of a target), each a stream of its own with an equal part of the check's budget:

- ``latency_p95``, ``ttft_p95``: 19 of 20 answers come, or begin, within so many seconds. With s the share of a run's
  answers that were slower, each bet is ``1 + lambda (s - 1/20)``.
- ``usd_per_1000_requests``: a thousand requests cost at most so much. With n answers of mean cost x and spread d, and
  the limit c, ``z = sqrt(n) (x - c) / d`` and each bet ``exp(theta z - theta^2 / 2)``. The spread between examples is
  more than that of the mean over the same examples from run to run, so the bets err on the quiet side.

Null hypothesis: given its past, a run is expected to keep the promise. The bets on the share of slow answers have a
mean of at most 1 whatever the answers of one run have in common, a loaded server above all (Waudby-Smith and Ramdas,
*Estimating means of bounded random variables by betting*, 2024); the price is that a page takes some runs. They need
no baseline. A false alarm: a promise that is kept and seems broken by chance. A page stands until :data:`KEPT` runs in
a row kept the promise.

Replays minutes apart are left out of the first two, since load lasts. With ``repeats`` the mean wait of an example's
answers counts. An answer that never came is not slow but missing, which is ``availability``'s. When not to use it: to
learn that something became slower than it was (``latency``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import clock, noise
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

LATENCY, TTFT, COST = "latency_p95", "ttft_p95", "usd_per_1000_requests"

FIRST_TOKEN_S, USD = "ttft_s", "usd"
"""Names of what is observed, float [examples], NaN where unknown: the wait for the first token, and what the requests
of an example cost."""

FEWEST = 20
"""Answers that a run needs to speak of one in 20."""

KEPT = 3
"""Runs in a row that keep the promise after which a page is over."""

SLOW = 0.05
THOUSAND = 1000.0
LAMBDAS = np.array([1.0, 2.5, 6.0, 12.0, 19.5])
"""The bets on slow answers; below ``1 / SLOW``, so that no bet loses everything."""

_WEIGHTS = np.full(len(LAMBDAS), 1.0 / len(LAMBDAS))
_LEAST_SPREAD = 1e-3
_MISSING = {
    LATENCY: "the endpoint gave no latencies",
    TTFT: "the time to the first token is not measured: write stream: true in the endpoint",
    COST: "what a request costs is not known: give the endpoint a price, and see whether it tells its tokens",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One promise: R per bet, when it was last judged, and what stands. ``kept`` counts runs in a row that kept it."""

    evidence: FloatArray
    last_at_h: float | None = None
    since_run: int | None = None
    onset_run: int | None = None
    peak: float = 0.0
    kept: int = 0

    @property
    def standing(self) -> bool:
        """True while a page stands."""
        return self.peak > 0.0


@dataclass(frozen=True, slots=True)
class State:
    """The streams by promise."""

    streams: dict[str, Stream]


class Promises:
    """Null hypothesis: each run is expected to keep what is promised."""

    name = "promises"
    weight = 1.0
    apart = True
    state_types = (State, Stream)

    def initial(self, subject: Subject) -> State | None:
        """One stream per promise; None where nothing is promised."""
        if not subject.promises:
            return None
        return State({name: Stream(np.zeros(len(_weights(name)))) for name in subject.promises})

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        del learn
        threshold_h = run.period_h / (run.share * share / len(state.streams))
        streams, findings, suspect = dict(state.streams), [], False
        for name, limit in subject.promises.items():
            row = _row(name, run)
            if len(row) < FEWEST:
                reason = (
                    f"{len(row)} answers are too few, {FEWEST} are needed" if len(row) else _MISSING[name]
                )
                findings.append(Finding(self.name, name, ALL, Verdict.INCONCLUSIVE, reason=reason))
                continue
            if run.burst and name != COST:
                continue
            streams[name], capped = _advance(streams[name], name, row, limit, run, threshold_h)
            suspect = suspect or (capped and not streams[name].standing)
            findings.append(_finding(name, streams[name], row, limit, threshold_h, capped))
        return State(streams), _answer(streams, tuple(findings), suspect)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return _answer(state.streams, (), False)


CHECK = Promises()


def measured(name: str, row: FloatArray) -> float:
    """What is held against the limit: seconds, or US dollars by a thousand requests.

    >>> measured(LATENCY, np.arange(1.0, 101.0)), measured(COST, np.array([0.001, 0.003]))
    (95.0, 2.0)
    """
    if name == COST:
        return THOUSAND * float(row.mean())
    return float(np.quantile(row, 1.0 - SLOW, method="inverted_cdf"))


def _row(name: str, run: Measurement) -> FloatArray:
    nothing = np.zeros(0)
    rows = {LATENCY: run.latency_s, TTFT: run.observed.get(FIRST_TOKEN_S, nothing)}
    row = rows.get(name, run.observed.get(USD, nothing))
    known: FloatArray = row[~np.isnan(row)]
    return known


def _weights(name: str) -> FloatArray:
    return noise.THETA_WEIGHTS if name == COST else _WEIGHTS


def _log_e(name: str, row: FloatArray, limit: float) -> FloatArray:
    """Log e of each bet against the promise being kept."""
    if name == COST:
        spread = max(float(row.std(ddof=1)), _LEAST_SPREAD * limit / THOUSAND)
        z = math.sqrt(len(row)) * (float(row.mean()) - limit / THOUSAND) / spread
        exponent: FloatArray = noise.THETAS * z - 0.5 * noise.THETAS**2
        return exponent
    bets: FloatArray = np.log1p(LAMBDAS * (float((row > limit).mean()) - SLOW))
    return bets


def _advance(
    stream: Stream, name: str, row: FloatArray, limit: float, run: Measurement, threshold_h: float
) -> tuple[Stream, bool]:
    at_h = run.started_at / SECONDS_PER_HOUR
    kept = measured(name, row) <= limit
    if stream.standing:
        again = stream.kept + 1 if kept else 0
        if again >= KEPT:
            return Stream(np.zeros_like(stream.evidence), at_h), False
        return replace(stream, last_at_h=at_h, kept=again), False
    weights = _weights(name)
    dt_h = 1.0 if stream.last_at_h is None else at_h - stream.last_at_h
    evidence, capped = clock.step(
        stream.evidence, _log_e(name, row, limit), weights, dt_h=dt_h, threshold_h=threshold_h
    )
    since = None if kept else (stream.since_run or run.run)
    stream = replace(stream, evidence=evidence, last_at_h=at_h, since_run=since)
    level = float(weights @ evidence) / threshold_h
    if level >= 1.0:
        return replace(stream, onset_run=since or run.run, peak=level, kept=0), capped
    return stream, capped


def _answer(streams: dict[str, Stream], findings: tuple[Finding, ...], suspect: bool) -> Answer:
    standing = [s for s in streams.values() if s.standing]
    onsets = [s.onset_run for s in standing if s.onset_run is not None]
    return Answer(findings, suspect, bool(standing), min(onsets, default=None))


def _interval(name: str, row: FloatArray) -> tuple[float, float]:
    """Of what was measured, 95%: a mean's, or by order statistics (exact for answers that are independent)."""
    n = len(row)
    if name == COST:
        spread = 1.96 * float(row.std(ddof=1)) / math.sqrt(n)
        return THOUSAND * (float(row.mean()) - spread), THOUSAND * (float(row.mean()) + spread)
    wide = 1.96 * math.sqrt(n * SLOW * (1.0 - SLOW))
    ordered = np.sort(row)
    low = max(math.floor(n * (1.0 - SLOW) - wide), 0)
    high = min(math.ceil(n * (1.0 - SLOW) + wide), n - 1)
    return float(ordered[low]), float(ordered[high])


def _finding(
    name: str, stream: Stream, row: FloatArray, limit: float, threshold_h: float, capped: bool
) -> Finding:
    current = measured(name, row)
    low, high = _interval(name, row)
    level = stream.peak if stream.standing else float(_weights(name) @ stream.evidence) / threshold_h
    slow = "" if name == COST else f"{float((row > limit).mean()):.0%} of the answers are slower, 5% may be; "
    verdict, reason = Verdict.OK, None
    if stream.standing:
        verdict, reason = Verdict.REGRESSED, f"{slow}the promise is broken since run {stream.onset_run}"
    elif capped:
        verdict, reason = Verdict.SUSPECT, f"{slow}one run breaks the promise; a second must agree"
    elif current > limit:
        reason = f"{slow}not kept in this run, not yet beyond chance"
    return Finding(
        CHECK.name,
        name,
        ALL,
        verdict,
        evidence=level,
        effect=current - limit,
        interval=(low - limit, high - limit),
        baseline=limit,
        current=current,
        onset_run=stream.onset_run if stream.standing else None,
        reason=reason,
    )
