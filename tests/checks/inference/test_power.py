"""The forecast of what a watch finds, against the engine that does the finding."""

from __future__ import annotations

import numpy as np
import pytest

from checks.inference import counts, power, watch

EVERYWHERE = np.ones(200, dtype=bool)


def setting(n: int = 200, accuracy: float = 0.8, **more: object) -> power.Setting:
    rates = power.assumed_rates(n, accuracy)
    return power.Setting(rates, **{"interval_h": 1.0, "threshold_h": 2160.0, "history_runs": 90, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["fade", "loss"])
def test_the_engine_finds_what_the_card_promises_and_not_much_less(shape: power.Shape) -> None:
    """At 1.5 times the card's drop the engine pages within a day almost always, at half of it seldom."""
    made = setting(confirm=False)
    drop = power.smallest_drop(made, 24.0, shape=shape)
    assert drop is not None

    def share(multiple: float) -> float:
        after = power.after_drop(made.rates, multiple * drop, shape, EVERYWHERE)
        found = 0
        for seed in range(20):
            rng = np.random.default_rng(seed)
            rates = np.vstack([np.tile(made.rates, (90, 1)), np.tile(after, (24, 1))])
            found += (
                watch((rng.random(rates.shape) < rates).astype(float), baseline_runs=10).alarm_run is not None
            )
        return found / 20

    assert share(1.5) >= 0.8
    assert share(0.5) <= 0.6


def test_more_of_anything_finds_smaller_drops() -> None:
    """More time, more runs, more examples, more repeats: each lowers the smallest drop."""
    base = power.smallest_drop(setting(), 24.0)
    assert base is not None
    better = (
        power.smallest_drop(setting(), 168.0),
        power.smallest_drop(setting(interval_h=0.25), 24.0),
        power.smallest_drop(setting(800), 24.0),
        power.smallest_drop(setting(repeats=3), 24.0),
    )
    assert all(drop is not None and drop < base for drop in better)


def test_noise_and_a_share_of_the_budget_cost() -> None:
    """Run noise beyond chance, slow noise, restless failures and a fortieth of the budget: each raises it."""
    base = power.smallest_drop(setting(), 24.0)
    assert base is not None
    worse = (
        power.smallest_drop(setting(dispersion=1.5), 24.0),
        power.smallest_drop(setting(persistence=0.5), 24.0),
        power.smallest_drop(setting(threshold_h=2160.0 * 40), 24.0),
    )
    assert all(drop is not None and drop > base for drop in worse)
    calm = power.smallest_drop(setting(), 24.0, shape="loss")
    restless = power.smallest_drop(setting(cv2=np.full(counts.STRATA, 1.0)), 24.0, shape="loss")
    assert calm is not None
    assert restless is not None
    assert restless > calm


def test_what_cannot_be_found_is_none() -> None:
    """No run within the horizon, or a set that is never right: None, not 0 and not 1."""
    assert power.smallest_drop(setting(interval_h=48.0), 24.0) is None
    never = power.Setting(np.zeros(50), 1.0, 2160.0, 20)
    assert power.smallest_drop(never, 24.0) is None


def test_a_daily_run_with_its_confirmation_pages_within_a_day() -> None:
    """One run a day finds a large drop on that day if it is confirmed, and nothing if it is not."""
    alone = setting(interval_h=24.0, confirm=False)
    assert power.smallest_drop(alone, 24.0) is None
    confirmed = power.smallest_drop(setting(interval_h=24.0), 24.0)
    assert confirmed is not None
    assert confirmed < 0.2


def test_the_bets_on_rare_failures_are_the_engines() -> None:
    """Without frailty the vectorised bets equal the engine's, up to the quadrature of nothing."""
    member, zero = np.ones((4, 4), dtype=bool), np.zeros(4)
    a, b = np.array([1.0, 3.0, 8.0, 20.0]), np.array([400.0, 300.0, 200.0, 150.0])
    x, m = np.array([0.0, 2.0, 1.0, 9.0]), np.array([90.0, 40.0, 0.0, 30.0])
    engine = counts.log_bets(counts.Counts(member, np.ones(4), a, b, zero, zero), x * (m > 0), m)
    assert power.rare_log_e(a, b, x * (m > 0), m) == pytest.approx(engine, abs=1e-9)


def test_the_figures_are_the_same_every_time() -> None:
    """Seeds are fixed: the card does not flicker."""
    assert power.smallest_drop(setting(60), 24.0) == power.smallest_drop(setting(60), 24.0)


@pytest.mark.parametrize("n", [1, 2, 20])
def test_tiny_sets_get_an_answer(n: int) -> None:
    """One example is a setting too: a figure at most the accuracy, or None."""
    drop = power.smallest_drop(setting(n, 0.6), 168.0)
    assert drop is None or 0.0 < drop <= 0.95
