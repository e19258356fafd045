"""Floors, judged with evidence inside the false-alarm budget."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from checks.floor import CHECK
from checks.types import Measurement, Subject, Verdict

EXAMPLES = 200
RATES = np.clip(np.random.default_rng(3).beta(0.30, 0.075, EXAMPLES), 0.001, 0.999)
PERIOD_H = 250.0


def fold(floor, levels, *, seed=0, period_h=2160.0):
    """The answers to hourly runs whose examples pass with ``levels`` [runs, examples]."""
    subject = Subject(EXAMPLES, ("label",), {}, floors={"label": floor})
    rng = np.random.default_rng([seed, 5])
    state, said = CHECK.initial(subject), []
    for number, rates in enumerate(levels, 1):
        one = Measurement(
            run=number,
            started_at=3600.0 * number,
            measured=True,
            scores={"label": (rng.random(EXAMPLES) < rates).astype(float)},
            answered=np.ones(EXAMPLES, dtype=bool),
            latency_s=np.full(EXAMPLES, np.nan),
            period_h=period_h,
        )
        state, answer = CHECK.update(subject, state, one, share=1.0, learn=True)
        said.append(answer)
    return said


def level(rates, runs):
    return np.tile(rates, (runs, 1))


def test_one_unlucky_run_never_pages():
    """Not even one that answers nothing right."""
    levels = np.vstack([level(RATES, 30), level(RATES * 0.0, 1), level(RATES, 30)])
    said = fold(float(RATES.mean()) - 0.05, levels)
    assert said[30].suspect
    assert not any(answer.standing for answer in said)


@pytest.mark.parametrize(("points", "runs"), [(0.05, 12), (0.2, 3)])
def test_a_true_fall_below_the_floor_pages(points, runs):
    """A level below the floor is found within some runs, and the first bad run is named."""
    floor = float(RATES.mean())
    levels = np.vstack([level(RATES + (1 - RATES) * 0.3, 20), level(RATES * (1 - points / floor), runs)])
    said = fold(floor, levels)
    assert said[-1].standing
    assert said[-1].findings[0].verdict is Verdict.REGRESSED
    assert said[-1].onset_run in range(19, 24)


def test_a_model_that_was_broken_from_the_start_is_found_without_a_baseline():
    """The second run already pages."""
    said = fold(0.9, level(RATES * 0.3, 2))
    assert [answer.standing for answer in said] == [False, True]


def _walk(rng, runs, keep, sd):
    u = np.zeros(runs)
    for t in range(1, runs):
        u[t] = keep * u[t - 1] + sd * np.sqrt(1 - keep**2) * rng.standard_normal()
    return u


@pytest.mark.parametrize("family", ["alike", "mixed", "autoregressive", "daily cycle", "glitches"])
def test_a_level_exactly_at_the_floor_pages_no_oftener_than_the_budget(family):
    """On the floor and not below it: the pages of four streams stay within one per 250 hours."""
    runs, pages = 500, 0
    for seed in range(4):
        rng = np.random.default_rng([seed, 9])
        base = np.log(RATES / (1 - RATES))
        u = {
            "autoregressive": lambda r: _walk(r, runs, 0.6, 0.25),
            "daily cycle": lambda r: 0.3 * np.sin(2 * np.pi * np.arange(runs) / 24),
        }.get(family, lambda r: np.zeros(runs))(rng)
        levels = 1 / (1 + np.exp(-(base[None] + u[:, None])))
        if family == "alike":
            levels = np.full_like(levels, float(RATES.mean()))
        if family == "glitches":
            levels = levels * np.where(rng.random((runs, 1)) < 0.01, 0.9, 1.0)
        said = fold(float(levels.mean()), levels, seed=seed, period_h=PERIOD_H)
        standing = [False, *[answer.standing for answer in said]]
        pages += sum(now and not before for before, now in pairwise(standing))
    assert pages <= 4 * runs / PERIOD_H


def test_a_run_that_nothing_could_score_leaves_the_floor_as_it_was():
    """No score is no evidence, for the floor or against it."""
    subject = Subject(EXAMPLES, ("label",), {}, floors={"label": 0.9})
    dark = Measurement(
        1,
        3600.0,
        True,
        {"label": np.full(EXAMPLES, np.nan)},
        np.ones(EXAMPLES, dtype=bool),
        np.zeros(EXAMPLES),
    )
    before = CHECK.initial(subject)
    after, answer = CHECK.update(subject, before, dark, share=1.0, learn=True)
    assert after == replace(before)
    assert answer.findings[0].verdict is Verdict.INCONCLUSIVE
