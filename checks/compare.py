"""Which of two sets of answers to the same examples is better, where, and how sure is that?

A is the baseline and B current. Every scorer is asked over all examples and over every slice that is a proper part
of them. A pair counts where both sides answered and both have a score; with several answers to one example the mean
of its scores counts. The test, the interval and their conditions are told in ``inference/paired.py``; Holm's
adjustment over all scorers and slices makes the probability of any false ``regressed`` or ``improved``
at most alpha (``inference/multiplicity.py``). Intervals are at 95% each, not adjusted.

A finding is ``inconclusive``, untested and outside Holm's count where

- too few clusters of pairs are there to reach alpha even if all of them changed (fewer than 6 at alpha .05: five
  pairs that all break have p = .0625), or
- a scorer scored both sides of less than ``min_answered`` of what it scored on either side: the pairs
  left are then a choice, and not the golden set.

The whole comparison is ``inconclusive`` where either side answered less than ``min_answered`` of the examples; its
findings are too, and then nothing is tested: an outage is never a regression. Else it is ``regressed`` if any finding
is. Else it is ``inconclusive`` if a scorer could not be judged over all examples, because silence is not health;
else ``improved`` if any finding is, else ``ok``.

Means are weighted by the examples' weights, and so is the test. Shares of answered and of scored examples are not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checks.inference.multiplicity import holm
from checks.inference.paired import PairedTest, fewest_clusters, paired_test
from checks.scorers import Scorer, score
from checks.types import ALL, BoolArray, Example, Finding, FloatArray, Json, Response, ScoreSummary, Verdict

NAME = "quality"
RIGHT = 0.5
"""From this score on an example counts as right, in the lists of broken and fixed ones only."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An example that one scorer finds right on one side and wrong on the other.

    ``before`` and ``now`` are the answers as the model wrote them: hostile text. ``reason`` is why the wrong side
    is wrong, where the scorer says so.
    """

    id: str
    scorer: str
    expected: Json
    before: str | None
    now: str | None
    reason: str | None
    before_score: float
    now_score: float


@dataclass(frozen=True, slots=True)
class Side:
    """One set of answers: how many examples were answered, and each scorer's mean over each slice.

    ``summaries`` are over everything that was scored on this side, paired or not; ``unscored`` counts unanswered
    examples too. ``errors`` counts the reasons of unanswered examples, most frequent first.
    """

    examples: int
    answered: int
    summaries: tuple[ScoreSummary, ...]
    errors: Mapping[str, int]

    @property
    def answered_ratio(self) -> float:
        """The share of examples that were answered, in [0, 1]."""
        return self.answered / self.examples


@dataclass(frozen=True, slots=True)
class Comparison:
    """The judgement. A finding's ``evidence`` is its adjusted p-value and its ``threshold`` is alpha.

    ``findings`` hold each scorer's headline (slice ``all``), then its slices by name. ``tests`` is the number that
    Holm's adjustment counted. ``broken`` and ``fixed`` are in the order of the scorers, largest change first.
    """

    verdict: Verdict
    reason: str
    alpha: float
    tests: int
    findings: tuple[Finding, ...]
    broken: tuple[Changed, ...]
    fixed: tuple[Changed, ...]
    baseline: Side
    current: Side


def compare(
    examples: Sequence[Example],
    scorers: Sequence[Scorer],
    a: Sequence[Response],
    b: Sequence[Response],
    *,
    alpha: float = 0.05,
    min_answered: float = 0.9,
) -> Comparison:
    """Judge B against A, pair by pair.

    Args:
        examples: the golden set, at least one example.
        scorers: at least one; their names differ.
        a: the baseline's responses in any order; an example without one counts as unanswered.
        b: the current responses.
        alpha: the probability of any false finding, in (0, 1).
        min_answered: below this share of answered examples on either side nothing is judged, in [0, 1].

    Raises:
        ValueError: an argument is out of its range, ids or scorer names are ambiguous, or a response
            belongs to no example.
    """
    _check(examples, scorers, alpha, min_answered)
    sides = (_Answers.of(examples, a, "A"), _Answers.of(examples, b, "B"))
    masks = _masks(examples)
    weights = np.array([example.weight for example in examples])
    groups = [example.group for example in examples]
    subjects: list[_Subject] = []
    summaries: tuple[list[ScoreSummary], list[ScoreSummary]] = ([], [])
    broken: list[Changed] = []
    fixed: list[Changed] = []
    for scorer in scorers:
        before, now = (side.scored(scorer, examples) for side in sides)
        for side, scored in zip(summaries, (before, now), strict=True):
            side += [
                _summary(scorer.scorer_name, name, scored.values, m, weights) for name, m in masks.items()
            ]
        both = sides[0].answered & sides[1].answered
        for name, mask in masks.items():
            subjects.append(
                _subject(
                    scorer.scorer_name,
                    name,
                    before.values,
                    now.values,
                    both & mask,
                    groups,
                    weights,
                    min_answered,
                )
            )
        broken += _changed(examples, scorer.scorer_name, sides, (before, now), fell=True)
        fixed += _changed(examples, scorer.scorer_name, sides, (before, now), fell=False)
    baseline, current = (
        Side(len(examples), int(side.answered.sum()), tuple(means), side.errors())
        for side, means in zip(sides, summaries, strict=True)
    )
    outage = _outage(baseline, current, min_answered)
    findings, tests = _judge(subjects, alpha, outage)
    verdict, reason = (Verdict.INCONCLUSIVE, outage) if outage else _verdict(findings, tests, alpha)
    return Comparison(verdict, reason, alpha, tests, findings, tuple(broken), tuple(fixed), baseline, current)


@dataclass(frozen=True, slots=True)
class _Scored:
    """Per example the mean score (NaN: none), and why an answer is wrong."""

    values: FloatArray
    reasons: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Answers:
    """One side's responses by the position of their example."""

    responses: tuple[tuple[Response, ...], ...]
    answered: BoolArray

    @classmethod
    def of(cls, examples: Sequence[Example], responses: Iterable[Response], side: str) -> _Answers:
        position = {example.id: i for i, example in enumerate(examples)}
        rows: list[list[Response]] = [[] for _ in examples]
        seen: set[tuple[str, int]] = set()
        for response in responses:
            key = (response.example_id, response.repeat)
            if response.example_id not in position:
                raise ValueError(f"side {side}: no example has the id {response.example_id!r}")
            if key in seen:
                raise ValueError(f"side {side}: example {key[0]!r} has two responses for repeat {key[1]}")
            seen.add(key)
            rows[position[response.example_id]].append(response)
        answered = np.array([any(r.answered for r in row) for row in rows], dtype=bool)
        return cls(tuple(tuple(sorted(row, key=lambda r: r.repeat)) for row in rows), answered)

    def scored(self, scorer: Scorer, examples: Sequence[Example]) -> _Scored:
        values = np.full(len(examples), np.nan)
        reasons: dict[int, str] = {}
        for i, (example, row) in enumerate(zip(examples, self.responses, strict=True)):
            scores = [score(scorer, example, response) for response in row if response.answered]
            known = [s.value for s in scores if s.value is not None]
            if known:
                values[i] = math.fsum(known) / len(known)
            why = next((s.reason for s in scores if s.reason and (s.value is None or s.value < 1.0)), None)
            if why is not None:
                reasons[i] = why
        return _Scored(values, reasons)

    def text(self, position: int) -> str | None:
        return next((r.output for r in self.responses[position] if r.answered), None)

    def errors(self) -> Mapping[str, int]:
        reasons = Counter(
            next((r.error.message for r in row if r.error is not None), "no response")
            for row, answered in zip(self.responses, self.answered, strict=True)
            if not answered
        )
        return dict(reasons.most_common())


