"""Is the model back in a state that was bad before? Its answers held against those of earlier regressions.

With a ``reference`` configured, each run is held against the runs in which earlier regressions of the same baseline
were found: of the examples that such a state answered otherwise than the last good run, the share s whose answer is,
to the letter, that state's again (:data:`AGAIN`, of the state that is nearest).

Null hypothesis: given its past, a run's s is expected to be at most s0, twice the mean of the runs so far
(shrunk towards half a percent). Each bet is ``1 + lambda (s - s0)`` with lambda below ``1 / s0``, which has a mean of
at most 1 whatever the answers of one run have in common (Waudby-Smith and Ramdas, *Estimating means of bounded random
variables by betting*, 2024); ``inference/clock.py`` adds them up. It is a regression where, besides that evidence,
:data:`NEARLY_ALL` of those answers are back in two runs in a row, and ends once fewer than :data:`NO_LONGER` are. A run
that answers so is suspect, and is replayed at once.

A false alarm: a healthy model that answers like a broken one by chance. A regression that was accepted is no longer
bad: a new baseline forgets them. When not to use it: by itself, to find anything new (``quality``); it says nothing of
a state that does not repeat itself to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import clock
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

AGAIN = "known_bad"
"""Name of what is observed, float [examples]: 1 where the answer is that of the bad state, NaN where none tells."""

STATE_RUN = "known_bad:run"
"""Name in ``Measurement.judged``: float [1], the run in which that state was found."""

FEWEST = 5
"""Examples that must tell."""

NEARLY_ALL, NO_LONGER = 0.8, 0.5
"""The share of them that must be back for a page, and that keeps it."""

LAMBDAS = np.array([0.25, 0.5, 0.9])
"""The bets, as parts of ``1 / s0``."""

_WEIGHTS = np.full(len(LAMBDAS), 1.0 / len(LAMBDAS))
_PRIOR, _PRIOR_RUNS = 0.005, 5.0
_RUNS = 2


@dataclass(frozen=True, slots=True)
class State:
    """R per bet, when it was last judged, the sum of s over ``seen`` healthy runs, and what stands.

    ``back`` counts runs in a row in which nearly all were the bad state's; the first of them is ``first``.
    """

    evidence: FloatArray
    last_at_h: float | None = None
    total: float = 0.0
    seen: int = 0
    back: int = 0
    first: int | None = None
    onset_run: int | None = None

    @property
    def expected(self) -> float:
        """s0."""
        return min(2.0 * (_PRIOR * _PRIOR_RUNS + self.total) / (_PRIOR_RUNS + self.seen), 0.5)


class KnownBad:
    """Null hypothesis: answers are an earlier regression's as seldom as they have been since."""

    name = "known_bad"
    weight = 0.25
    state_types = (State,)

    def initial(self, subject: Subject) -> State | None:
        """No run seen; None where no base model is known, beside which this is asked."""
        return State(np.zeros(len(LAMBDAS))) if subject.reference else None

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        del subject
        row = run.observed.get(AGAIN, np.zeros(0))
        known = row[~np.isnan(row)]
        if len(known) < FEWEST:
            return state, Answer((), False, state.onset_run is not None, state.onset_run)
        s, s0 = float(known.mean()), state.expected
        threshold_h, at_h = run.period_h / (run.share * share), run.started_at / SECONDS_PER_HOUR
        evidence, _ = clock.step(
            state.evidence,
            np.log1p(LAMBDAS / s0 * (s - s0)),
            _WEIGHTS,
            dt_h=1.0 if state.last_at_h is None else at_h - state.last_at_h,
            threshold_h=threshold_h,
        )
        back = state.back + 1 if s >= NEARLY_ALL else 0
        first = None if not back else state.first if state.back else run.run
        level = float(_WEIGHTS @ evidence) / threshold_h
        standing = s >= NO_LONGER if state.onset_run is not None else level >= 1.0 and back >= _RUNS
        healthy = learn and s < NO_LONGER
        if state.onset_run is not None and not standing:
            evidence = np.zeros_like(evidence)
        after = replace(
            state,
            evidence=evidence,
            last_at_h=at_h,
            total=state.total + s * healthy,
            seen=state.seen + healthy,
            back=back,
            first=first,
            onset_run=(state.onset_run or first or run.run) if standing else None,
        )
        suspect = bool(back) and not standing
        return after, Answer((_finding(after, run, known, s0, level),), suspect, standing, after.onset_run)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return Answer((), False, state.onset_run is not None, state.onset_run)


CHECK = KnownBad()


def _finding(state: State, run: Measurement, known: FloatArray, s0: float, level: float) -> Finding:
    s, usual, number = float(known.mean()), s0 / 2.0, run.judged.get(STATE_RUN)
    verdict, reason = Verdict.OK, None
    which = "an earlier regression" if number is None else f"run {int(number[0])}, which had regressed"
    said = f"{int(known.sum())} of {len(known)} answers that changed in {which}, are as they were there"
    if state.onset_run is not None:
        verdict, reason = Verdict.REGRESSED, f"back in a state that was bad before: {said}"
    elif state.back:
        verdict, reason = Verdict.SUSPECT, f"{said}; further runs must agree"
    return Finding(
        CHECK.name,
        None,
        ALL,
        verdict,
        evidence=max(level, 1.0) if state.onset_run is not None else min(level, 1.0),
        effect=s - usual,
        baseline=usual,
        current=s,
        onset_run=state.onset_run,
        reason=reason,
    )
