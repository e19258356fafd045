"""Is a slow drift seen, although what is healthy is learnt from every run?"""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference import watch

EXAMPLES, HEALTHY, DRIFT = 200, 178, 90 * 24


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_points_in_three_months_are_paged(seed: int) -> None:
    """A loss of two points, spread evenly over 90 days of hourly runs, is paged before it is complete."""
    rng = np.random.default_rng(seed)
    rates = np.clip(rng.beta(0.30, 0.075, EXAMPLES), 1e-4, 1 - 1e-4)
    lost = np.clip((np.arange(HEALTHY + DRIFT) - HEALTHY) / DRIFT, 0.0, 1.0) * 0.02 / rates.mean()
    scores = rng.random((HEALTHY + DRIFT, EXAMPLES)) < rates * (1.0 - lost[:, None])
    found = watch(scores.astype(float), baseline_runs=10)
    assert found.alarm_run is not None
    assert found.alarm_run > HEALTHY
