"""Is a swapped model found by the first tokens of border prompts, soon, and only then?"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from checks.border import ABOUT, TOKENS
from checks.identity import CHECK
from checks.types import Measurement, Subject, Verdict
from tests.checks import folds

PROMPTS = 20
GAPS = np.random.default_rng(7).uniform(-0.8, 0.8, PROMPTS)
"""How far each prompt's answer is from the fence, in logits."""

SIGNS = np.where(np.arange(PROMPTS) % 2, 1.0, -1.0)
"""Which way a change moves each prompt."""


def about(**more) -> Subject:
    given = {"examples": 40, "scorers": ("label",), "slices": {}, "border": True, "baseline_runs": 6}
    return Subject(**{**given, **more})


def run(
    number, *, moved=0.0, noise=0.0, sampled=False, draws=1, known=PROMPTS, prompts=1.0, seed=0
) -> Measurement:
    """A run by a model whose logits moved so far; ``noise`` is that of batching, ``sampled``: at temperature 1."""
    rng = np.random.default_rng([number, seed])
    logits = (GAPS * (not sampled) + moved * SIGNS)[:, None] + noise * rng.standard_normal((PROMPTS, draws))
    cut = rng.logistic(size=logits.shape) if sampled else 0.0
    tokens = (logits > cut).astype(float) + 1.0
    tokens[known:] = np.nan
    return Measurement(
        run=number,
        started_at=3600.0 * number,
        measured=True,
        scores={"label": (rng.random(40) < 0.95).astype(float)},
        answered=np.ones(40, dtype=bool),
        latency_s=np.full(40, np.nan),
        judged={TOKENS: tokens.ravel(), ABOUT: np.array([prompts, PROMPTS])},
    )


def answers(runs, subject=None, share=0.1):
    """The check's answer after each run."""
    return folds.answers(CHECK, subject or about(), runs, share=share)


@cache
def after_healthy_runs(noise: float, sampled: bool, draws: int):
    """The check's state after forty healthy runs, none of which paged."""
    subject, state = about(), CHECK.initial(about())
    for number in range(1, 41):
        asked = 4 * draws if sampled and number == 1 else draws
        one = run(number, noise=noise, sampled=sampled, draws=asked)
        state, answer = CHECK.update(subject, state, one, share=0.1, learn=True)
        assert not answer.standing
    return state


def requests_to_find(moved: float, *, noise: float = 0.0, sampled: bool = False, draws: int = 1) -> int:
    """One-token requests after a change of every logit until it is told."""
    state = after_healthy_runs(noise, sampled, draws)
    for number in range(41, 81):
        one = run(number, moved=moved, noise=noise, sampled=sampled, draws=draws)
        state, answer = CHECK.update(about(), state, one, share=0.1, learn=True)
        if answer.standing:
            return PROMPTS * draws * (number - 40)
    pytest.fail(f"a change of {moved} logits was not told in 40 runs")


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(("moved", "at_most"), [(4.0, 60), (2.0, 100), (1.0, 240), (0.5, 240)])
def test_a_change_of_logits_is_found_within_the_goal(moved: float, at_most: int, noise: float) -> None:
    """Asked at temperature 0, twenty prompts find it in no more requests than was asked for."""
    assert requests_to_find(moved, noise=noise) <= at_most


@pytest.mark.parametrize(("moved", "at_most"), [(4.0, 240), (2.0, 400)])
def test_a_model_that_is_sampled_takes_longer(moved: float, at_most: int) -> None:
    """At temperature 1, where every prompt is answered this way or that by chance, three requests each find it too."""
    assert requests_to_find(moved, sampled=True, draws=3) <= at_most


def test_it_says_how_many_prompts_turned_and_since_when() -> None:
    """One run is suspect, the second says that it is another model."""
    found = answers([run(i) for i in range(1, 11)] + [run(i, moved=2) for i in (11, 12)])
    verdicts = [a.findings[0].verdict for a in found]
    assert verdicts == [*[Verdict.LEARNING] * 6, *[Verdict.OK] * 4, Verdict.SUSPECT, Verdict.REGRESSED]
    last = found[-1].findings[0]
    assert (found[-1].standing, found[-1].onset_run, last.scorer) == (True, 11, "border_prompts")
    assert "of 20 border prompts begin with another token than in the baseline (usual: 0)" in last.reason


def test_an_outage_says_nothing() -> None:
    """A run in which too few prompts were answered, or none were asked, is inconclusive and changes nothing."""
    dark = [run(11, moved=2, known=7), replace(run(12, moved=2), judged={})]
    found = answers([*(run(i) for i in range(1, 11)), *dark, run(13)])
    assert [a.findings[0].verdict for a in found[-3:]] == [*[Verdict.INCONCLUSIVE] * 2, Verdict.OK]
    assert not found[-1].standing


def test_other_prompts_are_learnt_anew() -> None:
    """Prompts that replace others are not held against them."""
    found = answers([run(i) for i in range(1, 11)] + [run(i, moved=2, prompts=2.0) for i in range(11, 21)])
    assert found[10].findings[0].verdict is Verdict.LEARNING
    assert not any(a.standing or a.suspect for a in found)


def test_log_probabilities_are_read_where_there_are_any() -> None:
    """They say more, so that tokens are left alone."""
    (answer,) = answers([run(1)], about(logprobs=True))
    assert answer.findings[0].reason == "the endpoint gave no log-probabilities"


def test_a_kept_state_goes_on_like_the_fold_that_was_never_kept() -> None:
    """Dumped and loaded after any run, the judgement is the same."""
    kept, folded = folds.kept_and_folded(about(), (run(i, moved=2.0 * (i > 9)) for i in range(1, 13)))
    assert kept == folded


FAMILIES = {
    "exact": lambda rng: {},
    "batching": lambda rng: {"noise": 0.02},
    "restless batching": lambda rng: {"noise": 0.1 * (1.0 + 3.0 * rng.random())},
    "two replicas": lambda rng: {"moved": 0.3 * float(rng.random() < 0.5)},
    "sampled": lambda rng: {"sampled": True, "draws": 3},
    "missing answers": lambda rng: {"noise": 0.1, "known": int(rng.integers(8, 21))},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_healthy_prompts_page_no_oftener_than_the_budget(family: str) -> None:
    """A baseline of six runs is reused for ever; pages stay within one per 50 hours."""
    hours = 300
    found = folds.healthy_pages(CHECK, about(), run, family, FAMILIES[family], salt=31, hours=hours)
    assert found <= hours / folds.PERIOD_H