@dataclass(frozen=True, slots=True)
class _Subject:
    """One scorer over one slice: the test's result, or why there is none."""

    scorer: str
    slice: str
    baseline: float | None
    current: float | None
    test: PairedTest | None
    refused: str | None


def _check(examples: Sequence[Example], scorers: Sequence[Scorer], alpha: float, min_answered: float) -> None:
    if not examples or not scorers:
        raise ValueError("a comparison needs at least one example and one scorer")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), not {alpha!r}")
    if not 0.0 <= min_answered <= 1.0:
        raise ValueError(f"min_answered lies in [0, 1], not {min_answered!r}")
    for what, names in (
        ("examples have the id", [e.id for e in examples]),
        ("scorers have the name", [s.scorer_name for s in scorers]),
    ):
        name, count = Counter(names).most_common(1)[0]
        if count > 1:
            raise ValueError(f"{count} {what} {name!r}")


def _masks(examples: Sequence[Example]) -> dict[str, BoolArray]:
    """``all``, then every slice that is a proper part, by name."""
    members: dict[str, list[int]] = {}
    for i, example in enumerate(examples):
        for name in example.slice_names:
            members.setdefault(name, []).append(i)
    masks = {ALL: np.ones(len(examples), dtype=bool)}
    for name in sorted(members):
        if len(members[name]) < len(examples):
            masks[name] = np.zeros(len(examples), dtype=bool)
            masks[name][members[name]] = True
    return masks


