"""Is a broken promise found, and a kept one left alone?"""

from __future__ import annotations

import numpy as np
import pytest

from checks import judge
from checks.promises import CHECK, COST, FIRST_TOKEN_S, KEPT, LATENCY, TTFT, USD
from checks.types import Measurement, Subject, Verdict
from tests.checks import folds

EXAMPLES = 100
LIMITS = {LATENCY: 2.0, TTFT: 0.5, COST: 0.4}


def about(**promises) -> Subject:
    return Subject(EXAMPLES, ("label",), {}, promises=promises or LIMITS)


def run(number, latency=None, ttft=None, usd=None, *, burst=False, period_h=2160.0) -> Measurement:
    """One hourly run; what is not given is unknown."""
    nothing = np.full(EXAMPLES, np.nan)
    observed = {FIRST_TOKEN_S: ttft, USD: usd}
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"label": np.ones(EXAMPLES)},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=nothing if latency is None else latency,
        observed={name: row for name, row in observed.items() if row is not None},
        burst=burst,
        period_h=period_h,
    )


def fold(runs, subject):
    """The answer after each run."""
    return folds.answers(CHECK, subject, runs, share=0.1)


def waits(rng, *, load=1.0):
    return load * rng.lognormal(0.0, 0.35, EXAMPLES)


def test_nothing_promised_is_not_watched():
    """The check takes no part of the budget where nothing is promised."""
    assert CHECK.initial(Subject(EXAMPLES, ("label",), {})) is None
    assert "promises" not in judge.initial(Subject(EXAMPLES, ("label",), {})).checks


def test_slow_answers_page_within_five_hours_and_tell_since_when():
    """With answers half as slow again the p95 lies above the limit; the finding says by how much."""
    rng = np.random.default_rng(1)
    quiet = [run(i, waits(rng)) for i in range(1, 41)]
    slow = [run(i, waits(rng, load=1.9)) for i in range(41, 49)]
    said = fold([*quiet, *slow], about(latency_p95=2.0))
    assert not any(answer.standing for answer in said[:40])
    assert not said[40].standing
    assert said[-1].standing
    assert said[-1].onset_run == 41
    (finding,) = said[-1].findings
    assert (finding.verdict, finding.scorer, finding.baseline) == (Verdict.REGRESSED, LATENCY, 2.0)
    assert finding.interval[0] < finding.effect < finding.interval[1]
    assert finding.current == pytest.approx(2.0 + finding.effect)


def test_one_slow_run_never_pages():
    """Not even one in which every answer is slow, and its replay at once."""
    rng = np.random.default_rng(2)
    runs = [run(i, waits(rng, load=9.0 if i == 20 else 1.0)) for i in range(1, 60)]
    assert not any(answer.standing for answer in fold(runs, about(latency_p95=2.0)))


def test_it_is_over_when_the_promise_was_kept_for_some_runs():
    """One good run does not end it, and the last of several does."""
    rng = np.random.default_rng(3)
    runs = [run(i, waits(rng, load=9.0)) for i in range(1, 11)]
    runs += [run(i, waits(rng, load=0.5)) for i in range(11, 15)]
    standing = [answer.standing for answer in fold(runs, about(latency_p95=2.0))]
    assert standing[9:] == [True] * KEPT + [False] * (5 - KEPT)


def test_a_first_token_that_is_late_is_told_apart_from_a_slow_answer():
    """Each promise is a finding of its own."""
    rng = np.random.default_rng(4)
    runs = [run(i, waits(rng), 0.3 * waits(rng, load=3.0)) for i in range(1, 12)]
    (latency, first) = fold(runs, about(latency_p95=4.0, ttft_p95=0.5))[-1].findings
    assert (latency.verdict, first.verdict) == (Verdict.OK, Verdict.REGRESSED)


def test_a_model_that_grew_talkative_breaks_the_promised_cost():
    """A fifth above the limit is found within some runs, from the spread between examples alone."""
    rng = np.random.default_rng(5)
    usual = 0.0003 * rng.lognormal(0.0, 0.5, EXAMPLES)
    limit = 1000 * float(usual.mean()) * 1.05
    quiet = [run(i, usd=usual) for i in range(1, 30)]
    more = [run(i, usd=usual * 1.3) for i in range(30, 45)]
    said = fold([*quiet, *more], about(usd_per_1000_requests=limit))
    assert not any(answer.standing for answer in said[:29])
    assert said[-1].standing
    (finding,) = said[-1].findings
    assert finding.current == pytest.approx(1000 * float(usual.mean()) * 1.3)


def test_what_is_not_measured_is_said_and_changes_nothing():
    """Without a first token the finding is inconclusive and says what to do; the others are judged."""
    state = CHECK.initial(about())
    rng = np.random.default_rng(6)
    after, answer = CHECK.update(about(), state, run(1, waits(rng)), share=0.1, learn=True)
    by_name = {finding.scorer: finding for finding in answer.findings}
    assert by_name[LATENCY].verdict is Verdict.OK
    assert by_name[TTFT].verdict is by_name[COST].verdict is Verdict.INCONCLUSIVE
    assert "stream: true" in by_name[TTFT].reason
    assert "price" in by_name[COST].reason
    assert after.streams[TTFT] == state.streams[TTFT]


def test_bursts_are_no_evidence_of_slowness():
    """Load lasts: replays minutes apart would count the same minutes again."""
    rng = np.random.default_rng(7)
    state = CHECK.initial(about(latency_p95=2.0))
    after, answer = CHECK.update(
        about(latency_p95=2.0), state, run(1, waits(rng, load=9), burst=True), share=0.1, learn=True
    )
    assert after == state
    assert answer.findings == ()


@pytest.mark.parametrize("family", ["alike", "loaded together", "bursts of load"])
def test_a_promise_just_kept_pages_no_oftener_than_the_budget(family):
    """One in 20 answers is slower than promised, however they come together: at most one page per 250 hours."""
    runs, period_h, pages, streams = 500, 250.0, 0, 8
    for seed in range(streams):
        rng = np.random.default_rng([seed, 11])
        shares = {
            "alike": np.full(runs, 0.05),
            "loaded together": rng.beta(0.5, 9.5, runs),
            "bursts of load": np.where(rng.random(runs) < 0.05, 1.0, 0.0),
        }[family]
        rows = [np.where(rng.random(EXAMPLES) < share, 3.0, 1.0) for share in shares]
        subject = about(latency_p95=2.0)
        made = (run(number, row, period_h=period_h) for number, row in enumerate(rows, 1))
        pages += folds.pages(folds.answers(CHECK, subject, made, share=1.0))
    assert pages <= streams * runs / period_h
