"""Judging as a fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks import judge
from checks.types import Measurement, Subject, Verdict
from tests.checks.folds import judgements, kept_and_folded

EXAMPLES = 200
SLICES = {"lang=de": np.arange(EXAMPLES) < 40, "lang=en": np.arange(EXAMPLES) >= 40}


def about(**more):
    given = {"examples": EXAMPLES, "scorers": ("label",), "slices": SLICES, "baseline_runs": 10, **more}
    return Subject(**given)


def run(
    number,
    rate,
    *,
    scorer="label",
    answered=None,
    hours=None,
    latency_s=0.5,
    measured=True,
    examples=EXAMPLES,
):
    """A run whose examples pass with ``rate`` (a number, or one per example)."""
    rng = np.random.default_rng([number, 7])
    scores = (rng.random(examples) < rate).astype(float)
    known = np.ones(examples, dtype=bool) if answered is None else np.asarray(answered)
    latency = latency_s * np.exp(0.2 * rng.standard_normal(examples))
    return Measurement(
        run=number,
        started_at=3600.0 * (number if hours is None else hours),
        measured=measured,
        scores={scorer: np.where(known, scores, np.nan)},
        answered=known,
        latency_s=np.where(known, latency, np.nan),
    )


RATES = np.clip(np.random.default_rng(3).beta(0.30, 0.075, EXAMPLES), 0.001, 0.999)


def healthy(count, start=1):
    return [run(start + i, RATES) for i in range(count)]


def finding(judgement, check, slice_="all"):
    return next(f for f in judgement.findings if f.check == check and f.slice == slice_)


def test_the_first_runs_are_learning_and_then_healthy_runs_are_ok():
    """Ten runs learn; what follows is judged."""
    _, said = judgements(about(), healthy(14))
    assert [j.verdict for j in said] == [Verdict.LEARNING] * 10 + [Verdict.OK] * 4


def test_while_learning_nothing_is_claimed():
    """Effect, interval, baseline and onset are unknown, not zero."""
    _, said = judgements(about(), healthy(3))
    f = finding(said[-1], "quality")
    assert (f.effect, f.interval, f.baseline, f.onset_run, f.evidence) == (None, None, None, None, None)
    assert f.current is not None


def test_a_broken_model_is_suspect_and_then_regressed():
    """One bad run is suspect; the second, which may come a minute later, regresses; the onset is the first."""
    runs = [*healthy(14), run(15, RATES * 0.6, hours=15), run(16, RATES * 0.6, hours=15.01)]
    _, said = judgements(about(), runs)
    assert [j.verdict for j in said[-2:]] == [Verdict.SUSPECT, Verdict.REGRESSED]
    assert said[-1].onset_run == 15
    f = finding(said[-1], "quality")
    assert f.verdict is Verdict.REGRESSED
    assert f.evidence >= 1
    assert f.interval[0] < f.effect < f.interval[1] < 0


def test_only_the_slice_that_fell_is_called_regressed():
    """A slice that lost its answers is named; the other slice is not."""
    broken = np.where(SLICES["lang=de"], RATES * 0.2, RATES)
    _, said = judgements(about(), [*healthy(20), *[run(21 + i, broken) for i in range(6)]])
    assert said[-1].verdict is Verdict.REGRESSED
    assert finding(said[-1], "quality", "lang=de").verdict is Verdict.REGRESSED
    assert finding(said[-1], "quality", "lang=en").verdict is Verdict.OK


def test_too_few_answers_are_inconclusive_and_change_no_state():
    """An outage is not a regression, and the run after it is judged as if it had not been."""
    half = np.arange(EXAMPLES) < EXAMPLES // 2
    dark = run(15, 0.0, answered=half)
    with_outage, said = judgements(about(), [*healthy(14), dark, run(16, RATES)])
    without, other = judgements(about(), [*healthy(14), run(16, RATES)])
    assert said[14].verdict is Verdict.INCONCLUSIVE
    assert finding(said[14], "availability").verdict is Verdict.INCONCLUSIVE
    assert all(f.verdict is not Verdict.REGRESSED for f in said[14].findings)
    assert finding(said[15], "quality").evidence == finding(other[14], "quality").evidence
    assert with_outage.runs == without.runs + 1


def test_an_outage_during_a_regression_is_inconclusive_and_resolves_nothing():
    """After the outage the regression still stands."""
    bad = [run(15 + i, RATES * 0.5) for i in range(3)]
    dark = run(18, RATES, answered=np.zeros(EXAMPLES, dtype=bool))
    _, said = judgements(about(), [*healthy(14), *bad, dark, run(19, RATES * 0.5)])
    assert [j.verdict for j in said[-2:]] == [Verdict.INCONCLUSIVE, Verdict.REGRESSED]
    assert said[-2].standing


def test_a_model_that_nothing_could_score_is_inconclusive():
    """Answers without scores are not measured, whatever they say."""
    unscored = run(15, RATES)
    unscored = Measurement(
        run=15,
        started_at=unscored.started_at,
        measured=True,
        scores={"label": np.full(EXAMPLES, np.nan)},
        answered=unscored.answered,
        latency_s=unscored.latency_s,
    )
    _, said = judgements(about(), [*healthy(14), unscored])
    assert said[-1].verdict is Verdict.INCONCLUSIVE


def test_an_improvement_is_told_and_never_pages():
    """Better answers give ``improved``; the evidence for a page stays low."""
    worse = np.full(EXAMPLES, 0.6)
    runs = [run(i + 1, worse) for i in range(14)] + [run(15 + i, worse + 0.35) for i in range(4)]
    _, said = judgements(about(), runs)
    assert said[-1].verdict is Verdict.IMPROVED
    assert not any(j.verdict is Verdict.REGRESSED for j in said)


def test_recovery_ends_a_regression():
    """Back at its old scores the model is ok again."""
    runs = [*healthy(14), *[run(15 + i, RATES * 0.5) for i in range(4)], *healthy(4, start=19)]
    _, said = judgements(about(), runs)
    assert said[17].verdict is Verdict.REGRESSED
    assert said[-1].verdict is Verdict.OK


def test_a_floor_pages_before_any_baseline():
    """A model that was broken from its first run is found: two runs below the floor are enough."""
    subject = about(floors={"label": 0.9})
    _, said = judgements(subject, [run(1 + i, 0.6) for i in range(3)])
    assert [j.verdict for j in said[:2]] == [Verdict.SUSPECT, Verdict.REGRESSED]
    f = finding(said[1], "floor")
    assert f.verdict is Verdict.REGRESSED
    assert f.baseline == pytest.approx(0.9)
    assert f.onset_run == 1


def test_a_model_just_above_its_floor_does_not_page():
    """Healthy runs that scatter around a mean above the floor stay quiet."""
    subject = about(floors={"label": float(RATES.mean()) - 0.02})
    _, said = judgements(subject, healthy(60))
    assert not any(j.verdict is Verdict.REGRESSED for j in said)


def test_a_slower_endpoint_regresses_on_latency_alone():
    """Twice the latency pages as latency; the scores are called ok."""
    runs = [*healthy(20), *[run(21 + i, RATES, latency_s=1.2) for i in range(8)]]
    _, said = judgements(about(), runs)
    assert said[-1].verdict is Verdict.REGRESSED
    assert finding(said[-1], "latency").verdict is Verdict.REGRESSED
    assert finding(said[-1], "quality").verdict is Verdict.OK


def test_a_tenth_slower_does_not_page():
    """Up to a fifth is granted."""
    runs = [*healthy(20), *[run(21 + i, RATES, latency_s=0.55) for i in range(60)]]
    _, said = judgements(about(), runs)
    assert not any(j.verdict is Verdict.REGRESSED for j in said)


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept():
    """Through bytes and back after every run, the judgements are the same to the last bit."""
    subject = about(floors={"label": 0.5})
    dark = run(12, 0.5, answered=np.zeros(EXAMPLES, dtype=bool))
    runs = [*healthy(11), dark, *healthy(10, start=13), *[run(23 + i, RATES * 0.7) for i in range(4)]]
    kept, folded = kept_and_folded(subject, runs)
    assert kept == folded


def test_a_kept_state_of_another_form_is_not_used():
    """Bytes that are not a state of this version are refused, not guessed at."""
    assert judge.load(b"nonsense") is None


def test_another_floor_is_another_subject():
    """A kept state does not serve a changed subject: its fingerprint differs."""
    assert judge.fingerprint(about()) != judge.fingerprint(about(floors={"label": 0.9}))


def test_weights_that_are_stored_with_a_run_decide_its_threshold():
    """A target with a hundredth of the budget needs more evidence than one with all of it."""

    def shared(one, share):
        return Measurement(
            one.run,
            one.started_at,
            one.measured,
            one.scores,
            one.answered,
            one.latency_s,
            share,
            one.period_h,
        )

    runs = healthy(20)
    _, whole = judgements(about(), runs)
    _, part = judgements(about(), [shared(one, 0.01) for one in runs])
    assert finding(part[-1], "quality").evidence < finding(whole[-1], "quality").evidence / 50


def test_clustered_examples_widen_the_interval():
    """Examples that share a group are not independent evidence of how much fell."""
    groups = np.arange(EXAMPLES) // 20
    runs = [*healthy(12), run(13, np.where(groups % 2 == 0, RATES * 0.5, RATES))]
    _, plain = judgements(about(), runs)
    _, clustered = judgements(about(groups=groups), runs)
    narrow, wide = finding(plain[-1], "quality").interval, finding(clustered[-1], "quality").interval
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_every_check_has_what_the_judge_needs():
    """A generic look at all that registers: a name of its own, a weight, and the states that it keeps."""
    for name, check in judge.all_checks().items():
        assert check.name == name
        assert check.weight >= 0
        assert all(isinstance(kind, type) for kind in check.state_types)
        assert (check.__doc__ or "").strip()


def test_a_slow_endpoint_whose_latency_becomes_unknown_stays_regressed():
    """A run that says nothing of latency ends no slowdown."""
    slow = [run(21 + i, RATES, latency_s=3.0) for i in range(4)]
    unknown = replace(run(25, RATES), latency_s=np.full(EXAMPLES, np.nan))
    _, said = judgements(about(), [*healthy(20), *slow, unknown])
    assert [j.standing for j in said[-2:]] == [True, True]
    assert said[-1].onset_run == said[-2].onset_run


def test_a_leap_in_quality_never_pages():
    """From nearly all wrong to nearly all right, and then steady: no regression is seen in it."""
    for seed in range(3):
        runs = [run(1000 * seed + i, 0.05 if i <= 20 else 0.98, hours=i) for i in range(1, 80)]
        _, said = judgements(about(), runs)
        assert not any(j.verdict is Verdict.REGRESSED for j in said)


def test_answers_that_nothing_could_score_are_called_so():
    """The reason does not complain of too few answers where all came."""
    unscored = replace(run(15, RATES), scores={"label": np.full(EXAMPLES, np.nan)})
    _, said = judgements(about(), [*healthy(14), unscored])
    assert said[-1].reason == "availability: 200 of 200 examples answered, and none could be scored"
