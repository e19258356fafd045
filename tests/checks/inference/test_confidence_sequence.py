"""Does the interval hold the truth at every look at once?"""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference.confidence_sequence import boundary, difference
from checks.inference.paired import paired_interval


@pytest.mark.parametrize(("own", "shared"), [(0.0, 0.0), (0.3, 0.0), (0.15, 0.03)])
def test_it_is_left_at_most_as_often_as_promised(own: float, shared: float) -> None:
    """Over half a year of weekly looks at drawn examples the truth is ever left out in at most alpha of all cases."""
    rng = np.random.default_rng(7)
    trials, n, looks, truth = 300, 120, 26, 0.04
    left = 0
    for _ in range(trials):
        theta = rng.choice([1.0, 0.0, -1.0], size=n, p=[0.09, 0.86, 0.05])
        noise = rng.normal(0, own, (looks, n)) + rng.normal(0, shared, (looks, 1))
        x = theta + noise
        found = (difference(x[: t + 1], alpha=0.1) for t in (1, 2, 4, 8, 15, 25))
        left += any(f is not None and not f.interval[0] <= truth <= f.interval[1] for f in found)
    assert left / trials <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / trials)


def test_endpoints_that_repeat_themselves_cost_nothing() -> None:
    """Without noise the interval does not change, however often one looks."""
    row = np.r_[np.ones(9), -np.ones(2), np.zeros(89)]
    once, often = difference(row[None, :]), difference(np.tile(row, (50, 1)))
    assert once is not None
    assert often is not None
    assert once.interval == often.interval == paired_interval(row, level=0.96)


def test_more_looks_at_noisy_answers_narrow_it() -> None:
    """Noise averages out, down to what the drawn examples leave uncertain."""
    rng = np.random.default_rng(3)
    x = rng.normal(0.05, 0.2, (40, 200))
    widths = [np.ptp(found.interval) for t in (2, 5, 40) if (found := difference(x[:t])) is not None]
    assert widths == sorted(widths, reverse=True)


def test_missing_pairs_are_left_out_and_not_counted_as_no_difference() -> None:
    """An example without both scores in any look is no evidence; a look without any is no look."""
    x = np.full((3, 4), np.nan)
    assert difference(x) is None
    x[0, :2], x[2, 1] = (1.0, 0.0), 0.5
    found = difference(x)
    assert found is not None
    assert (found.looks, found.examples, found.effect) == (2, 2, 0.625)


def test_the_boundary_shrinks_like_the_noise() -> None:
    """It is finite at the first look and falls with every further one."""
    widths = [boundary(t, 0.01) for t in range(1, 100)]
    assert widths == sorted(widths, reverse=True)
    assert all(0 < w < 10 for w in widths)


def test_arguments_out_of_range_are_refused() -> None:
    """Alpha is a probability, and looks a table."""
    with pytest.raises(ValueError, match="alpha"):
        difference(np.zeros((1, 2)), alpha=0.0)
    with pytest.raises(ValueError, match="looks"):
        difference(np.zeros(3))
