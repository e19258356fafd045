"""Is a judge that changed found by its anchors, kept from the model's verdict, and otherwise left alone?"""

from __future__ import annotations

import numpy as np
import pytest

from checks import judge
from checks.judge_drift import COUNTS, HUMAN, SCORES
from checks.types import Measurement, Subject, Verdict

EXAMPLES, ANCHORS = 60, 30
RIGHT = (np.random.default_rng(3).random(ANCHORS) < 0.5).astype(float)
GOOD = (np.random.default_rng(4).random(EXAMPLES) < 0.8).astype(float)


def about(**more) -> Subject:
    given = {
        "examples": EXAMPLES,
        "scorers": ("judge",),
        "slices": {},
        "judges": ("judge",),
        "baseline_runs": 4,
    }
    return Subject(**{**given, **more})


def run(
    number, *, turned=0, noise=0.0, told=EXAMPLES, file=7.0, fallen=0, seed=0, scores=None
) -> Measurement:
    """A run whose judge turned so many anchors, and gave so many verdicts; ``fallen`` examples fell."""
    rng = np.random.default_rng([number, seed])
    anchors, good = RIGHT.copy(), GOOD.copy()
    anchors[:turned] = 1.0 - anchors[:turned]
    good[:fallen] = 0.0
    anchors = np.where(rng.random(ANCHORS) < noise, 1.0 - anchors, anchors)
    good = np.where(rng.random(EXAMPLES) < noise, 1.0 - good, good)
    good[told:] = np.nan
    if not told:
        anchors[:] = np.nan
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"judge": good, **(scores or {})},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=np.full(EXAMPLES, np.nan),
        judged={
            SCORES + "judge": anchors,
            HUMAN + "judge": RIGHT,
            COUNTS + "judge": np.array([file, EXAMPLES, told], dtype=float),
        },
    )


def judgements(runs, subject=None):
    """What is said after each run."""
    subject = subject or about()
    state, found = judge.initial(subject), []
    for one in runs:
        state, judged = judge.judge(subject, state, one)
        found.append(judged)
    return found


def finding(judged, check="judge_drift"):
    return next(f for f in judged.findings if f.check == check)


def test_a_judge_that_changed_is_found_at_the_second_run_and_the_model_is_not_blamed() -> None:
    """Its scores fall with the anchors; the run is inconclusive, asks for a second one, and tells since when."""
    found = judgements([*(run(i) for i in range(1, 9)), *(run(i, turned=6, fallen=20) for i in range(9, 13))])
    assert [j.verdict for j in found[8:]] == [Verdict.INCONCLUSIVE] * 4
    assert [j.suspect for j in found[8:10]] == [True, False]
    assert finding(found[9]).onset_run == 9
    assert finding(found[9]).evidence >= 1.0
    assert "6 of 30 anchors are scored otherwise" in finding(found[9]).reason
    quality = finding(found[9], "quality")
    assert (quality.verdict, quality.onset_run) == (Verdict.INCONCLUSIVE, None)
    assert "the judge changed since run 9" in quality.reason


def test_anchors_that_turn_both_ways_are_found_though_their_mean_stays() -> None:
    """As many become right as wrong: the judge changed all the same."""
    both = np.concatenate([np.flatnonzero(RIGHT == 1.0)[:3], np.flatnonzero(RIGHT == 0.0)[:3]])

    def turned(number):
        one = run(number)
        one.judged[SCORES + "judge"][both] = 1.0 - RIGHT[both]
        return one

    found = judgements([*(run(i) for i in range(1, 9)), turned(9), turned(10)])
    assert finding(found[-1]).effect == pytest.approx(0.0)
    assert finding(found[-1]).onset_run == 9


def test_a_model_that_fell_is_still_found_with_a_steady_judge() -> None:
    """The anchors hold, so the scores are believed."""
    found = judgements([*(run(i) for i in range(1, 9)), *(run(i, fallen=20) for i in range(9, 12))])
    assert found[-1].verdict is Verdict.REGRESSED
    assert finding(found[-1]).verdict is Verdict.OK


def test_one_changed_anchor_of_a_judge_that_repeats_itself_is_doubted() -> None:
    """That run's scores are left out, whatever they say."""
    found = judgements([*(run(i) for i in range(1, 9)), run(9, turned=1, fallen=20)])
    assert found[-1].verdict is Verdict.INCONCLUSIVE
    assert finding(found[-1], "quality").reason == "not comparable: perhaps the judge changed (judge_drift)"


