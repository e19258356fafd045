"""Did the outputs change their kind? Length, refusals, labels, format, structure, whether the answers are right or not.

Each of these is a finding of its own:

- ``length``: the answers became longer or shorter. The stream is log(characters + 5) per example; a tenth either way is
  granted. Effects are relative: +0.4 is 40% longer.
- ``refusal``: the model refuses more, or less, than it did.
- ``SCORER.labels``: the answers name some label more, or less, often.
- ``SCORER.format``: more answers cannot be read in the form that the scorer expects. Fewer is no news.
- ``structure``: more JSON answers have fields, or types of fields, as no answer had in the baseline, though nobody
  scores them. Which path it is, what it was and what it is now is told by the cause ``schema_drift``. The stream is
  there where answers are JSON.

Null hypothesis of each: the example's outputs go on as during the baseline, with the run-level noise that was learnt
(``inference/two_sided.py``). Half of a stream's weight looks each way; the streams share the check's small part of
the budget equally. A stream that was not seen during the baseline (an old file holds no lengths) learns by itself
later. A false alarm: a healthy endpoint whose outputs are shaped otherwise than before by chance. Not to be used for:
whether the answers are right (``quality``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from checks.base import SECONDS_PER_HOUR, Answer
from checks.inference import categorical, group, size, two_sided
from checks.inference.paired import paired_interval
from checks.scorers._texts import quote
from checks.types import ALL, Finding, FloatArray, Measurement, Subject, Verdict

LENGTH, REFUSAL, STRUCTURE = "length", "refusal", "structure"
"""Names of streams, and of what is observed. Of a structure a number stands for the set of paths and types."""
LABELS, FORMAT = ".labels", ".format"
SOFT_CHARS = 5.0
GRANTED = math.log(1.1)
KEY = 1 << 21

_RARE_PART = 0.5  # refusals and format failures hardly ever happen where all is well
_REFUSAL_LABELS = frozenset({"refusal", "answer"})


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: both sides, the baseline's sums over [blocks * examples], what stands.

    ``names`` are the blocks; ``runs`` the ids of the newest runs that were seen, the last one last; ``centre`` is taken
    off the rows of labels; ``size`` of the change that stands; ``ever``: what is watched (a refusal, a format failure)
    happened at least once.
    """

    sides: two_sided.State
    names: tuple[str, ...]
    total: FloatArray
    answers: FloatArray
    runs: np.ndarray
    centre: FloatArray
    baseline_runs: int = 0
    onset_run: int | None = None
    size: size.Size | None = None
    ever: bool = False

    @property
    def standing(self) -> bool:
        """True if a change stands that is worth a page."""
        return self.sides.page is not None and self.size is not None and self.size.enough


@dataclass(frozen=True, slots=True)
class State:
    """The streams by name, the labels of scorers whose categories are not settled yet, and the usual structures."""

    streams: dict[str, Stream]
    words: dict[str, categorical.Vocabulary]
    structures: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class _Row:
    """One run's row for one stream: on the scale of its effects, as each side is given it, and in plain units."""

    name: str
    row: FloatArray
    down: FloatArray
    up: FloatArray
    plain: FloatArray


class OutputShift:
    """Null hypothesis: answers are as long, as willing, of the same labels and as well formed as in the baseline."""

    name = "output_shift"
    weight = 1.0
    state_types = (
        State,
        Stream,
        two_sided.State,
        categorical.Vocabulary,
        size.Size,
        *group.STATE_TYPES,
    )

    def initial(self, subject: Subject) -> State:
        """Length, refusal and every scorer's format; labels are added when their categories are known."""
        streams = {name: _fresh(subject, name, (ALL,)) for name in _always(subject)}
        words = {scorer: categorical.empty(subject.examples) for scorer in subject.scorers}
        return State(streams, words)

    def update(
        self, subject: Subject, state: State, run: Measurement, *, share: float, learn: bool
    ) -> tuple[State, Answer]:
        """See :class:`checks.base.Check`."""
        if STRUCTURE in run.observed and STRUCTURE not in state.streams:
            begun = {**state.streams, STRUCTURE: _fresh(subject, STRUCTURE, (ALL,))}
            state = replace(state, streams=begun)
        threshold_h = run.period_h / (run.share * share / len(state.streams))
        streams, findings, suspect = dict(state.streams), [], False
        for seen in _rows(subject, state, run):
            stream, shown = _advance(subject, streams[seen.name], seen, run, threshold_h, learn=learn)
            streams[seen.name] = stream
            suspect = suspect or (shown.capped and stream.sides.page is None)
            if (finding := _finding(subject, stream, seen, shown)) is not None:
                findings.append(finding)
        words = _collect(subject, state.words, streams, run, learn=learn)
        after = State(streams, words, _structures(state, run, learn=learn))
        return after, _answer(after, tuple(findings), suspect=suspect)

    def unmeasured(self, subject: Subject, state: State, run: Measurement) -> Answer:
        """See :class:`checks.base.Check`."""
        del subject, run
        return _answer(state, (), suspect=False)


