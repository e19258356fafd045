"""Did the endpoint become slower? Log latency against each example's own baseline.

The stream is ``-log(latency + 0.1 s)`` per example, a mean stream like any score, so that doubling counts the same for
short and long answers and a few milliseconds do not count at all. A slowdown of up to a fifth is granted:
evidence gathers only beyond it, since nobody wants to be woken for less.

Effects are in seconds on the median latency: the median of the paired log ratios, with a 95% interval.
Not to be used for: a promise on p95 (that is a limit, not a change).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import group
from checks.inference.paired import paired_interval
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

SOFT_FLOOR_S = 0.1
GRANTED = math.log(1.2)
KEY = 1 << 20
_HUGE = 50.0  # log ratios beyond it say that nothing is known


@dataclass(frozen=True, slots=True)
class State:
    """The stream, the baseline's sums of the logged latency, its median, and the runs seen, newest last.

    ``onset_run``: the first bad run of the slowdown that stands.
    """

    stream: group.State
    total: FloatArray
    answers: FloatArray
    typical_s: FloatArray
    runs: np.ndarray
    baseline_runs: int = 0
    onset_run: int | None = None


class Latency:
    """Null hypothesis: requests take at most a fifth longer than during the baseline."""

    name = "latency"
    weight = 1.0
    state_types = (
        State,
        *group.STATE_TYPES,
    )

    def initial(self, subject: Subject) -> State:
        """One stream over all examples."""
        zeros = np.zeros(subject.examples)
        return State(group.initial(_plan(subject)), zeros, zeros, np.zeros(0), np.zeros(0, dtype=np.int64))

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        row = -np.log(run.latency_s + SOFT_FLOOR_S)
        known = ~np.isnan(row)
        if not known.any():
            return state, self.unmeasured(subject, state, run)
        learning = state.stream.learning
        if run.burst and not learning:  # load lasts: minutes apart, runs repeat each other
            return state, self.unmeasured(subject, state, run)
        stream, trace = group.advance(
            _plan(subject),
            state.stream,
            row[None],
            np.array([run.started_at / SECONDS_PER_HOUR]),
            np.array([run.period_h / (run.share * share)]),
            learn=learn,
        )
        began = state.stream.page is None
        state = replace(state, stream=stream, runs=np.append(state.runs, run.run)[-group.REMEMBERED * 4 :])
        if began or stream.page is None:
            state = replace(state, onset_run=_onset(state))
        if learning and learn:
            state = replace(
                state,
                total=state.total + np.where(known, row, 0.0),
                answers=state.answers + known,
                typical_s=np.append(state.typical_s, _median(run.latency_s[known])),
                baseline_runs=state.baseline_runs + 1,
            )
        if learning:
            reason = f"{state.baseline_runs} of {subject.baseline_runs} baseline runs"
            current = _median(run.latency_s)
            finding = Finding(self.name, None, ALL, Verdict.LEARNING, current=current, reason=reason)
        else:
            finding = _finding(subject, state, row, run, bool(trace.capped[0]), float(trace.evidence[0]))
        suspect = finding.verdict is Verdict.SUSPECT
        return state, Answer((finding,), suspect, state.stream.page is not None, state.onset_run)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return Answer((), False, state.stream.page is not None, state.onset_run)


CHECK = Latency()


def _plan(subject: Subject) -> group.Plan:
    return group.Plan(
        masks=np.ones((1, subject.examples), dtype=bool),
        names=(ALL,),
        baseline_runs=subject.baseline_runs,
        key=KEY,
        rare=False,
        margin=GRANTED,
        least_variance=1e-6,
        conformal_below=0.0,
    )


def _median(values: FloatArray) -> float:
    """The median of the known ones, one at least. NumPy's own would load its masked arrays, 2 MB, to ask for them.

    >>> _median(np.array([4.0, np.nan, 1.0, 2.0, 10.0]))
    3.0
    """
    known = np.sort(values[~np.isnan(values)])
    return float((known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2)


def _onset(state: State) -> int | None:
    page = state.stream.page
    if page is None:
        return None
    back = state.stream.seen - page.onset
    return int(state.runs[-back]) if back <= len(state.runs) else None


def _finding(
    subject: Subject, state: State, row: FloatArray, run: Measurement, capped: bool, evidence: float
) -> Finding:
    current = _median(run.latency_s)
    baseline = _median(state.typical_s)
    pairs = ~np.isnan(row) & (state.answers > 0)
    if not pairs.any():
        return Finding("latency", None, ALL, Verdict.INCONCLUSIVE, reason="no example to compare")
    slower = state.total[pairs] / state.answers[pairs] - row[pairs]
    clusters = subject.groups[pairs] if subject.groups is not None else None
    low, high = paired_interval(slower, clusters, bounds=(-math.inf, math.inf))
    scale = baseline + SOFT_FLOOR_S
    verdict, reason = Verdict.OK, ""
    page = state.stream.page
    if page is not None:
        verdict, reason = Verdict.REGRESSED, f"slower by more than a fifth since run {state.onset_run}"
    elif capped:
        verdict, reason = Verdict.SUSPECT, "one slow run; a second must agree before anyone is paged"
    return Finding(
        "latency",
        None,
        ALL,
        verdict,
        evidence=max(page.evidence, 1.0) if page else evidence,
        effect=scale * math.expm1(float(slower.mean())),
        interval=(scale * math.expm1(low), scale * math.expm1(high)) if high < _HUGE else None,
        baseline=baseline,
        current=current,
        onset_run=state.onset_run,
        reason=reason or None,
    )
