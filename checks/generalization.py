"""Does the model answer new wording as well as the wording that it was trained on? The gap, and whether it widens.

Three comparisons, each where the golden set has enough examples of both kinds:

- ``origin=novel`` and ``origin=heldout`` against ``origin: train`` (without any, ``novel`` against ``heldout``);
- ``twins``: examples whose slice ``twin`` says how they were disturbed, against the examples of the same ``group`` that
  were not (``goldwatch twins`` writes them).

A finding gives the score of the new kind (``current``), that of the known kind (``baseline``), the gap as its effect
and an interval of it by examples, clustered by group. A gap that was there from the beginning is told in words and
never pages: it is a fact about the fine-tune. A gap that widens is a regression.

Null hypothesis: the gap goes on as during the baseline. The stream holds as many new examples as known ones, each
against its own baseline: new ones that fail and known ones that succeed add up, in the mean and where that hardly ever
happened before, with the noise that was learnt (``inference/two_sided.py``). What moves both kinds alike cancels in
the mean; where it does not, the gap over all examples must have widened too, by two standard errors since the onset,
before anybody is paged. The comparisons of all scorers share the check's small part of the budget equally.
A false alarm: the gap of a healthy endpoint that seems wider by chance. When not to use it: to learn whether the model
got worse as a whole (``quality``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import group, size, two_sided
from checks.types import Example, Finding, FloatArray, Gap, Measurement, Origin, Subject, Verdict

TWINS = "twins"
TWIN = "twin"
"""The slice key that says how a twin was disturbed."""

FEWEST = 20
"""Examples of each kind that a comparison needs."""

KEY = 3 << 21

_RARE_PART = 0.4
_SURELY = 2.0
"""Standard errors by which the gap has widened since the onset where a page is sent."""


def gaps_of(examples: Sequence[Example]) -> dict[str, Gap]:
    """The comparisons that a golden set allows, by name."""
    by_origin = {
        origin: np.array([i for i, e in enumerate(examples) if e.origin is origin], dtype=np.int64)
        for origin in Origin
    }
    found = {}
    usual = by_origin[Origin.TRAIN]
    for origin in (Origin.HELDOUT, Origin.NOVEL):
        if len(usual):
            found[f"origin={origin}"] = Gap(by_origin[origin], usual)
    if not len(usual):
        found[f"origin={Origin.NOVEL}"] = Gap(by_origin[Origin.NOVEL], by_origin[Origin.HELDOUT])
    twins = [i for i, e in enumerate(examples) if TWIN in e.slices and e.group is not None]
    groups = {examples[i].group for i in twins}
    originals = [i for i, e in enumerate(examples) if e.group in groups and TWIN not in e.slices]
    found[TWINS] = Gap(np.array(twins, dtype=np.int64), np.array(originals, dtype=np.int64))
    return {name: gap for name, gap in sorted(found.items()) if min(len(gap.new), len(gap.known)) >= FEWEST}


@dataclass(frozen=True, slots=True)
class Stream:
    """One comparison of one scorer: the side that looks for widening, the baseline's sums over new and known examples.

    ``runs``: ids of the newest runs seen, newest last. ``onset_run`` and ``size`` of the widening that stands.
    """

    sides: two_sided.State
    total: FloatArray
    answers: FloatArray
    runs: np.ndarray
    baseline_runs: int = 0
    onset_run: int | None = None
    size: size.Size | None = None

    @property
    def standing(self) -> bool:
        """True if a widening stands that is worth a page."""
        return self.sides.page is not None and self.size is not None and self.size.enough


@dataclass(frozen=True, slots=True)
class State:
    """The streams, by scorer and comparison."""

    streams: dict[str, Stream]


class Generalization:
    """Null hypothesis: new wording is answered worse than known wording by no more than during the baseline."""

    name = "generalization"
    weight = 1.0
    state_types = (State, Stream, two_sided.State, size.Size, *group.STATE_TYPES)

    def initial(self, subject: Subject) -> State | None:
        """One stream per scorer and comparison; None where the golden set allows none."""
        fresh = {}
        for scorer in subject.scorers:
            for name, gap in subject.gaps.items():
                zeros = np.zeros(len(gap.new) + len(gap.known))
                sides = two_sided.initial(_plan(subject, scorer, name), both=False)
                fresh[_key(scorer, name)] = Stream(sides, zeros, zeros, np.zeros(0, dtype=np.int64))
        return State(fresh) if fresh else None

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        threshold_h = run.period_h / (run.share * share / len(state.streams))
        streams, findings, suspect = dict(state.streams), [], False
        for scorer in subject.scorers:
            for name in subject.gaps:
                key = _key(scorer, name)
                before = streams[key]
                after, seen = _advance(subject, before, scorer, name, run, threshold_h, learn=learn)
                streams[key] = after
                suspect = suspect or (seen.capped and after.sides.page is None)
                findings.append(_finding(subject, before, after, scorer, name, run, seen))
        return State(streams), _answer(streams, tuple(findings), suspect=suspect)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return _answer(state.streams, (), suspect=False)


CHECK = Generalization()


def _key(scorer: str, name: str) -> str:
    return f"{scorer}\n{name}"


def _answer(streams: dict[str, Stream], findings: tuple[Finding, ...], *, suspect: bool) -> Answer:
    standing = [s for s in streams.values() if s.standing]
    onsets = [s.onset_run for s in standing if s.onset_run is not None]
    return Answer(findings, suspect, bool(standing), min(onsets, default=None))


def _plan(subject: Subject, scorer: str, name: str) -> two_sided.Blocks:
    gap = subject.gaps[name]
    place = sorted(subject.scorers).index(scorer) * len(subject.gaps) + sorted(subject.gaps).index(name)
    return two_sided.blocks(
        2 * min(len(gap.new), len(gap.known)),
        (name,),
        baseline_runs=subject.baseline_runs,
        key=KEY + 2 * place,
        rare_part=_RARE_PART,
    )


def _members(gap: Gap, row: FloatArray) -> FloatArray:
    """The scores of new examples, then of known ones."""
    return np.concatenate([row[gap.new], row[gap.known]])


def _signed(gap: Gap, members: FloatArray) -> FloatArray:
    """What falls as the gap widens: new scores, and known ones mirrored, as many of either kind."""
    new, known = members[: len(gap.new)], members[len(gap.new) :]
    least = min(len(new), len(known))
    return np.concatenate([_spread_out(new, least), 1.0 - _spread_out(known, least)])


def _spread_out(values: FloatArray, count: int) -> FloatArray:
    """So many of the values, evenly over their order."""
    return values[np.arange(count) * len(values) // count]


def _gap(gap: Gap, members: FloatArray) -> float:
    """Mean of new minus mean of known examples, NaN where either is unknown."""
    new, known = members[: len(gap.new)], members[len(gap.new) :]
    if np.isnan(new).all() or np.isnan(known).all():
        return math.nan
    return float(np.nanmean(new) - np.nanmean(known))


def _advance(
    subject: Subject,
    stream: Stream,
    scorer: str,
    name: str,
    run: Measurement,
    threshold_h: float,
    *,
    learn: bool,
) -> tuple[Stream, two_sided.Seen]:
    gap, plan, learning = subject.gaps[name], _plan(subject, scorer, name), stream.sides.learning
    members = _members(gap, run.scores[scorer])
    if math.isnan(_gap(gap, members)):
        members = np.full(len(members), np.nan)  # one kind alone says nothing of the gap
    row = _signed(gap, members)
    sides, seen = two_sided.advance(
        plan, stream.sides, row, row, at_h=run.started_at / SECONDS_PER_HOUR, threshold_h=threshold_h, learn=learn
    )  # fmt: skip
    known = ~np.isnan(members)
    if not known.any():
        return stream, seen
    runs = np.append(stream.runs, run.run)[-group.REMEMBERED :]
    before, stream = stream.sides.page, replace(stream, sides=sides, runs=runs)
    if learning and learn:
        return replace(
            stream,
            total=stream.total + np.where(known, members, 0.0),
            answers=stream.answers + known,
            baseline_runs=stream.baseline_runs + 1,
        ), seen
    page = sides.page
    if page is None:
        return replace(stream, onset_run=None, size=None), seen
    widened = np.array([_usual(gap, stream, members) - _gap(gap, members)])
    usual = np.where(stream.answers > 0, stream.total / np.maximum(stream.answers, 1.0), np.nan)
    least = subject.smallest_effect or 0.0
    error = _standard_error(subject, gap, members - usual) * _SURELY / size.SURE
    same = before is not None and (before.run, before.onset) == (page.run, page.onset)
    if same and stream.size is not None:
        return replace(stream, size=size.step(stream.size, widened, least, error)), seen
    back = sides.down.seen - page.onset
    return replace(
        stream,
        onset_run=int(runs[-back]) if back <= len(runs) else None,
        size=size.begin(widened, 1, least, error),
    ), seen


def _usual(gap: Gap, stream: Stream, members: FloatArray) -> float:
    """The baseline's gap over the examples that this run knows too."""
    known = (stream.answers > 0) & ~np.isnan(members)
    return _gap(gap, np.where(known, stream.total / np.maximum(stream.answers, 1.0), np.nan))


