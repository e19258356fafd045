"""Rare failures against a slow, obvious form, and on healthy counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from checks.inference import counts


def _state(failures, answers, excess=0.0, scale=0.0):
    member, each = np.zeros((1, len(failures)), dtype=bool), np.ones(len(failures))
    failed, asked = np.array(failures, float), np.array(answers, float)
    return counts.Counts(member, np.ones(1), failed, asked, excess * each, scale * each)


def _negative_binomial(x, a, b, mean_rate, m):
    """P(x) when the rate is Gamma(a, b) times mean_rate / (a / b), over m answers; by its textbook form."""
    exposure = m * mean_rate / (a / b)
    return math.exp(
        math.lgamma(a + x) - math.lgamma(a) - math.lgamma(x + 1)
        + a * math.log(b / (b + exposure))
        + (x * math.log(exposure / (b + exposure)) if x else 0.0)
    )  # fmt: skip


def test_the_nodes_written_out_are_those_of_gauss_and_hermite():
    """With their weights, as closely as this machine reckons."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    np.testing.assert_allclose(counts._NODES, nodes, atol=1e-12)
    np.testing.assert_allclose(counts._NODE_WEIGHTS, weights, rtol=1e-9)


@pytest.mark.parametrize("x", [[0, 1, 2, 3], [4, 0, 9, 30], [0, 0, 0, 0]])
def test_a_bet_is_the_ratio_of_two_negative_binomials(x):
    """Without run-level scatter e is p1 / p0 with Gamma rates integrated out, stratum by stratum."""
    a, b, m = [1.0, 5.0, 20.0, 60.0], [900.0, 400.0, 350.0, 300.0], [90.0, 40.0, 35.0, 30.0]
    got = counts.log_bets(_state(a, b), np.array(x, float), np.array(m))
    for j, gamma in enumerate(counts.GAMMAS):
        want = sum(
            math.log(_negative_binomial(x[k], a[k], b[k], a[k] / b[k] + gamma, m[k]))
            - math.log(_negative_binomial(x[k], a[k], b[k], a[k] / b[k], m[k]))
            for k in range(4)
        )
        assert got[j] == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_run_level_scatter_makes_the_same_failures_less_surprising():
    """A server that has bad minutes is believed later than one that never had any."""
    x, m = np.array([3.0, 4.0, 6.0, 9.0]), np.array([90.0, 40.0, 35.0, 30.0])
    calm = _state([10, 10, 20, 60], [9000, 4000, 3500, 3000])
    restless = _state([10, 10, 20, 60], [9000, 4000, 3500, 3000], excess=40.0, scale=39.0)
    assert restless.cv2 == pytest.approx(np.ones(4))
    assert (counts.log_bets(restless, x, m)[3:] < counts.log_bets(calm, x, m)[3:]).all()


def test_healthy_counts_gain_nothing_on_average():
    """With the rates themselves drawn from what the past says, no bet gains, and small ones break even."""
    rng = np.random.default_rng(1)
    a, b, m = (
        np.array([3.0, 8.0, 1.0, 1.0]),
        np.array([500.0, 400.0, 1.0, 1.0]),
        np.array([50.0, 40.0, 0.0, 0.0]),
    )
    state = _state(a, b)
    total = np.zeros(len(counts.GAMMAS))
    draws = 20000
    for _ in range(draws):
        x = np.where(m > 0, rng.poisson(m * rng.gamma(a) / b), 0).astype(float)
        total += np.exp(counts.log_bets(state, x, m))
    assert (total / draws).max() < 1.08
    np.testing.assert_allclose((total / draws)[:2], 1.0, atol=0.08)


def test_an_example_that_never_failed_is_not_taken_to_be_perfect():
    """The rate of the never-failed comes from leaving each past failure out, not from their own zero."""
    wrong, answers = np.array([0.0] * 90 + [1.0] * 10), np.full(100, 10.0)
    state = counts.fit_binary(wrong, answers, None).state
    assert state.failures[0] == 1 + 10
    assert state.answers[0] == 900


def test_a_graded_failure_lies_below_the_past_minimum():
    """A score as low as before is no failure; one below every past score is."""
    state = counts.fit_graded(np.array([0.4, 0.5]), np.array([0.6, 0.5]), np.array([10.0, 10.0]), None).state
    x, m = counts.count(state, np.array([[0.4, 0.49]]), np.ones((1, 2), dtype=bool))
    assert x[0, 0] == 1
    assert m[0, 0] == 2


def test_an_unanswered_example_is_neither_failure_nor_answer():
    """Missing answers leave the count and the exposure."""
    state = counts.fit_binary(np.zeros(4), np.full(4, 10.0), None).state
    x, m = counts.count(state, np.zeros((1, 4)), np.array([[True, False, False, True]]))
    assert x.sum() == 2
    assert m.sum() == 2
