"""The streams of one scorer, folded."""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference import group

BUDGET_H = 2160.0


def _advance(plan, state, scores, start=0, step_h=1.0, **more):
    hours = start + np.arange(len(scores)) * step_h
    return group.advance(plan, state, scores, hours, np.full(len(scores), BUDGET_H), **more)


def test_rows_at_once_and_one_by_one_leave_the_same_evidence(stream, make_plan):
    """A live target and a backtest of the same scores cannot disagree."""
    scores = stream(1).runs(stream(1).rates(60), 90)
    plan = make_plan(60, slices=3)
    _, at_once = _advance(plan, group.initial(plan), scores)
    state, singly = group.initial(plan), []
    for i, row in enumerate(scores):
        state, trace = _advance(plan, state, row[None], start=i)
        singly.append(trace.evidence[0])
    np.testing.assert_allclose(singly, at_once.evidence, rtol=1e-9)


@pytest.mark.parametrize("left", [0.0, 0.3, 0.6])
def test_one_bad_run_never_pages_and_a_second_does(left, stream, make_plan):
    """However bad a single run is, a page waits for another that agrees; then it comes."""
    rates = stream(2).rates()
    plan = make_plan(200)
    state, _ = _advance(plan, group.initial(plan), stream(2).runs(rates, 60))
    broken = stream(2).runs(rates * left, 2, salt=1)
    state, first = _advance(plan, state, broken[:1], start=60)
    assert first.capped[0]
    assert not first.paged[0]
    _, second = _advance(plan, state, broken[1:], start=61)
    assert second.paged[0]


@pytest.mark.parametrize("seconds", [1, 60, 3600, 86400])
def test_the_second_run_may_come_at_any_distance(seconds, stream, make_plan):
    """Two runs that agree page, whether a second or a day apart."""
    rates = stream(3).rates()
    plan = make_plan(200)
    state, _ = _advance(plan, group.initial(plan), stream(3).runs(rates, 40))
    broken = stream(3).runs(rates * 0.5, 2, salt=1)
    _, trace = _advance(plan, state, broken, start=40, step_h=seconds / 3600)
    assert trace.paged.tolist() == [False, True]


def test_a_glitch_between_healthy_runs_does_not_page(stream, make_plan):
    """One bad minute of the server, followed by healthy runs, wakes nobody."""
    rates = stream(4).rates()
    plan = make_plan(200)
    scores = stream(4).runs(rates, 120)
    scores[60] = stream(4).runs(rates * 0.5, 1, salt=1)
    _, trace = _advance(plan, group.initial(plan), scores)
    assert trace.capped[60]
    assert not trace.paged.any()


def test_one_bad_run_alone_lifts_the_evidence_to_a_tenth_at_most(stream, make_plan):
    """However bad it is: what it leaves behind is the chance that healthy runs page later."""
    rates = stream(4).rates()
    plan = make_plan(200)
    scores = np.vstack([stream(4).runs(rates, 60), stream(4).runs(rates * 0.01, 1, salt=1)])
    _, trace = _advance(plan, group.initial(plan), scores)
    assert trace.capped[60]
    assert trace.evidence[60] <= group.HELD + 1e-9


def test_nothing_is_judged_before_the_baseline_is_complete(stream, make_plan):
    """Evidence is 0 while learning, however the runs look."""
    rates = stream(5).rates()
    scores = np.vstack([stream(5).runs(rates, 5), stream(5).runs(rates * 0.2, 5, salt=1)])
    plan = make_plan(200)
    state, trace = _advance(plan, group.initial(plan), scores)
    assert not trace.evidence.any()
    assert not state.learning


def test_a_page_stands_until_the_scores_are_back_and_then_ends(stream, make_plan):
    """A standing page is held while the drop lasts and is over within a few healthy runs."""
    rates = stream(6).rates()
    plan = make_plan(200)
    scores = np.vstack([stream(6).runs(rates, 60), stream(6).runs(rates * 0.7, 30, salt=1)])
    state, _ = _advance(plan, group.initial(plan), scores)
    assert state.page is not None
    assert abs(state.page.onset - 60) <= 1
    assert 60 in state.page.onset_set
    state, trace = _advance(plan, state, stream(6).runs(rates, 4, salt=2), start=90)
    assert state.page is None
    assert trace.evidence[-1] < 0.1


