"""Is it still the same model, though the scores hold? A requantised or swapped model gives itself away in its odds.

Another quantisation, another server or another model behind the same name often answers as rightly as before. What it
cannot keep is how sure it is: the log-probability of the first token of each answer (:data:`FIRST`, read where the
endpoint is asked for ``logprobs``) moves in nearly every example, by hundredths to tenths of a nat, while the words
stay. So no further requests are needed: each run of the golden set is also a reading of the model's odds.

Each example is held against its own log-probability in the first run of the baseline. Its likeness is
``exp(-|change| / SCALE)``: 1 where nothing moved. Null hypothesis: the likeness goes on as during the rest of the
baseline, with the noise that was learnt there (batching and parallel kernels move log-probabilities a little in every
run, and differently in each). A fall of the mean likeness, in two runs that agree, is told as a regression of this
check: what is served is not what was. The scores are judged by ``quality``; this says nothing of them.

A false alarm: odds that seem moved by chance; the check's part of the budget bounds it. A deployment that was meant
is no false alarm: accept it (``goldwatch baseline accept``). When not to use it: where what is served may change at any
time without being of interest; then leave ``logprobs`` off.

Goal and background: I. Gao, P. Liang, C. Guestrin, "Model Equality Testing: Which Model Is This API Serving?" (2024).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import group, two_sided
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

FIRST = "first_logprob"
"""Name of what is observed: float [examples], the natural log-probability of an answer's first token (a mean over
repeats), NaN where unknown."""

FEWEST = 20
"""Examples with a log-probability that a run needs."""

SCALE = 0.05
"""The change, in nats, at which the likeness is 1/e. Chosen between the noise of batching (thousandths) and a
requantisation (hundredths to tenths)."""

GRANTED = 0.05
"""A fall of the mean likeness that is nobody's business: about 0.003 nats."""

BACK = 2
"""Runs in a row as in the baseline that a change needs to end."""

KEY = 5 << 21

_MOVED = 0.01


@dataclass(frozen=True, slots=True)
class State:
    """The stream, each example's log-probability in the first run, and the baseline's sums over ``baseline_runs``.

    ``total`` sums the mean changes in nats, ``likeness`` the mean likenesses. ``runs``: ids of the newest runs seen,
    newest last. ``onset_run`` is set while a change stands; ``back`` counts runs in a row that were as before.
    """

    sides: two_sided.State
    anchor: FloatArray
    runs: np.ndarray
    total: float = 0.0
    likeness: float = 0.0
    baseline_runs: int = 0
    onset_run: int | None = None
    evidence: float | None = None
    back: int = 0

    @property
    def standing(self) -> bool:
        """True while what is served is not what was."""
        return self.onset_run is not None


class Identity:
    """Null hypothesis: first tokens are as likely as during the baseline."""

    name = "identity"
    weight = 1.0
    state_types = (State, two_sided.State, *group.STATE_TYPES)

    def initial(self, subject: Subject) -> State | None:
        """No run seen; None where the endpoint is not asked for log-probabilities, or the golden set is too small."""
        if not subject.logprobs or subject.examples < FEWEST:
            return None
        nothing = np.full(subject.examples, np.nan)
        return State(two_sided.initial(_plan(subject), both=False), nothing, np.zeros(0, dtype=np.int64))

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        now = run.observed.get(FIRST, np.full(subject.examples, np.nan))
        if int((~np.isnan(now)).sum()) < FEWEST:
            reason = "the endpoint gave no log-probabilities"
            return state, _answer(state, Finding(self.name, None, ALL, Verdict.INCONCLUSIVE, reason=reason))
        learning, change = state.sides.learning, np.abs(now - state.anchor)
        if learning and learn:
            state = replace(state, anchor=np.where(np.isnan(state.anchor), now, state.anchor))
        if int((~np.isnan(change)).sum()) < FEWEST:
            return state, _answer(state, _learning(subject, state, change))
        row = np.exp(-change / SCALE)
        threshold_h = run.period_h / (run.share * share)
        sides, seen = two_sided.advance(
            _plan(subject), state.sides, row, row, at_h=run.started_at / SECONDS_PER_HOUR, threshold_h=threshold_h,
            learn=learn and not state.standing,
        )  # fmt: skip
        state = replace(state, sides=sides, runs=np.append(state.runs, run.run)[-group.REMEMBERED :])
        if learning:
            if learn:
                state = replace(
                    state,
                    total=state.total + float(np.nanmean(change)),
                    likeness=state.likeness + float(np.nanmean(row)),
                    baseline_runs=state.baseline_runs + 1,
                )
            return state, _answer(state, _learning(subject, state, change))
        state = _stands(state, float(np.nanmean(row)))
        return state, _answer(
            state, _finding(state, change, seen), suspect=seen.capped and not state.standing
        )

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return Answer((), False, state.standing, state.onset_run)


CHECK = Identity()


def _plan(subject: Subject) -> two_sided.Blocks:
    return two_sided.blocks(
        subject.examples,
        (ALL,),
        baseline_runs=subject.baseline_runs - 1,
        key=KEY,
        margin=GRANTED,
        least_variance=1e-6,
        conformal_below=0.0,
    )


def _answer(state: State, finding: Finding, *, suspect: bool = False) -> Answer:
    return Answer((finding,), suspect, state.standing, state.onset_run)


def _stands(state: State, likeness: float) -> State:
    """A page begins it; it ends once the stream says so and the likeness is as in the baseline.

    A model without any noise settles on its new odds, which the stream alone would take for health.
    """
    page = state.sides.page
    if not state.standing:
        if page is None:
            return state
        back = min(max(state.sides.down.seen - page.onset, 1), len(state.runs))
        return replace(state, onset_run=int(state.runs[-back]), evidence=max(page.evidence, 1.0), back=0)
    usual = state.likeness / max(state.baseline_runs, 1)
    back = state.back + 1 if likeness >= usual - GRANTED else 0
    if back < BACK or page is not None:
        return replace(state, back=back)
    return replace(state, onset_run=None, evidence=None, back=0)


def _learning(subject: Subject, state: State, change: FloatArray) -> Finding:
    seen = state.baseline_runs + bool((~np.isnan(state.anchor)).any())
    reason = f"{seen} of {subject.baseline_runs} baseline runs"
    known = change[~np.isnan(change)]
    current = float(known.mean()) if len(known) else None
    return Finding(CHECK.name, None, ALL, Verdict.LEARNING, current=current, reason=reason)


def _finding(state: State, change: FloatArray, seen: two_sided.Seen) -> Finding:
    known = change[~np.isnan(change)]
    current, usual = float(known.mean()), state.total / max(state.baseline_runs, 1)
    verdict, reason = Verdict.OK, None
    moved = (
        f"first tokens are more or less likely by {current:.2g} nats in the mean (usual: {usual:.2g}), "
        f"in {int((known > max(_MOVED, 3.0 * usual)).sum())} of {len(known)} examples"
    )
    if state.standing:
        verdict = Verdict.REGRESSED
        reason = f"not the model that was: {moved}; look for another quantisation, template, server or model"
    elif seen.capped:
        verdict, reason = Verdict.SUSPECT, f"{moved}; a second run must agree"
    return Finding(
        CHECK.name,
        None,
        ALL,
        verdict,
        evidence=state.evidence if state.standing else min(seen.evidence, 1.0),
        effect=current - usual,
        baseline=usual,
        current=current,
        onset_run=state.onset_run,
        reason=reason,
    )
