"""Is it still the same model, though the scores hold? A requantised or swapped model gives itself away in its odds.

Another quantisation, another server or another model behind the same name often answers as rightly as before. What it
cannot keep is how sure it is. One of two signs is read in every run:

- **First-token log-probabilities** (:data:`FIRST`), where the endpoint is asked for ``logprobs``: they move in nearly
  every example, by hundredths to tenths of a nat, while the words stay. No further requests are needed. Each example's
  likeness to the first run of the baseline is ``exp(-|change| / SCALE)``: 1 where nothing moved.
- **Border prompts** (``border.py``), where there are none and ``identity:`` asks for them: some twenty one-token
  requests a run, whose answer sits on the fence. A prompt's likeness is 1 less the distance of its first tokens from
  those in the first run that asked it: 1 where nothing moved.

Null hypothesis: the likeness goes on as during the rest of the baseline, with the noise that was learnt there (batching
and parallel kernels move log-probabilities a little in every run, and differently in each). A fall of the mean
likeness, or of prompts that hardly ever turned, in two runs that agree, is told as a regression of this check: what is
served is not what was. The scores are judged by ``quality``; this says nothing of them. A run in which too little was
answered is inconclusive and changes nothing.

A false alarm: odds that seem moved by chance; the check's part of the budget bounds it. A deployment that was meant
is no false alarm: accept it (``goldwatch baseline accept``). When not to use it: where what is served may change at any
time without being of interest; then leave ``logprobs`` and ``identity`` out.

Goal and background: I. Gao, P. Liang, C. Guestrin, "Model Equality Testing: Which Model Is This API Serving?" (2024).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from checks import border
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
_RARE_PART = 0.4


@dataclass(frozen=True, slots=True)
class State:
    """The stream, what the first run showed, and the baseline's sums over ``baseline_runs``.

    ``anchor``: float [examples], log-probabilities, or [prompts, draws], the tokens of border prompts; ``about`` says
    of which prompts. ``total`` sums the mean changes (in nats, or a share), ``likeness`` the mean likenesses. ``runs``:
    ids of the newest runs seen, newest last. ``onset_run`` is set while a change stands; ``back`` counts runs in a row
    that were as before.
    """

    sides: two_sided.State
    anchor: FloatArray
    runs: np.ndarray
    about: float = 0.0
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
        """No run seen; None where no odds can be read: no log-probabilities, or of too few examples, no prompts."""
        if subject.logprobs:
            return (
                _fresh(subject, np.full(subject.examples, np.nan), 0.0)
                if subject.examples >= FEWEST
                else None
            )
        return _fresh(subject, np.full((0, 1), np.nan), -1.0) if subject.border else None

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        seen = _odds(subject, run)
        if isinstance(seen, str):
            return state, _answer(state, _found(subject, Verdict.INCONCLUSIVE, reason=seen))
        about, now = seen
        if about != state.about:
            state = _fresh(subject, np.full(now.shape, np.nan), about)
        learning, change = state.sides.learning, _change(subject, state.anchor, now)
        if learning and learn:
            state = replace(state, anchor=_anchored(state.anchor, now))
        if int((~np.isnan(change)).sum()) < (FEWEST if subject.logprobs else border.FEWEST):
            return state, _answer(state, _learning(subject, state, change))
        row = np.exp(-change / SCALE) if subject.logprobs else 1.0 - change
        threshold_h = run.period_h / (run.share * share)
        sides, shown = two_sided.advance(
            _plan(subject, len(row)), state.sides, row, row, at_h=run.started_at / SECONDS_PER_HOUR,
            threshold_h=threshold_h, learn=learn and not state.standing,
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
            state, _finding(subject, state, change, shown), suspect=shown.capped and not state.standing
        )

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return Answer((), False, state.standing, state.onset_run)


CHECK = Identity()


def _fresh(subject: Subject, anchor: FloatArray, about: float) -> State:
    sides = two_sided.initial(_plan(subject, len(anchor)), both=False)
    return State(sides, anchor, np.zeros(0, dtype=np.int64), about)


def _plan(subject: Subject, rows: int) -> two_sided.Blocks:
    learnt = subject.baseline_runs - 1
    if not subject.logprobs:  # a share of prompts that turned, as of answers that turned
        return two_sided.blocks(
            rows,
            (ALL,),
            baseline_runs=learnt,
            key=KEY,
            rare_part=_RARE_PART,
            least_variance=0.05,
            conformal_below=0.05,
        )
    return two_sided.blocks(
        rows,
        (ALL,),
        baseline_runs=learnt,
        key=KEY,
        margin=GRANTED,
        least_variance=1e-6,
        conformal_below=0.0,
    )


def _odds(subject: Subject, run: Measurement) -> tuple[float, FloatArray] | str:
    """What the run shows of the model's odds, and of which prompts; or why nothing."""
    if not subject.logprobs:
        return border.asked(run) or "the border prompts were not asked, or not found, or not answered"
    now = run.observed.get(FIRST, np.full(subject.examples, np.nan))
    return (0.0, now) if int((~np.isnan(now)).sum()) >= FEWEST else "the endpoint gave no log-probabilities"


