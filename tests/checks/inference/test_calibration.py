"""The budget holds: healthy streams of every kind page no oftener than was promised."""

from __future__ import annotations

import math

import numpy as np
import pytest

HOURS = 2000
BUDGET_H = 500.0
STREAMS = 5
"""Five streams of 2,000 hourly runs each at one page per 500 hours: 20 false pages are allowed."""


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _autoregressive(rng: np.random.Generator, phi: float, sd: float) -> np.ndarray:
    u, shocks = np.zeros((HOURS, 1)), rng.standard_normal(HOURS) * sd * math.sqrt(1 - phi**2)
    for t in range(1, HOURS):
        u[t] = phi * u[t - 1] + shocks[t]
    return u


def _scores(family: str, rng: np.random.Generator, rates: np.ndarray) -> np.ndarray:
    shape = (HOURS, len(rates))
    hours = np.arange(HOURS)[:, None]
    level = _logit(rates)[None]
    if family == "graded":
        return np.clip(rates + 0.1 * rng.standard_normal(shape), 0, 1)
    probability = {
        "independent": lambda: np.tile(rates, (HOURS, 1)),
        "deterministic": lambda: np.tile(np.where(rates > 0.5, 0.9995, 0.0005), (HOURS, 1)),
        "over-dispersed": lambda: _sigmoid(level + 0.25 * rng.standard_normal((HOURS, 1))),
        "heavy tails": lambda: _sigmoid(level + 0.2 * rng.standard_t(3, (HOURS, 1))),
        "autoregressive": lambda: _sigmoid(level + _autoregressive(rng, 0.6, 0.25)),
        "daily cycle": lambda: _sigmoid(level + 0.3 * np.sin(2 * np.pi * hours / 24)),
        "missing": lambda: np.tile(rates, (HOURS, 1)),
        "glitches": lambda: rates * np.where(rng.random((HOURS, 1)) < 0.01, 0.9, 1.0),
        "random losses": lambda: rates * (1 - np.minimum(rng.gamma(1.0, 0.02, (HOURS, 1)), 1.0)),
    }[family]()
    x = (rng.random(shape) < probability).astype(float)
    if family == "missing":
        x[rng.random(shape) < rng.uniform(0, 0.2, (HOURS, 1))] = np.nan
    return x


@pytest.mark.parametrize(
    "family",
    [
        "independent",
        "deterministic",
        "over-dispersed",
        "heavy tails",
        "autoregressive",
        "daily cycle",
        "missing",
        "graded",
        "glitches",
        "random losses",
    ],
)
def test_a_healthy_stream_pages_no_oftener_than_the_budget(family, stream, make_plan, count_pages):
    """Over many golden sets, each with its own baseline reused for ever, the pages stay within the budget."""
    found = 0
    for seed in range(STREAMS):
        rates = stream(seed).rates(100)
        scores = _scores(family, np.random.default_rng([seed, 3]), rates)
        found += len(count_pages(make_plan(100), scores, BUDGET_H))
    assert found <= STREAMS * HOURS / BUDGET_H


@pytest.mark.parametrize("baseline_runs", [3, 30])
def test_the_budget_holds_whatever_the_length_of_the_baseline(baseline_runs, stream, make_plan, count_pages):
    """A short baseline costs speed, not false pages."""
    found = sum(
        len(
            count_pages(
                make_plan(100, baseline_runs), stream(seed).runs(stream(seed).rates(100), HOURS), BUDGET_H
            )
        )
        for seed in range(STREAMS)
    )
    assert found <= STREAMS * HOURS / BUDGET_H


def test_ten_slices_share_the_budget(stream, make_plan, count_pages):
    """Watching slices too does not add false pages."""
    found = sum(
        len(
            count_pages(
                make_plan(100, slices=10), stream(seed).runs(stream(seed).rates(100), HOURS), BUDGET_H
            )
        )
        for seed in range(3)
    )
    assert found <= 3 * HOURS / BUDGET_H
