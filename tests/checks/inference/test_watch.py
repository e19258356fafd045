"""The array door."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.inference import watch


def _drop(stream, seed, before, after, lost):
    rates = stream(seed).rates()
    return np.vstack([stream(seed).runs(rates, before), stream(seed).runs(rates * (1 - lost), after, salt=1)])


@pytest.mark.parametrize(("lost", "within"), [(0.03, 12), (0.08, 5), (0.3, 2)])
def test_lost_answers_are_found_fast(lost, within, stream):
    """After a week of history, losing 2, 5 or 20 points pages within a few runs, over several golden sets."""
    for seed in range(4):
        found = watch(_drop(stream, seed, 178, 40, lost), baseline_runs=10).alarm_run
        assert found is not None
        assert 178 < found <= 178 + within


def test_evidence_is_zero_before_the_baseline_and_held_after_the_page(stream):
    """Nothing is claimed while learning; a page is not taken back."""
    result = watch(_drop(stream, 1, 60, 30, 0.5), baseline_runs=10)
    assert not result.evidence[:10].any()
    assert (result.evidence[result.alarm_run :] >= 1).all()


def test_the_onset_lies_in_its_set(stream):
    """For a clear drop the first bad run is among the most probable starts."""
    result = watch(_drop(stream, 2, 100, 20, 0.4), baseline_runs=10)
    assert 100 in result.onset_set
    assert abs(result.onset_run - 100) <= 1


def test_the_same_scores_give_the_same_answer(stream):
    """There is no hidden state and no random state."""
    scores = _drop(stream, 3, 60, 20, 0.1)
    one, two = watch(scores, baseline_runs=10), watch(scores, baseline_runs=10)
    assert one.alarm_run == two.alarm_run
    np.testing.assert_array_equal(one.evidence, two.evidence)


def test_the_future_changes_no_past_evidence(stream):
    """Evidence at a run uses the runs before it and nothing else."""
    scores = stream(4).runs(stream(4).rates(), 120)
    whole, part = watch(scores, baseline_runs=10), watch(scores[:70], baseline_runs=10)
    np.testing.assert_allclose(whole.evidence[:70], part.evidence)


def test_unmeasured_rows_do_not_count_for_the_baseline(stream):
    """A baseline of ten measured runs is complete at the tenth measured one."""
    scores = stream(5).runs(stream(5).rates(), 30)
    scores[3:8] = np.nan
    result = watch(scores, baseline_runs=10)
    assert not result.evidence[:15].any()
    assert result.evidence[15:].all()


def test_an_improvement_does_not_page(stream):
    """Only drops page."""
    rates = np.full(200, 0.6)
    scores = np.vstack([stream(6).runs(rates, 60), stream(6).runs(rates + 0.3, 60, salt=1)])
    assert watch(scores, baseline_runs=10).alarm_run is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": np.zeros(3)}, r"scores must be \[runs, examples\].*shape \(3,\)"),
        ({"scores": np.full((3, 2), 1.5)}, r"scores\[0, 0\] must lie in \[0, 1\] or be NaN, not 1.5"),
        ({"baseline_runs": 1}, "baseline_runs must be at least 2, not 1"),
        ({"interval_h": 0}, "interval_h must be a number of hours above 0, not 0"),
        ({"budget_h": float("inf")}, "budget_h must be a number of hours above 0, not inf"),
        ({"slices": {"a": [1, 0]}}, r"slices\['a'\] must be a boolean mask over 2 examples"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    """What is wrong, where and which value."""
    given_ = {"scores": np.zeros((3, 2)), "baseline_runs": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        watch(given_.pop("scores"), **given_)


_VALUES = st.sampled_from([0.0, 1.0, 0.5, 1 / 3, float("nan")])


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 25), st.integers(1, 6)),
    kind=st.sampled_from(["mixed", "all right", "all wrong", "all missing"]),
    baseline=st.integers(2, 12),
    data=st.data(),
)
def test_any_scores_in_range_are_judged_without_a_fault(shape, kind, baseline, data):
    """One example, all missing, all right, all wrong, off the grid: evidence is finite and never negative."""
    fixed = {"all right": 1.0, "all wrong": 0.0, "all missing": float("nan")}
    if kind in fixed:
        scores = np.full(shape, fixed[kind])
    else:
        size = shape[0] * shape[1]
        scores = np.array(data.draw(st.lists(_VALUES, min_size=size, max_size=size))).reshape(shape)
    mask = np.arange(shape[1]) < 1
    result = watch(scores, baseline_runs=baseline, slices={"first": mask})
    assert np.isfinite(result.evidence).all()
    assert (result.evidence >= 0).all()


def test_a_hundred_thousand_examples_are_judged():
    """Size is no obstacle."""
    rng = np.random.default_rng(7)
    scores = (rng.random((14, 100_000)) < 0.9).astype(float)
    scores[12:] = rng.random((2, 100_000)) < 0.8
    assert watch(scores, baseline_runs=10).alarm_run == 13


@settings(max_examples=25, deadline=None)
@given(
    examples=st.sampled_from([1, 2, 19, 333, 2000]),
    rate=st.floats(0, 1),
    digits=st.integers(0, 12),
    missing=st.sampled_from([0.0, 0.3, 0.97]),
    seed=st.integers(0, 2**32 - 1),
)
def test_scores_off_the_grid_and_rare_answers_are_judged_without_a_fault(
    examples, rate, digits, missing, seed
):
    """From one example to thousands, on any grid or none, however few answer: finite evidence, the same every time."""
    rng = np.random.default_rng(seed)
    scores = np.clip(np.round(rate + 0.2 * rng.standard_normal((30, examples)), digits), 0.0, 1.0)
    scores[rng.random(scores.shape) < missing] = np.nan
    once, again = watch(scores, baseline_runs=5), watch(scores.copy(), baseline_runs=5)
    assert np.isfinite(once.evidence).all()
    assert (once.evidence >= 0).all()
    np.testing.assert_array_equal(once.evidence, again.evidence)


@pytest.mark.parametrize("examples", [1, 100, 100_000])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_endpoint_that_always_says_the_same_never_pages(value, examples):
    """All right, and all wrong from the first run on, are both healthy: nothing fell."""
    assert watch(np.full((25, examples), value), baseline_runs=5).alarm_run is None