def _change(subject: Subject, anchor: FloatArray, now: FloatArray) -> FloatArray:
    """How far each example, or prompt, is from the first run, NaN where unknown."""
    moved: FloatArray = np.abs(now - anchor) if subject.logprobs else border.distance(anchor, now)
    return moved


def _anchored(anchor: FloatArray, now: FloatArray) -> FloatArray:
    """The first sight of each example, or prompt."""
    if anchor.ndim == 1:
        return np.where(np.isnan(anchor), now, anchor)
    unseen = np.isnan(anchor).all(axis=1, keepdims=True)
    return np.where(unseen, now, anchor) if anchor.shape == now.shape else anchor


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


def _found(subject: Subject, verdict: Verdict, **more: Any) -> Finding:
    return Finding(CHECK.name, None if subject.logprobs else border.NAME, ALL, verdict, **more)


def _learning(subject: Subject, state: State, change: FloatArray) -> Finding:
    seen = state.baseline_runs + bool((~np.isnan(state.anchor)).any())
    reason = f"{seen} of {subject.baseline_runs} baseline runs"
    known = change[~np.isnan(change)]
    current = float(known.mean()) if len(known) else None
    return _found(subject, Verdict.LEARNING, current=current, reason=reason)


def _finding(subject: Subject, state: State, change: FloatArray, shown: two_sided.Seen) -> Finding:
    known = change[~np.isnan(change)]
    current, usual = float(known.mean()), state.total / max(state.baseline_runs, 1)
    verdict, reason = Verdict.OK, None
    moved = _in_words(subject, known, usual)
    if state.standing:
        verdict = Verdict.REGRESSED
        reason = f"not the model that was: {moved}; look for another quantisation, template, server or model"
    elif shown.capped:
        verdict, reason = Verdict.SUSPECT, f"{moved}; a second run must agree"
    return _found(
        subject,
        verdict,
        evidence=state.evidence if state.standing else min(shown.evidence, 1.0),
        effect=current - usual,
        baseline=usual,
        current=current,
        onset_run=state.onset_run,
        reason=reason,
    )


def _in_words(subject: Subject, known: FloatArray, usual: float) -> str:
    if not subject.logprobs:
        return (
            f"{float(known.sum()):.3g} of {len(known)} border prompts begin with another token than in the baseline "
            f"(usual: {usual * len(known):.2g})"
        )
    return (
        f"first tokens are more or less likely by {float(known.mean()):.2g} nats in the mean (usual: {usual:.2g}), "
        f"in {int((known > max(_MOVED, 3.0 * usual)).sum())} of {len(known)} examples"
    )
