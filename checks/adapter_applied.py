"""Is the adapter applied? A fine-tuned model whose answers become those of its base model has most likely lost it.

Each run's answers are held against stored answers of the base model (``reference``): per example, whether the run's
answer is one of the base model's two to the letter (:data:`ALIKE`), and whether those two are the same
(:data:`STEADY`). Two questions are asked of them.

**Was it ever applied?** While the baseline is learnt. Null hypothesis: the model *is* the base model. Then its answer
and the base model's two are exchangeable within an example, and of the examples where exactly two of the three are the
same text, the model is the odd one out in Binomial(n, 1/3) of them. Where that hypothesis stands (p above one tenth,
a base model that repeats itself in at least half of :data:`FEWEST` examples or more) in two runs in a row, that is
told as a regression from the first run on and nothing is learnt: an adapter that never loaded must not become the
baseline. With a base model that repeats itself, it stands where at most two answers differ. Once told it stands until
p is below one hundredth: of ten runs of the base model itself one is below one tenth by chance.

**Is it still applied?** After that. Null hypothesis: the share of answers that are the base model's goes on as during
the baseline. One stream holds every example against its own baseline (``inference/two_sided.py``, with the noise that
was learnt), in the mean and where an answer hardly ever was the base model's. It is a regression where, besides that
evidence, :data:`NEARLY_ALL` of the telling examples (those whose answer was hardly ever the base model's) have turned,
in two runs in a row. A share in between is told in words and never pages by itself: it speaks of a part of the
requests, or of a weaker adapter, and what that does to the scores is ``quality``'s to tell.

A false alarm: a healthy fine-tune that seems to answer like its base model by chance; the check's part of the budget
bounds it. When not to use it: where the fine-tune's answers on the golden set are mostly those of its base model, or
where the base model hardly ever repeats itself; then it stays quiet.

Reference: exact conditional tests after McNemar, *Psychometrika* 12 (1947) 153-157.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import group, two_sided
from checks.types import ALL, BoolArray, Finding, FloatArray, Measurement, Subject, Verdict

ALIKE, STEADY = "base_alike", "base_steady"
"""Names of what is observed, float [examples]: 1 where the answer is one of the base model's (a mean over repeats), and
1 where the base model's own two answers agree; NaN where either model has no answer."""

FEWEST = 20
"""Examples that both models must have answered for anything to be said."""

NEARLY_ALL, NO_LONGER = 0.8, 0.5
"""The share of telling examples that must have turned for a page, and that keeps it."""

KEY = 3 << 22

_RARE_PART = 0.4
_NO_SIGN, _STILL_NO_SIGN = 0.1, 0.01
_TELLING = 0.2
_FEWEST_TELLING = 5
_LEAST_STEADY = 0.3
_RUNS = 2


@dataclass(frozen=True, slots=True)
class State:
    """The stream, the baseline's sums by example, and how many runs in a row were the base model's.

    ``never``: runs in a row of which nothing tells them from the base model's, while learning; ``turned``: runs in a
    row in which nearly all telling examples had turned. ``onset_run`` is set while a regression stands. ``runs``: ids
    of the newest runs seen, newest last.
    """

    sides: two_sided.State
    total: FloatArray
    answers: FloatArray
    runs: np.ndarray
    baseline_runs: int = 0
    never: int = 0
    turned: int = 0
    onset_run: int | None = None

    @property
    def standing(self) -> bool:
        """True while the model answers like its base model."""
        return self.onset_run is not None


