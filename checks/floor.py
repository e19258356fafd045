"""Is a score below the floor that the user set? ``min`` of a scorer, judged with evidence.

Null hypothesis: the endpoint's mean score on this golden set is at least the floor. With n scored examples of
mean x and floor f::

    z = n (f - x) / sqrt(n f' (1 - f'))      f' = f kept within 1/(2n) of 0 and 1

The variance is the largest that scores in [0, 1] with that mean can have, so the bets ``exp(theta z - theta^2/2)``
err on the quiet side. They need no baseline: a model that was broken from its first run is found. The clock, its
cap and the two-runs rule are those of every other stream, and so is the budget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import clock, noise, resolve
from checks.inference.paired import paired_interval
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict


@dataclass(frozen=True, slots=True)
class Stream:
    """One floor: R per bet, when it was last judged, and what stands."""

    evidence: FloatArray
    last_at_h: float | None = None
    onset_run: int | None = None
    since_run: int | None = None
    peak: float = 0.0
    shift: float = 0.0
    recovery: float = 0.0
    good_runs: int = 0
    standing: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The floors by scorer."""

    scorers: dict[str, Stream]


class Floor:
    """See the module."""

    name = "floor"
    weight = 1.0
    state_types = (State, Stream)

    def initial(self, subject: Subject) -> State | None:
        """One stream per scorer with a ``min``; None where there is none."""
        if not subject.floors:
            return None
        return State({name: Stream(np.zeros(len(noise.THETAS))) for name in subject.floors})

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        del learn
        after: dict[str, Stream] = {}
        findings, suspect = [], False
        for scorer, floor in subject.floors.items():
            row = run.scores[scorer]
            row = row[~np.isnan(row)]
            if not len(row):
                after[scorer] = state.scorers[scorer]
                findings.append(
                    Finding(self.name, scorer, ALL, Verdict.INCONCLUSIVE, reason="nothing could be scored")
                )
                continue
            threshold_h = run.period_h / (run.share * share / len(subject.floors))
            stream, capped = _advance(state.scorers[scorer], row, floor, run, threshold_h)
            after[scorer] = stream
            suspect = suspect or (capped and not stream.standing)
            findings.append(_finding(scorer, stream, row, floor, threshold_h, capped))
        return State(after), _answer(after, tuple(findings), suspect)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return _answer(state.scorers, (), False)


CHECK = Floor()


def _answer(streams: dict[str, Stream], findings: tuple[Finding, ...], suspect: bool) -> Answer:
    standing = [s for s in streams.values() if s.standing]
    onsets = [s.onset_run for s in standing if s.onset_run is not None]
    return Answer(findings, suspect, bool(standing), min(onsets, default=None))


def distance(row: FloatArray, floor: float) -> float:
    """Z of the scored examples [n] against the floor; positive below it.

    >>> import numpy as np
    >>> round(distance(np.r_[np.ones(80), np.zeros(20)], 0.9), 2)
    3.33
    """
    n = len(row)
    kept = min(max(floor, 0.5 / n), 1.0 - 0.5 / n)
    return n * (floor - float(row.mean())) / math.sqrt(n * kept * (1.0 - kept))


def _advance(
    stream: Stream, row: FloatArray, floor: float, run: Measurement, threshold_h: float
) -> tuple[Stream, bool]:
    z = distance(row, floor)
    at_h = run.started_at / SECONDS_PER_HOUR
    dt_h = 1.0 if stream.last_at_h is None else at_h - stream.last_at_h
    if stream.standing:
        recovery = resolve.step(stream.recovery, z, stream.shift)
        good = stream.good_runs + 1 if z < stream.shift / 2.0 else 0
        over = recovery >= math.log(resolve.THRESHOLD_H) and good >= resolve.LEAST_RUNS
        if over:
            return Stream(np.zeros_like(stream.evidence), at_h), False
        return replace(stream, last_at_h=at_h, recovery=recovery, good_runs=good), False
    log_e = noise.THETAS * z - 0.5 * noise.THETAS**2
    weights = noise.THETA_WEIGHTS
    evidence, capped = clock.step(stream.evidence, log_e, weights, dt_h=dt_h, threshold_h=threshold_h)
    level = float(weights @ evidence) / threshold_h
    since = (stream.since_run or run.run) if z > 0 else None
    after = replace(stream, evidence=evidence, last_at_h=at_h, since_run=since)
    if level >= 1.0:
        after = replace(after, standing=True, onset_run=since, peak=level, shift=max(z, resolve.LEAST_SHIFT))
    return after, capped


def _finding(
    scorer: str, stream: Stream, row: FloatArray, floor: float, threshold_h: float, capped: bool
) -> Finding:
    low, high = paired_interval(row - floor)
    level = stream.peak if stream.standing else float(noise.THETA_WEIGHTS @ stream.evidence) / threshold_h
    current = float(row.mean())
    verdict, reason = Verdict.OK, None
    if stream.standing:
        verdict, reason = Verdict.REGRESSED, f"below the floor of {floor:g} since run {stream.onset_run}"
    elif capped:
        verdict, reason = Verdict.SUSPECT, f"one run below the floor of {floor:g}; a second must agree"
    elif current < floor:
        reason = f"below the floor of {floor:g}, not yet beyond chance"
    return Finding(
        "floor",
        scorer,
        ALL,
        verdict,
        evidence=level,
        effect=current - floor,
        interval=(low, high),
        baseline=floor,
        current=current,
        onset_run=stream.onset_run if stream.standing else None,
        reason=reason,
    )
