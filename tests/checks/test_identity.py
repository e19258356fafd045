"""Is a model that was swapped found by its odds while its answers stay right, and only then?"""

from __future__ import annotations

import numpy as np
import pytest

from checks.identity import CHECK, FIRST
from checks.types import Measurement, Subject, Verdict
from tests.checks import folds

EXAMPLES = 48
USUAL = -np.random.default_rng(5).gamma(0.6, 0.4, EXAMPLES)
REQUANTISED = np.random.default_rng(6).normal(0.0, 0.15, EXAMPLES)
"""By how much another quantisation moves each example's log-probability, in nats."""


def about(**more) -> Subject:
    given = {"examples": EXAMPLES, "scorers": ("label",), "slices": {}, "logprobs": True, "baseline_runs": 6}
    return Subject(**{**given, **more})


def run(number, *, moved=0.0, noise=0.0, known=EXAMPLES, seed=0) -> Measurement:
    """A run by a model whose log-probabilities moved by ``moved`` of a requantisation; ``noise`` is in nats."""
    rng = np.random.default_rng([number, seed])
    first = USUAL + moved * REQUANTISED + noise * rng.standard_normal(EXAMPLES)
    first[known:] = np.nan
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"label": (rng.random(EXAMPLES) < 0.95).astype(float)},
        answered=np.ones(EXAMPLES, dtype=bool),
        latency_s=np.full(EXAMPLES, np.nan),
        observed={FIRST: first},
    )


def answers(runs, subject=None):
    """The check's answer after each run."""
    return folds.answers(CHECK, subject or about(), runs, share=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
def test_a_requantised_model_is_found_at_the_second_run(noise: float) -> None:
    """One run is suspect, the second says since when, by how much and in how many examples."""
    found = answers(
        [run(i, noise=noise) for i in range(1, 11)] + [run(i, moved=1, noise=noise) for i in (11, 12)]
    )
    assert [a.findings[0].verdict for a in found[5:]] == [
        Verdict.LEARNING, *[Verdict.OK] * 4, Verdict.SUSPECT, Verdict.REGRESSED
    ]  # fmt: skip
    assert found[-2].suspect
    assert (found[-1].standing, found[-1].onset_run) == (True, 11)
    last = found[-1].findings[0]
    assert "not the model that was" in last.reason
    assert last.current == pytest.approx(np.abs(REQUANTISED).mean(), abs=0.02)


def test_no_single_run_pages() -> None:
    """One run by another model is suspect at most."""
    found = answers([*(run(i) for i in range(1, 11)), run(11, moved=5.0), run(12)])
    assert not any(a.standing for a in found)


def test_it_ends_when_the_model_is_back() -> None:
    """As before, the regression is over within a few runs."""
    runs = [run(i) for i in range(1, 11)] + [run(i, moved=1) for i in range(11, 15)]
    found = answers(runs + [run(i) for i in range(15, 35)])
    assert found[13].standing
    assert not found[-1].standing


def test_without_log_probabilities_it_is_not_measured() -> None:
    """A run that gave too few is inconclusive and changes nothing; an endpoint never asked for them is not watched."""
    found = answers([*(run(i) for i in range(1, 11)), run(11, moved=1, known=19), run(12, moved=1, known=19)])
    assert [a.findings[0].verdict for a in found[-2:]] == [Verdict.INCONCLUSIVE] * 2
    assert not found[-1].standing
    assert CHECK.initial(about(logprobs=False)) is None


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept() -> None:
    """Dumped and loaded after any run, the judgement is the same."""
    kept, folded = folds.kept_and_folded(about(), (run(i, moved=float(i > 10)) for i in range(1, 15)))
    assert kept == folded


FAMILIES = {
    "independent": lambda rng: {"noise": 0.01},
    "batching": lambda rng: {"noise": 0.002 * (1.0 + 10.0 * rng.random())},
    "two replicas": lambda rng: {"moved": float(rng.random() < 0.5)},
    "heavy tails": lambda rng: {"noise": 0.005 * min(float(rng.pareto(2.0)), 20.0)},
    "exact": lambda rng: {},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_odds_page_no_oftener_than_the_budget(family: str) -> None:
    """A baseline of six runs is reused for ever; pages stay within one per 50 hours."""
    hours = 600
    found = folds.healthy_pages(CHECK, about(), run, family, FAMILIES[family], salt=29, hours=hours)
    assert found <= hours / folds.PERIOD_H