def test_a_judge_that_is_as_before_for_two_runs_is_believed_again() -> None:
    """The drift ends, and the scores count."""
    healthy = [run(i) for i in range(11, 15)]
    found = judgements([*(run(i) for i in range(1, 9)), run(9, turned=9), run(10, turned=9), *healthy])
    assert finding(found[9]).onset_run == 9
    assert found[-1].verdict is Verdict.OK
    assert finding(found[-1]).verdict is Verdict.OK


def test_a_regression_that_stood_before_the_judge_changed_goes_on_standing() -> None:
    """What is not measured resolves nothing."""
    runs = [
        *(run(i) for i in range(1, 9)),
        *(run(i, fallen=20) for i in range(9, 12)),
        run(12, turned=9),
        run(13, turned=9),
    ]
    found = judgements(runs)
    assert found[-3].verdict is Verdict.REGRESSED
    assert found[-1].verdict is Verdict.REGRESSED
    assert finding(found[-1], "quality").verdict is Verdict.INCONCLUSIVE


def test_another_scorer_is_judged_all_the_same() -> None:
    """Only what the judge scored is inconclusive."""
    subject = about(scorers=("judge", "label"))
    runs = [*(run(i, scores={"label": GOOD}) for i in range(1, 9))]
    runs += [run(i, turned=9, fallen=20, scores={"label": GOOD}) for i in (9, 10)]
    found = judgements(runs, subject)
    assert found[-1].verdict is Verdict.OK
    assert {f.scorer: f.verdict for f in found[-1].findings if f.check == "quality"} == {
        "judge": Verdict.INCONCLUSIVE,
        "label": Verdict.OK,
    }


def test_a_judge_without_verdicts_is_no_outage_of_the_model_and_no_drift() -> None:
    """Inconclusive at once, told as the judge's outage from the second run on."""
    found = judgements([*(run(i) for i in range(1, 9)), run(9, told=0), run(10, told=0), run(11)])
    assert [j.verdict for j in found[8:]] == [Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.OK]
    assert [finding(j).onset_run for j in found[8:]] == [None, 9, None]
    assert finding(found[9]).evidence is None
    assert "says nothing about the model" in found[9].reason
    assert finding(found[9], "availability").verdict is Verdict.OK


def test_other_anchors_are_learnt_anew() -> None:
    """A changed anchors file is no drift."""
    found = judgements([*(run(i) for i in range(1, 9)), *(run(i, turned=15, file=8.0) for i in range(9, 15))])
    assert {finding(j).onset_run for j in found} == {None}
    assert finding(found[8]).verdict is Verdict.LEARNING
    assert finding(found[-1]).verdict is Verdict.OK


def test_the_agreement_with_people_is_told_with_its_intervals() -> None:
    """AC1 and kappa over the anchors."""
    (found,) = judgements([run(1, turned=3)])
    assert "agreement with people 90% of 30 anchors, AC1 0.80 (" in finding(found).reason
    assert "kappa 0." in finding(found).reason


def test_a_noisy_healthy_judge_keeps_the_budget() -> None:
    """Of 10 streams of 200 hourly runs with 3% of the verdicts turning at random, at most one is told as drift.

    The streams last 83 days together, and the whole budget is one page in 90 days.
    """
    told = 0
    for seed in range(10):
        found = judgements([run(i, noise=0.03, seed=seed) for i in range(1, 201)], about(baseline_runs=10))
        told += any(finding(j).onset_run is not None for j in found)
    assert told <= 1


def test_a_small_drift_of_a_noisy_judge_is_not_blamed_on_the_model() -> None:
    """A fifth of the verdicts turn, beside 3% of noise: all of 20 streams are found as drift, and no run regresses."""
    drifts = blamed = 0
    for seed in range(20):
        runs = [run(i, noise=0.03, seed=seed) for i in range(1, 21)]
        runs += [run(i, noise=0.03, seed=seed, turned=6, fallen=12) for i in range(21, 61)]
        found = judgements(runs, about(baseline_runs=10))
        drifts += any(finding(j).onset_run is not None for j in found)
        blamed += any(j.verdict is Verdict.REGRESSED for j in found)
    assert (drifts, blamed) == (20, 0)


def test_runs_that_were_brought_in_without_anchors_are_learnt_from() -> None:
    """A baseline file holds scores alone: they are believed, and the anchors are learnt afterwards."""
    runs = [run(i) for i in range(1, 15)]
    for one in runs[:4]:
        one.judged.clear()
    found = judgements([*runs, run(15, fallen=20), run(16, fallen=20)])
    assert finding(found[3]).reason == "what the judge said of its anchors is not known"
    assert found[4].verdict is Verdict.OK
    assert finding(found[4]).verdict is Verdict.LEARNING
    assert found[-1].verdict is Verdict.REGRESSED
