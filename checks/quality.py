"""Did a score drop, or rise? Every scorer, over all examples and over every slice.

Each scorer is a group of streams (``inference/group.py``) with its part of the budget; a second group over
the mirrored scores (1 - x) looks for improvements, which are reported and never page. The baseline is the mean of each
example over the first measured runs; effects are current minus baseline over the examples that both know, with
an interval by examples, clustered where they carry a group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer, mean
from checks.inference import group, reference, size
from checks.inference.paired import paired_interval
from checks.types import ALL, BoolArray, Finding, FloatArray, Measurement, Subject, Verdict

REMEMBERED = 4 * group.REMEMBERED

BETTER = "better than the baseline; a fall back to it is not seen before the improvement is accepted (baseline accept)"
"""Why a finding is improved, and what it does not watch."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One scorer's state: drops, rises, the baseline's sums, and the ids of the runs seen, newest last.

    ``learnt``: the ids of the baseline's own runs. ``onset_run`` and ``size`` of the drop that stands.
    """

    down: group.State
    up: group.State
    total: FloatArray
    answers: FloatArray
    runs: np.ndarray
    learnt: np.ndarray
    onset_run: int | None = None
    size: size.Size | None = None

    @property
    def baseline_runs(self) -> int:
        """How many runs the baseline has learnt."""
        return len(self.learnt)

    @property
    def before(self) -> FloatArray:
        """The baseline's mean of each example [examples], NaN where it has no answer."""
        known = self.answers > 0 if self.down.fitted is None else (self.answers > 0) & self.down.fitted.known
        return np.where(known, self.total / np.maximum(self.answers, 1.0), np.nan)

    @property
    def standing(self) -> bool:
        """True if a drop stands that is worth a page."""
        return self.down.page is not None and self.size is not None and self.size.enough


@dataclass(frozen=True, slots=True)
class State:
    """The state of every scorer, by name."""

    scorers: dict[str, Watched]


class Quality:
    """Null hypothesis: the endpoint answers this golden set as well as it did during its baseline."""

    name = "quality"
    weight = 8.0
    state_types = (
        State,
        Watched,
        size.Size,
        *group.STATE_TYPES,
    )

    def initial(self, subject: Subject) -> State:
        """One group of streams per scorer."""
        fresh = group.initial(plan_for(subject, 0))
        zeros = np.zeros(subject.examples)
        none = np.zeros(0, dtype=np.int64)
        watched = Watched(fresh, fresh, zeros, zeros, none, none)
        return State(dict.fromkeys(subject.scorers, watched))

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """Judge every scorer; see :class:`checks.base.Check`."""
        after: dict[str, Watched] = {}
        findings: list[Finding] = []
        suspect, onsets = False, []
        for scorer in subject.scorers:
            key = sorted(subject.scorers).index(
                scorer
            )  # by name: the order in the configuration means nothing
            threshold_h = run.period_h / (run.share * share / len(subject.scorers))
            watched, capped, parts = _advance(
                subject, key, state.scorers[scorer], run, run.scores[scorer], threshold_h, learn=learn
            )
            after[scorer] = watched
            suspect = suspect or (capped and watched.down.page is None)
            if watched.standing:
                onsets.append(watched.onset_run)
            learning = state.scorers[scorer].down.learning
            findings += _findings(
                subject, key, scorer, watched, run.scores[scorer], capped, parts, learning=learning
            )
        known = [o for o in onsets if o is not None]
        answer = Answer(tuple(findings), suspect, bool(onsets), min(known, default=None))
        return State(after), answer

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """Inconclusive for every subject; what stands goes on standing."""
        del run
        findings, onsets = [], []
        for scorer in subject.scorers:
            watched = state.scorers[scorer]
            page = watched.down.page if watched.standing else None
            if page is not None:
                onsets.append(watched.onset_run)
            reason = "not measured" if page is None else "not measured; the regression stands"
            findings.append(
                Finding(
                    self.name,
                    scorer,
                    ALL,
                    Verdict.INCONCLUSIVE,
                    page.evidence if page else None,
                    reason=reason,
                )
            )
        known = [o for o in onsets if o is not None]
        return Answer(tuple(findings), False, bool(onsets), min(known, default=None))


CHECK = Quality()


def plan_for(subject: Subject, key: int) -> group.Plan:
    """The group of one scorer of a subject: all examples, then every slice that is a proper part of them."""
    slices = {name: mask for name, mask in subject.slices.items() if 0 < mask.sum() < subject.examples}
    everything = np.ones((1, subject.examples), dtype=bool)
    return group.Plan(
        masks=np.vstack([everything, *[mask[None] for mask in slices.values()]]),
        names=(ALL, *slices),
        baseline_runs=subject.baseline_runs,
        key=key,
    )