class AdapterApplied:
    """Null hypothesis: the answers are as rarely the base model's as during the baseline."""

    name = "adapter_applied"
    weight = 1.0
    guards = True
    state_types = (State, two_sided.State, *group.STATE_TYPES)

    def initial(self, subject: Subject) -> State | None:
        """No run seen; None where no base model is known, or the golden set is too small."""
        if not subject.reference or subject.examples < FEWEST:
            return None
        zeros = np.zeros(subject.examples)
        sides = two_sided.initial(_plan(subject), both=False)
        return State(sides, zeros, zeros, np.zeros(0, dtype=np.int64))

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        unknown = np.full(subject.examples, np.nan)
        alike, steady = run.observed.get(ALIKE, unknown), run.observed.get(STEADY, unknown)
        known = ~np.isnan(alike) & ~np.isnan(steady)
        if int(known.sum()) < FEWEST:
            reason = "the base model's answers are not known"
            return state, _answer(state, Finding(self.name, None, ALL, Verdict.INCONCLUSIVE, reason=reason))
        runs = np.append(state.runs, run.run)[-group.REMEMBERED :]
        state, learning = replace(state, runs=runs), state.sides.learning
        if learning:
            no_sign = _STILL_NO_SIGN if state.standing else _NO_SIGN
            never = state.never + 1 if indistinguishable(alike, steady, no_sign) else 0
            state = replace(state, never=never, onset_run=_first_of(runs, never) if never >= _RUNS else None)
            if never:
                return state, _answer(state, _never_applied(state, alike, steady), suspect=never < _RUNS)
        row = 1.0 - alike
        threshold_h = run.period_h / (run.share * share)
        sides, seen = two_sided.advance(
            _plan(subject), state.sides, row, row, at_h=run.started_at / SECONDS_PER_HOUR, threshold_h=threshold_h,
            learn=learn,
        )  # fmt: skip
        before, state = state, replace(state, sides=sides)
        if learning:
            if learn:
                state = replace(
                    state,
                    total=state.total + np.where(known, alike, 0.0),
                    answers=state.answers + known,
                    baseline_runs=state.baseline_runs + 1,
                )
            return state, _answer(state, _learning(subject, state, alike))
        usual = np.where(state.answers > 0, state.total / np.maximum(state.answers, 1.0), np.nan)
        ratio = turned_ratio(alike, steady, usual)
        state = _judged(state, before, ratio)
        finding = _finding(subject, state, alike, usual, ratio, seen)
        capped = seen.capped and sides.page is None and ratio is not None and ratio >= NEARLY_ALL
        return state, _answer(state, finding, suspect=capped or (not state.standing and state.turned == 1))

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return Answer((), False, state.standing, state.onset_run)


CHECK = AdapterApplied()


def indistinguishable(alike: FloatArray, steady: FloatArray, no_sign: float = _NO_SIGN) -> bool:
    """Whether nothing tells the answers from the base model's own.

    >>> import numpy as np
    >>> indistinguishable(np.ones(40), np.ones(40)), indistinguishable(np.arange(40) % 10 > 0, np.ones(40))
    (True, False)

    Args:
        alike: float [examples], as :data:`ALIKE`.
        steady: float [examples], as :data:`STEADY`.
        no_sign: the p above which the hypothesis stands that the model is its base model.
    """
    known = ~np.isnan(alike) & ~np.isnan(steady)
    its_own, repeats = alike[known] >= 0.5, steady[known] >= 0.5
    if len(its_own) < FEWEST or 2 * int(repeats.sum()) < len(its_own):
        return False
    odd = int((repeats & ~its_own).sum())
    return _upper_tail(odd, odd + int((~repeats & its_own).sum())) > no_sign


def turned_ratio(alike: FloatArray, steady: FloatArray, usual: FloatArray) -> float | None:
    """The share of the requests that the base model answers now, in [0, 1]; None where too few examples tell.

    Taken relative to how often the base model's own two answers agree on the same examples.

    Args:
        alike: float [examples], as :data:`ALIKE`.
        steady: float [examples], as :data:`STEADY`.
        usual: float [examples], the baseline's mean of ``alike``, NaN where unknown.
    """
    telling = (np.nan_to_num(usual, nan=1.0) <= _TELLING) & ~np.isnan(alike) & ~np.isnan(steady)
    if int(telling.sum()) < _FEWEST_TELLING:
        return None
    return min(1.0, float(alike[telling].mean()) / max(float(steady[telling].mean()), _LEAST_STEADY))


def _upper_tail(successes: int, trials: int) -> float:
    """The probability of at least so many of Binomial(trials, 1/3)."""
    return math.fsum(
        math.exp(_log_binomial(trials, k) + k * math.log(1 / 3) + (trials - k) * math.log(2 / 3))
        for k in range(successes, trials + 1)
    )


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _plan(subject: Subject) -> two_sided.Blocks:
    return two_sided.blocks(
        subject.examples, (ALL,), baseline_runs=subject.baseline_runs, key=KEY, rare_part=_RARE_PART
    )


