"""Does a comparison tell what changed, and only that?"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import stats

from checks.compare import compare
from checks.scorers import Scorer
from checks.scorers.exact_match import ExactMatch
from checks.types import ErrorKind, Example, Response, ResponseError, Score, Verdict

EXACT = ExactMatch()


class Graded(Scorer):
    """The answer is the score; "?" cannot be scored."""

    kind: Literal["graded"] = "graded"

    def score(self, example, response):
        return Score.unscored("no number") if response.output == "?" else Score(float(response.output))


def examples_of(n, slices=None, groups=None, weights=None):
    return [
        Example(
            f"e{i}",
            "question",
            "yes",
            slices=slices(i) if slices else {},
            group=groups(i) if groups else None,
            weight=weights(i) if weights else 1.0,
        )
        for i in range(n)
    ]


def answers(outputs):
    """One response per output; None is an outage."""
    error = ResponseError(ErrorKind.TIMEOUT, "no answer in 30 s")
    return [Response(f"e{i}", o, None if o is not None else error) for i, o in enumerate(outputs)]


def right(n, wrong=()):
    return answers(["no" if i in set(wrong) else "yes" for i in range(n)])


def finding(result, slice_name="all", scorer="exact_match"):
    return next(f for f in result.findings if (f.scorer, f.slice) == (scorer, slice_name))


def test_a_drop_is_a_regression_with_its_figures():
    """Forty of two hundred broken: regressed, with means, effect, interval and p-value as told."""
    result = compare(examples_of(200), [EXACT], right(200, range(10)), right(200, range(5, 50)))
    found = finding(result)
    assert result.verdict is found.verdict is Verdict.REGRESSED
    assert (found.check, found.threshold, found.onset_run) == ("quality", 0.05, None)
    assert (found.baseline, found.current) == (0.95, 0.775)
    assert found.effect == pytest.approx(-0.175)
    assert found.interval[0] < -0.175 < found.interval[1] < 0
    assert found.evidence == pytest.approx(stats.binomtest(5, 45).pvalue)
    assert result.reason == "exact_match 95.0% → 77.5%"
    assert result.tests == 1


def test_swapping_the_sides_turns_a_regression_into_an_improvement():
    """B against A mirrors A against B: same p-value, opposite effect."""
    a, b = right(100, range(20)), right(100, range(3))
    there, back = (compare(examples_of(100), [EXACT], *pair) for pair in ((a, b), (b, a)))
    assert (there.verdict, back.verdict) == (Verdict.IMPROVED, Verdict.REGRESSED)
    assert finding(there).evidence == finding(back).evidence
    assert finding(there).effect == -finding(back).effect
    assert [c.id for c in there.fixed] == [c.id for c in back.broken]


def test_equal_answers_are_ok():
    """Nothing changed: p = 1, effect 0, an interval around 0."""
    found = finding(result := compare(examples_of(50), [EXACT], right(50, [3]), right(50, [3])))
    assert result.verdict is found.verdict is Verdict.OK
    assert (found.evidence, found.effect) == (1.0, 0.0)
    assert found.interval[0] < 0 < found.interval[1]
    assert result.broken == result.fixed == ()


def test_a_slice_regresses_inside_an_improvement():
    """The whole is regressed where one slice fell, and the reason tells both."""
    examples = examples_of(200, lambda i: {"lang": "de" if i < 50 else "en"})
    result = compare(examples, [EXACT], right(200, range(50, 150)), right(200, range(25)))
    assert finding(result).verdict is Verdict.IMPROVED
    assert finding(result, "lang=de").verdict is Verdict.REGRESSED
    assert finding(result, "lang=en").verdict is Verdict.IMPROVED
    assert result.verdict is Verdict.REGRESSED
    assert result.reason.startswith(
        "exact_match in lang=de 100.0% → 50.0%; improved: exact_match 50.0% → 87.5%"
    )
    assert [f.slice for f in result.findings] == ["all", "lang=de", "lang=en"]


def test_holm_counts_every_scorer_and_slice():
    """One p-value of .008 passes alone and not among ten slices."""
    lone = compare(examples_of(80), [EXACT], right(80), right(80, range(8)))
    assert lone.verdict is Verdict.REGRESSED
    examples = examples_of(80, lambda i: {f"k{j}": str(i % 2) for j in range(10)})
    many = compare(examples, [EXACT, ExactMatch(name="again")], right(80), right(80, range(8)))
    assert many.tests == 2 * 21
    assert many.verdict is Verdict.OK
    assert finding(many).evidence == pytest.approx(42 * finding(lone).evidence)


def test_only_pairs_count():
    """An example that one side left unanswered is in neither mean of the finding, nor broken."""
    outputs = ["yes"] * 100
    b = [None if i < 5 else o for i, o in enumerate(outputs)]
    a = ["no" if i < 3 else "yes" for i in range(100)]
    result = compare(examples_of(100), [EXACT], answers(a), answers(b))
    found = finding(result)
    assert (found.baseline, found.current, found.effect) == (1.0, 1.0, 0.0)
    assert found.reason == "no difference shown over 95 pairs"
    assert result.broken == result.fixed == ()
    assert (result.current.answered, dict(result.current.errors)) == (95, {"no answer in 30 s": 5})
    assert [(s.mean, s.n, s.unscored) for s in result.baseline.summaries] == [(0.97, 100, 0)]
    assert [(s.mean, s.n, s.unscored) for s in result.current.summaries] == [(1.0, 95, 5)]


@pytest.mark.parametrize("swapped", [False, True])
def test_an_outage_is_never_a_regression(swapped):
    """Below min_answered on either side the run and every finding are inconclusive, whatever the rest says."""
    down = answers([None if i < 11 else "no" for i in range(100)])
    sides = (down, right(100)) if swapped else (right(100), down)
    result = compare(examples_of(100, lambda i: {"k": str(i % 2)}), [EXACT], *sides)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert {f.verdict for f in result.findings} == {Verdict.INCONCLUSIVE}
    assert {f.evidence for f in result.findings} == {None}
    side = "A" if swapped else "B"
    assert result.reason == f"89 of 100 examples have an answer in {side}; at least 90% are needed"
    assert compare(examples_of(100), [EXACT], *sides, min_answered=0.5).verdict is not Verdict.INCONCLUSIVE


def test_missing_responses_count_as_unanswered():
    """A response that is not there is unanswered, and the reasons say so."""
    result = compare(examples_of(10), [EXACT], right(10), right(10)[:8])
    assert result.verdict is Verdict.INCONCLUSIVE
    assert dict(result.current.errors) == {"no response": 2}
    assert compare(examples_of(10), [EXACT], [], []).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("n", "verdict"), [(1, Verdict.INCONCLUSIVE), (5, Verdict.INCONCLUSIVE), (6, Verdict.REGRESSED)]
)
def test_too_few_pairs_are_inconclusive(n, verdict):
    """Five pairs cannot reach 5% even if all break, so they are not tested; six can."""
    result = compare(examples_of(n), [EXACT], right(n), right(n, range(n)))
    assert result.verdict is finding(result).verdict is verdict
    assert finding(result).effect == -1.0
    if n < 6:
        assert finding(result).evidence is None
        pairs = "1 pair" if n == 1 else f"{n} pairs"
        assert finding(result).reason == f"only {pairs}; at least 6 are needed at alpha 0.05"


def test_a_thin_slice_is_reported_untested_and_costs_nothing():
    """A slice of three examples is inconclusive, is not counted by Holm, and the run stays judged."""
    examples = examples_of(60, lambda i: {"k": "thin" if i < 3 else "thick"})
    result = compare(examples, [EXACT], right(60), right(60, range(3)))
    assert finding(result, "k=thin").verdict is Verdict.INCONCLUSIVE
    assert finding(result, "k=thin").effect == -1.0
    assert (result.tests, result.verdict) == (2, Verdict.OK)


def test_copies_in_one_group_are_one_pair():
    """Sixty examples in four groups are too few to judge."""
    result = compare(examples_of(60, groups=lambda i: f"g{i % 4}"), [EXACT], right(60), right(60, range(30)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "only 4 group" in result.reason


def test_a_scorer_that_could_not_score_is_not_ok():
    """No score at all over the golden set is inconclusive, although another scorer saw no change."""
    a = answers(["?"] * 30)
    result = compare(examples_of(30), [Graded(), EXACT], a, a)
    assert finding(result, scorer="graded").verdict is Verdict.INCONCLUSIVE
    assert finding(result).verdict is Verdict.OK
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason == "graded: no answer could be scored on both sides"
    assert finding(result, scorer="graded").effect is None


def test_pairs_lost_to_one_sided_scoring_are_not_judged():
    """Where B is unscored for a fifth of what A was scored on, the rest is a choice: inconclusive."""
    a, b = answers(["0.5"] * 50), answers(["?" if i < 10 else "1" for i in range(50)])
    result = compare(examples_of(50), [Graded()], a, b)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason == "graded: only 40 of 50 answered examples were scored on both sides"
    both = compare(examples_of(50), [Graded()], b, b)
    assert both.verdict is Verdict.OK


def test_a_regression_outweighs_a_blind_scorer():
    """What was seen to fall is told, though another scorer could not score."""
    b = right(60, range(30))
    result = compare(examples_of(60), [Graded(), EXACT], right(60), b)
    assert result.verdict is Verdict.REGRESSED


def test_a_raising_scorer_is_unscored_and_not_zero():
    """A scorer that fails on every answer gives no mean, not 0."""
    result = compare(examples_of(20), [Graded()], answers(["x"] * 20), answers(["x"] * 20))
    assert result.current.summaries[0].mean is None
    assert result.current.summaries[0].unscored == 20


def test_graded_scores_are_compared_and_weighted():
    """Means are weighted by the examples, and a small steady fall of a graded score is found."""
    a = answers(["0.9"] * 40)
    b = answers([f"{0.85 - 0.001 * (i % 5):.3f}" for i in range(40)])
    result = compare(examples_of(40), [Graded()], a, b)
    found = finding(result, scorer="graded")
    assert found.verdict is Verdict.REGRESSED
    assert found.effect == pytest.approx(-0.052)
    assert result.broken == ()  # every answer is still above the half that counts as right
    weighted = compare(
        examples_of(40, weights=lambda i: 3.0 if i < 10 else 1.0),
        [EXACT],
        right(40),
        right(40, range(10)),
    )
    assert finding(weighted).current == pytest.approx(0.5)
    assert weighted.current.summaries[0].mean == pytest.approx(0.5)


def test_broken_examples_carry_what_a_person_needs():
    """Each broken example tells id, expected, both answers and why; the largest fall comes first."""
    a = answers(["1"] * 10)
    b = answers(["1", "0.4", "0", "?", "0.2", *["1"] * 5])
    result = compare(examples_of(10), [Graded()], a, b, min_answered=0.8)
    assert [(c.id, c.before, c.now, c.now_score) for c in result.broken] == [
        ("e2", "1", "0", 0.0),
        ("e4", "1", "0.2", 0.2),
        ("e1", "1", "0.4", 0.4),
    ]
    exact = compare(examples_of(10), [EXACT], right(10), right(10, [7]))
    assert (exact.broken[0].expected, exact.broken[0].scorer) == ("yes", "exact_match")
    assert exact.broken[0].reason


def test_repeats_are_averaged_before_they_are_compared():
    """Three answers to one example are one pair with the mean of their scores."""
    a = [Response(f"e{i}", "1", repeat=r) for i in range(12) for r in range(3)]
    b = [Response(f"e{i}", "1" if r else "0.1", repeat=r) for i in range(12) for r in range(3)]
    found = finding(compare(examples_of(12), [Graded()], a, b), scorer="graded")
    assert found.current == pytest.approx(0.7)
    assert found.reason == "12 of 12 pairs differ"


def test_a_slice_that_is_everything_is_not_tested_twice():
    """A slice that holds every example is the headline again, and is left out."""
    result = compare(examples_of(20, lambda _: {"lang": "en"}), [EXACT], right(20), right(20))
    assert [f.slice for f in result.findings] == ["all"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"examples": []}, "at least one example"),
        ({"scorers": []}, "at least one example and one scorer"),
        ({"scorers": [EXACT, EXACT]}, "2 scorers have the name 'exact_match'"),
        ({"examples": [*examples_of(3), *examples_of(1)]}, "2 examples have the id 'e0'"),
        ({"a": right(4)}, "side A: no example has the id 'e3'"),
        ({"b": [*right(3), *right(1)]}, "side B: example 'e0' has two responses"),
        ({"alpha": 0.0}, "alpha"),
        ({"min_answered": 1.5}, "min_answered"),
    ],
)
def test_ambiguous_input_is_refused(change, message):
    """What could be read in two ways is an error that names it."""
    given = {"examples": examples_of(3), "scorers": [EXACT], "a": right(3), "b": right(3)} | change
    with pytest.raises(ValueError, match=message):
        compare(given.pop("examples"), given.pop("scorers"), given.pop("a"), given.pop("b"), **given)


def test_false_findings_stay_within_alpha_over_many_slices():
    """With two scorers and forty slices, versions that answer alike are told apart in at most 5% of comparisons."""
    rng = np.random.default_rng(11)
    n, runs, false = 120, 150, 0
    examples = examples_of(n, lambda i: {f"k{j}": str((i * (j + 3) + i // 7) % 2) for j in range(20)})
    ability = rng.beta(3, 1, n)
    scorers = [EXACT, ExactMatch(name="strict", strip=False)]
    for _ in range(runs):
        a, b = (answers(["yes" if x else "no" for x in rng.random(n) < ability]) for _ in range(2))
        false += compare(examples, scorers, a, b, alpha=0.2).verdict is not Verdict.OK
    assert stats.binomtest(false, runs, 0.2, alternative="greater").pvalue > 0.001


def test_a_ten_point_drop_is_found_among_many_slices():
    """400 examples that lose 10 points are found among forty slices at least nine times in ten."""
    rng = np.random.default_rng(12)
    n, found = 400, 0
    examples = examples_of(n, lambda i: {f"k{j}": str((i * (j + 3) + i // 7) % 2) for j in range(20)})
    for _ in range(20):
        b = answers(["no" if x else "yes" for x in rng.random(n) < 0.1])
        found += compare(examples, [EXACT], right(n), b).verdict is Verdict.REGRESSED
    assert found >= 18


def test_the_same_input_gives_the_same_judgement():
    """Nothing is random: two comparisons of the same answers are equal, in any order of responses."""
    a, b = answers(["0.2", "0.9", "0.7"] * 10), answers(["0.3", "0.8", "0.75"] * 10)
    first = compare(examples_of(30), [Graded()], a, b)
    assert compare(examples_of(30), [Graded()], a[::-1], b[::-1]) == first
