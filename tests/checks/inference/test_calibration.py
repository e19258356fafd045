"""What a bet's own past takes off it."""

from __future__ import annotations

import numpy as np

from checks.inference import calibration


def _after(log_e: np.ndarray) -> calibration.Record:
    record = calibration.initial(log_e.shape[1])
    for row in log_e:
        record = calibration.learn(record, row)
    return record


def test_a_bet_that_gained_a_little_in_every_run_is_lowered_to_about_one() -> None:
    """A bet on .5 sd over skewed noise, whose mean e is above 1, loses most of what it had too much."""
    rng = np.random.default_rng(1)
    z = (rng.gamma(0.5, size=(4000, 1)) - 0.5) / np.sqrt(0.5)
    log_e = z - 0.5
    gained = float(np.log(np.exp(np.minimum(log_e, np.log(20.0))).mean()))
    lowered = float(calibration.excess(_after(log_e))[0])
    assert gained > 0.1
    assert 0.7 * gained < lowered < gained


def test_bets_on_normal_noise_keep_nearly_all() -> None:
    """Over normal noise a bet's e-values average to one, and less than a hundredth is taken off in the mean."""
    rng = np.random.default_rng(2)
    log_e = 0.5 * rng.standard_normal((600, 200)) - 0.125
    assert calibration.excess(_after(log_e)).mean() < 0.01


def test_the_newest_runs_do_not_count_yet() -> None:
    """A drop of fewer runs than the lag changes nothing that is taken off."""
    calm = np.zeros((200, 1))
    drop = np.full((calibration.LAG, 1), 2.0)
    assert calibration.excess(_after(np.vstack([calm, drop]))) == calibration.excess(_after(calm))


def test_a_new_endpoint_has_nothing_taken_off() -> None:
    """Without a past every bet counts in full."""
    assert (calibration.excess(calibration.initial(3)) == 0.0).all()


def test_products_that_rise_together_are_lowered_though_each_e_value_is_fair():
    """E-values with a mean of 1 whose logs stay high for a day at a time lose what a dozen in a row gain too much."""
    rng = np.random.default_rng(12)
    high = np.repeat(rng.random(400) < 0.5, 24)
    log_e = np.where(high, np.log(1.25), np.log(0.75))
    record = calibration.initial(2)
    for slow, quick in zip(log_e, rng.permutation(log_e), strict=True):
        record = calibration.learn(record, np.array([slow, quick]))
    slow, quick = calibration.excess(record)
    assert slow > 0.05
    assert quick < 0.01
