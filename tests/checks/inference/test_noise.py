"""The learnt noise model against a slow, obvious form of itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from checks.inference import noise


def _late(runs: int) -> int:
    """How many of so many runs are not learnt yet."""
    return min(noise.LATEST, int(noise.LATE_SHARE * runs))


def _features(y: np.ndarray, t: int) -> np.ndarray:
    past = y[:t]
    learnt = past[: t - _late(t)]
    mean = learnt.mean() if t else 0.0
    ewma = 0.0
    for i, value in enumerate(past):
        ewma = value if i == 0 else noise.EWMA_KEEP * ewma + (1 - noise.EWMA_KEEP) * value
    last = past[-1] if t else 0.0
    day = math.tau * t / 24
    lag = [last - mean, ewma - mean] if t else [0.0, 0.0]
    return np.array([1.0, *lag, math.sin(day), math.cos(day), math.sin(2 * day), math.cos(2 * day)])


PRIORS = (
    np.array([1e4, 0, 0, 0, 0, 0, 0]),
    np.array([1e4, 0.09, 0.09, 0, 0, 0, 0]),
    np.array([1e4, 0, 0, 0.25, 0.25, 0.25, 0.25]),
    np.array([1e4, 0.09, 0.09, 0.25, 0.25, 0.25, 0.25]),
)


@pytest.mark.parametrize("model", range(noise.MODELS))
def test_the_recursion_predicts_like_a_batch_ridge_regression(model):
    """After 60 runs each model's mean and spread are those of ridge regression on the learnt runs at once."""
    y = np.random.default_rng(model).standard_normal(61) * 0.8 + 3.0
    state = noise.initial(1)
    for t in range(60):
        state = noise.learn(state, noise.predict(state, y[t : t + 1], float(t)), y[t : t + 1], float(t))
    got = noise.predict(state, y[60:], 60.0)
    used = PRIORS[model] > 0
    learnt = 60 - _late(60)
    x = np.array([_features(y, t) for t in range(learnt)])[:, used]
    now = _features(y, 60)[used]
    inverse = np.linalg.inv(x.T @ x + np.diag(1 / PRIORS[model][used]))
    assert got.error[0, model] == pytest.approx(y[60] - now @ inverse @ x.T @ y[:learnt], rel=1e-6)
    assert got.spread[0, model] == pytest.approx(1 + now @ inverse @ now, rel=1e-6)


def test_z_values_of_white_noise_are_standard_normal():
    """The constant model's z has mean 0 and standard deviation 1 on healthy runs."""
    y = np.random.default_rng(5).standard_normal(4000) * 1.7
    state, found = noise.initial(1), []
    for t, value in enumerate(y):
        prediction = noise.predict(state, np.array([value]), float(t))
        if t >= 10:
            found.append(noise.z_values(prediction, np.zeros(1))[0, 0])
        state = noise.learn(state, prediction, np.array([value]), float(t))
    assert abs(np.mean(found)) < 0.06
    assert abs(np.std(found) - 1) < 0.05


def test_z_is_positive_when_the_run_is_worse():
    """A fall of the statistic is a positive z in every model."""
    state = noise.initial(1)
    for t, value in enumerate(np.random.default_rng(6).standard_normal(30)):
        state = noise.learn(
            state, noise.predict(state, np.array([value]), float(t)), np.array([value]), float(t)
        )
    assert (noise.z_values(noise.predict(state, np.array([-5.0]), 30.0), np.zeros(1)) > 2).all()


def test_bets_on_healthy_noise_gain_nothing_on_average():
    """Each bet's e-value has a mean of about 1 or less when the runs are what the models expect."""
    rng = np.random.default_rng(7)
    total, count = np.zeros(len(noise.THETAS)), 0
    for _ in range(40):
        state = noise.initial(1)
        for t, value in enumerate(rng.standard_normal(150)):
            prediction = noise.predict(state, np.array([value]), float(t))
            if t >= 10:
                z = noise.z_values(prediction, np.zeros(1))
                total += np.minimum(np.exp(noise.log_bets(z, prediction.log_w)[0]), 100.0)
                count += 1
            state = noise.learn(state, prediction, np.array([value]), float(t))
    assert (total / count)[:4].max() < 1.06


def test_a_new_scale_and_origin_of_the_statistic_change_no_z():
    """Fitting the reference anew maps the statistic by a line; the constant model's z does not notice."""
    y = np.random.default_rng(8).standard_normal(80)
    shift, ratio = np.array([2.0]), np.array([1.3])
    state = noise.initial(1)
    for t in range(79):
        state = noise.learn(state, noise.predict(state, y[t : t + 1], float(t)), y[t : t + 1], float(t))
    moved = noise.rescale(state, shift, ratio)
    before = noise.predict(state, y[79:], 79.0)
    after = noise.predict(moved, ratio * (y[79:] + shift), 79.0)
    np.testing.assert_allclose(after.error, ratio * before.error, rtol=1e-9)


def test_an_outlier_teaches_no_more_than_four_standard_deviations():
    """The first broken run does not hide the second."""
    state = noise.initial(1)
    for t, value in enumerate(np.random.default_rng(9).standard_normal(20)):
        state = noise.learn(
            state, noise.predict(state, np.array([value]), float(t)), np.array([value]), float(t)
        )
    bad = np.array([-20.0])
    state = noise.learn(state, noise.predict(state, bad, 20.0), bad, 20.0)
    z = noise.z_values(noise.predict(state, bad, 21.0), np.zeros(1))
    assert z[0, 0] > 5


def test_a_drop_is_not_learnt_while_it_is_new():
    """After a hundred healthy runs, a dozen bad ones leave coefficients and mean as they were."""
    state = noise.initial(1)
    y = np.random.default_rng(10).standard_normal(112)
    y[100:] -= 1.0
    for t in range(100):
        state = noise.learn(state, noise.predict(state, y[t : t + 1], float(t)), y[t : t + 1], float(t))
    for t in range(100, 112):
        state = noise.learn(state, noise.predict(state, y[t : t + 1], float(t)), y[t : t + 1], float(t))
    assert state.mean == pytest.approx(y[: 112 - _late(112)].mean())
    assert _late(112) >= 12


def test_runs_of_a_better_level_are_no_evidence():
    """A run far above the long-run mean is told from one below it."""
    state = noise.initial(2)
    for t, value in enumerate(np.random.default_rng(11).standard_normal((40, 2))):
        state = noise.learn(state, noise.predict(state, value, float(t)), value, float(t))
    z = noise.z_values(noise.predict(state, np.array([5.0, -5.0]), 40.0), np.zeros(2))
    assert noise.better(z).tolist() == [True, False]