def test_one_good_run_does_not_end_a_page(stream, make_plan):
    """Recovery, too, needs two runs."""
    rates = stream(7).rates()
    plan = make_plan(200)
    scores = np.vstack([stream(7).runs(rates, 60), stream(7).runs(rates * 0.5, 3, salt=1)])
    state, _ = _advance(plan, group.initial(plan), scores)
    state, _ = _advance(plan, state, stream(7).runs(rates, 1, salt=2), start=63)
    assert state.page is not None


def test_a_broken_model_is_not_learnt_while_its_page_stands(stream, make_plan):
    """A hundred bad runs do not become the new normal."""
    rates = stream(8).rates()
    plan = make_plan(200)
    scores = np.vstack([stream(8).runs(rates, 60), stream(8).runs(rates * 0.7, 100, salt=1)])
    state, _ = _advance(plan, group.initial(plan), scores)
    assert state.page is not None
    assert state.runs <= 62


def test_an_unmeasured_row_changes_no_evidence_but_time_passes(stream, make_plan):
    """A gap neither confirms nor clears: R grows by the hours that passed, and e is 1."""
    rates = stream(9).rates()
    plan = make_plan(200)
    scores = stream(9).runs(rates, 60)
    with_gap = np.insert(scores, 50, np.nan, axis=0)
    state, gap = _advance(plan, group.initial(plan), with_gap)
    hours = np.delete(np.arange(61.0), 50)
    other, none = group.advance(plan, group.initial(plan), scores, hours, np.full(60, BUDGET_H))
    np.testing.assert_allclose(np.delete(gap.evidence, 50), none.evidence)
    np.testing.assert_allclose(state.evidence, other.evidence)


def test_a_slice_that_fell_alone_leads_the_page(stream, make_plan):
    """A tenth of the examples losing most of its answers is found and named."""
    rates = np.full(300, 0.9)
    masks = np.vstack([np.ones(300, dtype=bool), np.arange(300) < 30])
    plan = group.Plan(masks, ("all", "lang=de"), 10, rare=False)
    bad = np.where(masks[1], 0.3, 0.9)
    scores = np.vstack([stream(10).runs(rates, 60), stream(10).runs(bad, 12, salt=1)])
    state, _ = _advance(plan, group.initial(plan), scores)
    assert state.page is not None
    assert state.page.stream == "lang=de"


def test_a_granted_margin_lets_a_smaller_drop_pass(stream, make_plan):
    """A drop within the margin is not evidence."""
    rates = np.full(200, 0.9)
    scores = np.vstack([stream(11).runs(rates, 60), stream(11).runs(rates - 0.05, 200, salt=1)])
    strict, lax = make_plan(200, rare=False), make_plan(200, rare=False, margin=0.1)
    assert _advance(strict, group.initial(strict), scores)[1].paged.any()
    assert not _advance(lax, group.initial(lax), scores)[1].paged.any()


def test_missing_answers_are_not_failures(stream, make_plan):
    """A fifth of the answers missing at random raises no evidence."""
    rates = stream(12).rates()
    scores = stream(12).runs(rates, 200)
    scores[100:, :][np.random.default_rng(12).random((100, 200)) < 0.2] = np.nan
    plan = make_plan(200)
    _, trace = _advance(plan, group.initial(plan), scores)
    assert not trace.paged.any()


def test_the_weights_of_all_bets_sum_to_one(make_plan):
    """The budget is shared out completely, whatever streams there are."""
    for plan in (
        make_plan(50),
        make_plan(50, slices=4),
        make_plan(50, slices=4, rare=False),
        make_plan(50, rare=False),
    ):
        assert plan.bets.sum() == pytest.approx(1.0)
        assert (plan.bets > 0).all()


@pytest.mark.parametrize("gap_h", [720, 4320, 8760])
def test_a_healthy_run_after_a_long_gap_does_not_page(gap_h, stream, make_plan):
    """Months without a run are no evidence against the run that ends them."""
    plan = make_plan(200)
    for seed in range(20):
        scores = stream(seed).runs(stream(seed).rates(), 31)
        state, _ = _advance(plan, group.initial(plan), scores[:30])
        _, trace = _advance(plan, state, scores[30:], start=29 + gap_h)
        assert not trace.paged.any()


