"""The clock keeps its promise when the e-values are what they say they are."""

from __future__ import annotations

import numpy as np

from checks.inference import clock
from checks.inference.noise import THETA_WEIGHTS, THETAS


def test_on_exact_e_values_pages_are_rarer_than_the_budget():
    """Standard normal z, known exactly: no more pages than hours over A."""
    rng = np.random.default_rng(1)
    hours, budget, found, r = 60000, 500.0, 0, np.zeros(len(THETAS))
    for z in rng.standard_normal(hours):
        r, _ = clock.step(r, THETAS * z - THETAS**2 / 2, THETA_WEIGHTS, dt_h=1.0, threshold_h=budget)
        if THETA_WEIGHTS @ r >= budget:
            found, r = found + 1, np.zeros(len(THETAS))
    assert 0 < found <= hours / budget


def test_looking_more_often_does_not_add_pages():
    """Runs every five minutes spend the budget of the hours that pass, not of the looks."""
    rng = np.random.default_rng(2)
    hours, budget, found, r = 4000, 200.0, 0, np.zeros(len(THETAS))
    for z in rng.standard_normal(hours * 12):
        r, _ = clock.step(r, THETAS * z - THETAS**2 / 2, THETA_WEIGHTS, dt_h=1 / 12, threshold_h=budget)
        if THETA_WEIGHTS @ r >= budget:
            found, r = found + 1, np.zeros(len(THETAS))
    assert found <= hours / budget


def test_no_bet_of_one_run_exceeds_its_cap():
    """However large e is, one run from rest stays below A and asks for a second."""
    r, capped = clock.step(np.zeros(5), np.full(5, 500.0), THETA_WEIGHTS, dt_h=1.0, threshold_h=2160.0)
    assert capped
    assert THETA_WEIGHTS @ r < 2160.0