CHECK = OutputShift()


def _answer(state: State, findings: tuple[Finding, ...], *, suspect: bool) -> Answer:
    standing = [s for s in state.streams.values() if s.standing]
    onsets = [s.onset_run for s in standing if s.onset_run is not None]
    return Answer(findings, suspect, bool(standing), min(onsets, default=None))


def _always(subject: Subject) -> tuple[str, ...]:
    return (LENGTH, REFUSAL, *(scorer + FORMAT for scorer in sorted(subject.scorers)))


def _plan(subject: Subject, name: str, names: tuple[str, ...]) -> two_sided.Blocks:
    """The plan of a stream; its key is its place among all possible streams, so that their order changes nothing."""
    places = [
        *sorted([LENGTH, REFUSAL, *(s + end for s in subject.scorers for end in (LABELS, FORMAT))]),
        STRUCTURE,
    ]
    key = KEY + 2 * places.index(name)
    if name == LENGTH:
        return two_sided.blocks(
            subject.examples,
            names,
            baseline_runs=subject.baseline_runs,
            key=key,
            margin=GRANTED,
            least_variance=1e-6,
            conformal_below=0.0,
        )
    return two_sided.blocks(
        subject.examples,
        names,
        baseline_runs=subject.baseline_runs,
        key=key,
        rare_part=0.0 if name.endswith(LABELS) else _RARE_PART,
    )


def _fresh(subject: Subject, name: str, names: tuple[str, ...]) -> Stream:
    zeros = np.zeros(len(names) * subject.examples)
    sides = two_sided.initial(
        _plan(subject, name, names), both=name != STRUCTURE and not name.endswith(FORMAT)
    )
    return Stream(sides, names, zeros, zeros, np.zeros(0, dtype=np.int64), zeros)


def _rows(subject: Subject, state: State, run: Measurement) -> Iterator[_Row]:
    """What the run shows of every stream that it shows."""
    chars = run.observed.get(LENGTH)
    if chars is not None:
        row = np.log(chars + SOFT_CHARS)
        yield _Row(LENGTH, row, row, -row, chars)
    refused = run.observed.get(REFUSAL)
    if refused is not None:
        yield _Row(REFUSAL, 1.0 - refused, 1.0 - refused, refused, refused)
    structure = run.observed.get(STRUCTURE)
    if structure is not None:
        row = _unusual(structure, state.structures)
        yield _Row(STRUCTURE, 1.0 - row, 1.0 - row, row, row)
    for scorer in subject.scorers:
        name = scorer + FORMAT
        malformed = np.zeros(subject.examples)
        malformed[list(run.malformed.get(scorer, ()))] = 1.0
        unknown = np.isnan(run.scores[scorer]) & (malformed == 0.0)
        malformed[unknown] = np.nan
        yield _Row(name, 1.0 - malformed, 1.0 - malformed, malformed, malformed)
        name = scorer + LABELS
        if name in state.streams:
            stream = state.streams[name]
            row = categorical.indicators(stream.names, run.labels.get(scorer, {}), subject.examples)
            yield _Row(name, row, row - stream.centre, stream.centre - row, row)


