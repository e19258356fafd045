"""The promises as promises: the budget on baselines that are used again, power, latching, and one fold for all."""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference import group, watch

BUDGET_H = 500.0


def _pages_over_futures(stream, make_plan, count_pages, budget_h, *, baseline=10, scatter=0.0):
    """Pages in 6 baselines x 4 futures of 200 hours each: every future starts from the same baseline runs."""
    found = 0
    for seed in range(6):
        rates, rng = stream(seed).rates(100), np.random.default_rng([seed, 9])
        first = stream(seed).runs(rates, baseline)
        for future in range(4):
            if scatter:
                logits = np.log(rates / (1 - rates)) + scatter * rng.standard_normal((200, 1))
                later = stream(seed).runs(1 / (1 + np.exp(-logits)), 200, salt=future)
            else:
                later = stream(seed).runs(rates, 200, salt=future + 1)
            found += len(count_pages(make_plan(100, baseline), np.vstack([first, later]), budget_h))
    return found


@pytest.mark.parametrize(("baseline", "scatter"), [(3, 0.0), (10, 0.25)])
def test_one_baseline_with_many_futures_keeps_the_budget(baseline, scatter, stream, make_plan, count_pages):
    """A baseline that happens to look too good does not page again and again: 4,800 hours allow 9 pages."""
    assert (
        _pages_over_futures(stream, make_plan, count_pages, BUDGET_H, baseline=baseline, scatter=scatter) <= 9
    )


def test_the_measure_of_false_pages_would_catch_a_broken_budget(stream, make_plan, count_pages):
    """The same count rejects an engine that pages at a twentieth of the evidence: it is no test that always passes."""
    assert _pages_over_futures(stream, make_plan, count_pages, BUDGET_H / 20) > 9


def _delays(stream, lost_logits, streams, horizon, phi=0.0):
    found = []
    for seed in range(streams):
        rates = stream(seed).rates()
        logits, rng = np.log(rates / (1 - rates)), np.random.default_rng([seed, 11])
        u = np.zeros((178 + horizon, 1))
        for t in range(1, len(u)) if phi else ():
            u[t] = phi * u[t - 1] + 0.25 * np.sqrt(1 - phi**2) * rng.standard_normal()
        u[178:] -= lost_logits
        scores = stream(seed).runs(1 / (1 + np.exp(-(logits + u))), len(u))
        alarm = watch(scores, baseline_runs=10).alarm_run
        if alarm is None or alarm >= 178:
            found.append(horizon if alarm is None else alarm - 177)
    assert len(found) >= streams - 2
    return float(np.mean(found))


@pytest.mark.parametrize(("lost_logits", "phi", "within"), [(0.35, 0.0, 20), (0.9, 0.0, 4), (0.9, 0.6, 18)])
def test_a_loss_of_ability_is_found_as_fast_as_was_promised(lost_logits, phi, within, stream):
    """About 2 and 5 points: a mean of no more than 20 and 4 runs, and of 18 under slow noise."""
    assert _delays(stream, lost_logits, 10, 80, phi) <= within


def test_a_page_is_latched_whatever_follows(stream):
    """Once paged the evidence never falls below 1 again at this door, also when the scores come back or stop coming."""
    rates = stream(1).rates()
    parts = [
        stream(1).runs(rates, 60),
        stream(1).runs(rates * 0.6, 4, salt=1),
        stream(1).runs(rates, 60, salt=2),
    ]
    scores = np.vstack([*parts, np.full((5, 200), np.nan)])
    found = watch(scores, baseline_runs=10)
    assert found.alarm_run is not None
    assert (found.evidence[found.alarm_run :] >= 1.0).all()


@pytest.mark.parametrize("cut", [1, 7, 10, 11, 19, 20, 21, 63, 64, 90])
def test_a_fold_taken_up_again_anywhere_is_the_fold_from_the_start(cut, stream, make_plan):
    """Wherever the history is cut, before, at and after a fit or a page, the kept state goes on as the whole fold."""
    rates = stream(2).rates(60)
    scores = np.vstack([stream(2).runs(rates, 80), stream(2).runs(rates * 0.5, 30, salt=1)])
    scores[30:33] = np.nan
    hours, budget = np.arange(110.0), np.full(110, BUDGET_H)
    plan = make_plan(60, slices=2)
    whole, trace = group.advance(plan, group.initial(plan), scores, hours, budget)
    kept, before = group.advance(plan, group.initial(plan), scores[:cut], hours[:cut], budget[:cut])
    after, rest = group.advance(plan, kept, scores[cut:], hours[cut:], budget[cut:])
    np.testing.assert_allclose(np.append(before.evidence, rest.evidence), trace.evidence, rtol=1e-9)
    assert whole.page is not None
    assert after.page is not None
    assert (after.page.run, after.page.onset, after.page.stream) == (
        whole.page.run,
        whole.page.onset,
        whole.page.stream,
    )


def test_a_state_is_a_value(stream, make_plan):
    """Judging from a state leaves it as it was: two futures of one state do not touch each other."""
    rates, plan = stream(3).rates(60), make_plan(60)
    state, _ = group.advance(
        plan, group.initial(plan), stream(3).runs(rates, 40), np.arange(40.0), np.full(40, BUDGET_H)
    )
    healthy, broken = stream(3).runs(rates, 30, salt=1), stream(3).runs(rates * 0.3, 30, salt=2)
    hours, budget = np.arange(40.0, 70.0), np.full(30, BUDGET_H)
    _, alone = group.advance(plan, state, healthy, hours, budget)
    group.advance(plan, state, broken, hours, budget)
    _, again = group.advance(plan, state, healthy, hours, budget)
    np.testing.assert_array_equal(alone.evidence, again.evidence)
