"""Is a backtest the same judgement as that of live runs, without a clock or a store?"""

from __future__ import annotations

import pytest

from checks import judge
from checks.scorers.exact_match import ExactMatch
from checks.types import ErrorKind as Kind
from checks.types import Example, Measurement, Response, ResponseError
from service import history
from service.backtest import backtest, broken_in_last, judged_runs
from service.records import Golden
from service.report import finding_object
from service.scoring import score_run

N = 60
GOLDEN = Golden("g", "sha256:0", 3, tuple(Example(f"q{i}", "?", "yes") for i in range(N)))
SCORERS = [ExactMatch()]


def run(wrong=()):
    return [Response(f"q{i}", "no" if i in wrong else "yes") for i in range(N)]


HISTORY = [*(run({i % 3}) for i in range(6)), run(range(0, N, 3)), run(range(0, N, 3))]


def test_it_is_the_fold_of_live_runs():
    """Every verdict and finding equals that of the fold that live runs are judged by."""
    about = history.subject(GOLDEN.examples, SCORERS, baseline_runs=5, min_answered=0.9)
    state, expected = judge.initial(about), []
    for number, responses in enumerate(HISTORY, 1):
        scored = score_run(GOLDEN.examples, SCORERS, responses)
        scores = {v.scorer: v.values for v in scored.vectors}
        at = 3600.0 * (number - 1)
        made = Measurement(
            number,
            at,
            True,
            scores,
            scored.answered,
            scored.latency_s,
            observed=scored.observed,
            labels=scored.labels,
            malformed=scored.malformed,
        )
        state, judged = judge.judge(about, state, made)
        expected.append((str(judged.verdict), [finding_object(f) for f in judged.findings]))
    found = backtest(GOLDEN, SCORERS, HISTORY, baseline_runs=5)
    assert [(one["verdict"], one["findings"]) for one in found] == expected


def test_it_is_deterministic():
    """The same answers give the same objects."""
    assert backtest(GOLDEN, SCORERS, HISTORY, baseline_runs=5) == backtest(
        GOLDEN, SCORERS, HISTORY, baseline_runs=5
    )


def test_runs_are_judged_one_at_a_time():
    """A later run's answers are not asked for before an earlier one is judged."""
    taken = []

    def answers():
        for number in range(3):
            taken.append(number)
            yield run()

    judged = judged_runs(GOLDEN, SCORERS, answers())
    next(judged)
    assert taken == [0]


def test_the_first_bad_run_is_suspect_and_the_second_regressed():
    """Without a confirmation replay one bad run is suspect."""
    found = [one["verdict"] for one in backtest(GOLDEN, SCORERS, HISTORY, baseline_runs=5)]
    assert found == ["learning"] * 5 + ["ok", "suspect", "regressed"]


def test_unanswered_runs_are_inconclusive_and_do_not_count_for_the_baseline():
    """An outage while learning makes the baseline one file longer."""
    dark = [Response(f"q{i}", error=ResponseError(Kind.TIMEOUT, "no answer")) for i in range(N)]
    found = backtest(GOLDEN, SCORERS, [run(), dark, run(), run(), run()], baseline_runs=3)
    assert [one["verdict"] for one in found] == ["learning", "inconclusive", "learning", "learning", "ok"]
    assert found[1]["requests"] == {"ok": 0, "failed": N, "retried": 0}


def test_a_smaller_share_of_the_budget_asks_for_more_evidence():
    """Evidence is relative to the budget: a hundredth of it gives less evidence for the same answers."""

    def evidence(**budget):
        last = backtest(GOLDEN, SCORERS, HISTORY[:6], baseline_runs=5, **budget)[-1]
        return next(f["evidence"] for f in last["findings"] if f["check"] == "quality")

    assert evidence(share=0.01) < evidence()


@pytest.mark.parametrize("learnt", [3, 5])
def test_broken_are_those_right_in_the_learnt_runs_and_wrong_in_the_last(learnt):
    """An example that was mostly wrong already did not break; one that was right and is wrong did."""
    runs = [*(run({7}) for _ in range(learnt)), run({7, 8})]
    judged = list(judged_runs(GOLDEN, SCORERS, runs, baseline_runs=learnt))
    broken = broken_in_last(GOLDEN, judged, "exact_match")
    assert [(one.id, one.before, one.now) for one in broken] == [("q8", "yes", "no")]
