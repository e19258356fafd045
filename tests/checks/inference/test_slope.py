"""Do the slope and the forecast hold what their intervals promise?"""

from __future__ import annotations

import numpy as np

from checks.inference.slope import LEAST, crossing, fit


def drawn(seed, per_day=-0.0015, n=300, level=0.8):
    rng = np.random.default_rng(seed)
    days = 19_000.0 + rng.uniform(0, 365, n)
    chance = np.clip(level + per_day * (days - 19_182.5), 0.0, 1.0)
    return (rng.random(n) < chance).astype(float), days


def test_the_intervals_of_slope_and_forecast_cover_the_truth():
    """Of 400 draws at least 92% of the 95% intervals hold the true slope and the true day of the crossing."""
    truth_day = 19_182.5 + (0.8 - 0.5) / 0.0015
    slopes, days = [], []
    for seed in range(400):
        line = fit(*drawn(seed))
        slopes.append(line.interval[0] <= -0.0015 <= line.interval[1])
        found = crossing(line, 0.5)
        if found.at is not None:
            days.append(found.not_before <= truth_day <= found.not_after)
            assert found.not_before <= found.at <= found.not_after
    assert np.mean(slopes) >= 0.92
    assert len(days) > 300
    assert np.mean(days) >= 0.92


def test_what_is_not_surely_falling_has_no_forecast():
    """Level and rising knowledge give no date, not a far one."""
    for per_day in (0.0, 0.0005):
        found = crossing(fit(*drawn(1, per_day)), 0.5)
        assert (found.at, found.not_before, found.not_after) == (None, None, None)


def test_too_little_is_unknown():
    """Few dated examples, one date, or none scored."""
    scores, days = drawn(2)
    assert fit(scores[: LEAST - 1], days[: LEAST - 1]) is None
    assert fit(scores, np.full_like(days, 19_000.0)) is None
    assert fit(np.full_like(scores, np.nan), days) is None
    assert fit(scores, np.where(np.arange(300) < LEAST, days, np.nan)) is not None


def test_copies_of_an_example_prove_nothing_more():
    """Ten copies of each in one group leave the interval about as wide as the originals have it."""
    scores, days = drawn(3, n=60)
    alone = fit(scores, days)
    copies = fit(np.tile(scores, 10), np.tile(days, 10), np.tile(np.arange(60), 10))
    width = [line.interval[1] - line.interval[0] for line in (alone, copies)]
    assert copies.n == 60
    assert 0.8 < width[1] / width[0] < 1.2