def _advance(
    subject: Subject,
    key: int,
    watched: Watched,
    run: Measurement,
    row: FloatArray,
    threshold_h: float,
    *,
    learn: bool,
) -> tuple[Watched, bool, FloatArray]:
    plan = plan_for(subject, key)
    hours, threshold = np.array([run.started_at / SECONDS_PER_HOUR]), np.array([threshold_h])
    learning = watched.down.learning
    # a model that became far better is no new normal either: the models of the noise would overshoot its leap
    down, trace = group.advance(
        plan, watched.down, row[None], hours, threshold, learn=learn and watched.up.page is None
    )
    up, _ = group.advance(
        replace(plan, key=key + len(subject.scorers), remembered=1),
        watched.up,
        1.0 - row[None],
        hours,
        threshold,
        learn=learn and down.page is None,
    )
    known = ~np.isnan(row)
    if not known.any():
        return watched, False, trace.parts[0]
    began = down.page is not None and watched.down.page is None
    before_it = watched.down.fitted
    watched = replace(watched, down=down, up=up, runs=np.append(watched.runs, run.run)[-REMEMBERED:])
    joining = _joining(before_it, known) if learn and down.page is None else None
    if joining is not None and joining.any():
        watched = replace(
            watched,
            total=watched.total + np.where(joining, row, 0.0),
            answers=watched.answers + joining,
        )
    if learning and learn:
        watched = replace(
            watched,
            total=watched.total + np.where(known, row, 0.0),
            answers=watched.answers + known,
            learnt=np.append(watched.learnt, run.run),
        )
    if down.page is None:
        watched = replace(watched, onset_run=None, size=None)
    elif began or watched.size is None:
        watched = _begun(subject, watched, down.page, row)
    else:
        effect, spread = _effects(subject, watched, down.page, row)
        watched = replace(watched, size=size.step(watched.size, effect, subject.smallest_effect, spread))
    return watched, bool(trace.capped[0]), trace.parts[0]


def _joining(fitted: reference.Reference | None, answered: BoolArray) -> BoolArray:
    """The examples that joined a complete baseline with a later golden set and collect theirs now."""
    return np.zeros_like(answered) if fitted is None else answered & ~fitted.known


def _begun(subject: Subject, watched: Watched, page: group.Page, row: FloatArray) -> Watched:
    """A drop begins to stand: the id of its first bad run, and how large it has been since."""
    back = watched.down.seen - page.onset
    plan = plan_for(subject, 0)
    effect, spread = _effects(subject, watched, page, row)
    moved = np.nan_to_num(effect)
    moved[plan.names.index(page.stream)] = size.of_page(plan, watched.down, page)
    return replace(
        watched,
        onset_run=int(watched.runs[-back]) if back <= len(watched.runs) else None,
        size=size.begin(moved, back, subject.smallest_effect, spread),
    )


def _effects(
    subject: Subject, watched: Watched, page: group.Page, row: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What the run lost [streams] of the whole and of every slice, NaN where it does not tell, and its spread.

    The whole and the slice that paged are sure already: their spread is 0.
    """
    plan, fitted = plan_for(subject, 0), watched.down.fitted
    assert fitted is not None  # noqa: S101  # a page stands on a fitted reference
    change = row - watched.before
    out = np.full(plan.streams, np.nan)
    for at in range(plan.streams):
        known = change[plan.masks[at] & ~np.isnan(change)]
        if len(known):
            out[at] = -float(known.mean())
    sure = [name in (ALL, page.stream) for name in plan.names]
    return out, np.where(sure, 0.0, fitted.unit / plan.masks.sum(axis=1))


def _findings(
    subject: Subject,
    key: int,
    scorer: str,
    watched: Watched,
    row: FloatArray,
    capped: bool,
    parts: FloatArray,
    *,
    learning: bool,
) -> list[Finding]:
    names = plan_for(subject, key).names
    masks = {ALL: np.ones(subject.examples, dtype=bool), **subject.slices}
    if not (~np.isnan(row)).any():
        reason = "nothing could be scored"
        return [Finding("quality", scorer, name, Verdict.INCONCLUSIVE, reason=reason) for name in masks]
    if learning:
        reason = f"{watched.baseline_runs} of {subject.baseline_runs} baseline runs"
        return [
            Finding("quality", scorer, name, Verdict.LEARNING, current=mean(row[mask]), reason=reason)
            for name, mask in masks.items()
        ]
    found = []
    for name, mask in masks.items():
        at = names.index(name) if name in names else 0
        evidence = float(parts[at] + (parts[-1] if at == 0 else 0.0))
        found.append(_finding(subject, scorer, name, mask, watched, row, capped, evidence))
    return found


def _finding(
    subject: Subject,
    scorer: str,
    name: str,
    mask: np.ndarray,
    watched: Watched,
    row: FloatArray,
    capped: bool,
    evidence: float,
) -> Finding:
    before = watched.before
    pairs = mask & ~np.isnan(row) & ~np.isnan(before)
    if not pairs.any():
        return Finding("quality", scorer, name, Verdict.INCONCLUSIVE, reason="no example to compare")
    difference = row[pairs] - before[pairs]
    groups = subject.groups[pairs] if subject.groups is not None else None
    low, high = paired_interval(difference, groups)
    effect = float(difference.mean())
    page = watched.down.page
    verdict, onset, reason = Verdict.OK, None, None
    if page is not None and not watched.standing:
        if high < 0.0:
            least = (subject.smallest_effect or 0.0) * 100.0
            reason = f"fell, by less than the {least:g} points that are worth a page"
    elif page is not None:
        leads = page.stream == name
        falls = high < 0.0 and (
            name == ALL
            or evidence >= 0.05
            or effect <= -size.of_page(plan_for(subject, 0), watched.down, page) / 2
        )
        if leads or falls:
            verdict, onset = Verdict.REGRESSED, watched.onset_run
            evidence = max(page.evidence, 1.0)
            reason = f"since run {onset}" if onset is not None else "since before the runs remembered"
            if high >= 0.0:
                reason += "; today's run alone does not show it"
    elif capped and name == ALL:
        verdict, reason = Verdict.SUSPECT, "one bad run; a second must agree before anyone is paged"
    elif watched.up.page is not None and low > 0.0:
        verdict, reason = Verdict.IMPROVED, BETTER
    return Finding(
        "quality",
        scorer,
        name,
        verdict,
        evidence=evidence,
        effect=effect,
        interval=(float(low), float(high)),
        baseline=float(before[pairs].mean()),
        current=float(row[pairs].mean()),
        onset_run=onset,
        reason=reason,
    )
