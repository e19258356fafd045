"""The detectability card: from own runs where there are some, from stated assumptions else."""

from __future__ import annotations

import numpy as np

from checks import judge
from checks.detectability import Plan, cards, threshold_h
from checks.types import Measurement, Subject

MASK = np.arange(120) % 6 == 0
ABOUT = Subject(120, ("label",), {"lang=de": MASK, "lang=en": ~MASK}, baseline_runs=4)


def folded(noise: float, runs: int = 40, accuracy: float = 0.9) -> judge.State:
    rng, state = np.random.default_rng(5), judge.initial(ABOUT)
    rates = np.clip(rng.beta(2, 2 * (1 - accuracy) / accuracy, 120), 0.02, 0.98)
    for run in range(1, runs + 1):
        logit = np.log(rates / (1 - rates)) + noise * rng.standard_normal()
        row = (rng.random(120) < 1 / (1 + np.exp(-logit))).astype(float)
        made = Measurement(
            run, run * 3600.0, True, {"label": row}, np.ones(120, dtype=bool), np.full(120, 0.5)
        )
        state, _ = judge.judge(ABOUT, state, made)
    return state


def test_without_runs_everything_is_assumed_and_said_so() -> None:
    """No own run: the card names what it took for granted."""
    (card,) = cards(ABOUT, Plan(1.0, accuracy=0.9))
    assert card.own_runs == 0
    assert card.assumed[0] == "90% right"
    assert [d.within for d in card.drops] == ["day", "week", "month"]
    falls = [d.fade for d in card.drops if d.fade is not None]
    assert len(falls) == 3
    assert falls == sorted(falls, reverse=True)


def test_own_runs_replace_the_assumptions() -> None:
    """The accuracy and the noise are the target's own; noisier runs find less."""
    (calm,), (noisy,) = cards(ABOUT, Plan(1.0), folded(0.0)), cards(ABOUT, Plan(1.0), folded(0.8))
    assert calm.own_runs == 40
    assert not calm.assumed
    assert abs(calm.accuracy - 0.9) < 0.1
    assert noisy.dispersion > 1.3 > calm.dispersion
    week = [c.drops[1].fade for c in (calm, noisy)]
    assert week[0] is not None
    assert week[1] is None or week[1] > week[0]


def test_a_thin_slice_needs_a_larger_drop() -> None:
    """The thinnest slice comes first, and needs more than the whole set."""
    (card,) = cards(ABOUT, Plan(1.0))
    assert [(s.name, s.examples) for s in card.slices] == [("lang=de", 20), ("lang=en", 100)]
    thin, thick, whole = card.slices[0].week, card.slices[1].week, card.drops[1].fade
    assert thin is not None
    assert thick is not None
    assert whole is not None
    assert thin > thick > whole * 0.8


def test_more_examples_buy_smaller_drops() -> None:
    """Twice and four times the examples, each with the factor that it costs."""
    (card,) = cards(ABOUT, Plan(1.0))
    day = [d.fade for d in (card.drops[0], card.options[0].drops[0], card.options[1].drops[0])]
    assert all(d is not None for d in day)
    assert day == sorted(day, reverse=True)
    assert [o.factor for o in card.options] == [2.0, 4.0, 3.0]


def test_sharing_the_budget_raises_the_threshold() -> None:
    """Forty targets and two scorers: each has an eightieth."""
    two = Subject(10, ("a", "b"), {})
    one = Subject(10, ("a",), {})
    assert threshold_h(two, Plan(1.0, share=1 / 40)) == 80 * threshold_h(one, Plan(1.0))