def _finding(
    subject: Subject,
    before: Stream,
    stream: Stream,
    scorer: str,
    name: str,
    run: Measurement,
    seen: two_sided.Seen,
) -> Finding:
    gap = subject.gaps[name]
    members = _members(gap, run.scores[scorer])
    now = _gap(gap, members)
    if math.isnan(now):
        return Finding(CHECK.name, scorer, name, Verdict.INCONCLUSIVE, reason="one kind was not answered")
    known, new = (float(np.nanmean(part)) for part in (members[len(gap.new) :], members[: len(gap.new)]))
    if before.sides.learning:
        reason = f"{stream.baseline_runs} of {subject.baseline_runs} baseline runs"
        return Finding(CHECK.name, scorer, name, Verdict.LEARNING, baseline=known, current=new, reason=reason)
    spread = 1.96 * _standard_error(subject, gap, members)
    low, high = max(now - spread, -1.0), min(now + spread, 1.0)
    usual, page = _usual(gap, stream, members), stream.sides.page
    verdict, reason = Verdict.OK, ""
    if stream.standing:
        verdict = Verdict.REGRESSED
        since = "" if stream.onset_run is None else f", since run {stream.onset_run}"
        reason = f"{_what(name)} fell behind: {_place(now)} now, {_place(usual)} in the baseline{since}"
    elif page is not None:
        reason = (
            f"{_what(name)} fails where it did not; the gap has not surely widened, or too little for a page"
        )
    elif seen.capped:
        verdict = Verdict.SUSPECT
        reason = "one run with a wider gap; a second must agree before anyone is paged"
    elif high < 0.0:
        reason = f"{_what(name)} is answered worse by {_points(now)}, as it was in the baseline"
    return Finding(
        CHECK.name,
        scorer,
        name,
        verdict,
        evidence=max(page.evidence, 1.0) if page is not None else seen.evidence,
        effect=now,
        interval=(low, high),
        baseline=known,
        current=new,
        onset_run=stream.onset_run if verdict is Verdict.REGRESSED else None,
        reason=reason or None,
    )


