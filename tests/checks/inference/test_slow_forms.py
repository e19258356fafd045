"""The fast recursions against the sums that they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.inference import clock, noise, onset, resolve


def _series(values: st.SearchStrategy[float], least: int = 1) -> st.SearchStrategy[list[float]]:
    return st.lists(values, min_size=least, max_size=25)


@settings(max_examples=40, deadline=None)
@given(log_e=_series(st.floats(-3, 2)), step_h=st.floats(0.01, 30))
def test_the_clock_is_the_sum_over_all_starts(log_e, step_h):
    """R = sum over starts of the hours before that start's run times the product of all e since, below the caps."""
    weights, evidence = np.array([0.7, 0.3]), np.zeros(2)
    both = np.array([[x, x / 2] for x in log_e])
    for row in both:
        evidence, _ = clock.step(evidence, row, weights, dt_h=step_h, threshold_h=1e12)
    slow = [sum(step_h * math.exp(both[start:, j].sum()) for start in range(len(both))) for j in range(2)]
    assert evidence == pytest.approx(slow, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(log_e=_series(st.floats(-3, 3)), data=st.data())
def test_the_onset_is_each_starts_share_of_the_evidence(log_e, data):
    """The posterior of a start is its own product of e, summed over the bets, over that of all starts."""
    n = len(log_e)
    dt = np.array(data.draw(st.lists(st.floats(0.01, 10), min_size=n, max_size=n)))
    weights = np.array([0.6, 0.4])
    both = np.array([[x, -x / 3] for x in log_e])
    terms = [dt[s] * sum(w * math.exp(both[s:, j].sum()) for j, w in enumerate(weights)) for s in range(n)]
    assert onset.posterior(both, dt, weights) == pytest.approx(np.array(terms) / sum(terms), rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(shares=_series(st.floats(0.001, 1.0)), level=st.floats(0.1, 0.99))
def test_the_onset_set_is_the_smallest_that_reaches_its_level(shares, level):
    """No smaller set of starts holds as much; the set itself does."""
    p = np.array(shares) / sum(shares)
    chosen = onset.credible(p, level)
    assert p[chosen].sum() >= level - 1e-9
    largest = np.sort(p)[::-1]
    assert largest[: len(chosen) - 1].sum() < level


@settings(max_examples=40, deadline=None)
@given(d=_series(st.floats(-3, 6)), shift=st.floats(0.5, 7))
def test_recovery_is_the_best_of_all_starts(d, shift):
    """The resolve statistic is the largest sum of log e over all stretches that end now, each e bounded."""
    total = 0.0
    for value in d:
        total = resolve.step(total, value, shift)
    bounded = [min(resolve.log_e(v, shift), 2 * math.log(resolve.THRESHOLD_H)) for v in d]
    assert total == pytest.approx(max(sum(bounded[s:]) for s in range(len(d))), abs=1e-9)


def test_the_weights_of_the_noise_models_are_bayes_rule_on_all_the_past():
    """With next to no switching, a model's weight is its prior times the product of its predictive densities."""
    y = 0.4 * np.random.default_rng(3).standard_normal(40)
    state, log_product = noise.initial(1), np.log(noise.PRIOR_WEIGHTS)
    for t, value in enumerate(y):
        prediction = noise.predict(state, np.array([value]), float(t))
        nu, scale, error = prediction.df[0, 0], prediction.scale[0], prediction.error[0]
        log_product = log_product - np.log(scale) - (nu + 1) / 2 * np.log1p((error / scale) ** 2 / nu)
        state = noise.learn(state, prediction, np.array([value]), float(t))
    slow = np.exp(log_product - np.logaddexp.reduce(log_product))
    assert np.exp(state.log_w[0]) == pytest.approx(slow, abs=0.01)