def _subject(
    scorer: str,
    name: str,
    before: FloatArray,
    now: FloatArray,
    both: BoolArray,
    groups: Sequence[str | None],
    weights: FloatArray,
    min_answered: float,
) -> _Subject:
    has_before, has_now = ~np.isnan(before), ~np.isnan(now)
    pairs = np.flatnonzero(both & has_before & has_now)
    either = int((both & (has_before | has_now)).sum())
    if not pairs.size:
        why = (
            "no example was answered on both sides"
            if not both.any()
            else "no answer could be scored on both sides"
        )
        return _Subject(scorer, name, None, None, None, why)
    w = weights[pairs]
    test = paired_test(now[pairs] - before[pairs], [groups[i] for i in pairs.tolist()], w)
    refused = None
    if pairs.size < min_answered * either:
        refused = f"only {pairs.size} of {either} answered examples were scored on both sides"
    means = (float(np.average(values[pairs], weights=w)) for values in (before, now))
    return _Subject(scorer, name, next(means), next(means), test, refused)


def _judge(subjects: Sequence[_Subject], alpha: float, outage: str | None) -> tuple[tuple[Finding, ...], int]:
    """The findings, and how many of them were tested."""
    needed = fewest_clusters(alpha)
    refusals = [outage or subject.refused or _too_few(subject.test, needed, alpha) for subject in subjects]
    tested = [s.test for s, refused in zip(subjects, refusals, strict=True) if s.test and not refused]
    adjusted = iter(holm([test.p_value for test in tested]))
    findings = tuple(
        _finding(subject, None if refused else next(adjusted), alpha, refused)
        for subject, refused in zip(subjects, refusals, strict=True)
    )
    return findings, len(tested)


def _too_few(test: PairedTest | None, needed: int, alpha: float) -> str | None:
    if test is None or test.clusters >= needed:
        return None
    what = "pair" if test.clusters == test.pairs else "group of pairs"
    count = f"only {test.clusters} {what}" + ("s" if what == "pair" and test.clusters != 1 else "")
    return f"{count}; at least {needed} are needed at alpha {alpha:g}"