def _collect(
    subject: Subject,
    words: dict[str, categorical.Vocabulary],
    streams: dict[str, Stream],
    run: Measurement,
    *,
    learn: bool,
) -> dict[str, categorical.Vocabulary]:
    """Gather labels until the baseline is complete, then settle the categories and begin their stream."""
    if not learn:
        return words
    after = dict(words)
    for scorer, before in words.items():
        labels = run.labels.get(scorer)
        if not labels or set(labels.values()) <= _REFUSAL_LABELS:
            continue
        known = categorical.collect(before, labels, run.started_at / SECONDS_PER_HOUR)
        after[scorer] = known
        if len(known.codes) < subject.baseline_runs:
            continue
        del after[scorer]
        streams[scorer + LABELS] = _settled(subject, scorer + LABELS, known)
    return after


def _unusual(structure: FloatArray, usual: FloatArray) -> FloatArray:
    """1 where a structure is none of the usual ones; the first that are seen are usual themselves."""
    known = np.isin(structure, usual) if len(usual) else np.ones(len(structure), dtype=bool)
    return np.where(np.isnan(structure), np.nan, 1.0 - known)


def _structures(state: State, run: Measurement, *, learn: bool) -> FloatArray:
    """What is usual after a run: what was seen until the baseline was complete, and nothing later."""
    seen = run.observed.get(STRUCTURE)
    if seen is None or not learn or not state.streams[STRUCTURE].sides.learning:
        return state.structures
    return np.union1d(state.structures, seen[~np.isnan(seen)])


def _settled(subject: Subject, name: str, known: categorical.Vocabulary) -> Stream:
    names = categorical.categories(known)
    stream = _fresh(subject, name, names)
    plan = _plan(subject, name, names)
    labels = [{int(i): known.names[codes[i]] for i in np.flatnonzero(codes >= 0)} for codes in known.codes]
    rows = np.array([categorical.indicators(names, one, subject.examples) for one in labels])
    stream = replace(stream, centre=categorical.shares(rows, len(names)))
    for row, at_h in zip(rows, known.at_h, strict=True):
        down, up = row - stream.centre, stream.centre - row
        sides, _ = two_sided.advance(plan, stream.sides, down, up, at_h=float(at_h), threshold_h=1.0)
        stream = _learnt(replace(stream, sides=sides), row)
    return stream


def _learnt(stream: Stream, row: FloatArray) -> Stream:
    known = ~np.isnan(row)
    return replace(
        stream,
        total=stream.total + np.where(known, row, 0.0),
        answers=stream.answers + known,
        baseline_runs=stream.baseline_runs + 1,
    )


def _advance(
    subject: Subject, stream: Stream, seen: _Row, run: Measurement, threshold_h: float, *, learn: bool
) -> tuple[Stream, two_sided.Seen]:
    learning = stream.sides.learning
    sides, shown = two_sided.advance(
        _plan(subject, seen.name, stream.names),
        stream.sides,
        seen.down,
        seen.up,
        at_h=run.started_at / SECONDS_PER_HOUR,
        threshold_h=threshold_h,
        learn=learn,
    )
    if np.isnan(seen.row).all():
        return stream, shown
    before = stream.sides.page
    runs = np.append(stream.runs, run.run)[-group.REMEMBERED :]
    stream = replace(stream, sides=sides, runs=runs, ever=stream.ever or bool(np.nansum(seen.plain) > 0.0))
    if learning and learn:
        return _learnt(stream, seen.row), shown
    page = sides.page
    if page is None:
        return replace(stream, onset_run=None, size=None), shown
    least = None if seen.name == LENGTH else subject.smallest_effect
    if (
        before is not None
        and (before.run, before.onset) == (page.run, page.onset)
        and stream.size is not None
    ):
        return replace(
            stream, size=size.step(stream.size, _effect(subject, stream, seen, shown), least)
        ), shown
    side = sides.down if sides.down.page is not None else sides.up
    assert side is not None  # noqa: S101  # it is the one whose page stands
    back = side.seen - page.onset
    moved = size.of_page(_plan(subject, seen.name, stream.names), side, page)
    return replace(
        stream,
        onset_run=int(runs[-back]) if back <= len(runs) else None,
        size=size.begin(np.array([moved]), back, least),
    ), shown


def _block(subject: Subject, shown: two_sided.Seen) -> slice:
    return slice(shown.lead * subject.examples, (shown.lead + 1) * subject.examples)