def _first_of(runs: np.ndarray, count: int) -> int:
    return int(runs[-min(count, len(runs))])


def _judged(state: State, before: State, ratio: float | None) -> State:
    """Whether it is the base model now: evidence, and nearly all telling examples turned in two runs in a row."""
    page = state.sides.page
    if ratio is None:
        return state if page is not None else replace(state, turned=0, onset_run=None)
    turned = state.turned + 1 if ratio >= NEARLY_ALL else 0
    stands = page is not None and (turned >= _RUNS or (before.standing and ratio >= NO_LONGER))
    if not stands:
        return replace(state, turned=turned, onset_run=None)
    onset = before.onset_run if before.standing else _first_of(state.runs, turned)
    return replace(state, turned=turned, onset_run=onset)


def _answer(state: State, finding: Finding, *, suspect: bool = False) -> Answer:
    return Answer((finding,), suspect, state.standing, state.onset_run, unfit=bool(state.never))


def _count(alike: FloatArray) -> str:
    known = alike[~np.isnan(alike)]
    return f"{int((known >= 0.5).sum())} of {len(known)}"


def _never_applied(state: State, alike: FloatArray, steady: FloatArray) -> Finding:
    said = f"{_count(alike)} answers are the base model's, which repeats itself in {_count(steady)}"
    standing = state.standing
    reason = f"the adapter was never applied, or does nothing here: {said}"
    if not standing:
        reason = f"perhaps the adapter is not applied: {said}; a second run must agree"
    return Finding(
        CHECK.name,
        None,
        ALL,
        Verdict.REGRESSED if standing else Verdict.SUSPECT,
        evidence=1.0 if standing else None,
        current=float(np.nanmean(alike)),
        onset_run=state.onset_run,
        reason=reason,
    )


def _learning(subject: Subject, state: State, alike: FloatArray) -> Finding:
    reason = f"{state.baseline_runs} of {subject.baseline_runs} baseline runs"
    return Finding(CHECK.name, None, ALL, Verdict.LEARNING, current=float(np.nanmean(alike)), reason=reason)


def _finding(
    subject: Subject,
    state: State,
    alike: FloatArray,
    usual: FloatArray,
    ratio: float | None,
    seen: two_sided.Seen,
) -> Finding:
    both = ~np.isnan(alike) & ~np.isnan(usual)
    page, verdict, reason = state.sides.page, Verdict.OK, ""
    was = round(float(usual[both].sum()))
    if state.standing:
        verdict = Verdict.REGRESSED
        reason = f"adapter not applied: {_count(alike)} answers are the base model's (usual: {was})"
    elif ratio is not None and ratio >= NEARLY_ALL and (seen.capped or state.turned == 1):
        verdict = Verdict.SUSPECT
        reason = f"{_count(alike)} answers are the base model's (usual: {was}); a second run must agree"
    elif page is not None:
        share = "some" if ratio is None else f"{ratio:.0%}"
        reason = f"{share} of what told it from its base model has turned: part of the requests, or a weaker adapter"
    elif ratio is None:
        reason = "too few answers tell it from its base model"
    effect = interval = None
    if both.any():
        effect, interval = _change(subject, alike, usual, both)
    return Finding(
        CHECK.name,
        None,
        ALL,
        verdict,
        evidence=max(page.evidence, 1.0) if state.standing and page is not None else min(seen.evidence, 1.0),
        effect=effect,
        interval=interval,
        baseline=float(usual[both].mean()) if both.any() else None,
        current=float(np.nanmean(alike)),
        onset_run=state.onset_run,
        reason=reason or None,
    )


def _change(
    subject: Subject, alike: FloatArray, usual: FloatArray, both: BoolArray
) -> tuple[float, tuple[float, float]]:
    """The change of the share with its 95% interval, robust to clusters (Liang and Zeger 1986)."""
    change = (alike - usual)[both]
    n, effect = len(change), float(change.mean())
    clusters = np.arange(n) if subject.groups is None else subject.groups[both]
    _, owner = np.unique(clusters, return_inverse=True)
    sums = np.bincount(owner, change - effect)
    spread = 1.96 * math.sqrt(float((sums * sums).sum()) * len(sums) / max(len(sums) - 1, 1)) / n
    return effect, (max(effect - spread, -1.0), min(effect + spread, 1.0))
