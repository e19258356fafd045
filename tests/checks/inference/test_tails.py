"""What the past allows one run to say."""

from __future__ import annotations

import numpy as np

from checks.inference import tails


def _after(log_e, times):
    state = tails.initial(1)
    for _ in range(times):
        state = tails.learn(state, np.array([log_e]))
    return state


def test_what_was_never_seen_is_not_bounded():
    """A new kind of break counts in full, after ten healthy runs as after a thousand."""
    for runs in (10, 1000):
        assert tails.excess(_after(0.0, runs), np.array([20.0]))[0] == 0


def test_a_glitch_that_comes_back_counts_for_little():
    """Once in a hundred runs, for a thousand runs: such a run may not say more than e = 10."""
    state = tails.initial(1)
    for run in range(1004):
        state = tails.learn(state, np.array([6.0 if run % 100 == 0 else 0.0]))
    bounded = 6.0 - tails.excess(state, np.array([6.0]))[0]
    assert np.log(5) < bounded < np.log(12)


def test_a_worse_run_than_the_known_glitches_counts_in_full():
    """A record of small glitches is no excuse for a larger break."""
    state = tails.initial(1)
    for run in range(1004):
        state = tails.learn(state, np.array([2.0 if run % 50 == 0 else 0.0]))
    assert tails.excess(state, np.array([9.0]))[0] == 0


def test_the_runs_of_a_new_drop_do_not_testify_against_each_other():
    """The four newest runs are not on the record yet."""
    state = _after(0.0, 100)
    for _ in range(tails.LAG):
        state = tails.learn(state, np.array([6.0]))
    assert tails.excess(state, np.array([6.0]))[0] == 0


def test_the_bound_is_not_reached_on_normal_noise():
    """The mixture bet on standard normal runs is almost never cut."""
    from checks.inference.noise import THETA_WEIGHTS, THETAS

    state, cut = tails.initial(1), 0
    for z in np.random.default_rng(1).standard_normal(5000):
        log_e = np.array([np.log(THETA_WEIGHTS @ np.exp(THETAS * z - THETAS**2 / 2))])
        cut += tails.excess(state, log_e)[0] > 0.3
        state = tails.learn(state, log_e)
    assert cut < 25


def test_streams_have_records_of_their_own():
    """One stream's glitches do not excuse another's."""
    state = tails.initial(2)
    for run in range(504):
        state = tails.learn(state, np.array([6.0 if run % 50 == 0 else 0.0, 0.0]))
    cut = tails.excess(state, np.array([6.0, 6.0]))
    assert cut[0] > 0
    assert cut[1] == 0