def _finding(subject: _Subject, p: float | None, alpha: float, refused: str | None) -> Finding:
    test = subject.test
    if test is None or p is None:
        verdict, reason = Verdict.INCONCLUSIVE, refused
    elif p > alpha:
        verdict, reason = Verdict.OK, f"no difference shown over {_pairs(test)}"
    else:
        verdict = Verdict.REGRESSED if test.effect < 0 else Verdict.IMPROVED
        reason = f"{test.changed} of {_pairs(test)} differ"
    return Finding(
        check=NAME,
        scorer=subject.scorer,
        slice=subject.slice,
        verdict=verdict,
        evidence=p,
        threshold=alpha,
        effect=test.effect if test else None,
        interval=test.interval if test else None,
        baseline=subject.baseline,
        current=subject.current,
        reason=reason,
    )


def _pairs(test: PairedTest) -> str:
    if test.clusters != test.pairs:
        return f"{test.clusters} groups ({test.pairs} pairs)"
    return f"{test.pairs} pairs"


def _outage(baseline: Side, current: Side, min_answered: float) -> str | None:
    told = [
        f"{side.answered} of {side.examples} examples have an answer in {name}"
        for name, side in (("A", baseline), ("B", current))
        if side.answered_ratio < min_answered
    ]
    return f"{' and '.join(told)}; at least {min_answered:.0%} are needed" if told else None


def _verdict(findings: Sequence[Finding], tests: int, alpha: float) -> tuple[Verdict, str]:
    blind = [f for f in findings if f.slice == ALL and f.verdict is Verdict.INCONCLUSIVE]
    ordered = sorted(
        (f for f in findings if f.evidence is not None and f.evidence <= alpha),
        key=lambda f: (f.slice != ALL, -abs(f.effect or 0.0)),  # the headline first, then the largest change
    )
    worse = [_in_words(f) for f in ordered if f.verdict is Verdict.REGRESSED]
    better = [_in_words(f) for f in ordered if f.verdict is Verdict.IMPROVED]
    if worse:
        return Verdict.REGRESSED, _listed(worse) + (f"; improved: {_listed(better)}" if better else "")
    if blind:
        return Verdict.INCONCLUSIVE, "; ".join(f"{f.scorer}: {f.reason}" for f in blind)
    if better:
        return Verdict.IMPROVED, _listed(better)
    return (
        Verdict.OK,
        f"no difference shown in {tests} {'test' if tests == 1 else 'tests'} at alpha {alpha:g}",
    )


def _in_words(finding: Finding) -> str:
    where = finding.scorer if finding.slice == ALL else f"{finding.scorer} in {finding.slice}"
    return f"{where} {100 * (finding.baseline or 0):.1f}% → {100 * (finding.current or 0):.1f}%"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def _summary(
    scorer: str, name: str, values: FloatArray, mask: BoolArray, weights: FloatArray
) -> ScoreSummary:
    scored = mask & ~np.isnan(values)
    n = int(scored.sum())
    mean = float(np.average(values[scored], weights=weights[scored])) if n else None
    return ScoreSummary(scorer, name, mean, n, int(mask.sum()) - n)


def _changed(
    examples: Sequence[Example],
    scorer: str,
    sides: tuple[_Answers, _Answers],
    scored: tuple[_Scored, _Scored],
    *,
    fell: bool,
) -> list[Changed]:
    """The examples that changed sides of ``RIGHT`` downwards (``fell``) or upwards, largest change first."""
    before, now = scored[0].values, scored[1].values
    right, wrong = (before, now) if fell else (now, before)
    positions = np.flatnonzero((right >= RIGHT) & (wrong < RIGHT))  # NaN compares as False: no pair
    order = positions[np.argsort(wrong[positions] - right[positions], kind="stable")]
    return [
        Changed(
            id=examples[i].id,
            scorer=scorer,
            expected=examples[i].expected,
            before=sides[0].text(i),
            now=sides[1].text(i),
            reason=scored[1 if fell else 0].reasons.get(i),
            before_score=float(before[i]),
            now_score=float(now[i]),
        )
        for i in order.tolist()
    ]