def _pairs(
    subject: Subject, stream: Stream, seen: _Row, shown: two_sided.Seen
) -> tuple[FloatArray, np.ndarray]:
    """The leading block's baseline [examples], and which examples both it and the run know."""
    block = _block(subject, shown)
    answers = stream.answers[block]
    before = np.where(answers > 0, stream.total[block] / np.maximum(answers, 1.0), np.nan)
    return before, ~np.isnan(seen.row[block]) & ~np.isnan(before)


def _effect(subject: Subject, stream: Stream, seen: _Row, shown: two_sided.Seen) -> FloatArray:
    before, pairs = _pairs(subject, stream, seen, shown)
    if not pairs.any():
        return np.array([np.nan])
    moved = float((seen.row[_block(subject, shown)] - before)[pairs].mean())
    return np.array([moved if shown.rises else -moved])


def _finding(subject: Subject, stream: Stream, seen: _Row, shown: two_sided.Seen) -> Finding | None:
    """What to say of the stream; None where there is nothing to say: no refusal was ever seen."""
    name = seen.name
    if not stream.ever or np.isnan(seen.row).all():
        return None
    if stream.sides.learning:
        so_far = f"{stream.baseline_runs} of {subject.baseline_runs} baseline runs"
        current = float(np.nanmean(seen.plain))
        return Finding(CHECK.name, name, ALL, Verdict.LEARNING, current=current, reason=so_far)
    before, pairs = _pairs(subject, stream, seen, shown)
    if not pairs.any():
        return Finding(CHECK.name, name, ALL, Verdict.INCONCLUSIVE, reason="no example to compare")
    row = seen.row[_block(subject, shown)]
    groups = subject.groups[pairs] if subject.groups is not None else None
    bounds = (-math.inf, math.inf) if name == LENGTH else (-1.0, 1.0)
    moved = (row - before)[pairs]
    low, high = paired_interval(moved, groups, bounds=bounds)
    effect, was, now = float(moved.mean()), before[pairs], row[pairs]
    if name == LENGTH:
        effect, low, high = math.expm1(effect), math.expm1(low), math.expm1(min(high, 50.0))
        was, now = np.exp(was) - SOFT_CHARS, seen.plain[pairs]
    elif not name.endswith(LABELS):
        effect, low, high, was, now = -effect, -high, -low, 1.0 - was, 1.0 - now
    verdict, reason = _verdict(subject, stream, shown, name)
    page = stream.sides.page
    return Finding(
        CHECK.name,
        name,
        ALL,
        verdict,
        evidence=max(page.evidence, 1.0) if page is not None else shown.evidence,
        effect=effect,
        interval=(low, high),
        baseline=float(was.mean()),
        current=float(now.mean()),
        onset_run=stream.onset_run if verdict is Verdict.REGRESSED else None,
        reason=reason,
    )


def _verdict(
    subject: Subject, stream: Stream, shown: two_sided.Seen, name: str
) -> tuple[Verdict, str | None]:
    what = _what(name, stream.names[shown.lead], rises=shown.rises)
    if stream.standing:
        since = "before the runs remembered" if stream.onset_run is None else f"run {stream.onset_run}"
        return Verdict.REGRESSED, f"{what}, since {since}"
    if stream.sides.page is not None:
        least = subject.smallest_effect or 0.0
        return Verdict.OK, f"{what}, by less than the {least * 100:g} points that are worth a page"
    if shown.capped:
        return Verdict.SUSPECT, f"one run: {what}; a second must agree before anyone is paged"
    return Verdict.OK, None


def _what(name: str, block: str, *, rises: bool) -> str:
    """What happened, in words; ``rises`` is the side of the stream, not of what people read."""
    if name == LENGTH:
        return "longer answers" if rises else "shorter answers"
    if name == REFUSAL:
        return "fewer refusals" if rises else "more refusals"
    if name.endswith(FORMAT):
        return "more answers that cannot be read in the expected form"
    if name == STRUCTURE:
        return "more answers with other fields, or types of fields"
    label = "other labels" if block == categorical.OTHER else quote(block)
    return f"names {label} {'more' if rises else 'less'} often"
