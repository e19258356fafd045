"""The correction of the threshold: earned by noise that is known, denied to noise that is slow."""

from __future__ import annotations

import numpy as np

from checks.inference import noise, overshoot, two_sided


def _factor(y: np.ndarray) -> float:
    state = noise.initial(1)
    for t, value in enumerate(y):
        row = np.array([value])
        state = noise.learn(state, noise.predict(state, row, float(t)), row, float(t))
    return float(overshoot.factor(state)[0])


def _slow(runs: int) -> np.ndarray:
    rng, u = np.random.default_rng(3), np.zeros(runs)
    for t in range(1, runs):
        u[t] = 0.9 * u[t - 1] + np.sqrt(1 - 0.81) * rng.standard_normal()
    return 1.5 * u + rng.standard_normal(runs)


def test_white_noise_earns_a_lower_threshold():
    """After 200 runs of independent noise a bet weighs one and three quarters times as much."""
    assert _factor(np.random.default_rng(1).standard_normal(200)) == overshoot.SETTLED


def test_nothing_is_given_before_the_noise_is_known():
    """One run short of 150, the bound itself is the threshold."""
    assert _factor(np.random.default_rng(1).standard_normal(149)) == 1.0


def test_slow_noise_is_asked_for_more():
    """Noise that wanders for a day is held to twice the bound, since hours of it look like a drop."""
    assert _factor(_slow(400)) == overshoot.SLOW


def test_a_drop_does_not_pass_for_slow_noise():
    """Forty bad runs after a healthy week leave the correction as it was: coefficients are learnt late."""
    y = np.random.default_rng(2).standard_normal(208)
    y[168:] -= 1.5
    assert _factor(y) == overshoot.SETTLED


def test_two_sided_streams_keep_to_the_bound():
    """Lengths and labels, whose noise is less tame, are never given more than the bound."""
    assert two_sided.blocks(20, ("length",), baseline_runs=10, key=0).corrected is False