def _what(name: str) -> str:
    return "disturbed wording" if name == TWINS else f"{name.partition('=')[2]} wording"


def _place(gap: float) -> str:
    """Where new wording stands beside known wording.

    >>> _place(-0.067), _place(0.033)
    ('6.7 points behind', '3.3 points ahead')
    """
    return f"{_points(gap)} behind" if gap <= 0.0 else f"{_points(-gap)} ahead"


def _points(gap: float) -> str:
    return f"{-100.0 * gap:.1f} points"


def _standard_error(subject: Subject, gap: Gap, members: FloatArray) -> float:
    """Of the gap of some values (scores, or their changes), robust to clusters (Liang and Zeger 1986).

    A kind without spread counts by its size alone: its variance is then that of a share after one more success and
    failure (Agresti and Caffo 2000).
    """
    where = np.concatenate([gap.new, gap.known])
    new = np.arange(len(members)) < len(gap.new)
    clusters = -1 - where if subject.groups is None else subject.groups[where]
    residuals = np.zeros(len(members))
    unvaried = 0.0
    for side, sign in ((new, 1.0), (~new, -1.0)):
        mine = side & ~np.isnan(members)
        if not mine.any():
            return math.inf
        n, centre = int(mine.sum()), float(members[mine].mean())
        residuals[mine] = sign * (members[mine] - centre) / n
        if not np.ptp(members[mine]):
            p = (min(abs(centre), 1.0) * n + 1.0) / (n + 2.0)
            unvaried += p * (1.0 - p) / (n + 2.0)
    _, owner = np.unique(clusters[~np.isnan(members)], return_inverse=True)
    sums = np.bincount(owner, residuals[~np.isnan(members)])
    return math.sqrt(float((sums * sums).sum()) * len(sums) / max(len(sums) - 1, 1) + unvaried)