def test_runs_without_a_slice_do_not_end_its_regression(make_plan):
    """Where a slice's examples went unanswered, its page stands, however many such runs there are."""
    rng, plan = np.random.default_rng(7), make_plan(200, slices=10)
    inside = plan.masks[1]
    state, _ = _advance(plan, group.initial(plan), (rng.random((60, 200)) < 0.8).astype(float))
    bad = (rng.random((12, 200)) < np.where(inside, 0.05, 0.8)).astype(float)
    state, _ = _advance(plan, state, bad, start=60)
    assert state.page is not None
    assert state.page.stream == "s0"
    dark = np.where(inside, np.nan, (rng.random((20, 200)) < 0.8).astype(float))
    after, _ = _advance(plan, state, dark, start=72)
    assert after.page == state.page


def test_a_slice_that_is_often_missing_is_not_thought_calm(make_plan):
    """Runs that do not show a slice teach nothing of its noise: its variance stays near 1, as of the others."""
    plan, ratios = make_plan(200, slices=10), []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores = (rng.random((200, 200)) < 0.8).astype(float)
        scores[np.ix_(rng.random(200) < 0.7, plan.masks[1])] = np.nan
        hours = np.arange(200.0)
        state, _ = group.advance(plan, group.initial(plan), scores, hours, np.full(200, 1e12))
        ratios.append(state.noise.ss[1, 0] / state.noise.runs[1])
    assert np.mean(ratios) > 0.8


def _lost(stream, make_plan, salt):
    """A page that rare failures led: three right answers of a hundred get lost; the rates, the plan and the state."""
    rates = stream(salt).rates()
    plan = make_plan(200)
    state, _ = _advance(plan, group.initial(plan), stream(salt).runs(rates, 200))
    for i in range(40):
        state, _ = _advance(plan, state, stream(salt).runs(rates * 0.97, 1, salt=100 + i), start=200 + i)
        if state.page is not None and state.page.gamma is not None:
            return rates, plan, state, 201 + i
    raise AssertionError("no page")


@pytest.mark.parametrize("salt", range(31, 34))
def test_lost_answers_that_are_back_end_their_page_within_a_dozen_runs(salt, stream, make_plan):
    """The mean hardly moved, so it cannot say that it is over; the failures that are gone can."""
    rates, plan, state, at = _lost(stream, make_plan, salt)
    state, _ = _advance(plan, state, stream(salt).runs(rates, 12, salt=7), start=at)
    assert state.page is None


@pytest.mark.parametrize("salt", range(31, 34))
def test_lost_answers_that_stay_lost_keep_their_page(salt, stream, make_plan):
    """For two days of runs."""
    rates, plan, state, at = _lost(stream, make_plan, salt)
    state, _ = _advance(plan, state, stream(salt).runs(rates * 0.97, 48, salt=8), start=at)
    assert state.page is not None


def test_after_a_recovery_no_bad_run_is_remembered(stream, make_plan):
    """The last bad run before a page is not the first of two after it is over."""
    rates, plan = stream(6).rates(), make_plan(200)
    scores = np.vstack([stream(6).runs(rates, 40), stream(6).runs(rates * 0.5, 4, salt=1)])
    state, _ = _advance(plan, group.initial(plan), scores)
    assert state.page is not None
    state, _ = _advance(plan, state, stream(6).runs(rates, 6, salt=2), start=44)
    assert state.page is None
    assert not state.hot


@pytest.mark.parametrize("days", [1, 7, 30])
def test_one_bad_run_never_pages_on_a_sparse_schedule(days, stream, make_plan):
    """Days or weeks between runs are no evidence: a single bad run after them waits for a second."""
    plan = make_plan(200)
    for seed in range(6):
        rates = stream(seed).rates()
        scores = np.vstack([stream(seed).runs(rates, 20), stream(seed).runs(rates * 0.7, 1, salt=1)])
        _, trace = _advance(plan, group.initial(plan), scores, step_h=24.0 * days)
        assert not trace.paged.any()
